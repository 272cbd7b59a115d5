"""The watch over a target: a mask on it is left alone, one beside it corrected; no guess between twins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from icseg.detector.detector import Detection
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.dialogue.candidates.target_watch import DetectorWatch, TargetWatchConfig
from icseg.dialogue.policy import Mismatch, WatchingPolicy
from icseg.dialogue.policy_scripted import ScriptedPolicy
from icseg.errors import ConfigError
from icseg.geometry import box_contains
from icseg.sim.drawn import Drawn, draw_table
from icseg.sim.truth import SimFrame
from icseg.sim.truth_detector import TruthDetector
from icseg.types import Box, Prompt

RED, BLUE = Drawn("mug", "red", 0.3), Drawn("mug", "blue", 0.7)


def box_of(frame: SimFrame, thing_id: int) -> Box:
    box = frame.box_image_px(thing_id)
    assert box is not None
    return box


def watch_over(thing_id: int, keyframe: SimFrame, *later: SimFrame) -> DetectorWatch:
    policy = CandidatesPolicy(TruthDetector(keyframe, *later))
    watch = policy.watch(keyframe.frame, box_of(keyframe, thing_id))
    assert watch is not None
    return watch


def test_the_candidates_policy_watches_and_a_scripted_one_does_not() -> None:
    assert isinstance(CandidatesPolicy(TruthDetector()), WatchingPolicy)
    assert not isinstance(ScriptedPolicy(), WatchingPolicy)


def test_a_mask_on_the_target_is_left_alone() -> None:
    table = draw_table([RED, BLUE])
    assert watch_over(1, table).check(table.frame, box_of(table, 1)) is None


@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_mask_that_shrank_to_a_part_is_corrected(share: float) -> None:
    table = draw_table([RED, BLUE])
    x0, y0, x1, y1 = box_of(table, 1)
    prompt = watch_over(1, table).check(table.frame, (x0, y0, x0 + share * (x1 - x0), y1))
    assert isinstance(prompt, Prompt)
    assert prompt.box_image_px == box_of(table, 1)
    assert box_contains(box_of(table, 1), prompt.points_image_px[0])


@pytest.mark.parametrize("is_lost", [True, False])
def test_a_target_elsewhere_is_known_by_its_look(is_lost: bool) -> None:
    before, after = draw_table([RED, BLUE]), draw_table([replace(RED, x=0.9), BLUE], index=1)
    mask_box = None if is_lost else box_of(after, 2)  # on the blue one
    watch = watch_over(1, before, after)
    first = watch.check(after.frame, mask_box)  # one sighting is no proof; that the mask is on the blue one is known
    assert first == (None if is_lost else Mismatch("the blue mug"))
    prompt = watch.check(after.frame, None)
    assert isinstance(prompt, Prompt)
    assert prompt.box_image_px == box_of(after, 1)


def test_sightings_that_jump_about_or_are_interrupted_are_no_proof() -> None:
    before = draw_table([RED])
    left, right = (draw_table([replace(RED, x=x)], index=1) for x in (0.1, 0.9))
    nothing = draw_table([], index=2)
    watch = watch_over(1, before, left, right, nothing)
    assert [watch.check(sim.frame, None) for sim in (left, right, left, nothing, left)] == [None] * 5
    assert watch.check(left.frame, None) is not None


def test_what_is_not_in_view_is_not_pointed_at() -> None:
    before, after = draw_table([RED, BLUE]), draw_table([BLUE, Drawn("can", "red", 0.2)], index=1)
    watch = watch_over(1, before, after)
    assert watch.check(after.frame, None) is None
    assert (
        watch.check(after.frame, (300.0, 10.0, 340.0, 50.0)) is None
    )  # on no thing at all: nothing is known against it
    assert watch.check(after.frame, box_of(after, 1)) == Mismatch("the blue mug")


def test_another_kind_of_the_same_colour_may_be_the_target_from_behind() -> None:
    before, after = draw_table([RED, BLUE]), draw_table([BLUE, Drawn("can", "red", 0.3)], index=1)
    assert watch_over(1, before, after).check(after.frame, box_of(after, 2)) is None


def test_no_guess_between_twins() -> None:
    before = draw_table([RED, replace(RED, x=0.7)])
    after = draw_table([replace(RED, x=0.7)], index=1)  # one of them is hidden: nobody knows which by its look
    watch = watch_over(1, before, after)
    assert watch.check(after.frame, None) is None
    x0, y0, x1, y1 = box_of(before, 1)
    prompt = watch.check(before.frame, (x0, y0, (x0 + x1) / 2, y1))
    assert isinstance(prompt, Prompt)  # but the one that the mask touches is the one
    assert prompt.box_image_px == box_of(before, 1)


def test_a_new_twin_is_no_proof() -> None:
    before, after = draw_table([RED]), draw_table([replace(RED, x=0.1), replace(RED, x=0.9)], index=1)
    assert watch_over(1, before, after).check(after.frame, None) is None


def test_nothing_under_the_box_is_nothing_to_know_again() -> None:
    table = draw_table([RED])
    assert CandidatesPolicy(TruthDetector(table)).watch(table.frame, (0.0, 0.0, 20.0, 20.0)) is None


def test_weak_detections_are_not_believed() -> None:
    table = draw_table([RED])
    sure = Detection(box_of(table, 1), 1.0, {"mug": 1.0}, {"red": 1.0})
    weak = replace(sure, score=0.3)
    config = TargetWatchConfig(min_score=0.5)
    assert DetectorWatch.of(lambda _: [weak], table.frame, sure.box_image_px, config) is None
    watch = DetectorWatch(lambda _: [weak], sure, is_unique=True, config=config)
    assert watch.check(table.frame, None) is None


@pytest.mark.parametrize("values", [{"min_score": 1.5}, {"min_likeness": -0.1}, {"min_touch": 0.8, "min_fit": 0.7}])
def test_settings_are_checked(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"target_watch\.min_\w+: expected"):
        TargetWatchConfig(**values)
