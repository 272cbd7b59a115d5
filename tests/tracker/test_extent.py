"""What of a mask can be one object: sizes, pieces, and how the limit follows a thing that comes nearer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_graphs import NANO, ScriptedGraphs, make_frame

from icseg.errors import ConfigError
from icseg.mask_ops import native
from icseg.tracker.extent import Extent
from icseg.tracker.pieces import Pieces
from icseg.tracker.state import UNBOUNDED, TrackerConfig
from icseg.types import Frame, Prompt

THING = Extent(10.0, 8.0, 70.0)


def blocks(*windows: tuple[int, int, int, int]) -> np.ndarray:
    """(40, 40) logits, positive in x0, y0, x1, y1 windows."""
    logits = np.full((40, 40), -3.0, np.float32)
    for x0, y0, x1, y1 in windows:
        logits[y0:y1, x0:x1] = 3.0
    return logits


def main_piece(logits: np.ndarray, before: np.ndarray, extent: Extent) -> np.ndarray:
    return Pieces.of(logits, native).of_one_thing(before, extent, 1.1).kept_logits


def test_extent_of_a_mask() -> None:
    assert Extent.of(blocks((3, 5, 13, 13)) > 0, native) == Extent(10.0, 8.0, 80.0)
    assert Extent.of(np.zeros((4, 4), bool), native) == Extent(0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("other", "is_allowed"),
    [
        (Extent(8.0, 10.0, 70.0), True),  # turned by a quarter
        (Extent(12.0, 8.0, 80.0), True),
        (Extent(13.0, 8.0, 80.0), False),
        (Extent(10.0, 10.0, 100.0), False),  # no wider, but twice as full
        (Extent(0.0, 0.0, 0.0), True),
    ],
)
def test_what_a_thing_may_become(other: Extent, is_allowed: bool) -> None:
    assert THING.allows(other, 1.1) is is_allowed


@pytest.mark.parametrize(
    ("max_growth", "side", "area"),
    # the longer side and a cell and a half for the edge, on either axis; areas go with the square
    [(1.0, 11.5, 72.25), (2.0, 21.5, 282.25)],
)
def test_where_a_thing_is_too_large_to_be_the_same(max_growth: float, side: float, area: float) -> None:
    for larger in (Extent(side, 1.0, 1.0), Extent(1.0, side, 1.0), Extent(1.0, 1.0, area)):
        assert THING.allows(larger, max_growth)
    for larger in (Extent(side + 0.01, 1.0, 1.0), Extent(1.0, side + 0.01, 1.0), Extent(1.0, 1.0, area + 0.01)):
        assert not THING.allows(larger, max_growth)


@pytest.mark.parametrize(("max_growth", "width", "height"), [(1.0, 11.5, 9.5), (2.0, 21.5, 17.5)])
def test_where_pieces_are_too_far_apart_to_be_of_one_thing(max_growth: float, width: float, height: float) -> None:
    assert THING.holds(Extent(width, height, 1000.0), max_growth)
    assert not THING.holds(Extent(width + 0.01, height, 1.0), max_growth)
    assert not THING.holds(Extent(width, height + 0.01, 1.0), max_growth)


def test_an_extent_in_finer_cells() -> None:
    assert THING.scaled(2.0) == Extent(20.0, 16.0, 280.0)
    assert THING.scaled(0.5) == Extent(5.0, 4.0, 17.5)


def test_the_limit_follows_growth_by_a_hundredth_a_frame_and_never_shrinks() -> None:
    assert THING.grown_to(Extent(2.0, 2.0, 4.0)) == THING
    grown = THING.grown_to(Extent(30.0, 8.0, 240.0))
    assert (grown.width, grown.height, grown.area) == pytest.approx((10.1, 8.0, 70.7), rel=1e-9)
    assert THING.grown_to(Extent(10.05, 8.01, 70.1)) == Extent(10.05, 8.01, 70.1)


def test_a_piece_far_off_is_left_out_and_one_that_fits_stays() -> None:
    before = blocks((3, 5, 13, 13)) > 0
    thing = Extent.of(before, native)
    hidden_in_the_middle = blocks((3, 5, 6, 13), (10, 5, 13, 13))
    assert main_piece(hidden_in_the_middle, before, thing) is hidden_in_the_middle
    # the neighbour is the larger one, but it is not where the thing was
    with_neighbour = blocks((3, 5, 13, 13), (20, 5, 35, 25))
    assert np.array_equal(main_piece(with_neighbour, before, thing) > 0, before)
    in_three = blocks((3, 5, 6, 13), (10, 5, 13, 13), (30, 30, 39, 39))
    assert np.array_equal(main_piece(in_three, before, thing) > 0, hidden_in_the_middle > 0)


def test_where_nothing_was_before_the_largest_piece_is_the_main_one() -> None:
    nowhere = np.zeros((40, 40), np.bool_)
    pieces = blocks((0, 0, 4, 4), (10, 10, 16, 16), (30, 30, 34, 34))
    kept = main_piece(pieces, nowhere, Extent(6.0, 6.0, 36.0))
    assert np.array_equal(kept > 0, blocks((10, 10, 16, 16)) > 0)
    # of pieces that were there before, the one that covers most of it, not the largest
    before = blocks((2, 2, 4, 4), (10, 10, 11, 11)) > 0
    kept = main_piece(pieces, before, Extent(6.0, 6.0, 36.0))
    assert np.array_equal(kept > 0, blocks((0, 0, 4, 4)) > 0)


def test_pieces_that_fit_are_added_by_how_much_of_them_was_there() -> None:
    # three in a row, of which the main one and either neighbour fit together, but not all three
    row = blocks((10, 10, 14, 14), (16, 10, 20, 14), (22, 10, 26, 14))
    before = blocks((16, 10, 20, 14), (22, 10, 23, 14)) > 0
    kept = main_piece(row, before, Extent(10.0, 4.0, 40.0))
    assert np.array_equal(kept > 0, blocks((16, 10, 20, 14), (22, 10, 26, 14)) > 0)


def test_what_is_left_out_is_negative_and_what_is_kept_is_as_it_was() -> None:
    logits = blocks((0, 0, 4, 4), (20, 20, 30, 30))
    logits[0, 0] = 7.0
    kept = Pieces.of(logits, native).without_specks(0.5).kept_logits
    assert kept[0, 0] == -7.0
    assert kept[1, 1] == kept[10, 10] == -3.0
    assert (kept[20:30, 20:30] == 3.0).all()


def test_a_logit_of_zero_is_outside() -> None:
    pieces = Pieces.of(np.array([[0.0, 1.0], [0.0, 0.0]], np.float32), native)
    assert pieces.mask.tolist() == [[False, True], [False, False]]
    assert pieces.areas.tolist() == [3, 1]


@pytest.mark.parametrize(("cells", "is_kept"), [(10, True), (9, False)])
def test_a_speck_is_smaller_than_a_share_of_the_largest_piece(cells: int, is_kept: bool) -> None:
    logits = blocks((0, 0, 10, 10), (20, 0, 20 + cells, 1))
    pieces = Pieces.of(logits, native).without_specks(0.1)
    assert pieces.mask[0, 20] == is_kept
    assert pieces.mask[0, 0]
    assert not pieces.mask[30, 30]


def test_a_piece_that_was_left_out_measures_nothing_and_stays_out() -> None:
    before = blocks((0, 0, 5, 5), (0, 7, 1, 10)) > 0
    logits = blocks((0, 0, 5, 5), (0, 7, 1, 10), (15, 15, 35, 35))
    pieces = Pieces.of(logits, native).of_one_thing(before, Extent(5.0, 10.0, 30.0), 1.0)
    assert np.array_equal(pieces.mask, before)
    # three cells are a tenth of the 25 beside them, though not of the 400 that are out
    assert np.array_equal(pieces.without_specks(0.1).mask, before)
    assert pieces.without_specks(0.2).mask.sum() == 25


def test_one_piece_is_shown_however_large() -> None:
    before = blocks((3, 5, 13, 13)) > 0
    grown = blocks((3, 5, 33, 13))
    assert main_piece(grown, before, Extent.of(before, native)) is grown


def grown_frame(index: int) -> Frame:
    """As ``make_frame``, with a bright thing that fills the picture."""
    frame = make_frame(index)
    return Frame(np.full_like(frame.image, frame.image.max()), frame.stamp_ns, index)


@pytest.mark.parametrize(("max_growth", "remembered"), [(1.1, 1), (UNBOUNDED, 2)])
def test_a_mask_far_too_large_is_not_remembered(max_growth: float, remembered: int) -> None:
    tracker = ScriptedGraphs().tracker(replace(NANO, max_growth=max_growth))
    state = tracker.start(make_frame(0), Prompt((16.0, 12.0, 32.0, 24.0)))
    result = tracker.step(state, grown_frame(1)).objects[1]
    assert not result.is_lost
    assert int((state.tracks[0].bank.attend().memory_mask == 0).sum()) == remembered


@pytest.mark.parametrize(("share", "remembered"), [(0.3, 1), (0.0, 2)])
def test_a_sliver_is_shown_but_not_remembered(share: float, remembered: int) -> None:
    tracker = ScriptedGraphs().tracker(replace(NANO, write_min_share=share, min_piece_share=0.0))
    state = tracker.start(make_frame(0), Prompt((16.0, 12.0, 32.0, 24.0)))
    frame = make_frame(1)
    hidden = frame.image.copy()
    hidden[:, :24], hidden[18:] = 0, 0  # one of its four cells is left
    result = tracker.step(state, Frame(hidden, frame.stamp_ns, 1)).objects[1]
    assert not result.is_lost
    assert int((state.tracks[0].bank.attend().memory_mask == 0).sum()) == remembered


def test_a_prompt_may_make_it_as_large_as_it_likes() -> None:
    tracker = ScriptedGraphs().tracker()
    state = tracker.start(make_frame(0), Prompt((16.0, 12.0, 32.0, 24.0)))
    tracker.add_prompt(state, grown_frame(1), 1, Prompt((0.0, 0.0, 64.0, 48.0)))
    tracker.step(state, grown_frame(2))
    assert int((state.tracks[0].bank.attend().memory_mask == 0).sum()) == 3


@pytest.mark.parametrize("max_growth", [0.9, 101.0, float("nan")])
def test_growth_is_range_checked(max_growth: float) -> None:
    with pytest.raises(ConfigError, match="max_growth"):
        TrackerConfig(max_growth=max_growth)
