"""SAM 2's clean-up of mask logits: small holes filled, small pieces removed.

Components are 8-connected, of holes as of pieces, and one that touches the border counts like any other. A logit that
is NaN is neither inside nor outside. *Source:* ``fill_holes_in_mask_scores`` and ``SAM2Transforms.postprocess_masks``
of the sam2 project, which skip both with a warning when their CUDA extension is not built.
"""

from __future__ import annotations

import numpy as np

from icseg.mask_ops.options import IMAGE_MARGIN, Variant, hole_value
from icseg.mask_ops.reference.labels import connected_components
from icseg.types import Logits, MaskBool


def _small(mask: MaskBool, max_area: int) -> MaskBool:
    found = connected_components(mask)
    is_small = np.concatenate(([False], found.areas_px <= max_area))
    return np.asarray(is_small[found.labels], np.bool_)


def clean_logits(
    mask_logits: Logits,
    max_hole_px: int,
    max_sprinkle_px: int,
    *,
    variant: Variant = "video",
    threshold: float = 0.0,
) -> Logits:
    """Holes filled and sprinkles removed; both are those of the logits given, as in SAM 2's image predictor.

    Args:
        mask_logits: (N, h, w) float32.
        max_hole_px: largest area of a hole that is filled, in cells; 0 fills none.
        max_sprinkle_px: largest area of a piece that is removed, in cells; 0 removes none.
        variant: what a filled cell becomes: 0.1 ("video") or the threshold plus 10 ("image"). A removed one becomes the
            threshold minus 10.
        threshold: inside is above it.

    Returns:
        (N, h, w) float32, a new array.

    Raises:
        TypeError, ValueError: another type or shape, an area below 0, a threshold that is not finite.
    """
    if mask_logits.dtype != np.float32:
        raise TypeError(f"mask_logits: expected float32 (N, h, w), got {mask_logits.dtype} {mask_logits.shape}")
    if mask_logits.ndim != 3 or 0 in mask_logits.shape[1:]:
        raise ValueError(f"mask_logits: expected float32 (N, h, w), got {mask_logits.dtype} {mask_logits.shape}")
    if max_hole_px < 0 or max_sprinkle_px < 0 or not np.isfinite(threshold):
        raise ValueError(f"clean_logits: areas below 0 or threshold: {max_hole_px}, {max_sprinkle_px}, {threshold}")
    cleaned, level = mask_logits.copy(), np.float32(threshold)
    for logits, out in zip(mask_logits, cleaned, strict=True):
        out[_small(logits <= level, max_hole_px)] = hole_value(variant, threshold)
        out[_small(logits > level, max_sprinkle_px)] = threshold - IMAGE_MARGIN
    return cleaned


def fill_holes(mask_logits: Logits, max_area_px: int, *, variant: Variant = "video", threshold: float = 0.0) -> Logits:
    """Holes of at most ``max_area_px`` cells filled; see ``clean_logits``."""
    return clean_logits(mask_logits, max_area_px, 0, variant=variant, threshold=threshold)


def remove_sprinkles(mask_logits: Logits, max_area_px: int, *, threshold: float = 0.0) -> Logits:
    """Pieces of at most ``max_area_px`` cells removed; see ``clean_logits``."""
    return clean_logits(mask_logits, 0, max_area_px, threshold=threshold)
