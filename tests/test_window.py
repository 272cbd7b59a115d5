"""Windows of an image: where they lie, when they move, and that what goes in comes out again."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icseg.geometry import box_center
from icseg.types import ObjectResult, Prompt
from icseg.window import Window, widened

HW = (480, 640)


@given(
    st.tuples(st.floats(0, 630), st.floats(0, 470)),
    st.tuples(st.floats(1, 700), st.floats(1, 500)),
    st.floats(1.5, 8),
    st.floats(1, 640),
)
def test_it_is_inside_the_image_has_its_proportions_and_holds_the_box(
    corner: tuple[float, float], side: tuple[float, float], scale: float, min_width: float
) -> None:
    box = (*corner, min(corner[0] + side[0], 640.0), min(corner[1] + side[1], 480.0))
    window = Window.around(box, HW, scale, min_width)
    assert 0 <= window.left <= window.left + window.width <= 640
    assert 0 <= window.top <= window.top + window.height <= 480
    assert window.width / 640 == pytest.approx(window.height / 480, abs=2 / 480)
    assert window.left <= box[0] + 1
    assert box[2] - 1 <= window.left + window.width
    assert window.top <= box[1] + 1
    assert box[3] - 1 <= window.top + window.height
    assert window.width >= min(640, min_width) - 1


def test_the_side_that_asks_for_more_says_how_large_it_is() -> None:
    assert Window.around((300, 200, 340, 230), HW, 4, 1) == Window(240, 155, 160, 120)
    assert Window.around((300, 200, 304, 260), HW, 4, 1).hw == (240, 320)
    assert Window.around((300, 200, 304, 203), HW, 4, 160).hw == (120, 160)
    assert Window.around((0, 0, 40, 30), HW, 4, 1) == Window(0, 0, 160, 120)
    assert Window.around((100, 100, 500, 400), HW, 3, 1) == Window.whole(HW)


def test_it_rests_until_the_thing_is_off_its_middle_or_of_another_size() -> None:
    window = Window.around((300, 200, 340, 230), HW, 4, 1)
    assert window.following((315, 205, 355, 235), HW, 4, 1) is window
    moved = window.following((340, 200, 380, 230), HW, 4, 1)
    assert moved == Window(280, 155, 160, 120)
    assert window.following((300, 200, 350, 235), HW, 4, 1) is window
    assert window.following((280, 190, 360, 240), HW, 4, 1).width == 320


@pytest.mark.parametrize(
    ("shift", "left", "top"),
    [
        # a sixth of 240 x 180 pixels is 40 and 30: so far the thing may go along either side
        ((40, 0), 200, 100),
        ((-40, 0), 200, 100),
        ((0, 30), 200, 100),
        ((0, -30), 200, 100),
        ((41, 0), 241, 100),
        ((-41, 0), 159, 100),
        ((0, 31), 200, 131),
        ((0, -31), 200, 69),
        ((41, 30), 241, 100),
        ((40, 31), 200, 131),
        ((41, 31), 241, 131),
    ],
)
def test_it_moves_along_the_side_where_the_thing_is_off_by_more_than_a_sixth(
    shift: tuple[int, int], left: int, top: int
) -> None:
    window = Window(200, 100, 240, 180)
    x, y = 320 + shift[0], 190 + shift[1]
    followed = window.following((x - 30, y - 30, x + 30, y + 30), HW, 3, 1)
    assert followed == Window(left, top, 240, 180)
    assert (followed is window) is (followed == window)


@pytest.mark.parametrize(("width", "expected"), [(70, 200), (71, 284), (36, 200), (35, 140)])
def test_it_keeps_its_size_up_to_a_factor_of_one_and_four_tenths(width: int, expected: int) -> None:
    # wanted is four times the thing's width: 280 of 200 is just as much as it may be, and 140 too little
    window = Window(220, 165, 200, 150)
    followed = window.following((320 - width / 2, 239, 320 + width / 2, 241), HW, 4, 1)
    assert followed.width == expected


def test_whole_pixels_of_an_image_of_any_size() -> None:
    assert Window.whole((7, 9)) == Window(0, 0, 9, 7)
    assert Window(1, 2, 3, 4).hw == (4, 3)
    assert Window.around((4.0, 3.0, 4.2, 3.2), (7, 9), 1.5, 0.0) == Window(4, 3, 1, 1)
    assert Window.around((0, 0, 1, 1), (100, 200), 3, 500) == Window.whole((100, 200))
    assert Window(10, 20, 5, 5).box_in_image((1, 2, 3, 4)) == (11, 22, 13, 24)


def test_it_follows_a_thing_up_to_the_border_however_little_way_it_has() -> None:
    window = Window.around((300, 130, 400, 270), HW, 3, 1)
    assert (window.left, window.width) == (70, 560)
    moved = window.following((60, 150, 160, 290), HW, 3, 1)
    assert (moved.left, moved.top) == (0, window.top)
    assert moved.following((0, 150, 90, 290), HW, 3, 1) is moved


@given(
    st.tuples(st.integers(20, 300), st.integers(20, 200)),
    st.lists(st.tuples(st.integers(0, 640), st.integers(0, 480)), min_size=2, max_size=20),
    st.floats(2, 6),
)
def test_wherever_a_thing_goes_the_next_window_holds_it(
    side: tuple[int, int], middles: list[tuple[int, int]], scale: float
) -> None:
    boxes = [(x - side[0] / 2, y - side[1] / 2, x + side[0] / 2, y + side[1] / 2) for x, y in middles]
    window = Window.around(boxes[0], HW, scale, 1)
    for box in boxes[1:]:
        window = window.following(box, HW, scale, 1)
        # to a pixel or two, of rounding
        assert window.left <= max(box[0], 0) + 2
        assert window.top <= max(box[1], 0) + 2
        assert min(box[2], 640) - 2 <= window.left + window.width
        assert min(box[3], 480) - 2 <= window.top + window.height


def test_prompts_and_results_find_their_way() -> None:
    window = Window(200, 100, 160, 120)
    prompt = Prompt((210, 110, 230, 140), ((220.0, 120.0),), (1,))
    inside = window.prompt_inside(prompt)
    assert (inside.box_image_px, inside.points_image_px, inside.point_labels) == ((10, 10, 30, 40), ((20, 20),), (1,))
    assert window.prompt_inside(Prompt(None, ((220.0, 120.0),), (0,))).box_image_px is None
    mask = np.zeros((120, 160), np.bool_)
    mask[10:40, 10:30] = True
    found = window.result_in_image(ObjectResult(1, mask, (10, 10, 30, 40), 600, 1.0, 0.9, False), HW)
    assert found.box_image_px == prompt.box_image_px
    assert found.mask.shape == HW
    rows, cols = np.nonzero(found.mask)
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (110, 139, 210, 229)
    whole = ObjectResult(1, np.zeros(HW, np.bool_), None, 0, -1.0, 0.0, True)
    assert Window.whole(HW).result_in_image(whole, HW) is whole
    lost = window.result_in_image(ObjectResult(1, np.zeros((120, 160), np.bool_), None, 0, -1.0, 0.0, True), HW)
    assert (lost.mask.shape, lost.box_image_px) == (HW, None)


def test_the_crop_is_the_part_that_it_says() -> None:
    image = np.arange(480 * 640 * 3, dtype=np.uint32).astype(np.uint8).reshape(480, 640, 3)
    assert np.array_equal(Window(200, 100, 160, 120).crop(image), image[100:220, 200:360])


def test_cells_of_one_window_seen_through_another() -> None:
    cells = np.zeros((10, 10), np.bool_)
    cells[4:6, 4:6] = True
    window = Window(100, 100, 100, 100)
    assert window.cells_in(window, cells) is cells
    moved = window.cells_in(Window(120, 100, 100, 100), cells)
    assert np.array_equal(moved[:, :8], cells[:, 2:])
    assert not moved[:, 8:].any()
    above = window.cells_in(Window(100, 80, 100, 100), cells)
    assert np.array_equal(above[2:], cells[:8])
    assert not above[:2].any()
    closer = window.cells_in(Window(125, 125, 50, 50), cells)
    rows, cols = np.nonzero(closer)
    assert (rows.min(), rows.max(), cols.min(), cols.max(), closer.sum()) == (3, 6, 3, 6, 16)
    full = np.ones((10, 10), np.bool_)
    assert window.cells_in(Window(50, 50, 200, 200), full).sum() == 25
    apart = window.cells_in(Window(300, 100, 100, 100), full)
    assert not apart.any()
    larger = window.cells_in(Window(50, 50, 200, 200), cells)
    assert larger.sum() == 1 or larger.sum() == 4
    rows, cols = np.nonzero(larger)
    assert rows.mean() == pytest.approx(4.5, abs=0.5)
    assert cols.mean() == pytest.approx(4.5, abs=0.5)


def test_a_box_is_widened_about_its_middle() -> None:
    box = widened((10, 10, 20, 20), 40, 5)
    assert box == (-5, 10, 35, 20)
    assert widened((10, 10, 20, 20), 6, 30) == (10, 0, 20, 30)
    assert box_center(box) == (15, 15)
