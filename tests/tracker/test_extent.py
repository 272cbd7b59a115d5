"""What of a mask can be one object: sizes, pieces, and how the limit follows a thing that comes nearer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_graphs import NANO, ScriptedGraphs, make_frame

from icseg.errors import ConfigError
from icseg.mask_ops import native
from icseg.tracker.extent import GROWTH_PER_FRAME, Extent
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


def test_the_limit_follows_growth_slowly_and_never_shrinks() -> None:
    assert THING.grown_to(Extent(2.0, 2.0, 4.0)) == THING
    grown = THING.grown_to(Extent(30.0, 8.0, 240.0))
    assert grown == Extent(10 * GROWTH_PER_FRAME, 8.0, 70 * GROWTH_PER_FRAME)


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
