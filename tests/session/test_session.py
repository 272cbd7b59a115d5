"""The main path, one behaviour at a time, with a scripted policy and a scripted tracker."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from icseg import events
from icseg.dialogue.actions import Answer, Ask, Choice, GiveUp, SelectKeyframe
from icseg.dialogue.config import DialogueConfig
from icseg.dialogue.policy import PolicyOutput
from icseg.dialogue.policy_scripted import ScriptedPolicy
from icseg.errors import BackendError, ConfigError
from icseg.session.config import BufferConfig, FollowingConfig, SessionConfig
from icseg.session.events import State
from icseg.session.session import Session
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Prompt
from tests.conftest import FRAME_NS, FakeClock, ManualExecutor, make_frame

ANSWER = Answer((6.4, 4.8, 19.2, 24.0), (12.8, 14.4))


class Rig:
    """A session on a scripted policy, driven step by step."""

    def __init__(
        self, clock: FakeClock, executor: ManualExecutor, *script: object, tracker: ScriptedTracker | None = None
    ) -> None:
        self.clock, self.executor = clock, executor
        self.policy = ScriptedPolicy()
        self.policy.enqueue(*script)
        self.tracker = tracker or ScriptedTracker()
        self.config = SessionConfig(
            DialogueConfig(answer_timeout_s=5),
            following=FollowingConfig(catch_up_frames=4, search_timeout_s=2),
            camera_timeout_s=60,
        )
        self.session = Session(self.policy, self.tracker, self.config, executor=executor, clock=clock)
        self.frames = 0
        self.log: list[events.Event] = []

    def camera(self, count: int = 1) -> None:
        for _ in range(count):
            self.session.push_frame(make_frame(self.frames))
            self.frames += 1

    def step(self, count: int = 1) -> list[events.Event]:
        out: list[events.Event] = []
        for _ in range(count):
            self.executor.run()
            out += self.session.step()
        self.log += out
        return out

    def say(self, text: str) -> list[events.Event]:
        self.session.say(text)
        return self.step(2)


@pytest.fixture
def rig(clock: FakeClock, executor: ManualExecutor) -> Callable[..., Rig]:
    def make(*script: object, tracker: ScriptedTracker | None = None) -> Rig:
        return Rig(clock, executor, *script, tracker=tracker)

    return make


def kinds(log: list[events.Event]) -> list[type[events.Event]]:
    return [type(event) for event in log]


def test_asks_then_targets_then_catches_up_then_follows_live(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("Red or blue?", ("red", "blue")), SelectKeyframe(2), ANSWER)
    r.camera(3)
    asked = r.say("the mug")
    assert kinds(asked) == [events.Thinking, events.Asked]
    assert asked[1].stamp_ns == 2 * FRAME_NS
    assert r.session.state is State.ASKING
    r.camera(10)  # the stream goes on while the person thinks: the keyframe is now 10 frames in the past
    targeted = r.say("red")
    assert kinds(targeted) == [events.Answered, events.Targeted, events.Tracked]
    assert targeted[1].stamp_ns == 2 * FRAME_NS
    assert targeted[1].prompt.box_image_px == (6.4, 4.8, 19.2, 24.0)
    assert r.session.state is State.TARGETING
    caught_up = [event for event in r.step(6) if isinstance(event, events.Tracked)]
    assert len(caught_up) == r.config.following.catch_up_frames
    assert [event.is_live for event in caught_up] == [False, False, False, True]
    assert caught_up[-1].stamp_ns == 12 * FRAME_NS
    assert r.session.state is State.TRACKING
    assert caught_up[-1].dropped == 10 - len(caught_up)
    r.camera(3)
    (live,) = r.step(2)
    assert isinstance(live, events.Tracked)
    assert (live.is_live, live.stamp_ns, live.dropped) == (True, 15 * FRAME_NS, 6 + 2)


def test_a_frame_that_was_shown_or_dropped_for_an_earlier_target_is_not_dropped_again(rig: Callable[..., Rig]) -> None:
    r = rig(SelectKeyframe(0), ANSWER)
    r.camera(1)
    r.session.point_at((10.0, 10.0, 30.0, 40.0))
    r.step()
    for _ in range(6):
        r.camera(1)
        r.step()
    r.camera(4)
    assert r.step()[-1].dropped == 3  # 7 to 9
    r.session.say("the mug")
    r.session.step()
    r.camera(2)
    caught_up = [event for event in r.step(8) if isinstance(event, events.Tracked)]
    assert [event.stamp_ns // FRAME_NS for event in caught_up] == [0, 3, 6, 9, 12]
    assert caught_up[-1].dropped == 3 + 1  # of the frames between only 11 is new


def test_a_new_stream_counts_its_own_drops(rig: Callable[..., Rig]) -> None:
    r = rig()
    r.frames = 50
    r.camera(2)
    r.session.point_at((10.0, 10.0, 30.0, 40.0))
    r.step()
    r.session.begin_stream("the clock was set back")
    r.frames = 0
    r.camera(1)
    r.session.point_at((10.0, 10.0, 30.0, 40.0))
    for _ in range(2):
        r.step()
        r.camera(1)
    r.camera(3)
    assert r.step()[-1].dropped == 3


def test_a_box_is_followed_without_a_question(rig: Callable[..., Rig]) -> None:
    r = rig()
    r.camera(3)
    r.session.point_at((30.0, 10.0, 90.0, 40.0))
    targeted, tracked = r.step(1)
    assert isinstance(targeted, events.Targeted)
    assert isinstance(tracked, events.Tracked)
    assert tracked.is_live
    assert r.session.state is State.TRACKING
    assert (targeted.stamp_ns, targeted.prompt) == (2 * FRAME_NS, Prompt((30.0, 10.0, 64.0, 40.0)))
    r.camera()
    assert kinds(r.step(1)) == [events.Tracked]
    assert r.session.state is State.TRACKING


def test_a_new_stream_ends_what_goes_on_and_takes_older_stamps(rig: Callable[..., Rig]) -> None:
    r = rig(GiveUp("no"))
    r.camera(3)
    r.session.point_at((10.0, 10.0, 30.0, 40.0))
    r.step(1)
    r.session.begin_stream("the clock was set back")
    r.frames = 0
    r.camera()
    (failed,) = r.step(1)
    assert isinstance(failed, events.Failed)
    assert "the clock was set back" in failed.error
    assert r.session.newest_frame is r.session.frame_at(0) is not None
    assert kinds(r.say("the mug")) == [events.Thinking, events.GaveUp]


def test_the_newest_frame_wins_once_it_was_reached(rig: Callable[..., Rig]) -> None:
    r = rig()
    r.camera(3)
    r.session.point_at((10.0, 10.0, 30.0, 40.0))
    r.step(1)
    r.camera()
    r.step(1)
    r.camera(3)
    assert r.config.following.catch_up_frames > 1
    (tracked,) = r.step(1)
    assert (tracked.stamp_ns, tracked.is_live, tracked.dropped) == (6 * FRAME_NS, True, 2)


def test_drops_are_counted_since_the_session_began(clock: FakeClock, executor: ManualExecutor) -> None:
    config = SessionConfig(buffer=BufferConfig(max_frames=4))
    session = Session(ScriptedPolicy(), ScriptedTracker(), config, executor=executor, clock=clock)
    dropped = []
    for first in (0, 10):
        for index in range(first, first + 6):  # two more than may wait
            session.push_frame(make_frame(index))
        session.point_at((10.0, 10.0, 30.0, 40.0))
        log = session.step()
        session.push_frame(make_frame(first + 6))
        log += session.step()
        for index in range(first + 7, first + 10):  # two are passed over
            session.push_frame(make_frame(index))
        log += session.step()
        dropped.append([event.dropped for event in log if isinstance(event, events.Tracked)])
    assert dropped == [[2, 2, 4], [6, 6, 8]]


def test_points_are_followed_too(rig: Callable[..., Rig]) -> None:
    r = rig()
    r.camera(2)
    ticket = r.session.point_at(Prompt(points_image_px=((5.0, 6.0), (20.0, 9.0)), point_labels=(1, 0)))
    assert [event.ticket for event in r.step(1)] == [ticket, ticket]
    r.session.point_at(Prompt(points_image_px=((5.0, 600.0),), point_labels=(1,)))
    (rejected,) = r.step(1)
    assert isinstance(rejected, events.Rejected)
    assert "outside the image" in rejected.error


def test_events_carry_the_ticket_of_what_led_to_them(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("Red or blue?", ("red", "blue")), SelectKeyframe(0), ANSWER)
    r.camera()
    command = r.session.say("the mug")
    assert [event.ticket for event in r.step(2)] == [command, command]
    answer = r.session.say("red")
    assert [event.ticket for event in r.step(2)] == [answer, command, command]
    r.session.say(" ")
    assert [event.ticket for event in r.step(1)] == [answer + 1]


def test_an_answer_to_an_old_question_changes_nothing(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("Red or blue?", ("red", "blue")), Ask("Left or right?", ("left", "right")))
    r.camera()
    r.session.answer("red")
    (rejected,) = r.step(1)
    assert isinstance(rejected, events.Rejected)
    assert "no question waits" in rejected.error
    first = r.say("the mug")[-1]
    assert isinstance(first, events.Asked)
    r.session.answer("red", first.question_id)
    second = r.step(2)[-1]
    assert isinstance(second, events.Asked)
    assert second.question_id == first.question_id + 1
    r.session.answer("red", first.question_id)
    assert kinds(r.step(2)) == [events.Rejected]
    assert r.session.state is State.ASKING


def test_a_command_is_never_taken_as_an_answer(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("Red or blue?", ("red", "blue")), GiveUp("no"))
    r.camera()
    r.say("the mug")
    r.session.command("red")
    assert kinds(r.step(2)) == [events.Thinking, events.GaveUp]


def test_a_command_brings_its_own_bound_of_questions(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("Red or blue?", ("red", "blue")), GiveUp("several fit"))
    r.camera()
    r.session.command("the mug", max_questions=0)
    gave_up = r.step(2)[-1]
    assert isinstance(gave_up, events.GaveUp)
    assert gave_up.cause is events.Cause.QUESTIONS_SPENT
    with pytest.raises(ConfigError, match="max_questions"):
        r.session.command("the mug", max_questions=-1)


def test_the_frame_of_a_question_is_there_while_it_waits(rig: Callable[..., Rig]) -> None:
    choices = (Choice((1.0, 2.0, 9.0, 8.0), "red mug", 0.5, (("colour", "red"),), (0,)),)
    r = rig(Ask("Red or blue?", ("red", "blue"), choices=choices), GiveUp("no"))
    r.camera(2)
    asked = r.say("the mug")[-1]
    assert isinstance(asked, events.Asked)
    assert asked.choices == choices
    assert r.session.question_frame is not None
    assert r.session.question_frame.stamp_ns == asked.stamp_ns == FRAME_NS
    r.say("red")
    assert r.session.question_frame is None


def test_a_box_ends_the_dialogue(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("Red or blue?", ("red", "blue")))
    r.camera()
    r.say("the mug")
    r.session.point_at((10.0, 10.0, 30.0, 40.0))
    assert kinds(r.step(1)) == [events.Targeted, events.Tracked]
    assert kinds(r.step(3)) == []


@pytest.mark.parametrize("frames", [0, 1])
def test_a_box_of_nothing_is_refused(rig: Callable[..., Rig], frames: int) -> None:
    r = rig()
    r.camera(frames)
    r.session.point_at((64.0, 10.0, 90.0, 40.0))
    (event,) = r.step(1)
    assert isinstance(event, events.Rejected)
    assert ("lies outside the image of 64x48 pixels" if frames else "no camera frame yet") in event.error
    assert r.session.state is State.IDLE


def test_every_frame_of_a_recording_is_tracked(clock: FakeClock, executor: ManualExecutor) -> None:
    policy = ScriptedPolicy()
    policy.enqueue(SelectKeyframe(0), ANSWER)
    session = Session(
        policy,
        ScriptedTracker(),
        SessionConfig(following=FollowingConfig(every_frame=True)),
        executor=executor,
        clock=clock,
    )
    session.push_frame(make_frame(0))
    session.say("the mug")
    session.step()
    executor.run()
    for index in range(1, 8):
        session.push_frame(make_frame(index))
    tracked = [event for _ in range(9) for event in session.step() if isinstance(event, events.Tracked)]
    assert [event.result.frame_index for event in tracked] == list(range(8))
    assert tracked[-1].dropped == 0


def test_a_new_command_while_tracking_lets_the_old_target_go(rig: Callable[..., Rig]) -> None:
    r = rig(SelectKeyframe(0), ANSWER, Ask("which?"))
    r.camera(1)
    r.say("the mug")
    r.session.say("the bowl")  # a new command at any time: the old target is let go
    out = r.step(2)
    assert kinds(out) == [events.Thinking, events.Asked]
    assert out[0].command == "the bowl"


@pytest.mark.parametrize("word", ["stop", "Cancel!", "never mind", "please stop tracking"])
def test_stop_while_it_thinks(rig: Callable[..., Rig], word: str) -> None:
    r = rig(Ask("which?"))
    r.camera(1)
    r.session.say("the mug")
    r.session.step()
    assert r.session.state is State.THINKING
    r.session.say(word)
    assert kinds(r.session.step()) == [events.Stopped]
    assert kinds(r.step(3)) == []
    assert r.session.state is State.IDLE


def test_new_command_while_it_thinks_replaces_the_old_one(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("which bowl?"))
    r.camera(1)
    r.session.say("the mug")
    r.session.step()
    r.session.say("the bowl")
    out = r.session.step() + r.step(2)
    assert kinds(out) == [events.Thinking, events.Asked]
    assert r.policy.history[-1].command == "the bowl"


def test_a_command_with_a_verb_is_no_answer(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("Red or blue?"), Ask("which bowl?"))
    r.camera(1)
    r.say("the mug")
    assert kinds(r.say("find the bowl")) == [events.Thinking, events.Asked]


def test_silence_repeats_the_question_once_then_gives_up(rig: Callable[..., Rig], clock: FakeClock) -> None:
    r = rig(Ask("Red or blue?"))
    r.camera(1)
    r.say("the mug")
    clock.now = 4.9
    assert r.step() == []
    clock.now = 5.1
    (again,) = r.step()
    assert isinstance(again, events.Asked)
    assert (again.is_repeat, again.question) == (True, "Red or blue?")
    clock.now = 10.2
    (gave_up,) = r.step()
    assert isinstance(gave_up, events.GaveUp)
    assert gave_up.reason == "nobody answered the question: Red or blue?"
    assert r.session.state is State.GAVE_UP


def test_lost_is_said_once_and_found_again(rig: Callable[..., Rig]) -> None:
    r = rig(SelectKeyframe(0), ANSWER, tracker=ScriptedTracker(lambda ns: not 2 * FRAME_NS <= ns < 5 * FRAME_NS))
    r.camera(1)
    r.say("the mug")
    log = []
    for _ in range(6):
        r.camera(1)
        log += r.step()
    assert [kind.__name__ for kind in kinds(log)] == [
        "Tracked",
        *("Tracked", "Lost", "Tracked", "Tracked"),
        *("Tracked", "Found", "Tracked"),
    ]
    found = next(event for event in log if isinstance(event, events.Found))
    assert found.lost_s == pytest.approx(0.3)
    assert r.session.state is State.TRACKING


def test_a_search_ends(rig: Callable[..., Rig]) -> None:
    r = rig(SelectKeyframe(0), ANSWER, tracker=ScriptedTracker(lambda ns: ns == 0))
    r.camera(1)
    r.say("the mug")
    for _ in range(22):
        r.camera(1)
        r.step()
    (gave_up,) = [event for event in r.log if isinstance(event, events.GaveUp)]
    assert gave_up.reason == "the target was not seen again for 2 s"
    assert gave_up.stamp_ns == 21 * FRAME_NS  # it was lost in the first frame after the keyframe


def test_give_up_of_the_policy_is_told_with_its_reason(rig: Callable[..., Rig]) -> None:
    r = rig(GiveUp("I see no mug."))
    r.camera(1)
    out = r.say("the mug")
    assert [event.reason for event in out if isinstance(event, events.GaveUp)] == ["I see no mug."]


def test_dead_policy_fails_and_the_session_goes_on(rig: Callable[..., Rig]) -> None:
    r = rig(BackendError("no server at http://127.0.0.1:8000: start it"), Ask("which?"))
    r.camera(1)
    out = r.say("the mug")
    assert kinds(out) == [events.Thinking, events.Failed]
    assert "no server at http://127.0.0.1:8000" in out[1].error
    assert r.session.state is State.IDLE
    assert kinds(r.say("the mug")) == [events.Thinking, events.Asked]


def test_a_policy_that_breaks_unexpectedly_leaves_the_session_ready_for_the_next_command(
    rig: Callable[..., Rig],
) -> None:
    r = rig(KeyError("mug"), Ask("which?"))
    r.camera(1)
    failed = r.say("the mug")[-1]
    assert isinstance(failed, events.Failed)
    assert failed.error == "the policy broke: unexpected KeyError: 'mug'"
    assert r.session.state is State.IDLE
    assert kinds(r.say("the mug")) == [events.Thinking, events.Asked]


def test_an_executor_that_takes_no_jobs_any_more_fails_the_command(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("which?"))
    r.camera(1)
    r.executor.shutdown()
    failed = r.say("the mug")[-1]
    assert isinstance(failed, events.Failed)
    assert failed.error == "the policy broke: unexpected RuntimeError: shut down"
    assert r.session.state is State.IDLE


def test_broken_engine_fails_and_the_session_goes_on(rig: Callable[..., Rig]) -> None:
    def broken(stamp_ns: int) -> bool:
        raise BackendError("engine ran out of memory")

    r = rig(SelectKeyframe(0), ANSWER, Ask("which?"), tracker=ScriptedTracker(broken))
    r.camera(1)
    assert isinstance(r.say("the mug")[-1], events.Failed)
    assert r.session.state is State.IDLE
    assert isinstance(r.say("the mug")[-1], events.Asked)


def test_words_before_the_first_frame_wait_for_it(rig: Callable[..., Rig]) -> None:
    r = rig(GiveUp("no"))
    first, second = r.session.say("the bowl"), r.session.say("the mug")
    (rejected,) = r.step(1)
    assert isinstance(rejected, events.Rejected)
    assert rejected.ticket == first
    r.camera()
    thinking, gave_up = r.step(3)
    assert isinstance(thinking, events.Thinking)
    assert (thinking.command, thinking.ticket, gave_up.ticket) == ("the mug", second, second)


@pytest.mark.parametrize("ends_with", ["silence", "stop"])
def test_words_before_the_first_frame_do_not_wait_for_ever(
    rig: Callable[..., Rig], clock: FakeClock, ends_with: str
) -> None:
    r = rig()
    r.session.say("the mug")
    assert r.step(1) == []
    if ends_with == "stop":
        assert kinds(r.say("stop")) == [events.Stopped]
    else:
        clock.now += r.config.camera_timeout_s
        (out,) = r.step(1)
        assert isinstance(out, events.Rejected)
        assert out.error.startswith("no camera frame yet")
    r.camera()
    assert r.step(2) == []


def test_empty_text_changes_nothing(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("which?"))
    r.camera(1)
    r.say("the mug")
    assert kinds(r.say("  ")) == [events.Rejected]
    assert r.session.state is State.ASKING


def test_stamp_going_back_is_refused_and_nothing_is_lost(rig: Callable[..., Rig]) -> None:
    r = rig(SelectKeyframe(4), ANSWER)
    r.camera(5)
    r.say("the mug")
    r.session.push_frame(make_frame(1))
    (out,) = r.step()
    assert isinstance(out, events.Rejected)
    assert out.error == "frame 1: stamp 100000000 ns is not later than the last one, 400000000 ns"
    r.camera(1)
    assert kinds(r.step()) == [events.Tracked]


def test_frame_of_another_size_is_refused(rig: Callable[..., Rig]) -> None:
    r = rig()
    r.camera(1)
    r.session.push_frame(make_frame(1, hw=(24, 32)))
    (out,) = r.step()
    assert isinstance(out, events.Rejected)
    assert out.error == "frame 1: size (24, 32) differs from the stream's (48, 64) (H, W)"


def test_a_stream_that_starts_anew_is_taken_up(rig: Callable[..., Rig]) -> None:
    r = rig(SelectKeyframe(4), ANSWER, Ask("which?"))
    r.camera(5)
    r.say("the mug")
    for index in range(3):
        r.session.push_frame(make_frame(index, hw=(24, 32)))
    out = r.step()
    assert kinds(out) == [events.Rejected, events.Rejected, events.Failed]
    assert "started anew" in out[-1].error
    assert r.session.state is State.IDLE
    assert isinstance(r.say("the mug")[-1], events.Asked)


def test_camera_that_stops_is_told_once(rig: Callable[..., Rig], clock: FakeClock) -> None:
    r = rig(SelectKeyframe(0), ANSWER)
    r.camera(1)
    r.say("the mug")
    clock.now = 61
    (out,) = r.step(3)
    assert isinstance(out, events.CameraStalled)
    assert out.silent_s == pytest.approx(61)
    r.camera(1)
    assert kinds(r.step()) == [events.Tracked]


def test_response_time_is_measured_from_the_words(rig: Callable[..., Rig], clock: FakeClock) -> None:
    r = rig(Ask("which?"))
    r.camera(1)
    r.session.say("the mug")
    clock.now = 0.25
    asked = r.step(2)[-1]
    assert asked.timings_ms["response"] == pytest.approx(250)


def test_what_the_turns_since_the_words_measured_is_told(rig: Callable[..., Rig]) -> None:
    r = rig(
        PolicyOutput(Ask("which?"), timings_ms={"total": 5.0}, rates_per_s={"tokens": 10.0}),
        PolicyOutput(SelectKeyframe(0), timings_ms={"total": 7.0}, rates_per_s={"tokens": 20.0}),
        PolicyOutput(ANSWER, timings_ms={"total": 1.5}, rates_per_s={"tokens": 30.0}),
    )
    r.camera(1)
    asked = r.say("the mug")[-1]
    assert (asked.timings_ms["total"], asked.rates_per_s) == (5.0, {"tokens": 10.0})
    (targeted,) = [event for event in r.say("red") if isinstance(event, events.Targeted)]
    assert (targeted.timings_ms["total"], targeted.rates_per_s) == (8.5, {"tokens": 30.0})


def test_no_frame_outlives_the_session(rig: Callable[..., Rig]) -> None:
    r = rig(Ask("which?"), SelectKeyframe(2), ANSWER)
    frames = [make_frame(index) for index in range(3)]
    held = [weakref.ref(frame.image) for frame in frames]
    for frame in frames:
        r.session.push_frame(frame)
    r.say("the mug")
    r.say("red")
    r.session.close()
    r.policy.history.clear()
    r.log.clear()
    del frames, frame
    gc.collect()
    assert [ref() for ref in held] == [None] * 3
