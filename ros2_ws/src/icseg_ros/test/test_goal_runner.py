"""One goal at a time: how it begins, what ends it, and what becomes of its picture. Without a node."""

from __future__ import annotations

from typing import Any

from icseg_msgs.action import ClarifySegment
from sessions import QUESTION, TARGET, Clock, frame, happened, session_of
from std_msgs.msg import Header

from icseg.dialogue.actions import SelectKeyframe
from icseg.dialogue.policy_scripted import Step
from icseg.session.events import State
from icseg_ros.goal_runner import GoalRunner
from icseg_ros.goals import GoalResult
from icseg_ros.logged_session import LoggedSession

CODES = ClarifySegment.Result
PICTURE_HEADER = Header(frame_id="picture")


class Run:
    """A goal runner, the stream, and what its clients were told."""

    def __init__(self, *stream: Step, picture: tuple[Step, ...] = ()) -> None:
        self.clock, self.live = Clock(), session_of(*stream)
        self.closed = 0
        self.ended: list[GoalResult] = []
        self.goals = GoalRunner(lambda: session_of(*picture, has_image=False), self._close, self.clock)

    def _close(self, logged: LoggedSession) -> None:
        assert logged is not self.live
        self.closed += 1

    def begin(self, *, has_picture: bool = False, is_enabled: bool = True, **fields: Any) -> None:
        request = ClarifySegment.Goal(**{"command": "the mug", "max_turns": -1, **fields})
        picture = (frame(), PICTURE_HEADER) if has_picture else None
        self.goals.begin(request, picture, self.live if is_enabled else None, self.ended.append, lambda: None)

    def step(self, logged: LoggedSession, rounds: int = 4) -> None:
        for _ in range(rounds):
            for event in logged.step():
                header = self.goals.header_of(logged)
                self.goals.take(happened(logged, event, header=header, is_live=logged is self.live))

    @property
    def outcomes(self) -> list[int]:
        return [result.outcome for result in self.ended]


def test_a_goal_of_the_stream_ends_with_its_mask_and_tracking_goes_on() -> None:
    run = Run(SelectKeyframe(0), TARGET)
    run.begin()
    assert run.goals.addressed(run.live) is run.live
    run.step(run.live)
    assert run.outcomes == [CODES.SEGMENTED]
    assert run.live.state is State.TRACKING
    assert run.closed == 0


def test_a_goal_with_its_own_picture_leaves_the_stream_alone_and_closes_it() -> None:
    run = Run(picture=(SelectKeyframe(0), TARGET))
    run.begin(has_picture=True)
    picture = run.goals.picture_session
    assert picture is not None
    assert run.goals.addressed(run.live) is picture
    run.step(run.live)
    run.step(picture)
    assert run.outcomes == [CODES.SEGMENTED]
    assert run.ended[0].header is PICTURE_HEADER
    assert (run.goals.picture_session, run.closed) == (None, 1)


def test_a_command_to_the_stream_ends_a_goal_with_its_own_picture() -> None:
    run = Run(QUESTION, picture=(QUESTION,))
    run.begin(has_picture=True)
    run.live.session.say("find the bowl")
    run.step(run.live)
    assert run.outcomes == [CODES.PREEMPTED]
    assert run.closed == 1


def test_events_of_the_stream_do_not_end_the_goal_of_a_picture() -> None:
    run = Run(picture=(QUESTION,))
    run.begin(has_picture=True)
    run.live.session.say("stop")
    run.step(run.live)
    assert run.outcomes == []


def test_words_go_to_the_picture_when_it_asked_and_commands_to_the_stream() -> None:
    run = Run(picture=(QUESTION,))
    assert run.goals.listener_to("blue", run.live) is run.live
    run.begin(has_picture=True)
    picture = run.goals.picture_session
    assert picture is not None
    assert run.goals.listener_to("blue", run.live) is run.live, "nothing was asked yet"
    run.step(picture)
    assert run.goals.listener_to("blue", run.live) is picture
    assert run.goals.listener_to("find the bowl", run.live) is run.live
    assert run.goals.listener_to("stop", run.live) is picture


def test_another_goal_pre_empts() -> None:
    run = Run(QUESTION, QUESTION)
    run.begin()
    run.begin()
    assert run.outcomes == [CODES.PREEMPTED]


def test_a_goal_whose_time_is_over_stops_what_it_began() -> None:
    run = Run(QUESTION)
    run.begin(timeout_s=2.0)
    run.step(run.live)
    run.clock.now = 1.9
    run.goals.watch()
    assert run.outcomes == []
    run.clock.now = 2.0
    run.goals.watch()
    assert run.outcomes == [CODES.TIMED_OUT]
    run.step(run.live)
    assert run.live.state is State.IDLE


def test_only_its_own_client_cancels_a_goal() -> None:
    run = Run(QUESTION)
    run.begin()
    run.goals.cancel(lambda result: None)
    assert run.outcomes == []


def test_a_goal_that_cannot_be_is_refused_and_its_picture_closed() -> None:
    run = Run()
    run.begin(has_picture=True, max_turns=101)
    assert run.outcomes == [CODES.INVALID_GOAL]
    assert (run.goals.picture_session, run.closed) == (None, 1)


def test_while_no_images_are_taken_only_a_picture_of_its_own_is_worked_on() -> None:
    run = Run(picture=(QUESTION,))
    run.begin(is_enabled=False)
    assert run.outcomes == [CODES.FAILED]
    assert "~/enable" in run.ended[0].reason
    run.begin(is_enabled=False, has_picture=True)
    assert run.goals.picture_session is not None
