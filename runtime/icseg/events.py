"""What a session says. Every event carries the stamp of the frame it is about and what each stage took."""

from __future__ import annotations

from dataclasses import dataclass, field

from icseg.types import Box, Point, Prompt, TrackResult


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events.

    Attributes:
        stamp_ns: of the frame that the event was made from; -1 when no frame had been seen.
        timings_ms: stage -> milliseconds.
    """

    stamp_ns: int
    timings_ms: dict[str, float] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True, slots=True)
class Thinking(Event):
    """A command was taken up; the policy looks at the frames up to ``stamp_ns``."""

    command: str


@dataclass(frozen=True, slots=True)
class Asked(Event):
    """A question for the person. ``is_repeat``: the same question again, because no answer came."""

    question: str
    options: tuple[str, ...] = ()
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The person's answer, as the dialogue took it up."""

    text: str


@dataclass(frozen=True, slots=True)
class Targeted(Event):
    """The target was found in the keyframe (``stamp_ns``), which is in the past.

    Attributes:
        box_image_px: what the tracker is prompted with.
        point_image_px: on the target; None when a person drew the box.
    """

    box_image_px: Box
    point_image_px: Point | None

    @property
    def prompt(self) -> Prompt:
        """The same for the tracker."""
        if self.point_image_px is None:
            return Prompt(self.box_image_px)
        return Prompt(self.box_image_px, (self.point_image_px,), (1,))


@dataclass(frozen=True, slots=True, eq=False)
class Tracked(Event):
    """The target's mask in one frame.

    Attributes:
        result: masks, boxes and scores by object id.
        is_live: made from the newest frame; False while catching up.
        dropped: frames of the stream that were passed over since the session began.
    """

    result: TrackResult
    is_live: bool
    dropped: int


@dataclass(frozen=True, slots=True)
class Corrected(Event):
    """The target was known again where the mask was not, and the tracker was prompted there."""

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Mistaken(Event):
    """The mask was on something else, ``what``: it is dropped, and the target is lost."""

    what: str


@dataclass(frozen=True, slots=True)
class Lost(Event):
    """The target is not visible any more; the tracker goes on searching."""


@dataclass(frozen=True, slots=True)
class Found(Event):
    """A lost target is visible again, after ``lost_s`` seconds."""

    lost_s: float


@dataclass(frozen=True, slots=True)
class GaveUp(Event):
    """The dialogue ended without a target, or the search for a lost one did; ``reason`` is for the person."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped(Event):
    """The person said stop; the session is idle."""


@dataclass(frozen=True, slots=True)
class Failed(Event):
    """Something broke: what, and what to do. The session is idle and takes the next command."""

    error: str


@dataclass(frozen=True, slots=True)
class Degraded(Event):
    """Something broke that the session goes on without: what, and what is missing now."""

    error: str


@dataclass(frozen=True, slots=True)
class Rejected(Event):
    """An input was refused and nothing changed: a frame of another size, a stamp going back, empty text."""

    error: str


@dataclass(frozen=True, slots=True)
class CameraStalled(Event):
    """No frame came for ``silent_s`` seconds while something was going on; it goes on when frames come again."""

    silent_s: float
