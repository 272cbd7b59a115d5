"""Wrong arguments are refused with an error that names the argument, what was expected and what was got."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from icseg.mask_ops import native

LOGITS = np.zeros((1, 4, 4), np.float32)
MASK = np.zeros((4, 5), np.bool_)
IMAGE = np.zeros((4, 5, 3), np.uint8)
UNIT = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class OnAGpu:
    """What CuPy's and torch's arrays show of themselves."""

    ndim = 3
    __cuda_array_interface__ = {"shape": (1, 4, 4), "typestr": "<f4", "data": (1, False), "version": 3}  # noqa: RUF012


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: native.mask_box_area(np.zeros((4, 4), np.uint8)),
            TypeError,
            r"mask: expected bool .*got uint8 \(4, 4\)",
        ),
        (lambda: native.mask_box_area(np.zeros((4, 4, 1), np.bool_)), ValueError, r"got bool \(4, 4, 1\)"),
        (lambda: native.mask_box_area(np.zeros((8, 8), np.bool_)[:, ::2]), ValueError, "ascontiguousarray"),
        (lambda: native.mask_box_area([[True]]), TypeError, "mask: expected bool .*got a list"),
        (lambda: native.pack_masks(np.zeros((1, 1, 2, 2), np.bool_)), ValueError, r"masks: expected bool \(N, H, W\)"),
        (lambda: native.fill_holes(LOGITS.astype(np.float64), 8), TypeError, r"mask_logits: .*got float64 \(1, 4, 4\)"),
        (lambda: native.fill_holes(LOGITS[0], 8), ValueError, r"mask_logits: expected float32 \(N, h, w\)"),
        (lambda: native.fill_holes(OnAGpu(), 8), TypeError, "mask_logits: .*GPU's memory"),
        (lambda: native.fill_holes(LOGITS, -1), ValueError, "max_hole_px: expected at least 0 cells, got -1"),
        (lambda: native.fill_holes(LOGITS, 8, threshold=np.nan), ValueError, "threshold: expected a finite number"),
        (lambda: native.fill_holes(LOGITS, 8, variant="x"), ValueError, "variant: expected video or image"),
        (lambda: native.upsample_threshold(LOGITS, (0, 5)), ValueError, "hw: expected a height and width of 1"),
        (lambda: native.upsample_threshold(LOGITS, (70000, 5)), ValueError, "hw: .*got 70000, 5"),
        (lambda: native.upsample_threshold(LOGITS[:, :0], (4, 5)), ValueError, "mask_logits: expected a height"),
        (lambda: native.upsample_threshold(LOGITS, (4, 5), stability_offset=-1), ValueError, "stability_offset: "),
        (lambda: native.upsample_threshold(LOGITS, (4, 5), region_cells=(2, 0, 2, 4)), ValueError, "region_cells: "),
        (lambda: native.connected_components(MASK, connectivity=6), ValueError, "connectivity: expected 4 or 8, got 6"),
        (lambda: native.connected_components(np.stack([MASK, MASK])), ValueError, "expected one mask, got 2"),
        (lambda: native.mask_iou_matrix(MASK, MASK.T.copy()), ValueError, "b: expected masks of"),
        (lambda: native.mask_nms(MASK, np.zeros(2, np.float32), 0.5), ValueError, "scores: expected one for each of 1"),
        (lambda: native.mask_nms(MASK, np.full(1, np.nan, np.float32), 0.5), ValueError, "scores: expected a finite"),
        (lambda: native.mask_nms(MASK, np.zeros(1, np.float32), 1.5), ValueError, "max_iou: expected 0..1, got 1.5"),
        (lambda: native.rle_decode(b"~", (1, 1)), ValueError, "expected characters from '0' to 'o'"),
        (lambda: native.rle_decode(b"oooooooo0", (1, 1)), ValueError, "at most 35 bits"),
        (lambda: native.rle_decode(b"Q", (1, 1)), ValueError, "within a number"),
        (lambda: native.rle_decode(b"1", (2, 1)), ValueError, "got fewer"),
        (
            lambda: native.preprocess(IMAGE, (8, 8), *UNIT, encoding="yuv"),
            ValueError,
            "encoding: expected one of rgb8, ",
        ),
        (
            lambda: native.preprocess(IMAGE, (8, 8), *UNIT, encoding="nv12"),
            ValueError,
            r"image: expected uint8 \(H \* 3",
        ),
        (lambda: native.preprocess(IMAGE[..., :2].copy(), (8, 8), *UNIT, encoding="yuyv"), ValueError, "of an even W"),
        (lambda: native.preprocess(IMAGE.astype(float), (8, 8), *UNIT), TypeError, "image: expected uint8"),
        (lambda: native.preprocess(IMAGE[:, ::-1], (8, 8), *UNIT), ValueError, "image: expected rows without gaps"),
        (lambda: native.preprocess(IMAGE[::-1], (8, 8), *UNIT), ValueError, "image: expected rows without gaps"),
        (lambda: native.preprocess(IMAGE, (8, 8), UNIT[0], (1, 0, 1)), ValueError, "std: expected numbers above 0"),
        (
            lambda: native.preprocess(IMAGE, (8, 8), *UNIT, dtype=np.float64),
            TypeError,
            "out: expected float32 or float16",
        ),
        (lambda: native.preprocess(IMAGE, (8, 8), *UNIT, place_xywh=(1, 0, 8, 8)), ValueError, "place_xywh: "),
        (lambda: native.preprocess(IMAGE, (8, 8), *UNIT, threads=0), ValueError, "threads: expected 1..64, got 0"),
        (lambda: native.preprocess(IMAGE, (8, 8), *UNIT, out=np.zeros((3, 4, 4), np.float32)), ValueError, "out: "),
        (lambda: native.overlay(IMAGE, MASK.T.copy(), np.zeros((1, 3), np.uint8)), ValueError, "masks: expected the"),
        (
            lambda: native.overlay(IMAGE, MASK, np.zeros((2, 3), np.uint8)),
            ValueError,
            r"colours: expected uint8 \(1, 3",
        ),
        (lambda: native.overlay(IMAGE, MASK, np.zeros((1, 3), np.uint8), alpha=2), ValueError, "alpha: expected 0..1"),
    ],
)
def test_refusal(call: Callable[[], object], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call()
