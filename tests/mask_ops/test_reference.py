"""The numpy definitions against PyTorch, OpenCV and pycocotools, on odd, thin, empty and full masks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from icseg.mask_ops.reference import mask_box_area, rle_counts, rle_decode, rle_encode, rle_mask, upsample_logits

MASKS = st.tuples(st.integers(1, 37), st.integers(1, 37)).flatmap(lambda hw: arrays(np.bool_, hw))
SIZES = st.tuples(st.integers(1, 60), st.integers(1, 60))
RESIZE_TOLERANCE = 1e-3
"""For logits up to 30: a position up to 80 is rounded to about 8e-6 in FP32, and neighbours differ by up to 60."""


def make_logits(hw: tuple[int, int], seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-30, 30, hw).astype(np.float32)


@settings(deadline=None)
@given(SIZES, SIZES)
def test_upsampling_is_opencvs(hw: tuple[int, int], new_hw: tuple[int, int]) -> None:
    logits = make_logits(hw)
    expected = cv2.resize(logits, new_hw[::-1], interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(upsample_logits(logits, new_hw), expected, atol=RESIZE_TOLERANCE)


@pytest.mark.parametrize(
    ("hw", "new_hw"), [((80, 80), (480, 640)), ((5, 7), (5, 7)), ((1, 9), (4, 3)), ((64, 64), (33, 1))]
)
def test_upsampling_is_pytorchs(hw: tuple[int, int], new_hw: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch")
    logits = make_logits(hw)
    expected = torch.nn.functional.interpolate(torch.from_numpy(logits)[None, None], new_hw, mode="bilinear")
    got = upsample_logits(logits, new_hw)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, expected[0, 0].numpy(), atol=RESIZE_TOLERANCE)


def test_upsampling_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ValueError, match=r"expected \(h, w\) logits"):
        upsample_logits(np.zeros((1, 2, 3)), (4, 4))
    with pytest.raises(ValueError, match="size of at least 1"):
        upsample_logits(np.zeros((2, 3)), (0, 4))


@given(MASKS)
def test_box_is_tight(mask: np.ndarray) -> None:
    box, area = mask_box_area(mask)
    assert area == mask.sum()
    if box is None:
        assert area == 0
        return
    x0, y0, x1, y1 = (int(value) for value in box)
    inside = mask[y0:y1, x0:x1]
    assert inside.sum() == area
    assert inside[0].any()
    assert inside[-1].any()
    assert inside[:, 0].any()
    assert inside[:, -1].any()


@given(MASKS)
def test_runs_come_back(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(rle_decode(rle_encode(mask), mask.shape), mask)
    np.testing.assert_array_equal(rle_mask(rle_counts(mask), mask.shape), mask)


@settings(deadline=None)
@given(st.one_of(MASKS, st.builds(lambda seed: make_logits((200, 300), seed).cumsum(0) > 0, st.integers(0, 50))))
def test_runs_are_pycocotools_byte_for_byte(mask: np.ndarray) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    assert rle_encode(mask) == coco.encode(np.asfortranarray(mask, np.uint8))["counts"]


@pytest.mark.parametrize("value", [False, True])
def test_uniform_masks(value: bool) -> None:
    mask = np.full((480, 640), value)
    assert rle_counts(mask) == ([0, 480 * 640] if value else [480 * 640])
    np.testing.assert_array_equal(rle_decode(rle_encode(mask), mask.shape), mask)


def test_broken_runs_are_refused() -> None:
    good = rle_encode(np.eye(40, dtype=np.bool_))
    with pytest.raises(ValueError, match="the text ends within a number"):
        rle_decode(rle_encode(np.zeros((40, 40), np.bool_))[:-1], (40, 40))
    with pytest.raises(ValueError, match="sum to 1640"):
        rle_decode(good, (40, 41))
    with pytest.raises(ValueError, match="unexpected character '~'"):
        rle_decode(b"~", (1, 1))
