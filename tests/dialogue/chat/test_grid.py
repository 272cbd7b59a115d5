"""The model's grid: there and back, inside the picture, never an empty box, and what is no answer on it."""

from __future__ import annotations

import math

import hypothesis.strategies as st
import pytest
from hypothesis import assume, given

from icseg.dialogue.actions import Answer
from icseg.dialogue.chat.grid import (
    VLM_GRID,
    GridAnswer,
    box_image_to_vlm,
    box_vlm_to_image,
    point_image_to_vlm,
    point_vlm_to_image,
)
from icseg.errors import ModelOutputError
from icseg.geometry import clip_box
from icseg.types import Box, Point

sizes = st.tuples(st.integers(1, 4000), st.integers(1, 4000))
numbers = st.floats(-1e4, 1e4)
boxes = st.tuples(numbers, numbers, numbers, numbers)


@given(box=boxes, hw=sizes)
def test_boxes_are_whole_numbers_on_the_grid_and_never_empty(box: Box, hw: tuple[int, int]) -> None:
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
def test_point_there_and_back_moves_less_than_a_grid_step_or_half_a_pixel(
    x: float, y: float, hw: tuple[int, int]
) -> None:
    point = (x * hw[1], y * hw[0])
    back = point_vlm_to_image(point_image_to_vlm(point, hw), hw)
    assert abs(back[0] - point[0]) <= max(hw[1] / VLM_GRID, 0.5)
    assert abs(back[1] - point[1]) <= max(hw[0] / VLM_GRID, 0.5)


def test_an_answer_becomes_pixels_of_its_picture() -> None:
    answer = GridAnswer((100, 250, 300, 750), (200, 500), "There.").in_pixels((400, 1000))
    assert answer == Answer((100.0, 100.0, 300.0, 300.0), (200.0, 200.0), "There.")
    assert answer.frame_id is None


def test_the_far_corner_is_the_last_pixel() -> None:
    answer = GridAnswer((0, 0, 1000, 1000), (1000, 1000)).in_pixels((400, 1000))
    assert answer.box_image_px == (0.0, 0.0, 1000.0, 400.0)
    assert answer.point_image_px == (999.5, 399.5)


@pytest.mark.parametrize(
    ("box", "rounded"),
    [
        ((100.0, 100.0, 300.0, 300.0), (100, 250, 300, 750)),
        ((100.1, 100.1, 300.1, 300.1), (100, 250, 301, 751)),
        ((50.0, 60.0, 50.0, 60.0), (50, 150, 51, 151)),
        ((1000.0, 400.0, 1000.0, 400.0), (999, 999, 1000, 1000)),
        ((-20.0, -20.0, 2000.0, 2000.0), (0, 0, 1000, 1000)),
    ],
)
def test_boxes_are_rounded_outwards_and_cut(box: Box, rounded: Box) -> None:
    answer = GridAnswer.from_pixels(Answer(box, (200.4, 2000.0), "So."), (400, 1000))
    assert answer == GridAnswer(rounded, (200, 1000), "So.")


@pytest.mark.parametrize(("box", "point"), [((0, 0, 1000, 1000), (1000, 1000)), ((0, 0, 1, 1), (0, 0))])
def test_the_whole_grid_is_allowed(box: Box, point: Point) -> None:
    GridAnswer(box, point).check()


@pytest.mark.parametrize(
    ("box", "point", "reason"),
    [
        ((0, 0, math.nan, 1000), (1, 1), r"must be 0\.\.1000"),
        ((0, 0, 1000.5, 1000), (1, 1), r"must be 0\.\.1000"),
        ((-0.5, 0, 10, 10), (1, 1), r"must be 0\.\.1000"),
        ((0, 0, 10, 10), (1, 1000.5), r"must be 0\.\.1000"),
        ((10, 0, 10, 10), (1, 1), "x1 < x2"),
        ((0, 10, 10, 10), (1, 1), "x1 < x2"),
        ((10, 0, 5, 10), (1, 1), "x1 < x2"),
    ],
)
def test_what_is_no_answer_is_the_models_fault(box: Box, point: Point, reason: str) -> None:
    with pytest.raises(ModelOutputError, match=reason):
        GridAnswer(box, point).check()
