"""The choice among four masks, by hand-made scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_graphs import FACTS

from icseg.tracker.selection import NO_OBJECT_LOGIT, Selection, select_mask, stability_score, uses_multimask

CHOICE = replace(FACTS, multimask_for_prompts=True, multimask_for_tracking=True, stability_fallback=True)


def select(facts=CHOICE, *, is_multimask: bool, first: float = 5.0, score: float = 1.0) -> Selection:
    logits = np.ones((1, 4, 2, 2), np.float32) * np.array([first, 2, 3, 4], np.float32).reshape(1, 4, 1, 1)
    pointers = np.arange(4, dtype=np.float32).reshape(1, 4, 1)
    ious = np.array([[0.9, 0.2, 0.8, 0.3]], np.float32)
    return select_mask(facts, logits, ious, pointers, np.array([[score]], np.float32), is_multimask=is_multimask)


def test_multimask_takes_the_best_of_the_last_three() -> None:
    selection = select(is_multimask=True)
    assert selection.mask_logits[0, 0, 0, 0] == 3
    assert selection.object_pointer == [2]
    assert selection.iou_score == pytest.approx(0.8)


def test_a_stable_first_mask_stays() -> None:
    selection = select(is_multimask=False)
    assert selection.mask_logits[0, 0, 0, 0] == 5
    assert selection.iou_score == pytest.approx(0.9)


def test_an_unstable_first_mask_gives_way_but_keeps_its_pointer() -> None:
    selection = select(is_multimask=False, first=0.01)
    assert selection.mask_logits[0, 0, 0, 0] == 3
    assert selection.object_pointer == [0]
    without = select(FACTS, is_multimask=False, first=0.01)
    assert without.mask_logits[0, 0, 0, 0] == pytest.approx(0.01)


@pytest.mark.parametrize(("stable_cells", "expected"), [(98, 5.0), (97, 3.0)])
def test_a_mask_is_stable_from_the_threshold_on(stable_cells: int, expected: float) -> None:
    logits = np.ones((1, 4, 10, 10), np.float32) * np.array([5, 2, 3, 4], np.float32).reshape(1, 4, 1, 1)
    logits[0, 0].reshape(-1)[stable_cells:] = 0.0
    ious, pointers = np.array([[0.9, 0.2, 0.8, 0.3]], np.float32), np.zeros((1, 4, 1), np.float32)
    facts = replace(CHOICE, stability_threshold=0.98)
    selection = select_mask(facts, logits, ious, pointers, np.ones((1, 1), np.float32), is_multimask=False)
    assert selection.mask_logits[0, 0, 0, 0] == expected


def test_nothing_of_a_selection_is_the_decoders() -> None:
    logits, pointers = np.ones((1, 4, 2, 2), np.float32), np.ones((1, 4, 3), np.float32)
    selection = select_mask(
        FACTS, logits, np.ones((1, 4), np.float32), pointers, np.ones((1, 1), np.float32), is_multimask=False
    )
    assert selection.mask_logits.shape == (1, 1, 2, 2)
    assert selection.object_pointer.shape == (3,)
    logits[:], pointers[:] = np.nan, np.nan
    assert (selection.mask_logits == 1).all()
    assert (selection.object_pointer == 1).all()


@pytest.mark.parametrize(("score", "is_visible"), [(0.0, False), (1e-6, True), (0.5, True), (-1.0, False)])
def test_visible_is_a_score_above_zero(score: float, is_visible: bool) -> None:
    selection = select(is_multimask=False, score=score)
    assert selection.is_visible is is_visible
    assert (selection.mask_logits == (5.0 if is_visible else -1024.0)).all()


def test_an_absent_object_has_no_mask() -> None:
    selection = select(is_multimask=False, score=0.0)
    assert not selection.is_visible
    assert (selection.mask_logits == NO_OBJECT_LOGIT).all()


@pytest.mark.parametrize(("points", "expected"), [(0, True), (1, True), (2, False)])
def test_multimask_is_for_ambiguous_prompts(points: int, expected: bool) -> None:
    assert uses_multimask(CHOICE, is_prompted=True, point_count=points) is expected
    assert not uses_multimask(FACTS, is_prompted=True, point_count=points)


def test_stability_of_an_empty_mask_is_one() -> None:
    assert stability_score(np.full((2, 2), -9.0), 0.05) == 1.0
    assert stability_score(np.array([[0.01, 9.0]]), 0.05) == 0.5
    # a logit that is just delta off the threshold is not beyond it
    assert stability_score(np.array([[0.25, -0.25, 0.5, 0.0]]), 0.25) == pytest.approx(1 / 3)
