"""Masks from logits, in numpy: the definition of correct for every faster twin. Knows no model and no engine."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icseg.types import Array, Box, Logits, MaskBool


def _linear_taps(length: int, new_length: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Logits]:
    """For each new sample the two old ones around it and the weight of the second, half-pixel centres."""
    position = (np.arange(new_length, dtype=np.float32) + np.float32(0.5)) * np.float32(length / new_length)
    position = np.maximum(position - np.float32(0.5), 0)
    low = np.minimum(position.astype(np.intp), length - 1)
    return low, np.minimum(low + 1, length - 1), (position - low).astype(np.float32)


def upsample_logits(mask_logits: Array, hw: tuple[int, int]) -> Logits:
    """Bilinear resize of (h, w) logits to (H, W), half-pixel centres, edges repeated, no antialiasing.

    *Source:* PyTorch's ``interpolate(mode="bilinear", align_corners=False)``.

    Args:
        mask_logits: (h, w) floating point, not empty.
        hw: the new height and width, at least 1.

    Returns:
        (H, W) float32.

    Raises:
        ValueError: the logits are not two-dimensional, or a size is below 1.
    """
    if mask_logits.ndim != 2 or 0 in mask_logits.shape or min(hw) < 1:
        raise ValueError(
            f"upsample_logits: expected (h, w) logits and a size of at least 1, got {mask_logits.shape}, {hw}"
        )
    logits = mask_logits.astype(np.float32)
    top, bottom, weight_y = _linear_taps(logits.shape[0], hw[0])
    left, right, weight_x = _linear_taps(logits.shape[1], hw[1])
    columns = logits[:, left] * (1 - weight_x) + logits[:, right] * weight_x
    resized = columns[top] * (1 - weight_y)[:, None] + columns[bottom] * weight_y[:, None]
    return resized.astype(np.float32, copy=False)


def mask_box_area(mask: MaskBool) -> tuple[Box | None, int]:
    """Tight box of an (H, W) mask in its own pixels (exclusive right and lower edge; None when empty), and its area."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None, 0
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return box, int(np.count_nonzero(mask))


def rle_counts(mask: MaskBool) -> list[int]:
    """COCO's uncompressed run lengths of an (H, W) mask: column by column, beginning with a run of False."""
    flat = np.asarray(mask, np.bool_).ravel(order="F")
    if not flat.size:
        return []
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate(([0], edges, [flat.size]))
    counts = np.diff(starts).tolist()
    return [0, *counts] if flat[0] else counts


def rle_mask(counts: list[int], hw: tuple[int, int]) -> MaskBool:
    """The (H, W) mask of uncompressed run lengths.

    Raises:
        ValueError: a run is negative, or the runs do not fill the mask.
    """
    if any(count < 0 for count in counts) or sum(counts) != hw[0] * hw[1]:
        raise ValueError(f"run lengths: expected counts >= 0 that sum to {hw[0] * hw[1]}, got {counts[:8]}...")
    values = np.arange(len(counts)) % 2 == 1
    return np.ascontiguousarray(np.repeat(values, counts).reshape(hw, order="F"))


def rle_encode(mask: MaskBool) -> bytes:
    """COCO's compressed run lengths of an (H, W) mask, byte for byte as pycocotools writes them.

    From the third run on, a run is stored as its difference to the run two before; each number is cut into five-bit
    groups, low group first, with a continuation bit, shifted by 48 into printable characters.
    """
    counts = rle_counts(mask)
    encoded = bytearray()
    for index, count in enumerate(counts):
        value = count - counts[index - 2] if index > 2 else count
        has_more = True
        while has_more:
            group = value & 0x1F
            value >>= 5
            has_more = value != (-1 if group & 0x10 else 0)
            encoded.append((group | 0x20 if has_more else group) + 48)
    return bytes(encoded)


def rle_decode(encoded: bytes, hw: tuple[int, int]) -> MaskBool:
    """The (H, W) mask of COCO's compressed run lengths.

    Raises:
        ValueError: the text is cut off or holds other characters, or the runs do not fill the mask.
    """
    counts: list[int] = []
    value = shift = 0
    for character in encoded:
        group = character - 48
        if not 0 <= group < 64:
            raise ValueError(f"run lengths: unexpected character {chr(character)!r}")
        value |= (group & 0x1F) << shift
        shift += 5
        if group & 0x20:
            continue
        if group & 0x10:
            value -= 1 << shift
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    if shift:
        raise ValueError("run lengths: the text ends within a number")
    return rle_mask(counts, hw)
