"""One query's trajectory: the frames shown, the command, and all turns so far. Append-only: history is data first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from icseg.dialogue.actions import Action
from icseg.types import Frame

MAX_INTERACTIONS = 6
"""Replies that a policy may get in one dialogue (IC-Seg's ``max_turns``); the keyframe takes one of them."""
MAX_QUESTIONS = 5
"""Questions that a policy may ask in one dialogue."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What came back for an action.

    Attributes:
        kind: ``answer`` (the person's words), ``keyframe`` (the frame at high resolution) or ``error``.
        text: the words, or the error text for the model; empty for a keyframe.
        frame_id: the keyframe's id, for ``keyframe`` only.
    """

    kind: Literal["answer", "keyframe", "error"]
    text: str = ""
    frame_id: int | None = None


@dataclass(slots=True)
class Turn:
    """One policy output and the reply to it.

    Attributes:
        action: what was decided, or None when the output was a fault.
        reply_text: the model's own words, verbatim (empty for policies that are no language model).
        fault: why the output could not be used, or empty.
        observation: None until the reply is there.
        timings_ms: stage -> milliseconds, as the policy measured them.
        rates_per_s: what was counted -> how many of it a second, as the policy measured them.
    """

    action: Action | None
    reply_text: str = ""
    fault: str = ""
    observation: Observation | None = None
    timings_ms: dict[str, float] = field(default_factory=dict)
    rates_per_s: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class Dialogue:
    """State of one query. The agent writes to it; a policy only reads it.

    Attributes:
        command: the person's words, as typed or heard.
        frames: the sampled frames, oldest first (at most six), by frame id; all of one size.
        turns: all turns so far, oldest first.
        is_cancelled: a policy that takes long asks this now and then, and raises ``Cancelled`` when it is true.
    """

    command: str
    frames: dict[int, Frame]
    turns: list[Turn] = field(default_factory=list)
    is_cancelled: Callable[[], bool] = lambda: False

    @property
    def frame_hw(self) -> tuple[int, int]:
        """(H, W) of every frame.

        Raises:
            ValueError: there are no frames.
        """
        for frame in self.frames.values():
            return frame.hw
        raise ValueError("dialogue: expected at least one frame, got none")

    @property
    def keyframe_id(self) -> int | None:
        """Id of the keyframe that was shown last, or None."""
        shown = [turn.observation for turn in self.turns if turn.observation is not None]
        return next((seen.frame_id for seen in reversed(shown) if seen.kind == "keyframe"), None)
