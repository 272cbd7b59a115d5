"""Masks checked before their frame is shown: when that is done, what is corrected, what happens if it breaks."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

import pytest

from icseg import events
from icseg.dialogue.actions import Answer, SelectKeyframe
from icseg.dialogue.policy import Mismatch
from icseg.dialogue.policy_scripted import ScriptedPolicy
from icseg.errors import BackendError
from icseg.session.config import FollowingConfig, SessionConfig
from icseg.session.events import State
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.tracker.scripted import ScriptedState, ScriptedTracker
from icseg.types import Box, Frame, Prompt, TrackResult
from tests.conftest import FRAME_NS, FakeClock, make_frame

ANSWER = Answer((6.4, 4.8, 19.2, 24.0), (12.8, 14.4))
ELSEWHERE = Prompt((40.0, 8.0, 56.0, 24.0), ((48.0, 16.0),), (1,))


@dataclass
class ScriptedWatch:
    """Says what the script says per frame index, else that the mask is right; raises what it finds there."""

    script: dict[int, Prompt | Mismatch | Exception | None] = field(default_factory=dict)
    looked: list[tuple[int, Box | None]] = field(default_factory=list)

    def check(self, frame: Frame, box_image_px: Box | None) -> Prompt | Mismatch | None:
        self.looked.append((frame.index, box_image_px))
        said = self.script.get(frame.index)
        if isinstance(said, Exception):
            raise said
        return said


class Watching(ScriptedPolicy):
    """A scripted policy that can know its target again, or breaks while it tries."""

    def __init__(self, watch: ScriptedWatch | Exception | None) -> None:
        super().__init__()
        self.enqueue(SelectKeyframe(0), ANSWER)
        self._watch = watch

    def watch(self, keyframe: Frame, box_image_px: Box) -> ScriptedWatch | None:
        if isinstance(self._watch, Exception):
            raise self._watch
        return self._watch


def play(
    watch: ScriptedWatch | Exception | None,
    tracker: ScriptedTracker,
    frames: int = 21,
    config: FollowingConfig | None = None,
    executor: Executor | None = None,
) -> tuple[Session, list[events.Event]]:
    whole = SessionConfig(following=config or FollowingConfig())
    session = Session(Watching(watch), tracker, whole, executor=executor or InlineExecutor(), clock=FakeClock())
    session.push_frame(make_frame(0))
    session.say("the mug")
    log = session.step() + session.step()
    for index in range(1, frames):
        session.push_frame(make_frame(index))
        log += session.step()
    return session, log


def of(log: list[events.Event], kind: type[events.Event]) -> list[int]:
    return [event.stamp_ns // FRAME_NS for event in log if isinstance(event, kind)]


def test_it_looks_now_and_then_and_more_often_while_the_target_is_lost() -> None:
    watch = ScriptedWatch()
    tracker = ScriptedTracker(lambda stamp_ns: not 12 * FRAME_NS <= stamp_ns < 17 * FRAME_NS)
    play(watch, tracker, config=FollowingConfig(recheck_s=0.5, recheck_doubt_s=0.2, recheck_below_iou=0.0))
    assert [index for index, _ in watch.looked] == [5, 10, 12, 14, 16]
    assert [box is None for _, box in watch.looked] == [False, False, True, True, True]


def test_a_low_estimate_is_a_doubt() -> None:
    watch = ScriptedWatch()
    play(watch, ScriptedTracker(), 6, FollowingConfig(recheck_below_iou=1.0, recheck_doubt_s=0.1))
    assert [index for index, _ in watch.looked] == [5]  # the scripted masks are sure of themselves
    watch = ScriptedWatch()
    play(watch, ScriptedTracker(iou_score=0.99), 6, FollowingConfig(recheck_below_iou=1.0, recheck_doubt_s=0.1))
    assert [index for index, _ in watch.looked] == [1, 2, 3, 4, 5]


def test_a_wrong_mask_is_prompted_anew_in_its_own_frame() -> None:
    tracker = ScriptedTracker()
    session, log = play(ScriptedWatch({5: ELSEWHERE}), tracker, 7)
    (corrected,) = [event for event in log if isinstance(event, events.Corrected)]
    assert corrected.prompt == ELSEWHERE
    # far off: what was remembered is let go before the prompt
    names = [name for name, stamp_ns in tracker.history if stamp_ns >= 5 * FRAME_NS]
    assert names == ["step", "reject", "prompt", "step"]
    tracked = [event for event in log if isinstance(event, events.Tracked)]
    assert [event.stamp_ns // FRAME_NS for event in tracked] == list(range(7))  # one result per frame
    boxes = [event.result.objects[1].box_image_px for event in tracked]
    assert boxes[5] == boxes[6] == ELSEWHERE.box_image_px != boxes[4]
    assert tracked[5].timings_ms["recheck"] >= 0
    assert "recheck" not in tracked[4].timings_ms
    assert session.state is State.TRACKING


def test_a_mask_that_is_nearly_right_keeps_its_memory_and_is_looked_at_again_sooner() -> None:
    nearly = Prompt((6.4, 4.8, 19.2, 20.0), ((8.0, 8.0),), (1,))
    watch, tracker = ScriptedWatch({5: nearly}), ScriptedTracker()
    play(watch, tracker, 13, FollowingConfig(recheck_s=0.5, recheck_doubt_s=0.2))
    assert "reject" not in [name for name, _ in tracker.history]
    assert [index for index, _ in watch.looked] == [5, 7, 12]


@pytest.mark.parametrize(("right_edge", "is_far_off"), [(16.0, False), (15.9, True)])
def test_memories_are_let_go_when_less_than_half_of_both_boxes_is_shared(right_edge: float, is_far_off: bool) -> None:
    tracker = ScriptedTracker()
    session, _ = play(ScriptedWatch({5: Prompt((0.0, 4.0, right_edge, 12.0))}), tracker, 1)
    session.point_at((0.0, 4.0, 32.0, 12.0))
    for index in range(1, 7):
        session.push_frame(make_frame(index))
        session.step()
    assert [name for name, ns in tracker.history if ns == 5 * FRAME_NS] == [
        "step",
        *(["reject"] if is_far_off else []),
        "prompt",
    ]


def test_a_mask_on_another_thing_is_dropped_and_not_believed_again_unseen() -> None:
    watch = ScriptedWatch({5: Mismatch("the blue box"), 6: Mismatch("the blue box"), 8: ELSEWHERE})
    tracker = ScriptedTracker()
    session, log = play(watch, tracker, 13, FollowingConfig(recheck_s=0.5, recheck_doubt_s=0.5))
    assert of(log, events.Mistaken) == [5, 6]
    assert [event.what for event in log if isinstance(event, events.Mistaken)] == ["the blue box"] * 2
    # the tracker shows it again in frame 6, at once looked at; in 7 nothing is said against it, in 8 nobody looks
    assert [index for index, _ in watch.looked] == [5, 6, 7, 12]
    assert (of(log, events.Lost), of(log, events.Found)) == ([5], [7])
    shown = {e.stamp_ns // FRAME_NS: e.result.objects[1] for e in log if isinstance(e, events.Tracked)}
    assert shown[5].is_lost
    assert not shown[5].mask.any()
    assert not shown[7].is_lost
    assert session.state is State.TRACKING


@pytest.mark.parametrize(("says", "looked"), [(None, [5, 8, 10, 15]), (ELSEWHERE, [5, 8, 11, 16])])
def test_after_a_mistake_the_next_mask_is_looked_at_unless_the_target_was_known_again(
    says: Prompt | None, looked: list[int]
) -> None:
    # where the tracker shows nothing, only every third frame is looked at, and nothing to object to proves nothing
    watch = ScriptedWatch({5: Mismatch("the blue box"), 8: says})
    tracker = ScriptedTracker(lambda stamp_ns: not 6 * FRAME_NS <= stamp_ns < 10 * FRAME_NS)
    play(watch, tracker, 18, FollowingConfig(recheck_s=0.5, recheck_doubt_s=0.3))
    assert [index for index, _ in watch.looked] == looked


def test_what_a_correction_takes_is_added_to_its_frame() -> None:
    class Timed(ScriptedTracker):
        def _result(self, state: ScriptedState, frame: Frame) -> TrackResult:
            return replace(super()._result(state, frame), timings_ms={"script": 2.0})

    _, log = play(ScriptedWatch({5: ELSEWHERE}), Timed(), 7)
    spent = {e.stamp_ns // FRAME_NS: e.timings_ms for e in log if isinstance(e, events.Tracked)}
    assert [spent[index]["script"] for index in (4, 5, 6)] == [2.0, 4.0, 2.0]


def test_a_lost_target_is_found_by_its_appearance() -> None:
    tracker = ScriptedTracker(lambda stamp_ns: not 6 * FRAME_NS <= stamp_ns <= 8 * FRAME_NS)
    watch = ScriptedWatch({9: ELSEWHERE})
    session, log = play(watch, tracker, 12, FollowingConfig(recheck_s=0.1, recheck_doubt_s=0.1))
    assert (of(log, events.Lost), of(log, events.Corrected), of(log, events.Found)) == ([6], [9], [9])
    assert session.state is State.TRACKING


def test_a_broken_detector_is_told_once_and_tracking_goes_on() -> None:
    watch = ScriptedWatch({5: BackendError("the engine died")})
    session, log = play(watch, ScriptedTracker())
    (degraded,) = [event for event in log if isinstance(event, events.Degraded)]
    assert degraded.error == "the mask is no longer checked against the target: the engine died"
    assert len(watch.looked) == 1
    assert session.state is State.TRACKING
    assert of(log, events.Tracked) == list(range(21))


def test_a_detector_that_is_broken_from_the_start_is_told_too() -> None:
    session, log = play(BackendError("the engine died"), ScriptedTracker(), 3)
    (degraded,) = [event for event in log if isinstance(event, events.Degraded)]
    assert degraded.error == "the mask is not checked against the target: the engine died"
    assert session.state is State.TRACKING


@pytest.mark.parametrize("config", [FollowingConfig(rechecks=False), FollowingConfig()])
def test_without_a_watch_nothing_is_looked_at(config: FollowingConfig) -> None:
    watch = ScriptedWatch({5: ELSEWHERE}) if not config.rechecks else None
    session, log = play(watch, ScriptedTracker(), config=config)
    assert of(log, events.Corrected) == []
    assert watch is None or watch.looked == []
    assert session.state is State.TRACKING
