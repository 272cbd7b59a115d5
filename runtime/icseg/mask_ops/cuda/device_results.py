"""What the mask operations leave in GPU memory, and its way to the types that the CPU's operations return.

Every ``to_host`` waits for the stream; nothing else here does.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icseg.inference.device_memory import DeviceArray
from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.components import Components
from icseg.mask_ops.statistics import MaskStatistics

_RLE_REFUSALS = (
    "",
    "expected characters from '0' to 'o'",
    "expected numbers of at most 35 bits",
    "expected runs of at least 0 that fill the mask, no more",
    "the text ends within a number",
    "expected runs that fill the mask, got fewer",
    "expected at most run_capacity runs",
)
"""By the status of icseg_rle_decode."""


@dataclass(frozen=True, slots=True, eq=False)
class DeviceBitMasks:
    """N masks of one size in GPU memory.

    Attributes:
        words: (N, H, ceil(W / 32)) uint32, as ``BitMasks`` has them; bits past the width are 0.
        width: of the masks in pixels.
    """

    words: DeviceArray
    width: int

    def __len__(self) -> int:
        return len(self.words)

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of each mask."""
        return self.words.shape[1], self.width

    def to_host(self) -> BitMasks:
        """The same in the CPU's memory."""
        return BitMasks(self.words.to_host(), self.width)


@dataclass(frozen=True, slots=True, eq=False)
class DeviceStatistics:
    """What is read off N masks.

    Attributes:
        rows: (N, 12) int64, as ``MaskStatistics`` has them.
    """

    rows: DeviceArray

    def __len__(self) -> int:
        return len(self.rows)

    def to_host(self) -> MaskStatistics:
        """The same in the CPU's memory."""
        return MaskStatistics(self.rows.to_host())


@dataclass(frozen=True, slots=True, eq=False)
class DeviceComponents:
    """The connected components of N masks.

    Attributes:
        labels: (N, H, W) int32: 0 outside, component k is k + 1.
        counts: (N,) int32: components of each mask.
        rows: (N, capacity, 7) int64, as ``Components`` has them, of the first ``capacity``; the others are not set.
    """

    labels: DeviceArray
    counts: DeviceArray
    rows: DeviceArray

    def to_host(self) -> list[Components]:
        """One for each mask.

        Raises:
            ValueError: a mask has more components than ``capacity``.
        """
        counts = _within(self.counts, self.rows.shape[1], "components", "capacity")
        labels = self.labels.to_host()
        return [Components(labels[n], self.rows.head_to_host(n, count)) for n, count in enumerate(counts)]


@dataclass(frozen=True, slots=True, eq=False)
class DevicePeaks:
    """The pixel of each of N masks that is farthest from everything outside it.

    Attributes:
        rows: (N, 3) int64: x, y, squared distance; -1, -1, 0 of an empty mask.
    """

    rows: DeviceArray

    def to_host(self) -> list[tuple[int, int, float] | None]:
        """One for each mask: x, y and distance in pixels, or None where it is empty."""
        rows = self.rows.to_host()
        return [(int(x), int(y), float(np.sqrt(square))) if square else None for x, y, square in rows]


@dataclass(frozen=True, slots=True, eq=False)
class DeviceKept:
    """What non-maximum suppression leaves.

    Attributes:
        numbers: (N,) int32: numbers of the masks that stay, by falling score; those after ``count`` are not set.
        count: (1,) int32.
    """

    numbers: DeviceArray
    count: DeviceArray

    def to_host(self) -> npt.NDArray[np.int32]:
        """The numbers of the masks that stay."""
        return self.numbers.to_host()[: self.count.to_host()[0]]


@dataclass(frozen=True, slots=True, eq=False)
class DeviceTexts:
    """Run lengths of N masks.

    Attributes:
        texts: (N, text_capacity) uint8.
        lengths: (N,) int32: bytes of each text, also where that is more than ``text_capacity``; -1 where a mask has
            more changes than ``run_capacity``.
    """

    texts: DeviceArray
    lengths: DeviceArray

    def to_host(self) -> list[bytes]:
        """The text of each mask.

        Raises:
            ValueError: a text did not fit.
        """
        lengths = _within(self.lengths, self.texts.shape[1], "bytes of run lengths", "text_capacity")
        for n, length in enumerate(lengths):
            if length < 0:
                raise ValueError(f"mask {n}: more changes than run_capacity: give a larger one")
        return [self.texts.head_to_host(n, length).tobytes() for n, length in enumerate(lengths)]


@dataclass(frozen=True, slots=True, eq=False)
class DeviceDecoded:
    """Masks of N texts.

    Attributes:
        masks: of the texts; empty where one was refused.
        statuses: (N,) int32: 0, or why a text was refused, as cuda.h says.
    """

    masks: DeviceBitMasks
    statuses: DeviceArray

    def to_host(self) -> BitMasks:
        """The masks.

        Raises:
            ValueError: a text was refused; says which and why.
        """
        for n, status in enumerate(self.statuses.to_host()):
            if status:
                raise ValueError(f"run lengths of mask {n} of {self.masks.hw}: {_RLE_REFUSALS[status]}")
        return self.masks.to_host()


@dataclass(frozen=True, slots=True, eq=False)
class DeviceContours:
    """Outlines of N masks as linked corners.

    Attributes:
        corners: (N, 2 * edge_capacity, 2) int32 x, y.
        following: (N, 2 * edge_capacity) int32: number of the corner that comes next on the same polygon.
        edge_counts: (N,) int32: edges of each mask, two corners each.
    """

    corners: DeviceArray
    following: DeviceArray
    edge_counts: DeviceArray

    def to_host(self) -> list[list[npt.NDArray[np.int32]]]:
        """For each mask its outlines, as (K, 2) polygons.

        Raises:
            ValueError: a mask has more edges than ``edge_capacity``.
        """
        counts = _within(self.edge_counts, self.following.shape[1] // 2, "horizontal edges", "edge_capacity")
        return [
            _polygons(self.corners.head_to_host(n, 2 * count), self.following.head_to_host(n, 2 * count).tolist())
            for n, count in enumerate(counts)
        ]


def _within(counts: DeviceArray, capacity: int, what: str, name: str) -> list[int]:
    on_host: list[int] = counts.to_host().tolist()
    for n, count in enumerate(on_host):
        if count > capacity:
            raise ValueError(f"mask {n}: {count} {what}, and {name} is {capacity}: give a larger one")
    return on_host


def _polygons(corners: npt.NDArray[np.int32], following: list[int]) -> list[npt.NDArray[np.int32]]:
    """From each corner that was not met yet, in their order, along the links."""
    is_met = [False] * len(following)
    polygons = []
    for start in range(len(following)):
        numbers = []
        corner = start
        while not is_met[corner]:
            is_met[corner] = True
            numbers.append(corner)
            corner = following[corner]
        if numbers:
            polygons.append(corners[numbers])
    return polygons
