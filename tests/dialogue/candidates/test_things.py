"""Detections become things: what counts as one, how large it is, and the frame that shows it best; exact values."""

from __future__ import annotations

import math

import pytest

from icseg.detector.detector import Detection
from icseg.dialogue.candidates.things import (
    ThingsConfig,
    View,
    best_view,
    colour_likeness,
    find_candidates,
    label_of,
    likeness,
    link_views,
    point_on,
)
from icseg.types import Box, Point
from tests.dialogue.candidates.made_things import HW, seen

CONFIG = ThingsConfig(
    min_score=0.15, max_overlap=0.7, max_things=24, min_link_iou=0.3, keyframe_gain=1.15, horizon=-0.4
)
BOX: Box = (100.0, 100.0, 200.0, 200.0)
A_BIT_LESS = 1 - 1e-6


def part(share: float) -> Box:
    """The upper part of ``BOX``: their IoU is the share."""
    return BOX[0], BOX[1], BOX[2], BOX[1] + share * 100


def boxes_of(*detections: Detection, config: ThingsConfig = CONFIG) -> list[Box]:
    return [candidate.detection.box_image_px for candidate in find_candidates(detections, HW, config)]


@pytest.mark.parametrize(("score", "is_thing"), [(0.15, True), (0.15 * A_BIT_LESS, False)])
def test_a_thing_has_the_least_score(score: float, is_thing: bool) -> None:
    assert bool(boxes_of(seen(BOX, score=score))) == is_thing


@pytest.mark.parametrize(("overlap", "count"), [(0.7, 2), (0.7 / A_BIT_LESS, 1)])
def test_of_two_that_overlap_too_much_the_weaker_goes(overlap: float, count: int) -> None:
    kept = boxes_of(seen(BOX, score=0.5), seen(part(overlap), score=0.9))
    assert len(kept) == count
    assert part(overlap) in kept


def test_only_the_best_are_kept_and_an_empty_box_is_nothing() -> None:
    three = [seen((x, 0.0, x + 50.0, 50.0), score=score) for x, score in ((0.0, 0.3), (100.0, 0.9), (200.0, 0.6))]
    config = ThingsConfig(max_things=2)
    assert boxes_of(*three, config=config) == [(100.0, 0.0, 150.0, 50.0), (200.0, 0.0, 250.0, 50.0)]
    assert boxes_of(seen((50.0, 50.0, 51.0, 51.0))) == [(50.0, 50.0, 51.0, 51.0)]
    assert boxes_of(seen((50.0, 50.0, 50.0, 90.0))) == []
    assert boxes_of(seen((-90.0, 50.0, 0.0, 90.0))) == []


def test_a_thing_stands_on_the_middle_of_its_lower_edge_within_the_picture() -> None:
    (inside,) = find_candidates([seen((200.0, 100.0, 300.0, 300.0))], HW, CONFIG)
    assert (inside.x, inside.y) == (0.25, 0.75)
    (cut,) = find_candidates([seen((900.0, 300.0, 1100.0, 500.0))], HW, CONFIG)
    assert (cut.x, cut.y) == (0.95, 1.0)


def test_things_come_from_left_to_right_and_then_from_far_to_near() -> None:
    left, far, near = (10.0, 300.0, 50.0, 340.0), (500.0, 20.0, 540.0, 60.0), (500.0, 200.0, 540.0, 240.0)
    assert boxes_of(seen(near), seen(far), seen(left)) == [left, far, near]


@pytest.mark.parametrize(
    ("kind", "box", "horizon", "size"),
    [
        ("mug", (300.0, 100.0, 330.0, 140.0), -0.4, 50 / 0.75),  # a diagonal of 50, 0.35 + 0.4 below the horizon
        ("mug", (300.0, 100.0, 330.0, 140.0), 0.1, 50 / 0.25),
        ("mug", (300.0, 100.0, 330.0, 140.0), 0.34, 50 / 0.05),  # nothing is nearer to the horizon than 0.05
        ("spoon", (300.0, 100.0, 330.0, 120.0), -0.4, 50 / 0.5),  # its depth counts twice, its horizon is 0.2 lower
        ("spoon", (300.0, 100.0, 330.0, 140.0), -100.0, 50 / 100.35),  # sizes as they are seen: nor is it stretched
    ],
)
def test_sizes(kind: str, box: Box, horizon: float, size: float) -> None:
    (candidate,) = find_candidates([seen(box, kind)], HW, ThingsConfig(horizon=horizon))
    assert candidate.size_log == pytest.approx(math.log(size), abs=1e-12)


def linked(*frames: list[Detection]) -> list[View]:
    """Follow a mug at ``BOX`` from frame 9 back through 8, 7 ..."""
    shown = [(9, [seen(BOX)]), *((8 - number, detections) for number, detections in enumerate(frames))]
    return link_views(seen(BOX), shown, CONFIG)


def ids(views: list[View]) -> list[int]:
    return [view.frame_id for view in views]


@pytest.mark.parametrize(("score", "count"), [(0.15, 2), (0.15 * A_BIT_LESS, 1)])
def test_a_thing_is_followed_over_detections_that_are_believed(score: float, count: int) -> None:
    assert len(linked([seen(BOX, score=score)])) == count


@pytest.mark.parametrize(("alike", "count"), [(0.4, 2), (0.4 * A_BIT_LESS, 1)])
def test_a_thing_is_followed_over_detections_that_are_alike(alike: float, count: int) -> None:
    assert len(linked([seen(BOX, {"mug": alike, "can": 1 - alike})])) == count


@pytest.mark.parametrize(("overlap", "count"), [(0.3, 2), (0.3 * A_BIT_LESS, 1)])
def test_of_two_that_are_alike_one_must_be_near(overlap: float, count: int) -> None:
    far = (700.0, 100.0, 800.0, 200.0)
    views = linked([seen(far), seen(part(overlap))])
    assert [view.detection.box_image_px for view in views] == [BOX, part(overlap)][:count]


def test_of_several_that_are_near_likeness_and_overlap_count_together() -> None:
    near, like = seen(part(0.9), {"mug": 0.5, "can": 0.5}), seen(part(0.4))  # 0.45 against 0.4
    assert linked([like, near])[1].detection is near
    near, like = seen(part(0.9), {"mug": 0.4, "can": 0.6}), seen(part(0.4))  # 0.36 against 0.4
    assert linked([near, like])[1].detection is like


def test_a_thing_that_moved_far_is_known_when_it_is_the_only_one_and_never_across_a_gap() -> None:
    far = seen((700.0, 100.0, 800.0, 200.0))
    assert ids(linked([far], [far])) == [9, 8, 7]
    assert ids(linked([far, seen((400.0, 100.0, 500.0, 200.0))], [far])) == [9]
    assert ids(linked([], [seen(BOX)])) == [9]


def best(*boxes: Box, scores: tuple[float, ...] = ()) -> int:
    """Number of the best of views that are newest first."""
    detections = [seen(box, score=score) for box, score in zip(boxes, scores or [1.0] * len(boxes), strict=True)]
    views = [View(number, detection) for number, detection in enumerate(detections)]
    return best_view(views, HW, CONFIG).frame_id


def sized(area: float) -> Box:
    return 100.0, 100.0, 100.0 + area / 100, 200.0


def test_an_earlier_frame_must_show_the_thing_better_by_the_gain() -> None:
    assert best(sized(10000), sized(11499)) == 0
    assert best(sized(10000), sized(11501)) == 1
    assert best(sized(10000), sized(12000), sized(12001), sized(11999)) == 2
    assert best(sized(10000), sized(12000), sized(12000)) == 1


def test_a_surer_view_is_a_better_one() -> None:
    assert best(BOX, BOX, scores=(0.5, 0.6)) == 1
    assert best(BOX, BOX, scores=(0.5, 0.57)) == 0


@pytest.mark.parametrize(
    ("box", "is_cut"),
    [
        ((1.0, 100.0, 201.0, 200.0), True),
        ((1.5, 100.0, 201.5, 200.0), False),
        ((100.0, 1.0, 300.0, 101.0), True),
        ((100.0, 1.5, 300.0, 101.5), False),
        ((799.0, 100.0, 999.0, 200.0), True),
        ((798.5, 100.0, 998.5, 200.0), False),
        ((100.0, 299.0, 300.0, 399.0), True),
        ((100.0, 298.5, 300.0, 398.5), False),
    ],
)
def test_a_view_that_the_border_cuts_counts_half(box: Box, is_cut: bool) -> None:
    """Twice as large as the newest: half of it is no gain."""
    assert best(sized(10000), box) == (0 if is_cut else 1)
    assert best(sized(8500), box) == 1  # half of it is 10000


@pytest.mark.parametrize(
    ("in_front", "point"),
    [
        ([], (150.0, 150.0)),
        ([(140.0, 140.0, 160.0, 260.0)], (150.0, 135.0)),
        ([(140.0, 120.0, 160.0, 260.0)], (135.0, 150.0)),
        ([(130.0, 120.0, 160.0, 260.0)], (165.0, 150.0)),
        ([(130.0, 130.0, 170.0, 260.0)], (150.0, 120.0)),
        ([(0.0, 0.0, 175.0, 300.0)], (180.0, 150.0)),
        ([(125.0, 0.0, 500.0, 300.0)], (120.0, 150.0)),
        ([(140.0, 140.0, 160.0, 200.0)], (150.0, 150.0)),  # stands no nearer
        ([(0.0, 0.0, 500.0, 300.0)], (150.0, 150.0)),  # all is covered
    ],
)
def test_a_point_is_the_nearest_to_the_middle_that_is_free(in_front: list[Box], point: Point) -> None:
    target = seen(BOX)
    others = [target, *(seen(box, "can") for box in in_front)]
    assert point_on(target, others, HW) == pytest.approx(point, abs=1e-9)


def test_a_thing_does_not_hide_itself() -> None:
    target = seen((100.0, 300.0, 200.0, 500.0))
    assert point_on(target, [target], HW) == (150.0, 350.0)


def test_likeness_is_the_probability_that_both_share() -> None:
    a = seen(BOX, {"mug": 0.5, "can": 0.25, "bowl": 0.25}, {"red": 0.75, "blue": 0.25})
    b = seen(BOX, {"mug": 0.25, "can": 0.75}, {"red": 0.5, "white": 0.5})
    assert colour_likeness(a, b) == 0.5
    assert likeness(a, b) == 0.5 * 0.5
    assert label_of(a) == "red mug"
