"""What a predicted mask is judged by: overlap, edge, its own IoU estimate, and whether the thing is there at all."""

from __future__ import annotations

import torch
import torch.nn.functional as F

SHARPENED_LOSS = 2.0
"""Cross-entropy by area above which a mask is wrong, not blunt: sharpening it would only empty it."""


def soft_target(masks: torch.Tensor, side: int) -> torch.Tensor:
    """(N, S, S) in {0, 1} -> (N, side, side): the share of each cell that the mask covers."""
    return F.interpolate(masks[:, None], size=(side, side), mode="area")[:, 0]


def mask_loss(logits: torch.Tensor, target: torch.Tensor, sharpness: float) -> torch.Tensor:
    """Per-mask loss.

    Balanced cross-entropy finds the thing when nothing is learnt yet; cross-entropy in units of the thing's own area
    sharpens the edge, where every pixel counts the same, of masks that are about right already; dice is the overlap
    itself. From the first step, focal loss and cross-entropy by area both collapsed to the empty mask in a network that
    starts from nothing.

    Args:
        logits, target: (N, H, W), target in 0..1.
        sharpness: 0 = find the thing, 1 = mind its edge.

    Returns:
        (N,) losses.
    """
    entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    inside, outside = target.sum((1, 2)), (1 - target).sum((1, 2))
    balanced = (entropy * target).sum((1, 2)) / inside.clamp(min=1) + (entropy * (1 - target)).sum((1, 2)) / outside
    by_area = entropy.sum((1, 2)) / (2 * inside).clamp(min=20)
    probability = logits.sigmoid()
    overlap = (probability * target).sum((1, 2))
    dice = 1 - (2 * overlap + 1) / (probability.sum((1, 2)) + inside + 1)
    return (1 - 0.7 * sharpness) * balanced + sharpness * by_area.clamp(max=SHARPENED_LOSS) + dice


def mask_iou(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """(N, H, W) logits and soft targets -> (N,) IoU of the thresholded masks; two empty masks have IoU 1."""
    predicted, true = logits > 0, target > 0.5
    union = (predicted | true).sum((1, 2))
    return torch.where(union > 0, (predicted & true).sum((1, 2)) / union.clamp(min=1), 1.0)
