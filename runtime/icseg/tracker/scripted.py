"""A tracker that follows a script instead of a model: for tests and rehearsals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from icseg.types import Box, Frame, ObjectResult, Prompt, TrackResult


@dataclass(slots=True)
class ScriptedState:
    """The prompt's box per object, and the latest result; no frame."""

    boxes: dict[int, Box] = field(default_factory=dict)
    latest: TrackResult | None = None


class ScriptedTracker:
    """Says that every thing stands still, and is visible when the script says so.

    Args:
        is_visible: stamp_ns -> whether things can be seen; raises to play a broken engine.
        iou_score: how sure it says it is of a mask, 0..1.

    Attributes:
        history: ("prompt" | "step" | "segment" | "reject", stamp_ns) of every call.
    """

    def __init__(self, is_visible: Callable[[int], bool] = lambda stamp_ns: True, *, iou_score: float = 1.0) -> None:
        self.is_visible, self.iou_score = is_visible, iou_score
        self.history: list[tuple[str, int]] = []

    def new_state(self) -> ScriptedState:
        """State of one stream."""
        return ScriptedState()

    def add_prompt(self, state: ScriptedState, frame: Frame, object_id: int, prompt: Prompt) -> TrackResult:
        """Take the prompt's box, or the pixel at its first point."""
        self.history.append(("prompt", frame.stamp_ns))
        self._take(state, object_id, prompt)
        return self._result(state, frame)

    def step(self, state: ScriptedState, frame: Frame) -> TrackResult:
        """The same boxes in this frame, if things are visible."""
        self.history.append(("step", frame.stamp_ns))
        return self._result(state, frame)

    def segment(self, frame: Frame, prompts: Sequence[Prompt]) -> TrackResult:
        """Every prompt's box, in a frame of no stream."""
        self.history.append(("segment", frame.stamp_ns))
        state = ScriptedState()
        for object_id, prompt in enumerate(prompts, 1):
            self._take(state, object_id, prompt)
        return self._result(state, frame)

    def reject(self, state: ScriptedState, object_id: int) -> TrackResult:
        """The latest result with this object lost; the next frame shows it again."""
        assert state.latest is not None
        self.history.append(("reject", state.latest.stamp_ns))
        found = state.latest.objects[object_id]
        lost = replace(found, mask=np.zeros_like(found.mask), box_image_px=None, area_px=0, is_lost=True)
        return replace(state.latest, objects={**state.latest.objects, object_id: lost})

    def _take(self, state: ScriptedState, object_id: int, prompt: Prompt) -> None:
        x, y = prompt.points_image_px[0] if prompt.points_image_px else (0.0, 0.0)
        state.boxes[object_id] = prompt.box_image_px or (x, y, x + 1, y + 1)

    def _result(self, state: ScriptedState, frame: Frame) -> TrackResult:
        is_visible = self.is_visible(frame.stamp_ns)
        objects = {}
        for object_id, box in state.boxes.items():
            mask = np.zeros(frame.hw, np.bool_)
            if is_visible:
                x0, y0, x1, y1 = (int(value) for value in box)
                mask[y0:y1, x0:x1] = True
            objects[object_id] = ObjectResult(
                object_id,
                mask,
                box if is_visible else None,
                int(mask.sum()),
                object_score=8.0 if is_visible else -8.0,
                iou_score=self.iou_score if is_visible else 0.0,
                is_lost=not is_visible,
            )
        state.latest = TrackResult(frame.stamp_ns, frame.index, objects, {"script": 0.0})
        return state.latest
