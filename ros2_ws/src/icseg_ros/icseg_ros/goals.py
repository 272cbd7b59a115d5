"""A goal of the ``ClarifySegment`` action on its way: which events end it, and how. Knows its codes, no rclpy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from icseg_msgs.action import ClarifySegment
from std_msgs.msg import Header

from icseg import events
from icseg.types import ObjectResult
from icseg_ros.logged_session import LoggedSession

_Codes = ClarifySegment.Result
_CAUSES = {
    events.Cause.NOT_FOUND: _Codes.NOT_FOUND,
    events.Cause.OUT_OF_SIGHT: _Codes.NOT_FOUND,
    events.Cause.QUESTIONS_SPENT: _Codes.QUESTIONS_SPENT,
    events.Cause.UNANSWERED: _Codes.NO_ANSWER,
}


@dataclass(frozen=True, slots=True, eq=False)
class GoalResult:
    """How a goal ended.

    Attributes:
        outcome: a code of ``ClarifySegment.Result``.
        reason: in words; empty when segmented.
        dialogue_id, transcript, label: what the dialogue's log says; empty when none began.
        header: the header of the mask's image.
        thing: the target in it; None without one.
    """

    outcome: int
    reason: str = ""
    dialogue_id: str = ""
    transcript: tuple[str, ...] = ()
    label: str = ""
    header: Header | None = None
    thing: ObjectResult | None = None


@dataclass(eq=False)
class Goal:
    """One goal.

    Attributes:
        logged: the session that it was given to.
        ticket: the ticket of its command.
        ends_at: by the worker's clock; None without a limit.
        done: called once, in the worker's thread.
        progress: called in the worker's thread when the state or the question changed.
    """

    logged: LoggedSession
    ticket: int
    ends_at: float | None
    done: Callable[[GoalResult], None]
    progress: Callable[[], None]

    def result_of(self, event: events.Event, header: Header | None, *, is_picture: bool) -> GoalResult | None:
        """How the goal ends by an event of its session; None to go on.

        Args:
            event: any of the session's.
            header: the header of the image that the event is about.
            is_picture: the goal brought its own picture: its first mask is its last.
        """
        is_own = event.ticket == self.ticket
        match event:
            case events.Thinking() | events.Targeted() if event.ticket > self.ticket:
                return self.ended(_Codes.PREEMPTED, "another command came")
            case events.Stopped():
                return self.ended(_Codes.CANCELED, "the person said stop")
            case events.Rejected() if is_own:
                return self.ended(_Codes.FAILED, event.error)
            case events.Tracked() if is_own and (event.is_live or is_picture):
                (thing,) = event.result.objects.values()
                if not thing.is_lost:
                    return self.ended(_Codes.SEGMENTED, "", header, thing)
                if is_picture:
                    return self.ended(_Codes.NOT_FOUND, "the mask is empty: nothing is seen there")
            case events.GaveUp() if is_own:
                return self.ended(_CAUSES[event.cause], event.reason)
            case events.Failed() if is_own:
                return self.ended(_Codes.FAILED, event.error)
        return None

    def ended(
        self, outcome: int, reason: str, header: Header | None = None, thing: ObjectResult | None = None
    ) -> GoalResult:
        """The result, with what was said so far."""
        dialogue = self.logged.dialogue
        if dialogue.ticket != self.ticket:
            return GoalResult(outcome, reason)
        return GoalResult(outcome, reason, dialogue.id, tuple(dialogue.transcript), dialogue.label, header, thing)
