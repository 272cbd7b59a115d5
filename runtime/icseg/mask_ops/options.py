"""The choices that mask operations take, and the constants behind them."""

from __future__ import annotations

from typing import Literal

Variant = Literal["video", "image"]
"""Whose clean-up of logits, SAM 2's video or image predictor's: they differ in what a filled hole becomes."""
VIDEO_HOLE_VALUE = 0.1
"""What the video predictor makes of a filled cell. *Source:* ``fill_holes_in_mask_scores`` of the sam2 project."""
IMAGE_MARGIN = 10.0
"""How far above or below the threshold the image predictor puts a cell that it fills or removes.
*Source:* ``SAM2Transforms.postprocess_masks`` of the sam2 project."""
Encoding = Literal["rgb8", "bgr8", "rgba8", "nv12", "yuyv"]
"""How a camera's frame is stored: (H, W, 3), (H, W, 3), (H, W, 4), (H * 3 / 2, W), (H, W, 2) uint8."""
STABILITY_OFFSET = 1.0
"""Above and below the threshold, between which a mask's stability is measured.
*Source:* ``SAM2AutomaticMaskGenerator`` of the sam2 project."""


def hole_value(variant: Variant, threshold: float) -> float:
    """What the logit of a filled cell becomes.

    Raises:
        ValueError: an unknown variant.
    """
    if variant not in ("video", "image"):
        raise ValueError(f"variant: expected video or image, got {variant!r}")
    return VIDEO_HOLE_VALUE if variant == "video" else threshold + IMAGE_MARGIN
