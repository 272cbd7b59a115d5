"""Changes of coordinates: there and back, inside the image, and never an empty box."""

from __future__ import annotations

import hypothesis.strategies as st
from hypothesis import assume, given

from icseg.geometry import (
    VLM_GRID,
    box_area,
    box_center,
    box_contains,
    box_image_to_vlm,
    box_iou,
    box_vlm_to_image,
    clip_box,
    point_image_to_vlm,
    point_vlm_to_image,
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


@given(box=boxes, hw=sizes)
def test_vlm_boxes_are_whole_numbers_on_the_grid_and_never_empty(box: Box, hw: tuple[int, int]) -> None:
    x0, y0, x1, y1 = box_image_to_vlm(box, hw)
    assert 0 <= x0 < x1 <= VLM_GRID
    assert 0 <= y0 < y1 <= VLM_GRID


@given(box=boxes, hw=sizes)
def test_box_there_and_back_contains_the_original_within_a_grid_step(box: Box, hw: tuple[int, int]) -> None:
    original = clip_box(box, hw)
    assume(original[2] < hw[1] and original[3] < hw[0])  # a box on the far edge is moved inside to have an area
    back = box_vlm_to_image(box_image_to_vlm(original, hw), hw)
    steps = (hw[1] / VLM_GRID, hw[0] / VLM_GRID) * 2
    for value, again, step, sign in zip(original, back, steps, (1, 1, -1, -1), strict=True):
        assert -1e-6 <= sign * (value - again) <= step + 1e-6


@given(x=st.floats(0, 1), y=st.floats(0, 1), hw=sizes)
def test_point_there_and_back_moves_less_than_a_grid_step(x: float, y: float, hw: tuple[int, int]) -> None:
    point = (x * hw[1], y * hw[0])
    back = point_vlm_to_image(point_image_to_vlm(point, hw), hw)
    assert abs(back[0] - point[0]) <= hw[1] / VLM_GRID
    assert abs(back[1] - point[1]) <= hw[0] / VLM_GRID


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
