"""The compiled twins say what the numpy definitions say, to the last bit, on every shape."""

from __future__ import annotations

import threading
import time

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given, settings
from mask_pictures import SIZES, blobs, logits, masks, spiral

from icseg.mask_ops import native, reference
from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.options import Variant
from icseg.types import Logits, MaskBool

EXAMPLES = settings(deadline=None, max_examples=60)


@EXAMPLES
@given(mask=masks())
def test_bits(mask: MaskBool) -> None:
    packed = native.pack_masks(mask)
    np.testing.assert_array_equal(packed.words, reference.pack_masks(mask).words)
    np.testing.assert_array_equal(native.unpack_masks(packed)[0], mask)
    np.testing.assert_array_equal(reference.unpack_masks(packed)[0], mask)


@EXAMPLES
@given(mask=masks())
def test_statistics(mask: MaskBool) -> None:
    assert native.mask_box_area(mask) == reference.mask_box_area(mask)
    np.testing.assert_array_equal(native.mask_statistics(mask).rows, reference.mask_statistics(mask).rows)


@EXAMPLES
@given(mask=masks(), connectivity=st.sampled_from([4, 8]))
def test_components(mask: MaskBool, connectivity: int) -> None:
    got = native.connected_components(mask, connectivity=connectivity)
    expected = reference.connected_components(mask, connectivity=connectivity)
    np.testing.assert_array_equal(got.labels, expected.labels)
    np.testing.assert_array_equal(got.rows, expected.rows)
    largest = reference.largest_component(mask, connectivity=connectivity)
    np.testing.assert_array_equal(native.largest_component(mask, connectivity=connectivity), largest)


@EXAMPLES
@given(
    one=logits(),
    holes=st.integers(0, 20),
    sprinkles=st.integers(0, 20),
    variant=st.sampled_from(["video", "image"]),
    threshold=st.sampled_from([0.0, -1.5, 0.7]),
)
def test_clean_up(one: Logits, holes: int, sprinkles: int, variant: Variant, threshold: float) -> None:
    batch = np.stack([one, -one])
    got = native.clean_logits(batch, holes, sprinkles, variant=variant, threshold=threshold)
    expected = reference.clean_logits(batch, holes, sprinkles, variant=variant, threshold=threshold)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(native.fill_holes(batch, holes), reference.fill_holes(batch, holes))
    removed = reference.remove_sprinkles(batch, sprinkles, threshold=threshold)
    np.testing.assert_array_equal(native.remove_sprinkles(batch, sprinkles, threshold=threshold), removed)


@EXAMPLES
@given(
    one=logits(),
    hw=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    threshold=st.sampled_from([0.0, 0.0, -2.0, 1.0]),
    offset=st.sampled_from([0.0, 1.0]),
    region=st.sampled_from([None, (0.0, 0.0, 1.0, 1.0), (-1.5, 0.25, 5.0, 3.5)]),
    is_exclusive=st.booleans(),
)
def test_upsampling(
    one: Logits,
    hw: tuple[int, int],
    threshold: float,
    offset: float,
    region: tuple[float, float, float, float] | None,
    is_exclusive: bool,
) -> None:
    batch = np.stack([one, one[::-1], np.roll(one, 1)])
    options = {
        "threshold": threshold,
        "stability_offset": offset,
        "region_cells": region,
        "is_exclusive": is_exclusive,
    }
    expected, expected_statistics = reference.upsample_threshold(batch, hw, **options)  # type: ignore[arg-type]
    got, statistics = native.upsample_threshold(batch, hw, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(statistics.rows, expected_statistics.rows)
    bits, statistics = native.upsample_threshold_bits(batch, hw, **options)  # type: ignore[arg-type]
    np.testing.assert_array_equal(native.unpack_masks(bits), expected)
    np.testing.assert_array_equal(statistics.rows, expected_statistics.rows)


@pytest.mark.parametrize("extreme", [np.inf, -np.inf, np.nan, 3e38, 1e-40])
def test_upsampling_of_extreme_logits(extreme: float) -> None:
    one = np.full((9, 40), -1, np.float32)
    one[4, 3:30] = extreme
    expected, rows = reference.upsample_threshold(one[None], (47, 211))
    got, statistics = native.upsample_threshold(one[None], (47, 211))
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(statistics.rows, rows.rows)


def test_nan_is_neither_a_hole_nor_a_piece() -> None:
    one = np.full((1, 5, 5), np.nan, np.float32)
    np.testing.assert_array_equal(native.clean_logits(one, 30, 30), reference.clean_logits(one, 30, 30))
    assert np.isnan(native.clean_logits(one, 30, 30)).all()


@EXAMPLES
@given(mask=masks())
def test_distance_peak(mask: MaskBool) -> None:
    assert native.distance_peak(mask) == reference.distance_peak(mask)


@EXAMPLES
@given(hw=SIZES, counts=st.tuples(st.integers(0, 4), st.integers(0, 4)), seed=st.integers(0, 999))
def test_overlap(hw: tuple[int, int], counts: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.random((count, *hw)) < rng.random((count, 1, 1)) for count in counts)
    np.testing.assert_array_equal(native.mask_iou_matrix(a, b), reference.mask_iou_matrix(a, b))
    scores = rng.choice([0.5, 0.7, 0.9], counts[0]).astype(np.float32)
    for limit in (0.0, 0.3, 1.0):
        np.testing.assert_array_equal(native.mask_nms(a, scores, limit), reference.mask_nms(a, scores, limit))


@EXAMPLES
@given(mask=masks())
def test_run_lengths(mask: MaskBool) -> None:
    encoded = native.rle_encode(mask)
    assert encoded == reference.rle_encode(mask)
    np.testing.assert_array_equal(native.rle_decode(encoded, mask.shape), mask)


@EXAMPLES
@example(text=b"\0", hw=(0, 5))
@given(text=st.binary(max_size=12), hw=st.tuples(st.integers(0, 9), st.integers(0, 9)))
def test_any_text_is_decoded_or_refused_alike(text: bytes, hw: tuple[int, int]) -> None:
    text = bytes(48 + byte % 66 for byte in text)
    try:
        expected = reference.rle_decode(text, hw)
    except ValueError:
        with pytest.raises(ValueError, match="run lengths of a mask"):
            native.rle_decode(text, hw)
        return
    np.testing.assert_array_equal(native.rle_decode(text, hw), expected)


def test_runs_of_no_length_are_decoded() -> None:
    text = reference.rle_encode(np.zeros((0, 0), np.bool_))
    assert native.rle_decode(text, (0, 0)).shape == (0, 0)
    counts = [2, 3, 0, 4, 1, 0, 2]  # inside 3, then again inside 4: one run of 7
    values = [count - counts[i - 2] if i > 2 else count for i, count in enumerate(counts)]
    encoded = bytes(48 + (value & 0x1F) for value in values)
    np.testing.assert_array_equal(native.rle_decode(encoded, (4, 3)), reference.rle_mask(counts, (4, 3)))


@EXAMPLES
@given(mask=masks())
def test_contours(mask: MaskBool) -> None:
    got, expected = native.contours(mask), reference.contours(mask)
    assert len(got) == len(expected)
    for one, other in zip(got, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@EXAMPLES
@given(
    hw=st.tuples(st.integers(1, 20), st.integers(1, 20)),
    new_hw=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    encoding=st.sampled_from(["rgb8", "bgr8", "rgba8", "nv12", "yuyv"]),
    is_half=st.booleans(),
    is_padded=st.booleans(),
    has_place=st.booleans(),
    threads=st.integers(1, 9),
    seed=st.integers(0, 999),
)
def test_preprocess(
    hw: tuple[int, int],
    new_hw: tuple[int, int],
    encoding: str,
    is_half: bool,
    is_padded: bool,
    has_place: bool,
    threads: int,
    seed: int,
) -> None:
    height, width = hw
    shape = {
        "rgb8": (height, width, 3),
        "bgr8": (height, width, 3),
        "rgba8": (height, width, 4),
        "nv12": (3 * height, 2 * width),
        "yuyv": (height, 2 * width, 2),
    }[encoding]
    rng = np.random.default_rng(seed)
    image = rng.integers(0, 256, (shape[0], shape[1] + 5 * is_padded, *shape[2:])).astype(np.uint8)[:, : shape[1]]
    place = (new_hw[1] // 3, new_hw[0] // 4, new_hw[1] - new_hw[1] // 3, new_hw[0] - new_hw[0] // 4)
    options = {
        "encoding": encoding,
        "dtype": np.float16 if is_half else np.float32,
        "place_xywh": place if has_place else None,
    }
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = reference.preprocess(image, new_hw, mean, std, **options)  # type: ignore[arg-type]
    got = native.preprocess(image, new_hw, mean, std, threads=threads, **options)  # type: ignore[arg-type]
    assert got.dtype == expected.dtype
    np.testing.assert_array_equal(got, expected)


@EXAMPLES
@given(mask=masks(), alpha=st.sampled_from([0.0, 0.3, 0.5, 1.0]), has_outline=st.booleans())
def test_overlay(mask: MaskBool, alpha: float, has_outline: bool) -> None:
    image = np.random.default_rng(3).integers(0, 256, (*mask.shape, 3)).astype(np.uint8)
    batch = np.stack([mask, mask[::-1]])
    colours = np.array([[0, 200, 120], [255, 140, 0]], np.uint8)
    outline = np.array([255, 255, 255], np.uint8) if has_outline else None
    before = image.copy()
    got = native.overlay(image, batch, colours, alpha=alpha, outline=outline)
    expected = reference.overlay(image, batch, colours, alpha=alpha, outline=outline)
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize("hw", [(1, 1), (1, 97), (97, 1), (33, 65), (1, 1025)])
def test_full_masks(hw: tuple[int, int]) -> None:
    full = np.ones(hw, np.bool_)
    assert native.mask_box_area(full) == ((0.0, 0.0, float(hw[1]), float(hw[0])), hw[0] * hw[1])
    np.testing.assert_array_equal(native.mask_statistics(full).rows, reference.mask_statistics(full).rows)
    np.testing.assert_array_equal(native.contours(full)[0], [[0, 0], [hw[1], 0], [hw[1], hw[0]], [0, hw[0]]])


def test_at_camera_size() -> None:
    one = np.where(blobs((256, 256), 7), 4, -4).astype(np.float32) + np.random.default_rng(0).normal(0, 1, (256, 256))
    batch = one.astype(np.float32)[None]
    expected, rows = reference.upsample_threshold(batch, (720, 1280))
    got, statistics = native.upsample_threshold(batch, (720, 1280))
    np.testing.assert_array_equal(got, expected)
    np.testing.assert_array_equal(statistics.rows, rows.rows)
    assert native.rle_encode(got[0]) == reference.rle_encode(got[0])


def test_a_spiral_is_one_piece_with_one_outline() -> None:
    mask = spiral((65, 97))
    assert len(native.connected_components(mask, connectivity=4)) == 1
    assert len(native.contours(mask)) == len(reference.contours(mask))


def test_a_batch_of_none_is_a_batch() -> None:
    none = np.zeros((0, 7, 9), np.bool_)
    assert native.mask_statistics(none).rows.shape == (0, 12)
    assert native.mask_iou_matrix(none, none).shape == (0, 0)
    masks_, statistics = native.upsample_threshold(np.zeros((0, 4, 4), np.float32), (8, 8))
    assert (masks_.shape, len(statistics)) == ((0, 8, 8), 0)


def test_other_threads_run_meanwhile() -> None:
    """A thread that notes the time notes some within a call; several calls, for a machine that is busy elsewhere."""
    bits = native.pack_masks(np.random.default_rng(1).random((1, 3000, 3000)) < 0.5)
    ticks: list[float] = []
    is_done = threading.Event()

    def tick() -> None:
        while not is_done.is_set():
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    def has_ticks_within_a_call() -> bool:
        begin = time.perf_counter()
        native.connected_components(bits)
        end = time.perf_counter()
        return any(begin + 0.2 * (end - begin) < at < begin + 0.8 * (end - begin) for at in ticks)

    ticker = threading.Thread(target=tick)
    ticker.start()
    try:
        assert any(has_ticks_within_a_call() for _ in range(10)), "the lock was held all the while"
    finally:
        is_done.set()
        ticker.join()


def test_bit_masks_refuse_what_is_not_one() -> None:
    with pytest.raises(ValueError, match=r"C-contiguous uint32 \(N, H, 2\)"):
        BitMasks(np.zeros((1, 4, 1), np.uint32), 33)
    with pytest.raises(ValueError, match="past the width 33"):
        BitMasks(np.full((1, 4, 2), 0xFFFFFFFF, np.uint32), 33)
    assert BitMasks(np.zeros((3, 4, 2), np.uint32), 33)[-1].words.shape == (1, 4, 2)
    with pytest.raises(IndexError, match="below 3"):
        BitMasks(np.zeros((3, 4, 2), np.uint32), 33)[3]
