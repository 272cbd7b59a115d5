"""The session at its bounds: times that are just up, counts over several targets, numbers of words and questions."""

from __future__ import annotations

import threading

import pytest

from icseg import events
from icseg.dialogue.actions import Answer, Ask, GiveUp, SelectKeyframe
from icseg.dialogue.config import DialogueConfig
from icseg.dialogue.dialogue import Dialogue
from icseg.dialogue.policy import PolicyOutput
from icseg.dialogue.policy_scripted import ScriptedPolicy
from icseg.session.config import BufferConfig, FollowingConfig, SessionConfig
from icseg.session.events import Cause, State
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Prompt
from tests.conftest import FRAME_NS, FakeClock, ManualExecutor, make_frame

ANSWER = Answer((6.4, 4.8, 19.2, 24.0), (12.8, 14.4))
BOX = (10.0, 10.0, 30.0, 40.0)


def session_of(
    clock: FakeClock,
    *script: object,
    tracker: ScriptedTracker | None = None,
    dialogue: DialogueConfig | None = None,
    following: FollowingConfig | None = None,
    max_frames: int = 300,
    camera_timeout_s: float = 100,
) -> Session:
    policy = ScriptedPolicy(*script)  # type: ignore[arg-type]
    config = SessionConfig(
        dialogue or DialogueConfig(),
        BufferConfig(max_frames=max_frames),
        following or FollowingConfig(),
        camera_timeout_s=camera_timeout_s,
    )
    return Session(policy, tracker or ScriptedTracker(), config, executor=InlineExecutor(), clock=clock)


def push(session: Session, *indices: int) -> None:
    for index in indices:
        session.push_frame(make_frame(index))


def steps(session: Session, count: int = 1) -> list[events.Event]:
    return [event for _ in range(count) for event in session.step()]


def of(log: list[events.Event], kind: type[events.Event]) -> list[events.Event]:
    return [event for event in log if isinstance(event, kind)]


def test_a_question_waits_until_its_time_is_just_up_and_is_repeated_as_often_as_it_may(clock: FakeClock) -> None:
    session = session_of(
        clock, Ask("Red or blue?", ("red", "blue")), dialogue=DialogueConfig(answer_timeout_s=5, question_repeats=2)
    )
    push(session, 0)
    session.say("the mug")
    (_, asked) = steps(session)
    for at in (5.0, 10.0):
        clock.now = at - 0.01
        assert of(steps(session), events.Asked) == []
        clock.now = at
        (again,) = of(steps(session), events.Asked)
        assert (again.is_repeat, again.question_id, again.options) == (True, asked.question_id, ("red", "blue"))
    clock.now = 15.0
    (gave_up,) = of(steps(session), events.GaveUp)
    assert gave_up.cause is Cause.UNANSWERED
    assert session.state is State.GAVE_UP
    assert session.question_frame is None


def test_questions_are_numbered_from_one_through_all_dialogues(clock: FakeClock) -> None:
    session = session_of(clock, Ask("a?"), Ask("b?"), Ask("c?"))
    push(session, 0)
    session.say("the mug")
    numbers = [event.question_id for event in of(steps(session), events.Asked)]
    session.answer("red", 1)
    numbers += [event.question_id for event in of(steps(session), events.Asked)]
    session.command("the bowl")
    numbers += [event.question_id for event in of(steps(session), events.Asked)]
    assert numbers == [1, 2, 3]


def test_words_and_boxes_are_numbered_from_one_in_the_order_they_come(clock: FakeClock) -> None:
    session = session_of(clock)
    assert [session.say("a"), session.point_at(BOX), session.answer("b"), session.command("c")] == [1, 2, 3, 4]


@pytest.mark.parametrize(("limit", "is_asked"), [(1, True), (0, False)])
def test_the_session_bounds_the_questions_of_a_command_that_brings_no_bound(
    clock: FakeClock, limit: int, is_asked: bool
) -> None:
    session = session_of(
        clock, Ask("Red or blue?"), GiveUp("several fit"), dialogue=DialogueConfig(max_questions=limit)
    )
    push(session, 0)
    session.say("the mug")
    log = steps(session)
    assert bool(of(log, events.Asked)) is is_asked
    if not is_asked:
        assert [event.cause for event in of(log, events.GaveUp)] == [Cause.QUESTIONS_SPENT]


def test_a_reason_of_the_policys_own_is_not_told_as_spent_questions(clock: FakeClock) -> None:
    session = session_of(clock, GiveUp("I see no mug."))
    push(session, 0)
    session.say("the mug")
    (gave_up,) = of(steps(session), events.GaveUp)
    assert (gave_up.cause, gave_up.timings_ms.keys() >= {"response"}) == (Cause.NOT_FOUND, True)


def test_an_answer_for_the_question_that_waits_is_taken_and_one_for_another_is_not(clock: FakeClock) -> None:
    session = session_of(clock, Ask("a?"), Ask("b?"), Ask("c?"))
    push(session, 0)
    session.say("the mug")
    steps(session)
    session.answer("red")  # for whatever waits
    assert len(of(steps(session), events.Answered)) == 1
    session.answer("red", 1)
    (rejected,) = of(steps(session), events.Rejected)
    assert "question 2 waits" in rejected.error
    session.answer("find the bowl", 2)  # an answer, though it sounds like a command
    assert [event.text for event in of(steps(session), events.Answered)] == ["find the bowl"]


def test_an_answer_ends_the_question_and_the_time_of_the_response_begins_anew(clock: FakeClock) -> None:
    executor = ManualExecutor()
    policy = ScriptedPolicy(Ask("Red or blue?"), GiveUp("no"))
    config = SessionConfig(DialogueConfig(answer_timeout_s=5), camera_timeout_s=100)
    session = Session(policy, ScriptedTracker(), config, executor=executor, clock=clock)
    push(session, 0)
    session.say("the mug")
    steps(session)
    executor.run()
    clock.now = 1.0
    (asked,) = steps(session)
    assert asked.timings_ms["response"] == 1000.0
    assert session.state is State.ASKING
    clock.now = 3.0
    session.say("red")
    assert len(of(steps(session), events.Answered)) == 1
    assert (session.state, session.question_frame) == (State.THINKING, None)
    clock.now = 30.0  # what the policy takes is not the person's silence
    assert steps(session) == []
    executor.run()
    (gave_up,) = steps(session)
    assert gave_up.timings_ms["response"] == 27_000.0


def test_a_target_in_the_newest_frame_is_tracked_live_and_one_in_the_past_is_not_yet(clock: FakeClock) -> None:
    session = session_of(clock, SelectKeyframe(0), ANSWER)
    push(session, 0)
    session.point_at(BOX)
    assert [event.is_live for event in of(steps(session), events.Tracked)] == [True]
    assert session.state is State.TRACKING
    push(session, 1)
    session.say("the mug")
    assert [event.is_live for event in of(steps(session, 2), events.Tracked)] == [False, True]
    assert session.state is State.TRACKING


def test_closing_waits_for_nobody(clock: FakeClock) -> None:
    is_free = threading.Event()

    class Slow(ScriptedPolicy):
        def next_action(self, dialogue: Dialogue) -> PolicyOutput:
            is_free.wait(60)
            return super().next_action(dialogue)

    session = Session(Slow(GiveUp("no")), ScriptedTracker(), clock=clock)
    push(session, 0)
    session.say("the mug")
    session.step()
    closing = threading.Thread(target=session.close)
    closing.start()
    closing.join(10)
    is_closed = not closing.is_alive()
    is_free.set()
    closing.join(10)
    assert is_closed


def test_spaces_around_words_are_not_part_of_them(clock: FakeClock) -> None:
    session = session_of(clock, GiveUp("no"))
    push(session, 0)
    session.say("  the mug ")
    assert [event.command for event in of(steps(session), events.Thinking)] == ["the mug"]


def test_passed_over_frames_are_counted_over_all_targets_and_waiting_ones_too(clock: FakeClock) -> None:
    session = session_of(clock, max_frames=4, following=FollowingConfig(catch_up_frames=1))
    push(session, 0)
    session.point_at(BOX)
    assert [event.dropped for event in of(steps(session), events.Tracked)] == [0]
    push(session, 1)
    steps(session)  # live
    push(session, 2, 3, 4)
    assert [event.dropped for event in of(steps(session), events.Tracked)] == [2]
    session.point_at(BOX)
    assert [event.dropped for event in of(steps(session), events.Tracked)] == [2]
    push(session, 5, 6)
    assert [event.dropped for event in of(steps(session), events.Tracked)] == [3]
    push(session, *range(7, 13))  # of six four may wait
    assert [event.dropped for event in of(steps(session), events.Tracked)] == [3 + 2 + 3]


def test_a_target_that_was_caught_up_with_is_followed_in_the_newest_frame_from_then_on(clock: FakeClock) -> None:
    session = session_of(clock, following=FollowingConfig(catch_up_frames=24))
    push(session, 0)
    session.point_at(BOX)
    steps(session)
    push(session, 1)
    assert [event.is_live for event in of(steps(session), events.Tracked)] == [True]
    push(session, 2, 3, 4, 5)
    log = of(steps(session, 4), events.Tracked)
    assert [(event.stamp_ns // FRAME_NS, event.is_live, event.dropped) for event in log] == [(5, True, 3)]


def test_a_search_ends_when_its_time_is_just_up(clock: FakeClock) -> None:
    tracker = ScriptedTracker(lambda stamp_ns: stamp_ns <= FRAME_NS)
    session = session_of(clock, tracker=tracker, following=FollowingConfig(search_timeout_s=0.5))
    push(session, 0)
    session.point_at(BOX)
    log = steps(session)
    for index in range(1, 9):
        push(session, index)
        log += steps(session)
    assert [event.stamp_ns // FRAME_NS for event in of(log, events.Lost)] == [2]
    (gave_up,) = of(log, events.GaveUp)
    assert (gave_up.stamp_ns // FRAME_NS, gave_up.cause, gave_up.timings_ms) == (7, Cause.OUT_OF_SIGHT, {})
    assert log[-1] is gave_up
    assert session.state is State.GAVE_UP


def test_events_of_a_box_carry_its_number_and_those_before_it_theirs(clock: FakeClock) -> None:
    session = session_of(clock, Ask("a?"))
    push(session, 0)
    words = session.say("the mug")
    first = steps(session)
    box = session.point_at(BOX)
    second = steps(session)
    push(session, 1)
    third = steps(session)
    assert {event.ticket for event in first} == {words}
    assert {event.ticket for event in second + third} == {box}
    session.say("stop")
    (stopped,) = steps(session)
    assert (stopped.ticket, stopped.stamp_ns, session.state) == (box + 1, FRAME_NS, State.IDLE)


def test_a_stall_is_told_only_while_something_goes_on(clock: FakeClock) -> None:
    session = session_of(clock, Ask("a?"), camera_timeout_s=2, dialogue=DialogueConfig(answer_timeout_s=100))
    push(session, 0)
    steps(session)
    clock.now = 5.0
    assert steps(session) == []
    session.say("the mug")
    stalled = of(steps(session, 2), events.CameraStalled)
    assert [(event.silent_s, event.stamp_ns) for event in stalled] == [(5.0, 0)]


def test_a_new_stream_that_interrupts_nothing_says_nothing(clock: FakeClock) -> None:
    session = session_of(clock, GiveUp("no"))
    push(session, 5)
    steps(session)
    session.begin_stream("the clock was set back")
    assert (session.newest_frame, session.frame_at(5 * FRAME_NS)) == (None, None)
    push(session, 0)
    assert steps(session) == []
    assert session.newest_frame is not None


def test_points_reach_the_tracker_as_they_were_shown(clock: FakeClock) -> None:
    session = session_of(clock)
    push(session, 0)
    prompt = Prompt((5.0, 5.0, 20.0, 20.0), ((6.0, 7.0),), (1,))
    session.point_at(prompt)
    (targeted,) = of(steps(session), events.Targeted)
    assert (targeted.prompt, targeted.label) == (prompt, "")


def test_the_targets_label_and_keyframe_are_told(clock: FakeClock) -> None:
    answer = Answer((6.4, 4.8, 19.2, 24.0), (12.8, 14.4), "", "red mug")
    session = session_of(clock, SelectKeyframe(1), answer)
    push(session, 0, 1, 2)
    session.say("the mug")
    (targeted,) = of(steps(session), events.Targeted)
    assert (targeted.label, targeted.stamp_ns) == ("red mug", FRAME_NS)
    assert targeted.prompt.points_image_px == ((pytest.approx(12.8), pytest.approx(14.4)),)
    assert targeted.prompt.point_labels == (1,)
    assert "response" in targeted.timings_ms


def test_a_closed_session_lets_its_own_thread_go_and_leaves_another_ones_executor(clock: FakeClock) -> None:
    borrowed = ManualExecutor()
    lent = Session(ScriptedPolicy(Ask("a?")), ScriptedTracker(), executor=borrowed, clock=clock)
    push(lent, 0)
    lent.say("the mug")
    steps(lent)
    lent.close()
    borrowed.run()
    assert (lent.state, steps(lent)) == (State.IDLE, [])
    assert borrowed.submit(lambda: 1) is not None
    own = Session(ScriptedPolicy(Ask("a?")), ScriptedTracker(), clock=clock)
    push(own, 0)
    own.say("the mug")
    own.step()
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("icseg-policy")]
    own.close()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()


def test_frames_that_had_to_go_before_they_could_be_caught_up_are_dropped_ones(clock: FakeClock) -> None:
    session = session_of(clock, Ask("Red or blue?"), SelectKeyframe(0), ANSWER, max_frames=5)
    push(session, 0)
    session.say("the mug")
    steps(session)
    for index in range(1, 21):
        push(session, index)
        steps(session)
    session.say("red")
    tracked = of(steps(session, 8), events.Tracked)
    assert [event.stamp_ns // FRAME_NS for event in tracked] == [0, 16, 17, 18, 19, 20]
    assert [event.dropped for event in tracked] == [0, 15, 15, 15, 15, 15]
