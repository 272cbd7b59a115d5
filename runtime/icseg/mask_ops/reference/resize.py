"""Bilinear resizing of logits, and masks of what comes out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.options import STABILITY_OFFSET
from icseg.mask_ops.reference.masks import mask_statistics, pack_masks
from icseg.mask_ops.statistics import MaskStatistics
from icseg.types import Array, Box, Logits, MaskBool


def linear_taps(
    cells: int, origin: float, span: float, count: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Logits]:
    """For each of ``count`` samples the two cells around it and the weight of the second, half-pixel centres.

    The samples show cells origin .. origin + span; beyond an edge the edge's own cell is repeated.
    """
    scaled = (np.arange(count, dtype=np.float32) + np.float32(0.5)) * np.float32(span / count)
    position = np.clip(scaled + np.float32(origin - 0.5), np.float32(0), np.float32(cells - 1))
    low = position.astype(np.intp)
    return low, np.minimum(low + 1, cells - 1), (position - low.astype(np.float32)).astype(np.float32)


def resize(logits: Logits, hw: tuple[int, int], region_cells: Box) -> Logits:
    """The (H, W) bilinear picture of a region of (h, w) logits, every step rounded to float32."""
    x0, y0, x1, y1 = region_cells
    top, bottom, weight_y = linear_taps(logits.shape[0], y0, y1 - y0, hw[0])
    left, right, weight_x = linear_taps(logits.shape[1], x0, x1 - x0, hw[1])
    with np.errstate(invalid="ignore", over="ignore"):
        columns = logits[:, left] * (1 - weight_x) + logits[:, right] * weight_x
        resized = columns[top] * (1 - weight_y)[:, None] + columns[bottom] * weight_y[:, None]
    return resized.astype(np.float32, copy=False)


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
    height, width = mask_logits.shape
    return resize(mask_logits.astype(np.float32), hw, (0.0, 0.0, float(width), float(height)))


def upsample_threshold(
    mask_logits: Logits,
    hw: tuple[int, int],
    *,
    threshold: float = 0.0,
    stability_offset: float = STABILITY_OFFSET,
    region_cells: Box | None = None,
    is_exclusive: bool = False,
) -> tuple[MaskBool, MaskStatistics]:
    """Masks at the camera's size from low-resolution logits, with what is read off them.

    *Source:* ``interpolate`` and ``>`` of SAM 2's predictors; ``_apply_non_overlapping_constraints`` of SAM2Base, which
    lowers the losers' logits where ours clears their bits.

    Args:
        mask_logits: (N, h, w) float32.
        hw: height and width of the masks, at least 1.
        threshold: inside is an interpolated logit above it.
        stability_offset: at least 0; see ``MaskStatistics.stability``.
        region_cells: x0, y0, x1, y1, the part of the logits that the masks show, in cells; all of it by default. For a
            letterboxed image the part that the image takes.
        is_exclusive: a pixel that several masks hold stays with the one of the highest logit, the first of equal ones.
            Stability is of each object alone all the same.

    Returns:
        (N, H, W) bool masks and their statistics.

    Raises:
        ValueError: a shape, a size, a threshold or a region out of range.
        TypeError: not float32.
    """
    if mask_logits.dtype != np.float32:
        raise TypeError(f"mask_logits: expected float32 (N, h, w), got {mask_logits.dtype} {mask_logits.shape}")
    if mask_logits.ndim != 3 or 0 in mask_logits.shape[1:] or min(hw) < 1:
        raise ValueError(f"mask_logits: expected float32 (N, h, w) and a size >= 1, got {mask_logits.shape}, {hw}")
    if not np.isfinite(threshold) or not 0 <= stability_offset < np.inf:
        raise ValueError(f"threshold: expected finite, and an offset >= 0, got {threshold}, {stability_offset}")
    _, height, width = mask_logits.shape
    region = region_cells or (0.0, 0.0, float(width), float(height))
    if not np.isfinite(region).all() or region[2] <= region[0] or region[3] <= region[1]:
        raise ValueError(f"region_cells: expected finite x1 > x0 and y1 > y0, got {region}")
    resized = np.stack([resize(one, hw, region) for one in mask_logits]) if len(mask_logits) else np.empty((0, *hw))
    middle, offset = np.float32(threshold), np.float32(stability_offset)
    masks = resized > middle
    own = masks
    if is_exclusive and len(masks):
        best = np.where(masks, resized, -np.inf).argmax(0)
        masks = masks & (np.arange(len(masks))[:, None, None] == best)
    statistics = mask_statistics(masks)
    if offset > 0:
        statistics.rows[:, 10] = (resized > middle + offset).sum((1, 2))
        statistics.rows[:, 11] = (resized > middle - offset).sum((1, 2))
    else:
        statistics.rows[:, 10] = statistics.rows[:, 11] = own.sum((1, 2))
    return masks, statistics


def upsample_threshold_bits(
    mask_logits: Logits,
    hw: tuple[int, int],
    *,
    threshold: float = 0.0,
    stability_offset: float = STABILITY_OFFSET,
    region_cells: Box | None = None,
    is_exclusive: bool = False,
) -> tuple[BitMasks, MaskStatistics]:
    """As ``upsample_threshold``, to masks of one bit a pixel."""
    masks, statistics = upsample_threshold(
        mask_logits,
        hw,
        threshold=threshold,
        stability_offset=stability_offset,
        region_cells=region_cells,
        is_exclusive=is_exclusive,
    )
    return pack_masks(masks), statistics
