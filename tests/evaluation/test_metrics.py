"""J and F: values of the DAVIS toolkit on shapes, and the definition of F by brute force on random masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icseg.evaluation.metrics import TOLERANCE, boundary_f, contour, jaccard
from icseg.types import MaskBool

P480, P720 = (480, 854), (720, 1280)


def disc(hw: tuple[int, int], y: int, x: int, radius: int) -> MaskBool:
    rows, cols = np.ogrid[: hw[0], : hw[1]]
    return np.asarray((rows - y) ** 2 + (cols - x) ** 2 <= radius**2)


def block(hw: tuple[int, int], rows: slice, cols: slice) -> MaskBool:
    mask = np.zeros(hw, np.bool_)
    mask[rows, cols] = True
    return mask


NOTHING, EVERYTHING = np.zeros(P480, np.bool_), np.ones(P480, np.bool_)
GOLDEN = {
    "discs": (disc(P480, 240, 427, 100), disc(P480, 246, 437, 100), 0.861803, 0.512438),
    "blocks": (
        block(P480, slice(100, 300), slice(200, 500)),
        block(P480, slice(110, 300), slice(200, 520)),
        0.893417,
        0.518812,
    ),
    "cut by the border": (
        block(P480, slice(380, 480), slice(754, 854)),
        block(P480, slice(385, 480), slice(744, 854)),
        0.867580,
        0.547485,
    ),
    "nothing there": (NOTHING, disc(P480, 240, 427, 5), 0, 0),
    "nothing seen": (NOTHING, NOTHING, 1, 1),
    "all": (EVERYTHING, EVERYTHING, 1, 1),
    "all has no contour": (EVERYTHING, NOTHING, 0, 1),
    "720p": (disc(P720, 360, 640, 200), disc(P720, 360, 652, 190), 0.897879, 0.555059),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_values_of_the_toolkit(name: str) -> None:
    true, predicted, j, f = GOLDEN[name]
    assert jaccard(predicted, true) == pytest.approx(j, abs=1e-6)
    assert boundary_f(predicted, true) == pytest.approx(f, abs=1e-6)


def slow_f(predicted: MaskBool, true: MaskBool) -> float:
    radius = math.ceil(TOLERANCE * math.hypot(*true.shape))
    ours, theirs = np.argwhere(contour(predicted)), np.argwhere(contour(true))
    if not len(ours) or not len(theirs):
        return float(len(ours) == len(theirs))
    squared = ((ours[:, None] - theirs[None]) ** 2).sum(-1)
    precision, recall = (squared.min(1) <= radius**2).mean(), (squared.min(0) <= radius**2).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 40), st.integers(2, 300), st.floats(0, 1), st.floats(0, 1))
def test_f_is_its_definition(seed: int, height: int, width: int, density: float, noise: float) -> None:
    rng = np.random.default_rng(seed)
    true = rng.random((height, width)) < density * 0.05
    predicted = np.roll(true, int(rng.integers(0, 5)), axis=1) ^ (rng.random((height, width)) < noise * 0.02)
    assert boundary_f(predicted, true) == pytest.approx(slow_f(predicted, true), abs=1e-12)
    assert boundary_f(predicted, true) == pytest.approx(boundary_f(true, predicted), abs=1e-12)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(3, 2\)"):
        jaccard(np.zeros((2, 3), np.bool_), np.zeros((3, 2), np.bool_))
