"""What of a mask is shown and what is remembered, example by example, at both sides of every bound."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from icseg.mask_ops import native, reference
from icseg.tracker.extent import Extent
from icseg.tracker.memory_bank import BankShape, MemoryBank
from icseg.tracker.selection import Selection
from icseg.tracker.state import ObjectTrack, TrackerConfig
from icseg.tracker.verdict import Verdict, judge_prompted, judge_tracked, within_box
from icseg.types import Box, Logits, Prompt
from icseg.window import Window

SAM2 = TrackerConfig()
HW = (80, 80)
"""Height and width of the image: a cell of the 20 x 20 logits is four pixels."""


def logits(*blocks: tuple[int, int, int, int]) -> Logits:
    """(20, 20), 3 in x0, y0, x1, y1 blocks of cells and -3 elsewhere."""
    cells = np.full((20, 20), -3.0, np.float32)
    for x0, y0, x1, y1 in blocks:
        cells[y0:y1, x0:x1] = 3.0
    return cells


def selection(*blocks: tuple[int, int, int, int], iou: float = 0.9, score: float = 4.0) -> Selection:
    return Selection(logits(*blocks)[None, None], np.zeros(2, np.float32), score, iou)


def track(*blocks: tuple[int, int, int, int]) -> ObjectTrack:
    """An object that was seen as these blocks; none: that was not seen yet."""
    found = ObjectTrack(MemoryBank(BankShape(2, 2, 1, 1, 1, 2, 1, 1)), 1)
    if blocks:
        found.before = logits(*blocks) > 0
        found.extent = Extent.of(found.before, native)
    return found


def judge(seen: ObjectTrack, found: Selection, **settings: Any) -> Verdict:
    return judge_tracked(seen, 7, found, HW, replace(SAM2, **settings), native)


BLOCK = (4, 4, 12, 12)


def test_sam2s_own_memory_shows_and_remembers_whatever_comes() -> None:
    verdict = judge(track(BLOCK), selection((0, 0, 1, 1), (2, 2, 20, 20), iou=0.0))
    assert verdict.is_remembered
    assert not verdict.result.is_lost
    assert verdict.result.object_id == 7
    assert (verdict.mask_logits[0, 0] > 0).sum() == 1 + 18 * 18
    lost = judge(track(BLOCK), selection(BLOCK, score=-1.0))
    assert (lost.is_remembered, lost.result.is_lost, lost.result.area_px) == (True, True, 0)


@pytest.mark.parametrize(("iou", "is_visible"), [(0.5, True), (0.49, False)])
def test_visible_from_an_estimated_iou_on(iou: float, is_visible: bool) -> None:
    result = judge(track(BLOCK), selection(BLOCK, iou=iou), visible_min_iou=0.5).result
    assert result.is_lost is not is_visible
    assert (result.box_image_px is not None) is is_visible
    assert (result.object_score, result.iou_score) == (4.0, iou)


@pytest.mark.parametrize(("iou", "is_remembered"), [(0.5, True), (0.49, False)])
def test_remembered_from_an_estimated_iou_on(iou: float, is_remembered: bool) -> None:
    verdict = judge(track(BLOCK), selection(BLOCK, iou=iou), write_min_iou=0.5)
    assert verdict.is_remembered is is_remembered
    assert not verdict.result.is_lost


@pytest.mark.parametrize("writes_lost_frames", [True, False])
def test_lost_frames_are_remembered_as_told(writes_lost_frames: bool) -> None:
    lost = selection(BLOCK, score=0.0)
    assert judge(track(BLOCK), lost, writes_lost_frames=writes_lost_frames).is_remembered is writes_lost_frames
    assert judge(track(BLOCK), selection(BLOCK), writes_lost_frames=writes_lost_frames).is_remembered


@pytest.mark.parametrize(("width", "is_remembered"), [(4, True), (3, False)])
def test_remembered_from_a_share_of_the_largest_on(width: int, is_remembered: bool) -> None:
    sliver = (4, 4, 4 + width, 12)
    verdict = judge(track(BLOCK), selection(sliver), write_min_share=0.5)
    assert verdict.is_remembered is is_remembered
    assert not verdict.result.is_lost
    # it was seen: later pieces are compared with it, and the thing is as large as ever
    assert verdict.before is not None
    assert np.array_equal(verdict.before, logits(sliver) > 0)
    assert verdict.extent == Extent(8.0, 8.0, 64.0)


def test_a_mask_too_large_is_shown_and_neither_remembered_nor_counted() -> None:
    seen = track(BLOCK)
    verdict = judge(seen, selection((0, 0, 20, 20)), max_growth=2.0)
    assert not verdict.is_remembered
    assert not verdict.result.is_lost
    assert verdict.extent is seen.extent
    assert verdict.before is seen.before
    assert judge(seen, selection((0, 0, 17, 15)), max_growth=2.0).is_remembered


def test_the_extent_grows_by_a_hundredth_where_the_thing_is_seen() -> None:
    verdict = judge(track(BLOCK), selection((4, 4, 13, 12)), max_growth=2.0)
    assert verdict.extent is not None
    assert (verdict.extent.width, verdict.extent.height, verdict.extent.area) == pytest.approx((8.08, 8.0, 64.64))
    lost = judge(track(BLOCK), selection((4, 4, 13, 12), score=-1.0), max_growth=2.0)
    assert lost.extent == Extent(8.0, 8.0, 64.0)
    assert np.array_equal(lost.before, logits(BLOCK) > 0)  # type: ignore[arg-type]


def test_an_object_that_was_never_seen_is_measured_when_it_is() -> None:
    verdict = judge(track(), selection(BLOCK), max_growth=2.0, write_min_share=1.0)
    assert verdict.is_remembered
    assert verdict.extent == Extent(8.0, 8.0, 64.0)
    lost = judge(track(), selection(BLOCK, score=-1.0), max_growth=2.0)
    assert lost.extent is None
    assert lost.before is None


def test_pieces_of_another_thing_are_neither_shown_nor_remembered() -> None:
    found = selection(BLOCK, (16, 16, 20, 20))
    verdict = judge(track(BLOCK), found, max_growth=1.0)
    assert verdict.result.box_image_px == (16, 16, 48, 48)
    assert np.array_equal(verdict.mask_logits[0, 0] > 0, logits(BLOCK) > 0)
    everything = judge(track(BLOCK), found)
    assert everything.result.box_image_px == (16, 16, 80, 80)
    # with nothing to compare with, all of it may be the thing
    assert judge(track(), found, max_growth=1.0).result.box_image_px == (16, 16, 80, 80)


def test_specks_are_remembered_but_not_shown() -> None:
    verdict = judge(track(BLOCK), selection(BLOCK, (16, 4, 18, 6)), min_piece_share=0.1)
    assert verdict.result.box_image_px == (16, 16, 48, 48)
    assert (verdict.mask_logits[0, 0] > 0).sum() == 64 + 4
    prompted = judge_prompted(
        1, selection(BLOCK, (16, 4, 18, 6)), Prompt((0, 0, 80, 80)), HW, replace(SAM2, min_piece_share=0.1), native
    )
    assert prompted.result.box_image_px == (16, 16, 48, 48)
    assert (prompted.mask_logits[0, 0] > 0).sum() == 64 + 4
    assert prompted.extent == Extent(14.0, 8.0, 68.0)


def test_a_prompted_mask_is_remembered_however_it_looks_and_measured_anew() -> None:
    strict = replace(SAM2, write_min_iou=1.0, visible_min_iou=1.0, write_min_share=1.0, writes_lost_frames=False)
    verdict = judge_prompted(1, selection(BLOCK, iou=0.1), Prompt((0, 0, 80, 80)), HW, strict, native)
    assert verdict.is_remembered
    assert not verdict.result.is_lost
    assert verdict.extent == Extent(8.0, 8.0, 64.0)
    assert np.array_equal(verdict.before, logits(BLOCK) > 0)  # type: ignore[arg-type]
    lost = judge_prompted(1, selection(BLOCK, score=-1.0), Prompt((0, 0, 80, 80)), HW, strict, native)
    assert lost.is_remembered
    assert (lost.result.is_lost, lost.extent, lost.before) == (True, None, None)


def test_a_prompts_box_bounds_its_mask_and_a_point_does_not() -> None:
    found, slack = selection((0, 0, 20, 20)), replace(SAM2, box_slack=0.0)
    boxed = judge_prompted(1, found, Prompt((16, 16, 48, 48)), HW, slack, native)
    assert boxed.extent == Extent(10.0, 10.0, 100.0)  # eight cells and one on either side
    pointed = judge_prompted(1, found, Prompt(None, ((20, 20),), (1,)), HW, slack, native)
    assert pointed.extent == Extent(20.0, 20.0, 400.0)
    unbounded = judge_prompted(1, found, Prompt((16, 16, 48, 48)), HW, SAM2, native)
    assert unbounded.extent == Extent(20.0, 20.0, 400.0)


@pytest.mark.parametrize(
    ("box", "slack", "expected"),
    [
        # cells are 4 px wide and 8 px high, centres at 2, 6, ... and 4, 12, ...: one cell beyond each side
        ((18.0, 36.0, 38.0, 60.0), 0.0, (3, 3, 11, 9)),
        ((18.1, 36.1, 37.9, 59.9), 0.0, (4, 4, 10, 8)),
        # a tenth of 40 px is a cell more on either side, and of 16 px not enough for one
        ((20.0, 32.0, 60.0, 48.0), 0.1, (3, 3, 17, 7)),
    ],
)
def test_what_lies_within_a_box(box: Box, slack: float, expected: tuple[int, int, int, int]) -> None:
    inside = within_box(np.full((10, 20), 2.0, np.float32), box, HW, slack)
    assert reference.mask_box_area(inside > 0)[0] == expected
    assert set(np.unique(inside)) == {-2.0, 2.0}
    assert (within_box(np.full((10, 20), -2.0, np.float32), box, HW, slack) == -2.0).all()


def test_what_the_next_frame_is_compared_with_is_in_its_windows_cells() -> None:
    verdict = judge(track(), selection(BLOCK))
    window, closer = Window(0, 0, 80, 80), Window(0, 0, 40, 40)
    assert verdict.seen_through(window, window) is verdict
    through = verdict.seen_through(window, closer)
    assert through.extent == Extent(16.0, 16.0, 256.0)
    assert through.before is not None
    assert np.array_equal(through.before, logits((8, 8, 20, 20)) > 0)
    unseen = replace(verdict, extent=None, before=None)
    assert unseen.seen_through(window, closer) is unseen


def test_a_lost_result_is_the_same_object_out_of_sight() -> None:
    result = judge(track(), selection(BLOCK)).result
    lost = result.as_lost()
    assert (lost.is_lost, lost.area_px, lost.box_image_px, lost.mask.any()) == (True, 0, None, False)
    assert lost.mask.shape == result.mask.shape == HW
    assert (lost.object_id, lost.object_score) == (7, 4.0)
    assert (result.is_lost, result.area_px) == (False, result.mask.sum())
