"""Where the watch over a target draws its lines: each value on its threshold and just beyond it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from icseg.detector.detector import Detection
from icseg.dialogue.candidates.target_watch import DetectorWatch, TargetWatchConfig
from icseg.dialogue.policy import Mismatch
from icseg.types import Box, Frame, Prompt
from tests.dialogue.candidates.made_things import seen

CONFIG = TargetWatchConfig(
    min_score=0.5,
    min_likeness=0.4,
    min_return_likeness=0.7,
    min_touch=0.25,
    min_fit=0.75,
    min_mistake=0.5,
    max_colour_likeness=0.1,
)
FRAME = Frame(np.zeros((400, 1000, 3), np.uint8), 0, 0)
BOX: Box = (100.0, 100.0, 200.0, 200.0)
AWAY: Box = (600.0, 100.0, 700.0, 200.0)
TARGET = seen(BOX)
A_BIT_LESS = 1 - 1e-6


def part(share: float, box: Box = BOX) -> Box:
    """The upper part of a box: its IoU with the box is the share."""
    return box[0], box[1], box[2], box[1] + share * (box[3] - box[1])


def like(share: float) -> dict[str, float]:
    """Kinds that have so much in common with a sure mug."""
    return {"mug": share, "can": 1 - share}


def watch(*views: Sequence[Detection], is_unique: bool = True) -> DetectorWatch:
    """A watch over ``TARGET`` that is shown these views one after the other."""
    following = iter(views)
    return DetectorWatch(lambda _: next(following), TARGET, is_unique=is_unique, config=CONFIG)


def judge(mask: Box | None, *detections: Detection, is_unique: bool = True) -> Prompt | Mismatch | None:
    return watch(detections, is_unique=is_unique).check(FRAME, mask)


def made_from(*detections: Detection, box: Box = BOX) -> DetectorWatch | None:
    return DetectorWatch.of(lambda _: detections, FRAME, box, CONFIG)


@pytest.mark.parametrize(("score", "is_seen"), [(0.5, True), (0.5 * A_BIT_LESS, False)])
def test_a_watch_needs_a_detection_that_is_believed(score: float, is_seen: bool) -> None:
    assert (made_from(seen(BOX, score=score)) is not None) == is_seen


@pytest.mark.parametrize(("share", "is_seen"), [(0.75, True), (0.75 * A_BIT_LESS, False)])
def test_a_watch_needs_a_detection_that_fits_the_box(share: float, is_seen: bool) -> None:
    assert (made_from(seen(part(share))) is not None) == is_seen


def test_the_watch_is_over_the_detection_that_fits_best() -> None:
    blue = seen(BOX, colours="blue")
    views = iter([[seen(part(0.8)), blue], [blue]])
    over = DetectorWatch.of(lambda _: next(views), FRAME, BOX, CONFIG)
    assert over is not None
    assert over.check(FRAME, part(0.5)) == Prompt(BOX, ((150.0, 150.0),), (1,))


@pytest.mark.parametrize(("likeness", "is_twin"), [(0.4, True), (0.4 * A_BIT_LESS, False)])
def test_a_twin_at_the_start_forbids_to_find_it_by_its_appearance(likeness: float, is_twin: bool) -> None:
    views = iter([[TARGET, seen(AWAY, like(likeness))], [seen(AWAY)], [seen(AWAY)]])
    over = DetectorWatch.of(lambda _: next(views), FRAME, BOX, CONFIG)
    assert over is not None
    assert over.check(FRAME, None) is None
    assert (over.check(FRAME, None) is None) == is_twin


@pytest.mark.parametrize(("touch", "is_corrected"), [(0.25, True), (0.25 * A_BIT_LESS, False)])
def test_a_mask_that_touches_the_target_is_corrected(touch: float, is_corrected: bool) -> None:
    prompt = judge(part(touch), TARGET, is_unique=False)
    assert prompt == (Prompt(BOX, ((150.0, 150.0),), (1,)) if is_corrected else None)


@pytest.mark.parametrize(("fit", "is_right"), [(0.75, True), (0.75 * A_BIT_LESS, False)])
def test_a_mask_that_fills_the_target_is_right(fit: float, is_right: bool) -> None:
    assert (judge(part(fit), TARGET) is None) == is_right


@pytest.mark.parametrize(("likeness", "is_target"), [(0.4, True), (0.4 * A_BIT_LESS, False)])
def test_what_is_touched_must_be_like_the_target(likeness: float, is_target: bool) -> None:
    assert (judge(part(0.5), seen(BOX, like(likeness))) is not None) == is_target


@pytest.mark.parametrize(("score", "is_believed"), [(0.5, True), (0.5 * A_BIT_LESS, False)])
def test_what_is_touched_must_be_believed(score: float, is_believed: bool) -> None:
    assert (judge(part(0.5), seen(BOX, score=score)) is not None) == is_believed


def test_of_what_is_touched_overlap_and_likeness_count_together() -> None:
    mask = part(0.7)
    prompt = judge(mask, seen(BOX, like(0.9)), seen(part(0.3)))  # 0.9 x 0.7 against 1 x 3 / 7
    assert isinstance(prompt, Prompt)
    assert prompt.box_image_px == BOX
    prompt = judge(mask, seen(BOX, like(0.5)), seen(part(0.4)))  # 0.5 x 0.7 against 1 x 4 / 7
    assert isinstance(prompt, Prompt)
    assert prompt.box_image_px == part(0.4)


def test_the_prompt_s_point_is_not_on_what_stands_in_front() -> None:
    in_front = seen((140.0, 140.0, 160.0, 260.0), "can", "blue")
    assert judge(part(0.5), TARGET, in_front) == Prompt(BOX, ((150.0, 135.0),), (1,))


@pytest.mark.parametrize(("likeness", "is_found"), [(0.7, True), (0.7 * A_BIT_LESS, False)])
def test_a_lost_target_is_found_again_when_it_is_surely_like_it(likeness: float, is_found: bool) -> None:
    away = seen(AWAY, like(likeness))
    over = watch([away], [away])
    assert over.check(FRAME, None) is None
    assert over.check(FRAME, None) == (Prompt(AWAY, ((650.0, 150.0),), (1,)) if is_found else None)


@pytest.mark.parametrize(("overlap", "is_found"), [(0.25, True), (0.25 * A_BIT_LESS, False)])
def test_two_sightings_must_be_of_one_place(overlap: float, is_found: bool) -> None:
    over = watch([seen(part(overlap, AWAY))], [seen(AWAY)])
    assert over.check(FRAME, None) is None
    assert (over.check(FRAME, None) is not None) == is_found


def test_a_lost_target_with_a_twin_is_not_guessed_at() -> None:
    away = seen(AWAY)
    over = watch([away], [away], is_unique=False)
    assert [over.check(FRAME, None) for _ in range(2)] == [None, None]
    both = [seen(BOX), away]
    over = watch(both, both)
    assert [over.check(FRAME, None) for _ in range(2)] == [None, None]


def test_a_sighting_is_forgotten_by_a_look_that_finds_the_mask_right() -> None:
    away = seen(AWAY)
    over = watch([away], [TARGET], [away])
    assert [over.check(FRAME, None), over.check(FRAME, BOX), over.check(FRAME, None)] == [None, None, None]


@pytest.mark.parametrize(("overlap", "is_known"), [(0.5, True), (0.5 * A_BIT_LESS, False)])
def test_a_mask_that_lies_on_another_thing_is_a_mistake(overlap: float, is_known: bool) -> None:
    assert judge(part(overlap), seen(BOX, "can", "blue")) == (Mismatch("the blue can") if is_known else None)


@pytest.mark.parametrize(("shared", "is_other"), [(0.1, True), (0.1 / A_BIT_LESS, False)])
def test_another_thing_is_one_of_another_colour(shared: float, is_other: bool) -> None:
    under = seen(BOX, "can", {"blue": 1 - shared, "red": shared})
    assert judge(BOX, under) == (Mismatch("the blue can") if is_other else None)


def test_the_thing_under_the_mask_is_the_one_that_it_covers_best() -> None:
    assert judge(BOX, seen(part(0.6), "can", "blue"), seen(part(0.9), "bowl", "white")) == Mismatch("the white bowl")
    assert judge(BOX, seen(AWAY, "can", "blue")) is None
    assert judge(BOX) is None
    assert judge(None, seen(AWAY, "can", "blue")) is None
