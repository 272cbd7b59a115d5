"""Masks of one bit a pixel: an eighth of the memory, and what every operation on masks works on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

WORD_BITS = 32


@dataclass(frozen=True, slots=True, eq=False)
class BitMasks:
    """N masks of one size.

    Attributes:
        words: (N, H, ceil(W / 32)) uint32, C-contiguous. Pixel x is bit x % 32 of word x // 32;
            bits past the width are 0.
        width: of the masks in pixels.

    Raises:
        ValueError: the words are of another type or shape, or a bit past the width is set.
    """

    words: npt.NDArray[np.uint32]
    width: int

    def __post_init__(self) -> None:
        words, per_row = self.words, -(-self.width // WORD_BITS)
        if words.dtype != np.uint32 or words.ndim != 3 or words.shape[2] != per_row or not words.flags.c_contiguous:
            raise ValueError(
                f"bit masks: expected C-contiguous uint32 (N, H, {per_row}), got {words.dtype} {words.shape}"
            )
        if self.width % WORD_BITS and (words[..., -1] >> np.uint32(self.width % WORD_BITS)).any():
            raise ValueError(f"bit masks: bits past the width {self.width} are set")

    def __len__(self) -> int:
        return int(self.words.shape[0])

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of each mask."""
        return int(self.words.shape[1]), self.width

    def __getitem__(self, index: int) -> BitMasks:
        """One of the masks, as a batch of one; no copy."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"bit masks: expected an index below {len(self)}, got {index}")
        index %= len(self)
        return BitMasks(self.words[index : index + 1], self.width)
