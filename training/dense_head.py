"""A second task for the encoder while it trains: at every cell, which kind of thing is here, and where does it end.

One prompt teaches about one thing; this teaches about every thing in every frame, and the encoder learns several times
faster. The head is thrown away after training: nothing of it is exported.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from icseg.sim.things import KINDS
from training.precision import half
from training.segmenter_forward import Features

STRIDE = 4
"""Pixels of the input, along a side, of one cell of the head."""
CLASSES = 1 + len(KINDS)
UNNAMED_CLASS = -1
"""Class of things that have no name: their edges are taught, their class is not."""


def class_of(kind: str) -> int:
    """1..8, or ``UNNAMED_CLASS``."""
    return KINDS.index(kind) + 1 if kind in KINDS else UNNAMED_CLASS


def dense_targets(ids: np.ndarray, kind_of: dict[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """What the head should say.

    Args:
        ids: (T, S, S) uint8 instance map.
        kind_of: thing id -> ``class_of`` its kind.

    Returns:
        (T, S/4, S/4) int64 classes, 0 = no thing, -1 = unnamed, and (T, 4, S/4, S/4) float32: distances from the cell
        to the left, upper, right and lower edge of its thing's visible box, in quarters of the image's side.
    """
    cells = ids[:, STRIDE // 2 :: STRIDE, STRIDE // 2 :: STRIDE]
    table = np.zeros(256, np.int64)
    for number, kind in kind_of.items():
        table[number] = kind
    frames, side, _ = cells.shape
    edges = np.zeros((frames, 4, side, side), np.float32)
    for t in range(frames):
        for number in np.unique(cells[t]):
            if number == 0:
                continue
            rows, cols = np.nonzero(cells[t] == number)
            edges[t, 0, rows, cols] = cols - cols.min()
            edges[t, 1, rows, cols] = rows - rows.min()
            edges[t, 2, rows, cols] = cols.max() - cols
            edges[t, 3, rows, cols] = rows.max() - rows
    return table[cells], edges * (4 / side)


class DenseHead(nn.Module):
    """Three layers of 1x1 and 3x3 convolutions over all of the encoder's outputs at stride 4."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inputs = channels + channels // 4 + channels // 8
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, 96, 1),
            nn.GELU(),
            nn.Conv2d(96, 96, 3, padding=1),
            nn.GELU(),
            nn.Conv2d(96, CLASSES + 4, 1),
        )

    def loss(self, features: Features, classes: torch.Tensor, edges: torch.Tensor) -> torch.Tensor:
        """Cross-entropy of the classes, things and background weighing the same, plus the edges' distances."""
        side = features.high0.shape[-1]
        maps = [
            features.high0,
            F.interpolate(features.high1, size=(side, side), mode="nearest"),
            F.interpolate(features.vision, size=(side, side), mode="bilinear", align_corners=False),
        ]
        with half():
            out = self.layers(torch.cat(maps, 1))
        out = out.float()
        entropy = F.cross_entropy(out[:, :CLASSES], classes, reduction="none", ignore_index=UNNAMED_CLASS)
        is_thing = (classes != 0).float()
        share = is_thing.mean().clamp(min=1e-3)
        balanced = (entropy * is_thing).mean() / share + (entropy * (1 - is_thing)).mean() / (1 - share)
        distance = F.smooth_l1_loss(out[:, CLASSES:], edges, reduction="none", beta=0.1).sum(1)
        return balanced + (distance * is_thing).mean() / share
