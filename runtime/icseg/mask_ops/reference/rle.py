"""COCO's run lengths of a mask."""

from __future__ import annotations

import numpy as np

from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.reference.masks import one_mask
from icseg.types import MaskBool


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


def rle_encode(mask: MaskBool | BitMasks) -> bytes:
    """COCO's compressed run lengths of one mask, byte for byte as pycocotools writes them.

    From the third run on, a run is stored as its difference to the run two before; each number is cut into five-bit
    groups, low group first, with a continuation bit, shifted by 48 into printable characters.
    """
    counts = rle_counts(one_mask(mask))
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
