"""The goal of the action that is worked on, one at a time, and the picture that it may have brought. Knows no rclpy."""

from __future__ import annotations

from collections.abc import Callable

from icseg_msgs.action import ClarifySegment
from std_msgs.msg import Header

from icseg import events
from icseg.errors import ConfigError
from icseg.types import Frame
from icseg_ros.goals import Goal, GoalResult
from icseg_ros.logged_session import Talk

Picture = tuple[Frame, Header]
_Codes = ClarifySegment.Result


class GoalRunner:
    """Begins, watches and ends goals, all in the worker's thread.

    Args:
        new_talk: makes the talk about a picture that a goal brings.
        picture_closed: called when the talk about such a picture is over, however it ended.
        clock: seconds, monotonic.
    """

    def __init__(
        self, new_talk: Callable[[], Talk], picture_closed: Callable[[], None], clock: Callable[[], float]
    ) -> None:
        self._new_talk, self._picture_closed, self._clock = new_talk, picture_closed, clock
        self._goal: Goal | None = None
        self._picture: tuple[Talk, Header] | None = None

    @property
    def picture_talk(self) -> Talk | None:
        """The talk about the picture that the goal brought; None for a goal of the stream, and without one."""
        return None if self._picture is None else self._picture[0]

    def header_of(self, talk: Talk) -> Header | None:
        """The header of the goal's picture, when the talk is about it."""
        return self._picture[1] if self._picture is not None and self._picture[0] is talk else None

    def begin(
        self,
        request: ClarifySegment.Goal,
        picture: Picture | None,
        live: Talk,
        done: Callable[[GoalResult], None],
        progress: Callable[[], None],
    ) -> None:
        """A goal, in place of the one before it.

        Args:
            request: what was sent.
            picture: to look at instead of the stream.
            live: the stream's talk.
            done: called once with how it ended.
            progress: called when the state or the question changed.
        """
        self.end(_Codes.PREEMPTED, "another goal came")
        talk = live
        if picture is not None:
            talk = self._new_talk()
            talk.session.push_frame(picture[0])
            self._picture = talk, picture[1]
        max_questions = None if request.max_turns < 0 else request.max_turns
        try:
            ticket = talk.command(request.command, max_questions=max_questions, language=request.language)
        except ConfigError as error:
            self._close_picture()
            done(GoalResult(_Codes.INVALID_GOAL, str(error)))
            return
        ends_at = self._clock() + request.timeout_s if request.timeout_s > 0 else None
        self._goal = Goal(talk, ticket, ends_at, done, progress)

    def take(self, talk: Talk, event: events.Event, header: Header | None) -> None:
        """What happened in a talk may end the goal.

        Args:
            header: of the image that the event is about.
        """
        if self._goal is not None and self._goal.talk is talk:
            result = self._goal.result_of(event, header, is_picture=self.picture_talk is talk)
            if result is not None:
                self._finish(result)

    def watch(self) -> None:
        """End the goal whose time is over."""
        goal = self._goal
        if goal is not None and goal.ends_at is not None and self._clock() >= goal.ends_at:
            self._stop(goal, _Codes.TIMED_OUT, "the goal's timeout_s is over")

    def cancel(self, done: Callable[[GoalResult], None]) -> None:
        """End the goal with this ``done``, and what it began."""
        if self._goal is not None and self._goal.done is done:
            self._stop(self._goal, _Codes.CANCELED, "canceled by the client")

    def end(self, outcome: int, reason: str) -> None:
        """End the goal, if there is one; the stream's talk goes on."""
        if self._goal is not None:
            self._finish(self._goal.ended(outcome, reason))

    def progress(self) -> None:
        """Tell the client of the goal that something changed."""
        if self._goal is not None:
            self._goal.progress()

    def _stop(self, goal: Goal, outcome: int, reason: str) -> None:
        if goal.talk is not self.picture_talk:
            goal.talk.session.say("stop")
        self.end(outcome, reason)

    def _finish(self, result: GoalResult) -> None:
        goal, self._goal = self._goal, None
        self._close_picture()
        if goal is not None:
            goal.done(result)

    def _close_picture(self) -> None:
        if self._picture is not None:
            self._picture[0].close()
            self._picture = None
            self._picture_closed()
