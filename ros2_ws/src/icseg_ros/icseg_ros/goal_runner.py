"""The goal of the action that is worked on, one at a time, and the picture that it may have brought. Knows no rclpy."""

from __future__ import annotations

from collections.abc import Callable

from icseg_msgs.action import ClarifySegment
from std_msgs.msg import Header

from icseg import events
from icseg.dialogue.english.intent import is_command, is_stop
from icseg.errors import ConfigError
from icseg.session.events import State
from icseg.types import Frame
from icseg_ros.goals import Goal, GoalResult
from icseg_ros.happened import Happened
from icseg_ros.logged_session import LoggedSession

Picture = tuple[Frame, Header]
_Codes = ClarifySegment.Result


class GoalRunner:
    """Begins, watches and ends goals, all in the worker's thread.

    Args:
        new_session: makes the session about a picture that a goal brings.
        picture_closed: called with the session about such a picture when it is over, however it ended.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        new_session: Callable[[], LoggedSession],
        picture_closed: Callable[[LoggedSession], None],
        clock: Callable[[], float],
    ) -> None:
        self._new_session, self._picture_closed, self._clock = new_session, picture_closed, clock
        self._goal: Goal | None = None
        self._picture: tuple[LoggedSession, Header] | None = None

    @property
    def picture_session(self) -> LoggedSession | None:
        """The session about the picture that the goal brought; None for a goal of the stream, and without one."""
        return None if self._picture is None else self._picture[0]

    def addressed(self, live: LoggedSession) -> LoggedSession:
        """The session that people talk to: a goal's own picture comes before the stream."""
        return self.picture_session or live

    def listener_to(self, text: str, live: LoggedSession) -> LoggedSession:
        """The session that words are for.

        A goal's own picture gets what ends it and what answers its question; a command is always the stream's.
        """
        picture = self.picture_session
        if picture is not None and (is_stop(text) or (picture.state is State.ASKING and not is_command(text))):
            return picture
        return live

    def header_of(self, logged: LoggedSession) -> Header | None:
        """The header of the goal's picture, when the session is about it."""
        return self._picture[1] if self._picture is not None and self._picture[0] is logged else None

    def begin(
        self,
        request: ClarifySegment.Goal,
        picture: Picture | None,
        live: LoggedSession | None,
        done: Callable[[GoalResult], None],
        progress: Callable[[], None],
    ) -> None:
        """A goal, in place of the one before it.

        Args:
            request: what was sent.
            picture: to segment instead of the stream.
            live: the stream's session; None while the node takes no images.
            done: called once with how it ended.
            progress: called when the state or the question changed.
        """
        self.end(_Codes.PREEMPTED, "another goal came")
        logged = live
        if picture is not None:
            logged = self._new_session()
            logged.session.push_frame(picture[0])
            self._picture = logged, picture[1]
        if logged is None:
            done(GoalResult(_Codes.FAILED, "the node is not enabled: call ~/enable"))
            return
        max_questions = None if request.max_turns < 0 else request.max_turns
        try:
            ticket = logged.command(request.command, max_questions=max_questions, language=request.language)
        except ConfigError as error:
            self._close_picture()
            done(GoalResult(_Codes.INVALID_GOAL, str(error)))
            return
        ends_at = self._clock() + request.timeout_s if request.timeout_s > 0 else None
        self._goal = Goal(logged, ticket, ends_at, done, progress)

    def take(self, happened: Happened) -> None:
        """What happened in its session may end the goal; a command to the stream ends one with its own picture."""
        if happened.is_live and self._picture is not None and isinstance(happened.event, events.Thinking):
            self.end(_Codes.PREEMPTED, "another command came")
        goal = self._goal
        if goal is not None and goal.logged is happened.logged:
            is_picture = self.picture_session is goal.logged
            result = goal.result_of(happened.event, happened.header, is_picture=is_picture)
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
        """End the goal, if there is one; the stream's session goes on."""
        if self._goal is not None:
            self._finish(self._goal.ended(outcome, reason))

    def progress(self) -> None:
        """Tell the client of the goal that something changed."""
        if self._goal is not None:
            self._goal.progress()

    def _stop(self, goal: Goal, outcome: int, reason: str) -> None:
        if goal.logged is not self.picture_session:
            goal.logged.session.say("stop")
        self.end(outcome, reason)

    def _finish(self, result: GoalResult) -> None:
        goal, self._goal = self._goal, None
        self._close_picture()
        if goal is not None:
            goal.done(result)

    def _close_picture(self) -> None:
        if self._picture is not None:
            (logged, _), self._picture = self._picture, None
            logged.close()
            self._picture_closed(logged)
