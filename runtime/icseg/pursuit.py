"""From the keyframe, which is in the past, to the live stream: which frame comes next, and which are dropped."""

from __future__ import annotations

import math
from typing import Any, Protocol

from icseg.frames import FrameBuffer
from icseg.types import Frame, Prompt, TrackResult


class VideoTracker(Protocol):
    """What a session needs of a tracker; ``tracker.Tracker`` is the real one."""

    def new_state(self) -> Any:
        """State of one stream: explicit, of fixed capacity."""
        ...

    def add_prompt(self, state: Any, frame: Frame, object_id: int, prompt: Prompt) -> TrackResult:
        """Segment a new thing in this frame, or correct a known one."""
        ...

    def step(self, state: Any, frame: Frame) -> TrackResult:
        """Follow every thing into this frame."""
        ...


class Pursuit:
    """One target on its way through the stream.

    The frames between the keyframe and now are followed in at most ``catch_up_frames`` strides, evenly spread over
    them; then the newest frame wins. With ``every_frame`` nothing is skipped.
    """

    def __init__(
        self, tracker: VideoTracker, keyframe: Frame, prompt: Prompt, *, catch_up_frames: int, every_frame: bool
    ) -> None:
        self.dropped = 0
        self._tracker, self._state = tracker, tracker.new_state()
        self._every_frame, self._strides_left = every_frame, catch_up_frames
        self._keyframe: tuple[Frame, Prompt] | None = (keyframe, prompt)
        self.stamp_ns = keyframe.stamp_ns
        self.is_live = False

    def advance(self, buffer: FrameBuffer, object_id: int = 1) -> TrackResult | None:
        """One tracker step, or None when there is no frame that was not seen yet. Sets ``is_live`` and ``dropped``."""
        if self._keyframe is not None:
            (keyframe, prompt), self._keyframe = self._keyframe, None
            result = self._tracker.add_prompt(self._state, keyframe, object_id, prompt)
            self.is_live = not buffer.after(self.stamp_ns)
            return result
        waiting = buffer.after(self.stamp_ns)
        if not waiting:
            return None
        step = 1
        if not self._every_frame:
            step = math.ceil(len(waiting) / self._strides_left) if self._strides_left > 0 else len(waiting)
            self._strides_left -= 1
        frame = waiting[step - 1]
        self.dropped += step - 1
        self.stamp_ns = frame.stamp_ns
        self.is_live = step == len(waiting)
        if self.is_live:
            self._strides_left = 0
        return self._tracker.step(self._state, frame)
