"""A second judge of the memory while it trains: do the conditioned features alone say where the thing is?

Between the memory and the loss lies the whole mask decoder, and what matching things costs arrives there faintly. This
asks the memory attention itself, at its own resolution. The head is thrown away after training.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from training.segmenter_losses import mask_loss, soft_target


class TargetHead(nn.Module):
    """One 1x1 convolution over the conditioned features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(channels, 1, 1)

    def loss(self, conditioned: torch.Tensor, masks: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        """Scalar.

        Args:
            conditioned: (N, C, h, w) what memory attention made of a tracked frame's features.
            masks: (N, S, S) in {0, 1}: where the things are.
            visible: (N,) bool; where it is False every cell is to say no.
        """
        logits = self.layer(conditioned)[:, 0]
        target = soft_target(masks, logits.shape[-1])
        found = mask_loss(logits, target, sharpness=0.0)
        absent = F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits), reduction="none").mean((1, 2))
        return torch.where(visible, found, absent).mean()
