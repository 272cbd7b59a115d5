"""One picture, one command, prepared answers: what a script asks of the node. Nothing is tracked. Knows no ROS."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from enum import Enum

from icseg import events
from icseg.dialogue.config import DialogueConfig
from icseg.dialogue.policy import Policy
from icseg.geometry import clip_prompt
from icseg.session.config import FollowingConfig, SessionConfig
from icseg.session.session import Session
from icseg.tracker.tracker import Tracker
from icseg.types import Frame, ObjectResult, Prompt


class StillOutcome(Enum):
    """What came of it."""

    OK = "the thing was segmented"
    NEEDS_CLARIFICATION = "several fit and no answer was left"
    NOT_FOUND = "nothing fits"
    INVALID = "the request cannot be used"
    NO_IMAGE = "no image came yet"
    TIMED_OUT = "it took too long"
    FAILED = "a model or its server failed"


@dataclass(frozen=True, slots=True, eq=False)
class StillResult:
    """The end of a still.

    Attributes:
        outcome: which.
        reason: in words; empty when all is well.
        things: the thing, or the things that the question is about.
        labels: what each is called.
        asked: the question, for ``NEEDS_CLARIFICATION``.
    """

    outcome: StillOutcome
    reason: str = ""
    things: tuple[ObjectResult, ...] = ()
    labels: tuple[str, ...] = ()
    asked: events.Asked | None = None


class Still:
    """A session over one frame. ``poll`` belongs to the tracker's thread.

    Args:
        frame: the picture.
        policy, tracker: the node's.
        executor: where the policy runs.
        clock: seconds, monotonic.
        timeout_s: from now.
        answers: given to its questions, in order.
    """

    def __init__(
        self,
        frame: Frame,
        policy: Policy,
        tracker: Tracker,
        executor: Executor,
        clock: Callable[[], float],
        *,
        timeout_s: float,
        answers: Sequence[str] = (),
    ) -> None:
        self.frame = frame
        self._tracker, self._clock = tracker, clock
        self._answers, self._ends_at, self._timeout_s = list(answers), clock() + timeout_s, timeout_s
        # one picture: there is nothing to catch up with, to recheck or to fall silent
        config = SessionConfig(
            DialogueConfig(answer_timeout_s=3600.0), following=FollowingConfig(rechecks=False), camera_timeout_s=3600.0
        )
        self._session = Session(policy, tracker, config, executor=executor, clock=clock)
        self._session.push_frame(frame)
        self._label = ""

    def command(self, text: str) -> None:
        """Begin with words."""
        self._session.command(text)

    def segment(self, prompt: Prompt) -> StillResult:
        """The whole answer to a prompt: there is nothing to think about.

        Raises:
            BackendError: an engine failed.
        """
        try:
            result = self._tracker.segment(self.frame, [clip_prompt(prompt, self.frame.hw)])
        except ValueError as error:
            return StillResult(StillOutcome.INVALID, str(error))
        return self._seen(result.objects[1])

    def poll(self) -> StillResult | None:
        """One step; the result once there is one."""
        for event in self._session.step():
            if (result := self._take(event)) is not None:
                return result
        if self._clock() >= self._ends_at:
            return StillResult(StillOutcome.TIMED_OUT, f"no decision within {self._timeout_s:g} s")
        return None

    def close(self) -> None:
        """Cancel it."""
        self._session.close()

    def _take(self, event: events.Event) -> StillResult | None:
        match event:
            case events.Asked() if self._answers:
                self._session.answer(self._answers.pop(0), event.question_id)
            case events.Asked():
                found = self._tracker.segment(self.frame, [Prompt(choice.box_image_px) for choice in event.choices])
                labels = tuple(choice.label for choice in event.choices)
                things = tuple(found.objects.values())
                return StillResult(StillOutcome.NEEDS_CLARIFICATION, "", things, labels, event)
            case events.Targeted():
                self._label = event.label
            case events.Tracked():
                return self._seen(event.result.objects[1])
            case events.GaveUp():
                return StillResult(StillOutcome.NOT_FOUND, event.reason)
            case events.Failed():
                return StillResult(StillOutcome.FAILED, event.error)
            case events.Rejected():
                return StillResult(StillOutcome.INVALID, event.error)
            case events.Stopped():
                return StillResult(StillOutcome.NOT_FOUND, "the words say stop")
        return None

    def _seen(self, thing: ObjectResult) -> StillResult:
        if thing.is_lost:
            return StillResult(StillOutcome.NOT_FOUND, "the mask is empty: nothing is seen there")
        return StillResult(StillOutcome.OK, "", (thing,), (self._label,))
