"""Held-out clips to follow a thing through: scenes of the test split, and the thing that is worth following."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from icseg.geometry import box_iou
from icseg.sim.scene import SceneSpec, make_scene
from icseg.sim.table import SimulatedTable, stream
from icseg.sim.things import KINDS
from icseg.sim.truth import SimFrame, ThingTruth
from icseg.types import MaskBool

FPS, SECONDS = 7.5, 10.0
MIN_AREA_PX = 400
"""Pixels of a picture of 640x480: a thing of which less is seen in the first frame is not prompted."""
LARGE_PX = 8000
CROSSING_IOU = 0.05
TOUCHING_PX = 3


@dataclass(frozen=True)
class Clip:
    """One scene and the thing to follow."""

    seed: int
    frames: list[SimFrame]
    target_id: int
    event: str

    def is_crossed_by_like(self) -> bool:
        """A thing of its kind overlaps it in the picture at some time, and not yet in the first frame."""
        like = [n for n, t in self.frames[0].things.items() if t.kind == self.thing.kind and n != self.target_id]
        return any(
            any(_overlap(sim, self.target_id, n) for sim in self.frames)
            and not _overlap(self.frames[0], self.target_id, n)
            for n in like
        )

    @property
    def thing(self) -> ThingTruth:
        """The thing to follow."""
        return self.frames[0].things[self.target_id]

    def groups(self) -> list[str]:
        """What the clip is an example of: figures are told for each of these."""
        first = self.frames[0].mask(self.target_id)
        names = [f"event {self.event}", f"kind {self.thing.kind}", f"colour {self.thing.colour}"]
        names.append("large in the picture" if first.sum() >= LARGE_PX else "small in the picture")
        if self.is_crossed_by_like():
            names.append("crossed by a like thing")
        if self._is_touched_in_first_frame(first):
            names.append("another thing touches it in the first frame")
        return names

    def _is_touched_in_first_frame(self, mask: MaskBool) -> bool:
        around = cv2.dilate(mask.astype(np.uint8), np.ones((2 * TOUCHING_PX + 1,) * 2, np.uint8)) > 0
        others = self.frames[0].instance_ids[around & ~mask]
        return bool((others > 0).any())


def _overlap(sim: SimFrame, a: int, b: int) -> bool:
    boxes = sim.box_image_px(a), sim.box_image_px(b)
    return boxes[0] is not None and boxes[1] is not None and box_iou(boxes[0], boxes[1]) > CROSSING_IOU


def pick(spec: SceneSpec, frames: list[SimFrame], kinds: Sequence[str]) -> Clip | None:
    """The thing of some kinds that is worth following: hidden, leaving, or the one that moves farthest."""
    things = frames[0].things
    visible = [n for n in things if things[n].kind in kinds and frames[0].mask(n).sum() >= MIN_AREA_PX]
    for event, thing_id in (("hidden", spec.hidden_id), ("leaving", spec.leaving_id)):
        if thing_id in visible and (event == "leaving") == (spec.seed % 2 == 1):
            return Clip(spec.seed, frames, int(thing_id), event)
    moved = {n: _motion_px(frames, n) for n in visible}
    return Clip(spec.seed, frames, max(moved, key=lambda n: moved[n]), "moving") if moved else None


def _motion_px(frames: list[SimFrame], thing_id: int) -> float:
    boxes = [box for sim in frames[::5] if (box := sim.box_image_px(thing_id)) is not None]
    middles = np.array([((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes])
    return float(np.ptp(middles, axis=0).max())


def draw_clips(
    table: SimulatedTable, count: int, first_seed: int, kinds: Sequence[str], unnamed: Sequence[str] = ()
) -> Iterator[Clip]:
    """Clips one by one; the kind that comes in several goes round."""
    seed = first_seed
    while count > 0:
        spec = make_scene(seed, split="test", ambiguous_kind=kinds[seed % len(kinds)], unnamed=unnamed)
        clip = pick(spec, list(stream(table, spec, fps=FPS, duration_s=SECONDS)), unnamed or KINDS)
        seed += 1
        if clip is not None:
            count -= 1
            yield clip
