"""A training run that can be stopped at any moment and goes on from its last checkpoint with the same state.

Knows optimisers, schedules, averages and files; knows nothing about the model or the data.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import nn

Model = TypeVar("Model", bound=nn.Module)
WARM_UP_STEPS = 100


class ResumableRun(Generic[Model]):
    """AdamW on a cosine schedule with warm-up, an average of the weights, and every random state.

    Args:
        path: the checkpoint; taken up when it exists.
        model: with its initial weights.
        steps: optimizer steps in all; the schedule ends there.
        lr: peak learning rate.
        seed: starts ``rng``, from which all sampling is to be drawn.
        ema_decay: decay of the average ``ema``, once it has warmed up.
        weight_decay: that of AdamW.
        max_norm: gradients are scaled down to this.
    """

    def __init__(
        self,
        path: Path,
        model: Model,
        *,
        steps: int,
        lr: float,
        seed: int | Sequence[int],
        ema_decay: float = 0.995,
        weight_decay: float = 0.02,
        max_norm: float = 5.0,
    ) -> None:
        self.path, self.steps, self.lr, self.ema_decay, self.max_norm = path, steps, lr, ema_decay, max_norm
        self.model, self.step = model, 0
        self.rng = np.random.default_rng(seed)
        self.ema = copy.deepcopy(model).eval()
        self.optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=weight_decay)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists():
            self.load()

    def load(self) -> None:
        """Take up the last checkpoint."""
        state = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = state["step"]
        self.rng.bit_generator.state = json.loads(state["numpy_rng"])
        torch.set_rng_state(state["torch_rng"])

    def save(self) -> None:
        """Write a checkpoint; the old one stays until the new one is whole."""
        state = {
            "model": self.model.state_dict(),
            "ema": self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "numpy_rng": json.dumps(self.rng.bit_generator.state),
            "torch_rng": torch.get_rng_state(),
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)

    def learn(self, loss: torch.Tensor) -> None:
        """One optimizer step; non-finite gradients are skipped."""
        warm = min(1.0, (self.step + 1) / WARM_UP_STEPS)
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * warm * (0.02 + 0.98 * (1 + math.cos(math.pi * self.step / self.steps)) / 2)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.max_norm)
        if torch.isfinite(norm):
            self.optimizer.step()
        self._average(min(self.ema_decay, (self.step + 1) / (self.step + 10)))
        self.step += 1

    @torch.no_grad()
    def _average(self, decay: float) -> None:
        """Move the average, batch statistics with it: they belong to the weights they were measured with."""
        for slow, fast in zip(self.ema.state_dict().values(), self.model.state_dict().values(), strict=True):
            if slow.is_floating_point():
                slow.lerp_(fast, 1 - decay)
            else:
                slow.copy_(fast)
