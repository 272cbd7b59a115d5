"""Python's way to the CUDA operations: every one, on the emulated library, says what numpy's definition says.

The kernels themselves are tested in test_emulated_operations.py; here it is the arguments' way there and the results'
way back.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_gpu import CapsuleArray, HostStream, InterfaceArray

from icseg.inference.cuda_stream import CudaStream
from icseg.mask_ops import reference
from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.cuda import CudaMaskOps
from icseg.types import Logits, MaskBool
from tests.inference.cuda_double import CudaDouble

SIZES = [(1, 1), (1, 97), (9, 33), (40, 64)]
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COLOURS = np.array([[0, 200, 120], [255, 140, 0], [9, 8, 7], [1, 2, 3]], np.uint8)


def masks_of(hw: tuple[int, int]) -> MaskBool:
    """Noise, a frame with a hole, nothing, everything."""
    masks = np.random.default_rng(hw[0]).random((4, *hw)) < 0.5
    masks[1:] = False
    masks[1, 1:-1, 1:-2] = True
    masks[1, hw[0] // 2, hw[1] // 3 : hw[1] // 2] = False
    masks[3] = True
    return masks


def logits_of(hw: tuple[int, int]) -> Logits:
    masks = masks_of(hw)
    return (np.random.default_rng(5).uniform(0, 8, masks.shape) * np.where(masks, 1, -1)).astype(np.float32)


@pytest.fixture(params=SIZES, ids=str)
def hw(request: pytest.FixtureRequest) -> tuple[int, int]:
    found: tuple[int, int] = request.param
    return found


@pytest.mark.parametrize("wrap", [InterfaceArray, CapsuleArray])
def test_packing(ops: CudaMaskOps, hw: tuple[int, int], wrap: Any) -> None:
    masks = masks_of(hw)
    expected = reference.pack_masks(masks)
    bits = ops.pack_masks(wrap(masks))
    assert (len(bits), bits.hw) == (4, hw)
    np.testing.assert_array_equal(bits.to_host().words, expected.words)
    np.testing.assert_array_equal(ops.unpack_masks(bits).to_host(), masks)
    np.testing.assert_array_equal(ops.pack_masks(wrap(masks[0])).to_host().words, expected[0].words)
    there = ops.bit_masks(wrap(expected.words), hw[1])
    np.testing.assert_array_equal(ops.unpack_masks(there).to_host(), masks)


def test_statistics(ops: CudaMaskOps, hw: tuple[int, int]) -> None:
    masks = masks_of(hw)
    got = ops.mask_statistics(CapsuleArray(masks))
    assert len(got) == 4
    np.testing.assert_array_equal(got.to_host().rows, reference.mask_statistics(masks).rows)


@pytest.mark.parametrize(("holes", "sprinkles"), [(8, 3), (0, 8), (40, 12)])
def test_clean_up(ops: CudaMaskOps, hw: tuple[int, int], holes: int, sprinkles: int) -> None:
    logits = logits_of(hw)
    for options in ({}, {"variant": "image", "threshold": 0.7}):
        expected = reference.clean_logits(logits, holes, sprinkles, **options)  # type: ignore[arg-type]
        got = ops.clean_logits(CapsuleArray(logits), holes, sprinkles, **options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(got.to_host(), expected)
    out = np.zeros_like(logits)
    ops.clean_logits(CapsuleArray(logits), holes, sprinkles, out=InterfaceArray(out))
    np.testing.assert_array_equal(out, reference.clean_logits(logits, holes, sprinkles))
    filled = ops.fill_holes(InterfaceArray(logits), holes)
    np.testing.assert_array_equal(filled.to_host(), reference.fill_holes(logits, holes))
    removed = ops.remove_sprinkles(filled, sprinkles)
    expected = reference.remove_sprinkles(reference.fill_holes(logits, holes), sprinkles)
    np.testing.assert_array_equal(removed.to_host(), expected)


def test_logits_of_halves(ops: CudaMaskOps, hw: tuple[int, int]) -> None:
    """Values are those of the halves in float32; what a cell is filled with is rounded to a half."""
    halves = logits_of(hw).astype(np.float16)
    halves[0, 0, 0], halves[1, -1, -1] = np.nan, np.inf
    logits = halves.astype(np.float32)
    for holes, sprinkles in ((8, 3), (40, 12)):
        got = ops.clean_logits(CapsuleArray(halves), holes, sprinkles).to_host()
        assert got.dtype == np.float16
        expected = reference.clean_logits(logits, holes, sprinkles).astype(np.float16)
        np.testing.assert_array_equal(got, expected)
        out = np.zeros_like(halves)
        ops.clean_logits(InterfaceArray(halves), holes, sprinkles, out=InterfaceArray(out))
        np.testing.assert_array_equal(out, expected)
    for is_exclusive in (False, True):
        expected_masks, rows = reference.upsample_threshold(logits, (37, 41), is_exclusive=is_exclusive)
        masks, statistics = ops.upsample_threshold(InterfaceArray(halves), (37, 41), is_exclusive=is_exclusive)
        np.testing.assert_array_equal(masks.to_host(), expected_masks)
        np.testing.assert_array_equal(statistics.to_host().rows, rows.rows)


@pytest.mark.parametrize("is_exclusive", [False, True])
@pytest.mark.parametrize("region", [None, (-1.5, 0.25, 5.0, 3.5)])
def test_upsampling(ops: CudaMaskOps, hw: tuple[int, int], region: Any, is_exclusive: bool) -> None:
    logits = logits_of(hw)
    options: dict[str, Any] = {"region_cells": region, "is_exclusive": is_exclusive, "threshold": 0.5}
    expected, rows = reference.upsample_threshold(logits, (37, 41), **options)
    bits, statistics = ops.upsample_threshold_bits(InterfaceArray(logits), (37, 41), **options)
    np.testing.assert_array_equal(reference.unpack_masks(bits.to_host()), expected)
    np.testing.assert_array_equal(statistics.to_host().rows, rows.rows)
    masks, statistics = ops.upsample_threshold(CapsuleArray(logits), (37, 41), stability_offset=2.0, **options)
    np.testing.assert_array_equal(masks.to_host(), expected)
    _, rows = reference.upsample_threshold(logits, (37, 41), stability_offset=2.0, **options)
    np.testing.assert_array_equal(statistics.to_host().rows, rows.rows)


@pytest.mark.parametrize("connectivity", [4, 8])
def test_components(ops: CudaMaskOps, hw: tuple[int, int], connectivity: int) -> None:
    masks = masks_of(hw)
    bits = ops.pack_masks(InterfaceArray(masks))
    found = ops.connected_components(bits, connectivity=connectivity).to_host()
    largest = ops.unpack_masks(ops.largest_component(bits, connectivity=connectivity)).to_host()
    for n, mask in enumerate(masks):
        expected = reference.connected_components(mask, connectivity=connectivity)
        np.testing.assert_array_equal(found[n].labels, expected.labels)
        np.testing.assert_array_equal(found[n].rows, expected.rows)
        np.testing.assert_array_equal(largest[n], reference.largest_component(mask, connectivity=connectivity))


@pytest.mark.parametrize("connectivity", [4, 8])
def test_there_is_room_for_as_many_components_as_can_be(ops: CudaMaskOps, connectivity: int) -> None:
    for size in [(5, 7), (6, 8), (1, 9)]:
        board = np.indices(size).sum(0) % 2 == 0 if connectivity == 4 else np.indices(size).max(0) % 2 == 0
        if connectivity == 8:
            board = (np.indices(size) % 2 == 0).all(0)
        found = ops.connected_components(InterfaceArray(board), connectivity=connectivity)
        assert len(found.to_host()[0]) == board.sum() == found.rows.shape[1]


def test_distance_peak(ops: CudaMaskOps, hw: tuple[int, int]) -> None:
    masks = masks_of(hw)
    assert ops.distance_peak(InterfaceArray(masks)).to_host() == [reference.distance_peak(mask) for mask in masks]


def test_overlap(ops: CudaMaskOps, hw: tuple[int, int]) -> None:
    masks = masks_of(hw)
    matrix = ops.mask_iou_matrix(InterfaceArray(masks), ops.pack_masks(CapsuleArray(masks[:3])))
    np.testing.assert_array_equal(matrix.to_host(), reference.mask_iou_matrix(masks, masks[:3]))
    scores = np.array([0.5, 0.9, 0.5, 0.7], np.float32)
    for limit in (0.0, 0.4, 1.0):
        kept = ops.mask_nms(InterfaceArray(masks), CapsuleArray(scores), limit)
        np.testing.assert_array_equal(kept.to_host(), reference.mask_nms(masks, scores, limit))


def test_a_score_that_is_no_number_is_the_lowest(ops: CudaMaskOps) -> None:
    """Scores in GPU memory are not looked at before: they must not make the kernel read what is not there."""
    masks = InterfaceArray(masks_of((9, 33)))
    scores, ordered = np.float32([np.nan, 0.9, np.nan, 0.7]), np.float32([-np.inf, 0.9, -np.inf, 0.7])
    got, expected = (ops.mask_nms(masks, InterfaceArray(given), 1.0).to_host() for given in (scores, ordered))
    assert got.tolist() == expected.tolist() == [1, 3, 0, 2]


def test_run_lengths(ops: CudaMaskOps, hw: tuple[int, int]) -> None:
    masks = masks_of(hw)
    texts = ops.rle_encode(InterfaceArray(masks))
    on_host = texts.to_host()
    assert on_host == [reference.rle_encode(mask) for mask in masks]
    for encoded in (texts, on_host):
        got = ops.rle_decode(encoded, hw)
        np.testing.assert_array_equal(reference.unpack_masks(got.to_host()), masks)


def test_contours(ops: CudaMaskOps, hw: tuple[int, int]) -> None:
    masks = masks_of(hw)
    for got, mask in zip(ops.contours(InterfaceArray(masks)).to_host(), masks, strict=True):
        expected = reference.contours(mask)
        assert len(got) == len(expected)
        for one, other in zip(got, expected, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("is_half", [False, True])
@pytest.mark.parametrize(
    ("encoding", "shape"),
    [("rgb8", (8, 10, 3)), ("bgr8", (7, 9, 3)), ("rgba8", (8, 5, 4)), ("nv12", (12, 10)), ("yuyv", (7, 10, 2))],
)
def test_preprocess(ops: CudaMaskOps, encoding: Any, shape: tuple[int, ...], is_half: bool) -> None:
    padded = np.random.default_rng(3).integers(0, 256, (shape[0], shape[1] + 3, *shape[2:])).astype(np.uint8)
    image = padded[:, : shape[1]]
    dtype = np.float16 if is_half else np.float32
    for place in (None, (3, 2, 20, 11)):
        options: dict[str, Any] = {"encoding": encoding, "dtype": dtype, "place_xywh": place}
        expected = reference.preprocess(image, (29, 35), MEAN, STD, **options)
        for given in (InterfaceArray(image), CapsuleArray(np.ascontiguousarray(image))):
            got = ops.preprocess(given, (29, 35), MEAN, STD, **options).to_host()
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, expected)
        out = np.zeros((3, 29, 35), dtype)
        ops.preprocess(InterfaceArray(image), (29, 35), MEAN, STD, out=InterfaceArray(out), **options)
        np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("outline", [None, np.array([255, 254, 1], np.uint8)])
def test_overlay(ops: CudaMaskOps, hw: tuple[int, int], outline: Any) -> None:
    masks = masks_of(hw)
    padded = np.random.default_rng(3).integers(0, 256, (hw[0], hw[1] + 2, 3)).astype(np.uint8)
    image, before = padded[:, : hw[1]], padded.copy()
    expected = reference.overlay(np.ascontiguousarray(image), masks, COLOURS, alpha=0.3, outline=outline)
    got = ops.overlay(InterfaceArray(image), InterfaceArray(masks), COLOURS, alpha=0.3, outline=outline)
    np.testing.assert_array_equal(got.to_host(), expected)
    np.testing.assert_array_equal(padded, before)
    there = InterfaceArray(image, strides=image.strides)
    assert ops.overlay(there, InterfaceArray(masks), COLOURS, alpha=0.3, outline=outline, out=there) is there
    np.testing.assert_array_equal(image, expected)
    np.testing.assert_array_equal(padded[:, hw[1] :], before[:, hw[1] :])


def test_a_batch_of_none_is_a_batch(ops: CudaMaskOps) -> None:
    none = InterfaceArray(np.zeros((0, 7, 9), np.bool_))
    bits, statistics = ops.upsample_threshold_bits(InterfaceArray(np.zeros((0, 4, 4), np.float32)), (8, 8))
    assert (len(bits.to_host()), len(statistics.to_host())) == (0, 0)
    assert ops.mask_statistics(none).to_host().rows.shape == (0, 12)
    assert ops.mask_iou_matrix(none, none).to_host().shape == (0, 0)
    assert ops.mask_nms(none, InterfaceArray(np.zeros(0, np.float32)), 0.5).to_host().tolist() == []
    assert ops.connected_components(none).to_host() == ops.distance_peak(none).to_host() == []
    assert ops.rle_encode(none).to_host() == ops.contours(none).to_host() == []
    assert len(ops.rle_decode([], (7, 9)).to_host()) == 0


def test_what_does_not_fit_is_said(ops: CudaMaskOps) -> None:
    masks = InterfaceArray(masks_of((9, 33)))
    with pytest.raises(ValueError, match=r"mask 0: \d+ components, and capacity is 2"):
        ops.connected_components(masks, capacity=2).to_host()
    with pytest.raises(ValueError, match=r"mask 0: more changes than run_capacity"):
        ops.rle_encode(masks, run_capacity=5).to_host()
    with pytest.raises(ValueError, match=r"mask 0: \d+ bytes of run lengths, and text_capacity is 9"):
        ops.rle_encode(masks, text_capacity=9).to_host()
    with pytest.raises(ValueError, match=r"mask 0: \d+ horizontal edges, and edge_capacity is 3"):
        ops.contours(masks, edge_capacity=3).to_host()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"~", "characters from '0' to 'o'"),
        (b"oooooooo0", "at most 35 bits"),
        (b"Q", "within a number"),
        (b"1", "got fewer"),
        (b"9", "no more"),
    ],
)
def test_a_text_that_is_refused_says_which_and_why(ops: CudaMaskOps, text: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=rf"run lengths of mask 1 of \(2, 1\): .*{why}"):
        ops.rle_decode([reference.rle_encode(np.ones((2, 1), np.bool_)), text], (2, 1)).to_host()


def test_nothing_waits_and_the_second_time_nothing_is_allocated(ops: CudaMaskOps, stream: HostStream) -> None:
    """What a capture needs."""
    logits, image = InterfaceArray(logits_of((40, 64))), InterfaceArray(np.zeros((37, 41, 3), np.uint8))

    def work() -> list[object]:
        cleaned = ops.clean_logits(logits, 40, 12)
        bits, statistics = ops.upsample_threshold_bits(cleaned, (37, 41), is_exclusive=True)
        picture = ops.overlay(image, bits, COLOURS)
        return [bits, statistics, picture, ops.largest_component(bits), ops.rle_encode(bits)]

    first = work()
    taken = len(stream.allocations)
    del first
    kept = work()
    assert len(stream.allocations) == taken
    assert stream.reads == 0
    again = work()
    assert len(stream.allocations) > taken, "what is still held is not used again"
    del kept, again
    ops.release_unused()
    work()
    assert len(stream.allocations) > 2 * taken


def test_a_result_is_a_gpu_array_for_others(ops: CudaMaskOps, stream: HostStream) -> None:
    bits = ops.pack_masks(InterfaceArray(masks_of((9, 33))))
    interface = bits.words.__cuda_array_interface__
    assert interface == {
        "shape": (4, 9, 2),
        "typestr": "<u4",
        "data": (bits.words.pointer, False),
        "strides": None,
        "version": 3,
        "stream": stream.handle,
    }
    assert isinstance(bits.to_host(), BitMasks)
    words = np.zeros((1, 9, 2), np.uint32)
    words.flags.writeable = False
    assert ops.bit_masks(CapsuleArray(words), 33).words.__cuda_array_interface__["data"] == (words.ctypes.data, True)


def test_a_result_of_another_stream_is_waited_for(ops: CudaMaskOps, stream: HostStream, library: Path) -> None:
    other = HostStream()
    other.handle = 78
    bits = CudaMaskOps(other, library).pack_masks(InterfaceArray(masks_of((9, 33))))
    assert not stream.waited
    ops.mask_statistics(bits)
    ops.fill_holes(InterfaceArray(logits_of((9, 33)), stream=79), 8)
    ops.fill_holes(InterfaceArray(logits_of((9, 33)), stream=stream.handle), 8)
    assert stream.waited == [78, 79]


def test_on_the_runtimes_stream(monkeypatch: pytest.MonkeyPatch, library: Path) -> None:
    """Over a double of cuda-python whose copies wait until somebody synchronizes."""
    cuda = CudaDouble()
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", cuda)
    ops = CudaMaskOps(CudaStream(), library)
    logits = logits_of((40, 64))
    expected, rows = reference.upsample_threshold(reference.fill_holes(logits, 8), (37, 41))
    bits, statistics = ops.upsample_threshold_bits(ops.fill_holes(CapsuleArray(logits), 8), (37, 41))
    texts = ops.rle_encode(bits)
    assert "cudaStreamSynchronize" not in cuda.calls
    np.testing.assert_array_equal(reference.unpack_masks(bits.to_host()), expected)
    np.testing.assert_array_equal(statistics.to_host().rows, rows.rows)
    assert texts.to_host() == [reference.rle_encode(mask) for mask in expected]
    del ops, bits, statistics, texts
    assert not cuda.live
