"""Masks as bits, what is read off them, and how much they have in common."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icseg.mask_ops.bit_masks import WORD_BITS, BitMasks
from icseg.mask_ops.statistics import FIELDS, MaskStatistics
from icseg.types import Box, MaskBool


def pack_masks(masks: MaskBool) -> BitMasks:
    """(N, H, W) or (H, W) bool to one bit a pixel.

    Raises:
        TypeError: not bool.
        ValueError: of another number of dimensions.
    """
    if masks.dtype != np.bool_:
        raise TypeError(f"masks: expected bool (N, H, W), got {masks.dtype} {masks.shape}")
    if masks.ndim not in (2, 3):
        raise ValueError(f"masks: expected bool (N, H, W) or (H, W), got {masks.dtype} {masks.shape}")
    batch = masks[None] if masks.ndim == 2 else masks
    count, height, width = batch.shape
    padded = np.zeros((count, height, -(-width // WORD_BITS) * WORD_BITS), np.bool_)
    padded[..., :width] = batch
    bits = np.packbits(padded, axis=-1, bitorder="little")
    return BitMasks(np.ascontiguousarray(bits).view("<u4").astype(np.uint32, copy=False), width)


def unpack_masks(masks: BitMasks) -> MaskBool:
    """(N, H, W) bool."""
    octets = masks.words.astype("<u4", copy=False).view(np.uint8)
    bits = np.unpackbits(octets, axis=-1, bitorder="little", count=masks.width)
    return np.asarray(bits.view(np.bool_), np.bool_)


def as_bool(masks: MaskBool | BitMasks) -> MaskBool:
    """(N, H, W) bool of either form."""
    return unpack_masks(masks if isinstance(masks, BitMasks) else pack_masks(masks))


def one_mask(mask: MaskBool | BitMasks) -> MaskBool:
    """(H, W) bool of one mask in either form.

    Raises:
        ValueError: several masks.
    """
    batch = as_bool(mask)
    if len(batch) != 1:
        raise ValueError(f"mask: expected one mask, got {len(batch)}")
    (single,) = batch
    return np.asarray(single, np.bool_)


def mask_statistics(masks: MaskBool | BitMasks) -> MaskStatistics:
    """Area, box and moments of each mask; both areas of the stability are the area itself."""
    batch = as_bool(masks)
    rows = np.zeros((len(batch), FIELDS), np.int64)
    for row, mask in zip(rows, batch, strict=True):
        y, x = np.nonzero(mask)
        if len(x):
            row[:5] = len(x), x.min(), y.min(), x.max() + 1, y.max() + 1
            row[5:10] = x.sum(), y.sum(), (x * x).sum(), (x * y).sum(), (y * y).sum()
            row[10:] = len(x)
    return MaskStatistics(rows)


def mask_box_area(mask: MaskBool) -> tuple[Box | None, int]:
    """Tight box of an (H, W) mask in its own pixels (exclusive right and lower edge; None when empty), and its area."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None, 0
    box = (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
    return box, int(np.count_nonzero(mask))


def distance_peak(mask: MaskBool | BitMasks) -> tuple[int, int, float] | None:
    """The pixel of one mask that is farthest from everything outside it: a hint where to grasp.

    Returns:
        x, y of the pixel and the Euclidean distance of its centre to that of the nearest pixel outside, in pixels; all
        beyond the image counts as outside. Of several such pixels the first in row order. None for an empty mask.

    Raises:
        ValueError: several masks.
    """
    inside = np.pad(one_mask(mask), 1)
    if not inside.any():
        return None
    outside_y, outside_x = np.nonzero(~inside)
    y, x = np.nonzero(inside)
    squares = np.array(
        [((outside_y - row) ** 2 + (outside_x - column) ** 2).min() for row, column in zip(y, x, strict=True)]
    )
    deepest = int(squares.argmax())
    return int(x[deepest]) - 1, int(y[deepest]) - 1, float(np.sqrt(squares[deepest]))


def mask_iou_matrix(a: MaskBool | BitMasks, b: MaskBool | BitMasks) -> npt.NDArray[np.float64]:
    """(N, M) intersection over union of every mask of ``a`` with every mask of ``b``; 0 where both are empty.

    Raises:
        ValueError: the masks differ in size.
    """
    of_a, of_b = as_bool(a), as_bool(b)
    if of_a.shape[1:] != of_b.shape[1:]:
        raise ValueError(f"b: expected masks of {of_a.shape[1:]} as a's, got {of_b.shape[1:]}")
    matrix = np.zeros((len(of_a), len(of_b)))
    for i, one in enumerate(of_a):
        for j, other in enumerate(of_b):
            union = int((one | other).sum())
            matrix[i, j] = int((one & other).sum()) / union if union else 0.0
    return matrix


def mask_nms(masks: MaskBool | BitMasks, scores: npt.NDArray[np.float32], max_iou: float) -> npt.NDArray[np.int32]:
    """Greedy non-maximum suppression.

    Args:
        masks: N masks.
        scores: (N,) float32, finite.
        max_iou: 0..1; a mask goes when its IoU with a better one that stays is above it.

    Returns:
        Numbers of the masks that stay, by falling score; the first of equal ones first.

    Raises:
        ValueError: another number of scores, a score that is not finite, or a limit out of range.
    """
    if scores.shape != (len(masks if isinstance(masks, BitMasks) else pack_masks(masks)),):
        raise ValueError(f"scores: expected one for each mask, got {scores.shape}")
    if not np.isfinite(scores).all() or not 0 <= max_iou <= 1:
        raise ValueError(f"mask_nms: expected finite scores and max_iou in 0..1, got {max_iou}")
    iou = mask_iou_matrix(masks, masks)
    kept: list[int] = []
    for number in np.argsort(-scores, kind="stable"):
        if not any(iou[number, better] > max_iou for better in kept):
            kept.append(int(number))
    return np.array(kept, np.int32)
