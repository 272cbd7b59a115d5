"""What a session says, and the states it can be in.

Every event carries the stamp of the frame it is about and what each stage took.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from icseg.dialogue.actions import Choice
from icseg.types import Prompt, TrackResult


class State(Enum):
    """The states of a session; docs/architecture.md says what leads from one to the other."""

    IDLE = "idle"
    THINKING = "thinking"
    ASKING = "asking"
    TARGETING = "targeting"
    TRACKING = "tracking"
    LOST = "lost"
    GAVE_UP = "gave up"

    @property
    def is_busy(self) -> bool:
        """Something is going on for the person."""
        return self not in (State.IDLE, State.GAVE_UP)


class Cause(Enum):
    """Why a session gave up."""

    NOT_FOUND = "the policy found nothing that fits"
    QUESTIONS_SPENT = "several things fit, and no more questions may be asked"
    UNANSWERED = "nobody answered the question"
    OUT_OF_SIGHT = "the target was not seen again in time"


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events.

    Attributes:
        stamp_ns: of the frame that the event was made from; -1 when no frame had been seen.
        timings_ms: stage -> milliseconds.
        rates_per_s: what was counted -> how many of it a second, e.g. a language model's ``tokens``.
        ticket: of the words or the box that led to this, as ``say``, ``command``, ``answer`` and ``point_at`` of the
            session gave it; 0 when nothing was said yet.
    """

    stamp_ns: int
    timings_ms: dict[str, float] = field(default_factory=dict, kw_only=True)
    rates_per_s: dict[str, float] = field(default_factory=dict, kw_only=True)
    ticket: int = field(default=0, kw_only=True)


@dataclass(frozen=True, slots=True)
class Thinking(Event):
    """A command was taken up; the policy looks at the frames up to ``stamp_ns``."""

    command: str


@dataclass(frozen=True, slots=True)
class Asked(Event):
    """A question for the person, about the frame of ``stamp_ns``.

    Attributes:
        options: the answers that it offers; empty for an open question.
        is_repeat: the same question again, because no answer came.
        choices: the things that it is about, in pixels of that frame; empty when the policy does not say.
        question_id: counts the session's questions from 1; a repeat keeps its number.
    """

    question: str
    options: tuple[str, ...] = ()
    is_repeat: bool = False
    choices: tuple[Choice, ...] = ()
    question_id: int = 0


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """The person's answer, as the dialogue took it up."""

    text: str


@dataclass(frozen=True, slots=True)
class Targeted(Event):
    """The target was found in the keyframe (``stamp_ns``), which is in the past.

    Attributes:
        prompt: what the tracker is given, inside the frame.
        label: what the policy calls the target; empty when it does not say, or a person showed it.
    """

    prompt: Prompt
    label: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Tracked(Event):
    """The target's mask in one frame; each is newer than the one before, until there is another target.

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
    """The target was known again where the mask was not, and the tracker was prompted there.

    The frame is the one that was looked at: the latest that was shown, or an earlier one from which the tracker now
    catches up. ``timings_ms`` has ``recheck``, what the look took.
    """

    prompt: Prompt


@dataclass(frozen=True, slots=True)
class Mistaken(Event):
    """The mask was on something else, ``what``: it is dropped, and the target is lost.

    The frame is that of ``Corrected``. The next masks are shown as lost until one was found right.
    """

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
    cause: Cause


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
