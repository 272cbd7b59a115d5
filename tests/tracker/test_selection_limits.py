"""The choice among four masks at its bounds, and what the decoder is fed for a prompt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scripted_graphs import FACTS

from icseg.tracker.inputs import prompt_tokens
from icseg.tracker.selection import select_mask, stability_score, uses_multimask
from icseg.types import Prompt

HW = (48, 64)


@pytest.mark.parametrize(("points", "expected"), [(0, False), (1, True), (2, True), (3, False)])
@pytest.mark.parametrize("is_prompted", [True, False])
def test_alternatives_are_for_prompts_of_few_points(is_prompted: bool, points: int, expected: bool) -> None:
    facts = replace(FACTS, multimask_min_points=1, multimask_max_points=2)
    assert not uses_multimask(facts, is_prompted=is_prompted, point_count=points)
    here = replace(facts, multimask_for_prompts=is_prompted, multimask_for_tracking=not is_prompted)
    assert uses_multimask(here, is_prompted=is_prompted, point_count=points) is expected
    elsewhere = replace(facts, multimask_for_prompts=not is_prompted, multimask_for_tracking=is_prompted)
    assert not uses_multimask(elsewhere, is_prompted=is_prompted, point_count=points)


def test_stability_is_the_area_well_above_the_threshold_over_the_area_not_well_below_it() -> None:
    logits = np.array([[2.0, 0.5, 0.4, -0.4, -0.5, -2.0, 3.0]])
    assert stability_score(logits, 0.5) == 2 / 5  # bounds themselves count as beside: 2 and 3 over those above -0.5
    assert stability_score(logits, 1.0) == 2 / 6
    assert stability_score(np.array([[-1.0]]), 0.5) == 1.0


def decoded() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    logits = np.stack([np.full((2, 2), value, np.float32) for value in (1.0, 2.0, 3.0, 4.0)])[None]
    pointers = np.arange(8, dtype=np.float32).reshape(1, 4, 2)
    return logits, np.array([[0.1, 0.7, 0.2, 0.6]], np.float32), pointers


@pytest.mark.parametrize(("threshold", "token"), [(0.5, 0), (0.51, 1)])
def test_a_mask_that_is_just_stable_enough_stays(threshold: float, token: int) -> None:
    logits, ious, pointers = decoded()
    logits[0, 0] = [[1.0, 0.0], [-9.0, -9.0]]  # one of two cells is surely on the thing
    facts = replace(FACTS, stability_fallback=True, stability_delta=0.5, stability_threshold=threshold)
    chosen = select_mask(facts, logits, ious, pointers, np.ones((1, 1), np.float32), is_multimask=False)
    assert chosen.iou_score == pytest.approx(ious[0, token])
    assert np.array_equal(chosen.mask_logits[0, 0], logits[0, token])
    assert chosen.object_pointer.tolist() == [0.0, 1.0]


def test_the_choice_owns_its_arrays_and_leaves_the_decoders_as_they_are() -> None:
    logits, ious, pointers = decoded()
    score = np.full((1, 1), -0.5, np.float32)
    absent = select_mask(FACTS, logits, ious, pointers, score, is_multimask=True)
    assert (absent.mask_logits == -1024.0).all()
    assert absent.mask_logits.shape == (1, 1, 2, 2)
    assert (absent.object_score, absent.is_visible) == (-0.5, False)
    assert logits.min() == 1.0
    score[:] = 0.25
    seen = select_mask(FACTS, logits, ious, pointers, score, is_multimask=True)
    logits[:], pointers[:] = 0.0, 0.0  # outputs are valid until the next run
    assert (seen.mask_logits == 2.0).all()
    assert seen.object_pointer.tolist() == [2.0, 3.0]
    assert (seen.object_score, seen.is_visible) == (0.25, True)


def test_a_box_is_two_tokens_and_points_follow_in_pixels_of_the_models_image() -> None:
    prompt = Prompt((16.0, 12.0, 32.0, 24.0), ((64.0, 48.0), (2.0, 3.0)), (1, 0))
    fed = prompt_tokens(prompt, HW, 32, 6)
    assert fed["point_coords"].tolist() == [[[8, 8], [16, 16], [32, 32], [1, 2], [0, 0], [0, 0]]]
    assert fed["point_labels"].tolist() == [[2, 3, 1, 0, -1, -10]]
    assert (str(fed["point_coords"].dtype), str(fed["point_labels"].dtype)) == ("float32", "int32")


def test_what_is_left_of_the_tokens_is_padding() -> None:
    point = prompt_tokens(Prompt(None, ((32.0, 12.0),), (1,)), HW, 32, 5)
    assert point["point_coords"].tolist() == [[[16, 8], [0, 0], [0, 0], [0, 0], [0, 0]]]
    assert point["point_labels"].tolist() == [[1, -1, -10, -10, -10]]
    nothing = prompt_tokens(None, HW, 32, 4)
    assert nothing["point_labels"].tolist() == [[-1, -1, -10, -10]]
    assert not nothing["point_coords"].any()


@pytest.mark.parametrize("count", [4, 3])
def test_the_closing_token_needs_a_place_too(count: int) -> None:
    prompt = Prompt((0.0, 0.0, 8.0, 8.0), ((1.0, 1.0),), (1,))
    if count == 4:
        assert prompt_tokens(prompt, HW, 32, count)["point_labels"].tolist() == [[2, 3, 1, -1]]
        return
    with pytest.raises(ValueError, match=r"expected at most 2 points \(a box counts as two\), got 3"):
        prompt_tokens(prompt, HW, 32, count)
