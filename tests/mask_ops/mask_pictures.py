"""Masks and logits that are hard: odd and thin sizes, a tile and one, empty, full, checkerboards, spirals, noise."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np

from icseg.types import Logits, MaskBool

SIDES = st.one_of(st.integers(1, 12), st.sampled_from([31, 32, 33, 63, 64, 65]))
SIZES = st.tuples(SIDES, SIDES)


def spiral(hw: tuple[int, int]) -> MaskBool:
    """One line that winds inwards, one pixel wide with a gap of one."""
    mask = np.zeros(hw, np.bool_)
    top, left, bottom, right = 0, 0, hw[0] - 1, hw[1] - 1
    while top <= bottom and left <= right:
        mask[top, max(left - 2, 0) : right + 1] = True
        mask[top : bottom + 1, right] = True
        mask[bottom, left : right + 1] = True
        mask[min(top + 2, bottom) : bottom + 1, left] = True
        top, left, bottom, right = top + 2, left + 2, bottom - 2, right - 2
    return mask


def blobs(hw: tuple[int, int], seed: int, share: float = 0.5) -> MaskBool:
    """Smooth shapes: noise averaged over 5 x 5 pixels, above a share of its values."""
    noise = np.random.default_rng(seed).random((hw[0] + 4, hw[1] + 4))
    sums = np.lib.stride_tricks.sliding_window_view(noise, (5, 5)).mean((2, 3))
    return np.asarray(sums > np.quantile(sums, share), np.bool_)


@st.composite
def masks(draw: st.DrawFn, sizes: st.SearchStrategy[tuple[int, int]] = SIZES) -> MaskBool:
    hw = draw(sizes)
    kind = draw(st.sampled_from(["empty", "full", "board", "spiral", "blobs", "noise", "noise", "rows"]))
    seed = draw(st.integers(0, 2**16))
    rng = np.random.default_rng(seed)
    match kind:
        case "empty" | "full":
            return np.full(hw, kind == "full")
        case "board":
            return np.indices(hw).sum(0) % 2 == seed % 2
        case "spiral":
            return spiral(hw)
        case "blobs":
            return blobs(hw, seed)
        case "rows":
            return np.repeat(rng.random((hw[0], 1)) < 0.5, hw[1], 1)
    return rng.random(hw) < draw(st.sampled_from([0.05, 0.3, 0.5, 0.6, 0.95]))


@st.composite
def logits(draw: st.DrawFn, sizes: st.SearchStrategy[tuple[int, int]] = SIZES) -> Logits:
    """The masks with strengths of -8..8, some at the threshold itself."""
    mask = draw(masks(sizes))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    strength = rng.uniform(0, 8, mask.shape) * rng.choice([0, 1, 1, 1, 1], mask.shape)
    return np.where(mask, strength, -strength).astype(np.float32)
