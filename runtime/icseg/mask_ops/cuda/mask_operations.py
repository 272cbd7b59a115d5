"""Operations on masks in GPU memory: packing, statistics, components, distance, overlap, run lengths, contours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from icseg.inference.device_memory import DeviceArray
from icseg.mask_ops.cuda.device_results import (
    DeviceBitMasks,
    DeviceComponents,
    DeviceContours,
    DeviceDecoded,
    DeviceKept,
    DevicePeaks,
    DeviceStatistics,
    DeviceTexts,
)
from icseg.mask_ops.cuda.device_view import contiguous_view
from icseg.mask_ops.cuda.launcher import Launcher, batch_of, row_words
from icseg.mask_ops.cuda.ranges import check_batch, check_count, check_share, check_size
from icseg.mask_ops.statistics import FIELDS

COMPONENT_FIELDS = 7
RUN_CAPACITY = 32768
"""Changes of a mask, column by column, that run lengths have room for if nothing else is said."""
EDGE_CAPACITY = 65536
"""Horizontal edges of a mask that contours have room for if nothing else is said."""
TEXT_BYTES_PER_RUN = 7
"""The most that a run takes: five of 32 bits a character."""


class MaskOperations(Launcher):
    """The operations of ``CudaMaskOps`` that begin with masks."""

    def pack_masks(self, masks: Any) -> DeviceBitMasks:
        """(N, H, W) or (H, W) bool to one bit a pixel."""
        return self._bits(masks)

    def bit_masks(self, words: Any, width: int) -> DeviceBitMasks:
        """Masks of one bit a pixel that are there already, without a copy.

        Args:
            words: (N, H, ceil(width / 32)) uint32 as in ``BitMasks``. Bits past the width must be 0: not checked.
            width: in pixels.
        """
        view = contiguous_view(words, "words", "uint32 (N, H, words)", ("uint32",), (3,), self._stream)
        check_batch("words", view.shape, width)
        if view.shape[2] != row_words(width):
            raise ValueError(f"words: expected {row_words(width)} words a row for a width of {width}, got {view}")
        return DeviceBitMasks(self._array_of(view, np.uint32), width)

    def mask_statistics(self, masks: Any) -> DeviceStatistics:
        """Area, box and moments of each mask; both areas of the stability are the area itself."""
        bits = self._bits(masks)
        rows = self._new((len(bits), FIELDS), np.int64)
        workspace = self._workspace("icseg_mask_statistics", len(bits))
        self._run("icseg_mask_statistics", *batch_of(bits), rows.pointer, workspace.pointer)
        return DeviceStatistics(rows)

    def connected_components(
        self, masks: Any, *, connectivity: int = 8, capacity: int | None = None
    ) -> DeviceComponents:
        """The components of each mask.

        Args:
            connectivity: 4 or 8.
            capacity: of how many of each mask the rows are kept; None: of as many as there can be, which takes 14 bytes
                for every pixel of the mask, 28 where the connectivity is 4.
        """
        bits = self._bits(masks)
        if connectivity not in (4, 8):
            raise ValueError(f"connectivity: expected 4 or 8, got {connectivity}")
        height, width = bits.hw
        most = (height * width + 1) // 2 if connectivity == 4 else -(-height // 2) * -(-width // 2)
        room = most if capacity is None else capacity
        check_count("capacity", room)
        labels, counts = self._new((len(bits), height, width), np.int32), self._new((len(bits),), np.int32)
        rows = self._new((len(bits), room, COMPONENT_FIELDS), np.int64)
        workspace = self._workspace("icseg_connected_components", len(bits), height, width)
        outputs = (labels.pointer, counts.pointer, rows.pointer, workspace.pointer)
        self._run("icseg_connected_components", *batch_of(bits), connectivity, room, *outputs)
        return DeviceComponents(labels, counts, rows)

    def largest_component(self, masks: Any, *, connectivity: int = 8, capacity: int | None = None) -> DeviceBitMasks:
        """The component with most pixels of each mask, the first in row order of equal ones; empty if there is none.

        Args:
            connectivity, capacity: as ``connected_components`` takes them; only the first ``capacity`` are looked at.
        """
        found = self.connected_components(masks, connectivity=connectivity, capacity=capacity)
        count, height, width = found.labels.shape
        kept = self._new((count, height, row_words(width)), np.uint32)
        largest = self._pool.take(count * np.dtype(np.int32).itemsize)
        of_components = (found.labels.pointer, found.counts.pointer, found.rows.pointer)
        shape = (count, height, width, found.rows.shape[1])
        self._run("icseg_largest_component", *of_components, *shape, largest.pointer, kept.pointer)
        return DeviceBitMasks(kept, width)

    def distance_peak(self, masks: Any) -> DevicePeaks:
        """The pixel of each mask that is farthest from everything outside it, and how far: a hint where to grasp."""
        bits = self._bits(masks)
        rows = self._new((len(bits), 3), np.int64)
        workspace = self._workspace("icseg_distance_peak", len(bits), *bits.hw)
        self._run("icseg_distance_peak", *batch_of(bits), rows.pointer, workspace.pointer)
        return DevicePeaks(rows)

    def mask_iou_matrix(self, a: Any, b: Any) -> DeviceArray:
        """(N, M) float64: intersection over union of each mask of ``a`` with each of ``b``; 0 of two empty ones."""
        of_a, of_b = self._bits(a, "a"), self._bits(b, "b")
        if of_a.hw != of_b.hw:
            raise ValueError(f"b: expected masks of {of_a.hw} as a's, got {of_b.hw}")
        matrix = self._new((len(of_a), len(of_b)), np.float64)
        workspace = self._workspace("icseg_mask_iou_matrix", len(of_a), len(of_b))
        masks = (of_a.words.pointer, len(of_a), of_b.words.pointer, len(of_b), *of_a.hw)
        self._run("icseg_mask_iou_matrix", *masks, matrix.pointer, workspace.pointer)
        return matrix

    def mask_nms(self, masks: Any, scores: Any, max_iou: float) -> DeviceKept:
        """Greedy non-maximum suppression.

        Args:
            scores: (N,) float32 in GPU memory; NaN counts as the lowest.
            max_iou: 0..1.
        """
        bits = self._bits(masks)
        of_scores = contiguous_view(scores, "scores", "float32 (N,)", ("float32",), (1,), self._stream)
        if of_scores.shape != (len(bits),):
            raise ValueError(f"scores: expected one for each of {len(bits)} masks, got {of_scores}")
        check_share("max_iou", max_iou)
        numbers, count = self._new((len(bits),), np.int32), self._new((1,), np.int32)
        workspace = self._workspace("icseg_mask_nms", len(bits))
        inputs = (bits.words.pointer, of_scores.pointer, len(bits), *bits.hw, max_iou)
        self._run("icseg_mask_nms", *inputs, numbers.pointer, count.pointer, workspace.pointer)
        return DeviceKept(numbers, count)

    def rle_encode(
        self, masks: Any, *, run_capacity: int | None = None, text_capacity: int | None = None
    ) -> DeviceTexts:
        """COCO's compressed run lengths of each mask, byte for byte as pycocotools writes them.

        Args:
            run_capacity: changes that a mask may have; None: ``RUN_CAPACITY``.
            text_capacity: bytes of a text; None: what so many runs can take.
        """
        bits = self._bits(masks)
        runs = min(RUN_CAPACITY, bits.hw[0] * bits.hw[1]) if run_capacity is None else run_capacity
        check_count("run_capacity", runs)
        room = TEXT_BYTES_PER_RUN * (runs + 1) if text_capacity is None else text_capacity
        check_count("text_capacity", room)
        texts, lengths = self._new((len(bits), room), np.uint8), self._new((len(bits),), np.int32)
        workspace = self._workspace("icseg_rle_encode", len(bits), bits.width, runs)
        outputs = (texts.pointer, lengths.pointer, workspace.pointer)
        self._run("icseg_rle_encode", *batch_of(bits), runs, room, *outputs)
        return DeviceTexts(texts, lengths)

    def rle_decode(
        self, encoded: DeviceTexts | Sequence[bytes], hw: tuple[int, int], *, run_capacity: int | None = None
    ) -> DeviceDecoded:
        """The masks of COCO's compressed run lengths.

        Args:
            encoded: one text a mask: of ``rle_encode``, or on the host, which a capture cannot have.
            hw: of each mask in pixels.
            run_capacity: runs that a text may have; None: as many as the longest can have.
        """
        check_size("hw", hw)
        texts = encoded if isinstance(encoded, DeviceTexts) else self._uploaded_texts(encoded)
        self._wait_for(texts.texts)
        count, room = texts.texts.shape
        runs = room if run_capacity is None else run_capacity
        check_count("run_capacity", runs)
        words = self._new((count, hw[0], row_words(hw[1])), np.uint32)
        statuses = self._new((count,), np.int32)
        workspace = self._workspace("icseg_rle_decode", count, runs)
        inputs = (texts.texts.pointer, texts.lengths.pointer, count, *hw, runs, room)
        self._run("icseg_rle_decode", *inputs, words.pointer, statuses.pointer, workspace.pointer)
        return DeviceDecoded(DeviceBitMasks(words, hw[1]), statuses)

    def contours(self, masks: Any, *, edge_capacity: int | None = None) -> DeviceContours:
        """The outlines of each mask, holes too, as linked corners of pixels; ``to_host`` makes polygons of them.

        Args:
            edge_capacity: horizontal edges that a mask may have; None: ``EDGE_CAPACITY``.
        """
        bits = self._bits(masks)
        height, width = bits.hw
        edges = min(EDGE_CAPACITY, (height + 1) * width) if edge_capacity is None else edge_capacity
        check_count("edge_capacity", edges, 1, 1 << 29)
        corners = self._new((len(bits), 2 * edges, 2), np.int32)
        following = self._new((len(bits), 2 * edges), np.int32)
        counts = self._new((len(bits),), np.int32)
        workspace = self._workspace("icseg_contours", len(bits), height, edges)
        outputs = (corners.pointer, following.pointer, counts.pointer, workspace.pointer)
        self._run("icseg_contours", *batch_of(bits), edges, *outputs)
        return DeviceContours(corners, following, counts)

    def _uploaded_texts(self, encoded: Sequence[bytes]) -> DeviceTexts:
        if not all(isinstance(text, bytes) for text in encoded):
            raise TypeError(
                f"encoded: expected a text of bytes for each mask, got {type(encoded).__name__} {encoded!r:.60}"
            )
        lengths = np.array([len(text) for text in encoded], np.int32)
        texts = np.zeros((len(encoded), max(int(lengths.max(initial=0)), 1)), np.uint8)
        for row, text in zip(texts, encoded, strict=True):
            row[: len(text)] = np.frombuffer(text, np.uint8)
        return DeviceTexts(self._uploaded(texts), self._uploaded(lengths))
