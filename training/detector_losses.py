"""What the detector is punished for. Every loss is a sum over cells divided by the number of things."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.detector_model import DetectorMaps
from training.detector_targets import Targets

BOX_WEIGHT = 2.0


def centre_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Focal loss of a heat map with soft negatives near the points, all (B, h, w).

    *Source:* CornerNet and CenterNet, alpha 2 and beta 4; ours adds the weight of unclear cells.
    """
    is_point = (target == 1).float()
    score = logits.sigmoid()
    points = is_point * (1 - score) ** 2 * F.logsigmoid(logits)
    others = (1 - is_point) * (1 - target) ** 4 * score**2 * F.logsigmoid(-logits)
    return -((points + others) * weight).sum() / is_point.sum().clamp(min=1)


def generalised_iou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU (N,) of boxes given as (N, 4) distances left, top, right, bottom from one shared point."""
    area_a, area_b = ((d[:, 0] + d[:, 2]).clamp(min=0) * (d[:, 1] + d[:, 3]).clamp(min=0) for d in (a, b))
    inner, outer = torch.minimum(a, b), torch.maximum(a, b)
    overlap = (inner[:, 0] + inner[:, 2]).clamp(min=0) * (inner[:, 1] + inner[:, 3]).clamp(min=0)
    hull = (outer[:, 0] + outer[:, 2]) * (outer[:, 1] + outer[:, 3])
    union = area_a + area_b - overlap
    iou: Tensor = overlap / union.clamp(min=1e-6) - (hull - union) / hull.clamp(min=1e-6)
    return iou


def detector_loss(maps: DetectorMaps, targets: Targets) -> tuple[Tensor, dict[str, float]]:
    """The whole loss, and its parts as numbers for the log."""
    taught = targets.kind >= 0
    cells = max(float(taught.sum()), 1.0)
    box, true_box = (values.permute(0, 2, 3, 1)[taught] for values in (maps.box, targets.box))
    parts = {
        "centre": centre_loss(maps.centre[:, 0], targets.centre, targets.weight),
        "box": BOX_WEIGHT * (1 - generalised_iou(box, true_box)).sum() / cells,
        "kind": F.cross_entropy(maps.kind, targets.kind, ignore_index=-1, reduction="sum") / cells,
        "colour": F.cross_entropy(maps.colour, targets.colour, ignore_index=-1, reduction="sum") / cells,
    }
    return torch.stack(list(parts.values())).sum(), {name: float(value.detach()) for name, value in parts.items()}
