"""The seam between a session and any tracker of video: one state a stream, frames in, results out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from icseg.types import Frame, Prompt, TrackResult


class VideoTracker(Protocol):
    """What a session needs of a tracker; ``tracker.Tracker`` is the real one."""

    def new_state(self) -> Any:
        """State of one stream: explicit, of fixed capacity."""
        ...

    def copy_state(self, state: Any, into: Any) -> None:
        """Let another state know what this one knows; both go on independently."""
        ...

    def add_prompt(self, state: Any, frame: Frame, object_id: int, prompt: Prompt) -> TrackResult:
        """Segment a new thing in this frame, or correct a known one."""
        ...

    def step(self, state: Any, frame: Frame) -> TrackResult:
        """Follow every thing into this frame."""
        ...

    def segment(self, frame: Frame, prompts: Sequence[Prompt]) -> TrackResult:
        """Segment things in a frame of no stream: object ids 1, 2, ... in the order of the prompts."""
        ...

    def reject(self, state: Any, object_id: int) -> TrackResult:
        """What the latest frame shows as this thing is something else: it is lost there."""
        ...
