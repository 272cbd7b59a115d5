"""Looks beside the tracking: it never waits for one, and what a look finds wrong is put right in its own frame."""

from __future__ import annotations

import gc
import threading
import time
import weakref

import pytest

from icseg import events
from icseg.dialogue.actions import Ask
from icseg.dialogue.policy import Mismatch
from icseg.dialogue.policy_scripted import ScriptedPolicy
from icseg.errors import BackendError
from icseg.session.config import BufferConfig, FollowingConfig, SessionConfig
from icseg.session.events import State
from icseg.session.session import Session
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Box, Frame, Prompt
from tests.conftest import FRAME_NS, FakeClock, ManualExecutor, make_frame

START: Box = (2.0, 8.0, 12.0, 18.0)
ELSEWHERE = Prompt((30.0, 8.0, 40.0, 18.0))
PATIENCE_S = 10.0
"""For a thread on a busy machine."""


class WatchingPolicy(ScriptedPolicy):
    """Asks what is meant, if it is asked, and says what the script says of a frame's mask, else that it is right."""

    def __init__(self, script: dict[int, Prompt | Mismatch | Exception] | None = None) -> None:
        super().__init__()
        self.enqueue(Ask("which?"), Ask("which?"))
        self.script = script or {}
        self.watched: list[int] = []
        self.checked: list[tuple[int, Box | None]] = []
        self.watch_fails: Exception | None = None

    def watch(self, keyframe: Frame, box_image_px: Box) -> WatchingPolicy:
        self.watched.append(keyframe.index)
        if self.watch_fails is not None:
            raise self.watch_fails
        return self

    def check(self, frame: Frame, box_image_px: Box | None) -> Prompt | Mismatch | None:
        self.checked.append((frame.index, box_image_px))
        said = self.script.get(frame.index)
        if isinstance(said, Exception):
            raise said
        return said


class Rig:
    """A session that follows a thing one pixel to the right in each step; looks are done when a test says so."""

    def __init__(
        self,
        script: dict[int, Prompt | Mismatch | Exception] | None = None,
        config: FollowingConfig | None = None,
        tracker: ScriptedTracker | None = None,
        max_frames: int = 300,
        policy: WatchingPolicy | None = None,
    ) -> None:
        self.executor, self.policy = ManualExecutor(), policy or WatchingPolicy(script)
        self.tracker = tracker or ScriptedTracker(drift_px=1.0)
        whole = SessionConfig(buffer=BufferConfig(max_frames=max_frames), following=config or FollowingConfig())
        self.session = Session(self.policy, self.tracker, whole, executor=self.executor, clock=FakeClock())
        self.frames = 0
        self.log: list[events.Event] = []

    def camera(self, count: int = 1) -> None:
        for _ in range(count):
            self.session.push_frame(make_frame(self.frames))
            self.frames += 1

    def step(self) -> list[events.Event]:
        out = self.session.step()
        self.log += out
        return out

    def follow(self, count: int) -> list[events.Event]:
        """So many frames, each taken up as it comes."""
        out = []
        for _ in range(count):
            self.camera()
            out += self.step()
        return out

    def begin(self) -> None:
        """Follow the thing in frame 0, with the watch made."""
        self.camera()
        self.session.point_at(START)
        self.step()
        self.executor.run()

    @property
    def shown(self) -> dict[int, Box | None]:
        return {
            e.stamp_ns // FRAME_NS: e.result.objects[1].box_image_px for e in self.log if isinstance(e, events.Tracked)
        }

    def calls_since(self, count: int) -> list[tuple[str, int]]:
        return [(name, stamp_ns // FRAME_NS) for name, stamp_ns in self.tracker.history[count:]]


def frames_of(log: list[events.Event], kind: type[events.Event]) -> list[int]:
    return [event.stamp_ns // FRAME_NS for event in log if isinstance(event, kind)]


def drifted(box: Box, steps: int) -> Box:
    return box[0] + steps, box[1], box[2] + steps, box[3]


def test_the_first_mask_does_not_wait_until_the_target_can_be_known_again() -> None:
    rig = Rig()
    rig.camera()
    rig.session.point_at(START)
    assert [type(event) for event in rig.step()] == [events.Targeted, events.Tracked]
    assert frames_of(rig.follow(6), events.Tracked) == [1, 2, 3, 4, 5, 6]
    assert rig.policy.watched == rig.policy.checked == []
    rig.executor.run()
    rig.follow(1)
    rig.executor.run()
    assert rig.policy.watched == [0]
    assert [index for index, _ in rig.policy.checked] == [7]  # the first mask after the watch was made: it was due


def test_frames_are_followed_while_a_look_is_under_way_and_it_is_about_its_own() -> None:
    rig = Rig()
    rig.begin()
    assert frames_of(rig.follow(9), events.Tracked) == list(range(1, 10))
    assert (rig.policy.checked, len(rig.executor.jobs)) == ([], 1)
    rig.executor.run()
    assert rig.policy.checked == [(5, drifted(START, 5))]
    before = len(rig.tracker.history)
    assert frames_of(rig.follow(1), events.Tracked) == [10]
    assert rig.calls_since(before) == [("step", 10)]  # nothing to object to: nothing is done again
    assert all("recheck" not in event.timings_ms for event in rig.log)


def test_one_look_at_a_time() -> None:
    rig = Rig(config=FollowingConfig(recheck_s=0.1))
    rig.begin()
    for _ in range(4):
        rig.follow(3)
        assert len(rig.executor.jobs) == 1
        rig.executor.run()
    assert [index for index, _ in rig.policy.checked] == [1, 4, 7, 10]


def test_a_wrong_mask_is_put_right_in_its_frame_and_followed_to_now() -> None:
    rig = Rig({5: ELSEWHERE})
    rig.begin()
    rig.follow(8)
    rig.executor.run()
    before = len(rig.tracker.history)
    (corrected,) = rig.step()
    assert isinstance(corrected, events.Corrected)
    assert (corrected.stamp_ns, corrected.prompt) == (5 * FRAME_NS, ELSEWHERE)
    assert corrected.timings_ms["recheck"] >= 0
    for _ in range(3):  # frames 6 to 8 were shown before
        assert (rig.session.is_behind, rig.session.state) == (True, State.TRACKING)
        assert rig.step() == []
    assert not rig.session.is_behind
    assert rig.executor.jobs == []  # what is not shown is not looked at
    (tracked,) = rig.follow(1)
    assert isinstance(tracked, events.Tracked)
    assert (tracked.is_live, tracked.dropped) == (True, 0)
    assert rig.calls_since(before) == [("reject", 5), ("prompt", 5), *(("step", index) for index in (6, 7, 8, 9))]
    assert rig.shown == {index: drifted(START, index) for index in range(9)} | {9: drifted(ELSEWHERE.box_image_px, 4)}


def test_a_mask_that_was_put_right_before_the_next_frame_came_is_not_shown_twice() -> None:
    rig = Rig({5: ELSEWHERE})
    rig.begin()
    rig.follow(5)
    rig.executor.run()
    assert [type(event) for event in rig.step()] == [events.Corrected]
    assert not rig.session.is_behind
    assert rig.step() == []
    assert frames_of(rig.follow(2), events.Tracked) == [6, 7]
    assert [rig.shown[index] for index in (5, 6, 7)] == [
        drifted(START, 5),
        drifted(ELSEWHERE.box_image_px, 1),
        drifted(ELSEWHERE.box_image_px, 2),
    ]


def test_a_mask_that_is_nearly_right_keeps_what_was_remembered_before_it() -> None:
    rig = Rig({5: Prompt(drifted((2.0, 8.0, 12.0, 16.0), 5))})
    rig.begin()
    rig.follow(7)
    rig.executor.run()
    before = len(rig.tracker.history)
    rig.step()
    assert rig.calls_since(before) == [("prompt", 5)]


def test_what_comes_while_it_catches_up_is_shown_as_it_is_reached() -> None:
    rig = Rig({5: ELSEWHERE})
    rig.begin()
    rig.follow(7)
    rig.executor.run()
    rig.step()
    rig.camera(2)
    out = []
    for _ in range(4):
        out += rig.step()
        assert rig.session.state is State.TRACKING
    assert [(event.stamp_ns // FRAME_NS, event.is_live) for event in out if isinstance(event, events.Tracked)] == [
        (8, False),
        (9, True),
    ]
    assert out[-1].dropped == 0
    rig.executor.run()
    # a mask was wrong, so it is looked at again soon, but no sooner than one is shown
    assert [index for index, _ in rig.policy.checked] == [5, 8]


def test_catching_up_is_bounded_each_time_and_drops_are_counted_once() -> None:
    at = (5, 20)
    rig = Rig(dict.fromkeys(at, ELSEWHERE), FollowingConfig(catch_up_frames=2, recheck_s=0.5, recheck_doubt_s=0.5))
    rig.begin()
    for dropped, index in enumerate(at, 1):
        rig.follow(index + 8 - rig.frames + 1)  # all shown, up to 8 frames after the one that is looked at
        rig.executor.run()
        assert rig.policy.checked[-1][0] == index
        rig.camera(2)
        before = len(rig.tracker.history)
        out = [event for _ in range(4) for event in rig.step()]
        assert rig.calls_since(before)[-2:] == [("step", index + 5), ("step", index + 10)]
        assert len(rig.calls_since(before)) == 4  # let go, prompted, two strides
        # only the last two of ten frames are new, and the last one is shown
        assert [(e.stamp_ns // FRAME_NS, e.is_live, e.dropped) for e in out if isinstance(e, events.Tracked)] == [
            (index + 10, True, dropped)
        ]
        rig.executor.run()


def test_every_frame_of_a_recording_is_followed_again() -> None:
    rig = Rig({5: ELSEWHERE}, FollowingConfig(catch_up_frames=1, every_frame=True))
    rig.begin()
    rig.follow(9)
    rig.executor.run()
    before = len(rig.tracker.history)
    for _ in range(6):
        rig.step()
    assert [index for name, index in rig.calls_since(before) if name == "step"] == [6, 7, 8, 9]
    assert rig.follow(1)[-1].dropped == 0


def test_a_frame_that_is_not_kept_any_more_can_still_be_put_right() -> None:
    rig = Rig({5: ELSEWHERE}, max_frames=3)
    rig.begin()
    rig.follow(14)
    rig.executor.run()
    assert rig.session.frame_at(5 * FRAME_NS) is None
    before = len(rig.tracker.history)
    assert frames_of(rig.step(), events.Corrected) == [5]
    for _ in range(3):
        assert rig.step() == []
    assert frames_of(rig.follow(1), events.Tracked) == [15]
    # of the frames between, three were kept
    assert [index for name, index in rig.calls_since(before) if name == "step"] == [12, 13, 14, 15]
    assert rig.shown[15] == drifted(ELSEWHERE.box_image_px, 4)


def test_a_mask_on_another_thing_is_lost_at_once_and_none_is_shown_until_one_is_right() -> None:
    rig = Rig({5: Mismatch("the blue box"), 9: Mismatch("the blue box")})
    rig.begin()
    rig.follow(8)
    rig.executor.run()
    before = len(rig.tracker.history)
    mistaken, lost = rig.step()
    assert isinstance(mistaken, events.Mistaken)
    assert (mistaken.what, type(lost)) == ("the blue box", events.Lost)
    assert (mistaken.stamp_ns, lost.stamp_ns) == (5 * FRAME_NS, 5 * FRAME_NS)
    assert mistaken.timings_ms["recheck"] >= 0
    assert rig.session.state is State.LOST
    assert [rig.step() for _ in range(3)] == [[]] * 3
    assert rig.calls_since(before) == [("reject", 5), *(("step", index) for index in (6, 7, 8))]
    # the tracker sees it again in frame 9; it is looked at, shown as lost, and is mistaken again
    assert [type(event) for event in rig.follow(2)] == [events.Tracked] * 2
    assert (rig.shown[9], rig.shown[10]) == (None, None)
    assert not rig.log[-1].result.objects[1].mask.any()
    rig.executor.run()
    assert [index for index, _ in rig.policy.checked] == [5, 9]
    assert rig.policy.checked[-1][1] == drifted(START, 9)  # the mask that was not shown
    assert frames_of(rig.step(), events.Mistaken) == [9]  # and no second Lost
    rig.step()
    rig.follow(2)
    rig.executor.run()
    assert [index for index, _ in rig.policy.checked] == [5, 9, 11]
    tracked, found = rig.follow(1)
    assert isinstance(found, events.Found)
    assert (tracked.stamp_ns, found.stamp_ns, found.lost_s) == (13 * FRAME_NS, 13 * FRAME_NS, pytest.approx(0.8))
    assert rig.shown[13] == drifted(START, 13)
    assert rig.session.state is State.TRACKING
    assert frames_of(rig.log, events.Lost) == [5]


def test_a_mask_on_another_thing_that_is_lost_already_is_not_lost_twice() -> None:
    tracker = ScriptedTracker(lambda stamp_ns: stamp_ns < 7 * FRAME_NS)
    rig = Rig({5: Mismatch("the blue box")}, tracker=tracker)
    rig.begin()
    rig.follow(8)
    rig.executor.run()
    assert [type(event) for event in rig.step()] == [events.Mistaken]
    rig.follow(3)
    assert frames_of(rig.log, events.Lost) == [7]


def test_a_lost_target_that_is_seen_is_found_where_it_is_shown() -> None:
    tracker = ScriptedTracker(lambda stamp_ns: not 3 * FRAME_NS <= stamp_ns < 6 * FRAME_NS, drift_px=1.0)
    rig = Rig({3: ELSEWHERE}, FollowingConfig(recheck_doubt_s=0.3), tracker)
    rig.begin()
    rig.follow(4)
    rig.executor.run()
    assert rig.policy.checked == [(3, None)]
    assert [type(event) for event in rig.step()] == [events.Corrected]
    assert rig.session.state is State.LOST
    rig.step()
    rig.follow(2)
    assert (frames_of(rig.log, events.Lost), frames_of(rig.log, events.Found)) == ([3], [6])
    assert rig.shown[6] == drifted(ELSEWHERE.box_image_px, 3)


@pytest.mark.parametrize(
    ("error", "says"),
    [(BackendError("the engine died"), "the engine died"), (KeyError("mug"), "unexpected KeyError: 'mug'")],
)
def test_a_look_that_breaks_is_told_once_and_tracking_goes_on(error: Exception, says: str) -> None:
    rig = Rig({5: error})
    rig.begin()
    rig.follow(7)
    rig.executor.run()
    degraded, *others = rig.follow(20)
    assert isinstance(degraded, events.Degraded)
    assert degraded.error == f"the mask is no longer checked against the target: {says}"
    assert degraded.stamp_ns == 5 * FRAME_NS
    assert [type(event) for event in others] == [events.Tracked] * 20
    assert (len(rig.policy.checked), rig.executor.jobs) == (1, [])


def test_a_watch_that_cannot_be_made_is_told_without_a_new_frame() -> None:
    rig = Rig()
    rig.policy.watch_fails = BackendError("no such engine")
    rig.begin()
    (degraded,) = rig.step()
    assert isinstance(degraded, events.Degraded)
    assert degraded.error == "the mask is not checked against the target: no such engine"
    assert degraded.stamp_ns == 0
    assert [type(event) for event in rig.follow(9)] == [events.Tracked] * 9
    assert rig.executor.jobs == []


def test_an_executor_that_takes_no_looks_any_more_is_told_once_and_tracking_goes_on() -> None:
    rig = Rig()
    rig.begin()
    rig.executor.shutdown()
    told = rig.follow(20)
    assert [event.error for event in told if isinstance(event, events.Degraded)] == [
        "the mask is no longer checked against the target: unexpected RuntimeError: shut down"
    ]
    assert frames_of(told, events.Tracked) == list(range(1, 21))


def test_masks_are_shown_again_when_nobody_can_check_them() -> None:
    rig = Rig({5: Mismatch("the blue box"), 6: BackendError("the engine died")})
    rig.begin()
    rig.follow(5)
    rig.executor.run()
    rig.step()
    rig.follow(1)
    assert rig.shown[6] is None
    rig.executor.run()
    assert [type(event) for event in rig.follow(1)] == [events.Degraded, events.Tracked, events.Found]


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("ends_by", ["stop", "a command", "another target", "a new stream", "the end"])
def test_a_look_at_a_target_that_was_let_go_changes_nothing(ends_by: str, has_begun: bool) -> None:
    rig = Rig({5: ELSEWHERE})
    rig.begin()
    rig.follow(6)
    ((future, job),) = rig.executor.jobs
    if has_begun:
        rig.executor.jobs.clear()
        assert future.set_running_or_notify_cancel()
    match ends_by:
        case "stop":
            rig.session.say("stop")
        case "a command":
            rig.session.command("the bowl")
        case "another target":
            rig.session.point_at((20.0, 8.0, 30.0, 18.0))
        case "a new stream":
            rig.session.begin_stream("the clock was set back")
            rig.frames = 0
        case "the end":
            rig.session.close()
    said = rig.step()
    if has_begun:
        future.set_result(job())
    else:
        assert future.cancelled()
    said += rig.follow(2)
    expected = {
        "stop": [events.Stopped],
        "a command": [events.Thinking],
        "another target": [events.Targeted, events.Tracked, events.Tracked, events.Tracked],
        "a new stream": [events.Failed],
        "the end": [],
    }
    assert [type(event) for event in said] == expected[ends_by]
    if ends_by == "another target":
        assert rig.shown[8] == drifted((20.0, 8.0, 30.0, 18.0), 2)


def test_an_engine_that_breaks_while_a_mask_is_put_right_ends_the_following() -> None:
    rig = Rig({5: ELSEWHERE})
    rig.begin()
    rig.follow(6)
    rig.executor.run()

    def broken(stamp_ns: int) -> bool:
        raise BackendError("out of memory")

    rig.tracker.is_visible = broken
    (failed,) = rig.step()
    assert isinstance(failed, events.Failed)
    assert rig.session.state is State.IDLE


def test_no_frame_that_was_looked_at_outlives_the_session() -> None:
    rig = Rig({5: ELSEWHERE})
    rig.begin()
    frame = make_frame(1)
    held = weakref.ref(frame.image)
    rig.session.push_frame(frame)
    del frame
    rig.frames = 2
    rig.follow(6)
    rig.executor.run()
    rig.step()
    rig.session.close()
    rig.log.clear()
    gc.collect()
    assert held() is None


def test_a_new_command_does_not_wait_for_a_look_that_has_begun() -> None:
    is_looking, is_over = threading.Event(), threading.Event()

    class Slow(WatchingPolicy):
        def check(self, frame: Frame, box_image_px: Box | None) -> None:
            is_looking.set()
            is_over.wait(PATIENCE_S)

    session = Session(Slow(), ScriptedTracker(), SessionConfig(following=FollowingConfig(recheck_s=0.1)))
    session.push_frame(make_frame(0))
    session.point_at(START)
    session.step()
    index = 0
    until = time.monotonic() + PATIENCE_S
    while not is_looking.is_set() and time.monotonic() < until:
        index += 1
        session.push_frame(make_frame(index))
        session.step()
        time.sleep(0.001)
    session.command("the mug")
    log: list[events.Event] = []
    while not any(isinstance(event, events.Asked) for event in log) and time.monotonic() < until:
        log += session.step()
        time.sleep(0.001)
    still_looks = not is_over.is_set()
    is_over.set()
    session.close()
    assert is_looking.is_set()
    assert still_looks
    assert [type(event) for event in log] == [events.Thinking, events.Asked]
