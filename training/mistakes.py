"""Wrong memories: what a tracker remembers after it made a mistake, so that it learns to come back from it.

A tracker that grew into the neighbour remembers thing and neighbour as one, and every later frame agrees with it. In a
clip of a few frames that seldom happens by itself. Here some memories are made wrong on purpose, for several frames on
end, while the truth to be found stays the truth; the frame of the prompt is always remembered right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from training.clips import MIN_AREA_PX, ClipBatch

MISTAKE_SHARE = 0.4
"""Share of the things that get wrong memories in some frames."""
SWITCH_SHARE = 0.3
"""Share of the mistakes that show the other thing instead of the right one, not both."""
LASTING_SHARE = 0.6
"""Share of the mistakes that last to the end of the clip."""
SURE_LOGIT = 6.0
"""Logit of a mask that the tracker has no doubt about."""


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Which memories of N things in T frames are wrong, and how.

    Attributes:
        others: (N, T, h, w) bool: the other thing at the size of the mask logits; all False where nothing is wrong.
        is_switched: (N,) bool: the right thing is not in the wrong memory.
    """

    others: torch.Tensor
    is_switched: torch.Tensor

    def spoil(self, logits: torch.Tensor, frame: int) -> torch.Tensor:
        """(N, h, w) mask logits of a frame -> the same with its mistakes."""
        other = self.others[:, frame]
        gone = (self.is_switched & other.any((1, 2)))[:, None, None]
        return torch.where(other, SURE_LOGIT, torch.where(gone, -SURE_LOGIT, logits))


def draw_mistakes(batch: ClipBatch, side: int, rng: np.random.Generator) -> Mistakes:
    """Choose wrong memories for the things of a batch, thing-major as the tracker follows them.

    Args:
        batch: its masks are (B, K, T, S, S).
        side: h = w of the mask logits.
    """
    clips, things, frames = batch.masks.shape[:3]
    others = torch.zeros(clips, things, frames, side, side, dtype=torch.bool)
    for clip in range(clips):
        for thing in range(things):
            if rng.random() >= MISTAKE_SHARE:
                continue
            begin = int(rng.integers(1, frames - 1))
            end = frames if rng.random() < LASTING_SHARE else int(rng.integers(begin, frames)) + 1
            number = _neighbour(batch.ids[clip, begin], batch.masks[clip, thing, begin], rng)
            if number is not None:
                wrong = (batch.ids[clip, begin:end] == number).float()[:, None]
                others[clip, thing, begin:end] = F.interpolate(wrong, size=(side, side), mode="area")[:, 0] > 0.5
    is_switched = torch.from_numpy(rng.random(clips * things) < SWITCH_SHARE)
    return Mistakes(others.flatten(0, 1), is_switched)


def _neighbour(ids: torch.Tensor, mask: torch.Tensor, rng: np.random.Generator) -> int | None:
    """Another thing of a frame, near ones more often; None when there is none."""
    rows, cols = np.nonzero(mask.numpy())
    place = np.array([rows.mean(), cols.mean()]) if rows.size else np.full(2, ids.shape[0] / 2)
    numbers, nearness = [], []
    for number in np.unique(ids.numpy()):
        rows, cols = np.nonzero((ids == int(number)).numpy())
        is_target = bool(mask[rows, cols].any())
        if number and not is_target and rows.size >= MIN_AREA_PX:
            numbers.append(int(number))
            nearness.append(1 / (20 + np.hypot(rows.mean() - place[0], cols.mean() - place[1])))
    return int(rng.choice(numbers, p=np.array(nearness) / np.sum(nearness))) if numbers else None
