"""Boxes and points: cut to the image, measured, compared."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import given

from icseg.geometry import (
    box_area,
    box_center,
    box_contains,
    box_iou,
    clip_box,
    clip_point,
)
from icseg.types import Box

sizes = st.tuples(st.integers(1, 4000), st.integers(1, 4000))
numbers = st.floats(-1e4, 1e4)
boxes = st.tuples(numbers, numbers, numbers, numbers)


@given(box=boxes, hw=sizes)
def test_clipped_boxes_lie_in_the_image(box: Box, hw: tuple[int, int]) -> None:
    x0, y0, x1, y1 = clip_box(box, hw)
    assert 0 <= x0 <= x1 <= hw[1]
    assert 0 <= y0 <= y1 <= hw[0]


def test_points_are_moved_into_the_image() -> None:
    assert clip_point((3.25, 4.75), (10, 20)) == (3.25, 4.75)
    assert clip_point((-1.0, -2.0), (10, 20)) == (0.0, 0.0)
    assert clip_point((20.0, 10.0), (10, 20)) == (19.5, 9.5)
    assert clip_point((19.75, 9.75), (10, 20)) == (19.5, 9.5)


@given(a=boxes, b=boxes)
def test_iou_is_symmetric_and_between_0_and_1(a: Box, b: Box) -> None:
    assert box_iou(a, b) == box_iou(b, a)
    assert 0 <= box_iou(a, b) <= 1 + 1e-9


def test_iou_of_known_boxes() -> None:
    assert box_iou((0, 0, 10, 10), (5, 0, 15, 10)) == 50 / 150
    assert box_iou((0, 0, 10, 10), (10, 0, 20, 10)) == 0
    assert box_iou((3, 3, 3, 9), (0, 0, 10, 10)) == 0


def test_center_area_and_half_open_edges() -> None:
    box = (2.0, 4.0, 6.0, 8.0)
    assert box_center(box) == (4.0, 6.0)
    assert box_area(box) == 16
    assert box_area((6.0, 4.0, 2.0, 8.0)) == 0
    assert box_contains(box, (2.0, 4.0))
    assert not box_contains(box, (6.0, 8.0))
