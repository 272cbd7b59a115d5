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
        drift_px: how far a mask moves to the right in each step: a tracker that goes astray.

    Attributes:
        history: ("prompt" | "step" | "segment" | "reject", stamp_ns) of every call.
    """

    def __init__(
        self,
        is_visible: Callable[[int], bool] = lambda stamp_ns: True,
        *,
        iou_score: float = 1.0,
        drift_px: float = 0.0,
    ) -> None:
        self.is_visible, self.iou_score, self.drift_px = is_visible, iou_score, drift_px
        self.history: list[tuple[str, int]] = []

    def new_state(self) -> ScriptedState:
        """State of one stream."""
        return ScriptedState()

    def copy_state(self, state: ScriptedState, into: ScriptedState) -> None:
        """Let another state know what this one knows."""
        into.boxes, into.latest = dict(state.boxes), state.latest

    def add_prompt(self, state: ScriptedState, frame: Frame, object_id: int, prompt: Prompt) -> TrackResult:
        """Take the prompt's box, or the pixel at its first point.

        Raises:
            ValueError: the frame is older than the latest one.
        """
        if state.latest is not None and frame.stamp_ns < state.latest.stamp_ns:
            raise ValueError(f"frame {frame.index}: expected {state.latest.stamp_ns} ns or later, got {frame.stamp_ns}")
        self.history.append(("prompt", frame.stamp_ns))
        self._take(state, object_id, prompt)
        return self._result(state, frame)

    def step(self, state: ScriptedState, frame: Frame) -> TrackResult:
        """The same boxes in this frame, as far as they drift, if things are visible.

        Raises:
            ValueError: the frame is not newer than the latest one.
        """
        if state.latest is not None and frame.stamp_ns <= state.latest.stamp_ns:
            raise ValueError(
                f"frame {frame.index}: expected a stamp after {state.latest.stamp_ns} ns, got {frame.stamp_ns}"
            )
        for object_id, (x0, y0, x1, y1) in state.boxes.items():
            state.boxes[object_id] = x0 + self.drift_px, y0, x1 + self.drift_px, y1
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
        lost = state.latest.objects[object_id].as_lost()
        state.latest = replace(state.latest, objects={**state.latest.objects, object_id: lost})
        return state.latest

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
