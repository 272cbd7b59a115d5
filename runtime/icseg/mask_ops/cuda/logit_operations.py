"""Operations on mask logits in GPU memory: the clean-up of SAM 2, and masks at the camera's size."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from icseg.inference.device_memory import DeviceArray
from icseg.mask_ops.cuda.device_results import DeviceBitMasks, DeviceStatistics
from icseg.mask_ops.cuda.device_view import DeviceView, contiguous_view
from icseg.mask_ops.cuda.launcher import Launcher, row_words
from icseg.mask_ops.cuda.ranges import check_batch, check_count, check_finite, check_size
from icseg.mask_ops.options import IMAGE_MARGIN, STABILITY_OFFSET, Variant, hole_value
from icseg.mask_ops.statistics import FIELDS
from icseg.types import Box


class LogitOperations(Launcher):
    """The operations of ``CudaMaskOps`` that begin with logits."""

    def clean_logits(
        self,
        mask_logits: Any,
        max_hole_px: int,
        max_sprinkle_px: int,
        *,
        variant: Variant = "video",
        threshold: float = 0.0,
        out: Any = None,
    ) -> DeviceArray:
        """Holes filled and sprinkles removed; both are those of the logits given. One launch for areas up to 8.

        Args:
            mask_logits: (N, h, w) float32 or float16; the result is of the same.
            out: where the result goes, as large as the logits, and not they themselves; None: new memory.
        """
        logits = self._logits(mask_logits)
        check_count("max_hole_px", max_hole_px, what="cells")
        check_count("max_sprinkle_px", max_sprinkle_px, what="cells")
        check_finite("threshold", threshold)
        filled = hole_value(variant, threshold)
        cleaned = self._new(logits.shape, logits.type_name) if out is None else self._logits_out(out, logits)
        areas = (max_hole_px, max_sprinkle_px)
        workspace = self._workspace("icseg_clean_logits", *logits.shape, *areas)
        limits = (threshold, max_hole_px, filled, max_sprinkle_px, threshold - IMAGE_MARGIN)
        self._run(
            _of_type("icseg_clean_logits", logits),
            logits.pointer,
            *logits.shape,
            *limits,
            cleaned.pointer,
            workspace.pointer,
        )
        return cleaned

    def fill_holes(
        self, mask_logits: Any, max_area_px: int, *, variant: Variant = "video", threshold: float = 0.0
    ) -> DeviceArray:
        """Holes of at most ``max_area_px`` cells filled."""
        return self.clean_logits(mask_logits, max_area_px, 0, variant=variant, threshold=threshold)

    def remove_sprinkles(self, mask_logits: Any, max_area_px: int, *, threshold: float = 0.0) -> DeviceArray:
        """Pieces of at most ``max_area_px`` cells removed."""
        return self.clean_logits(mask_logits, 0, max_area_px, threshold=threshold)

    def upsample_threshold_bits(
        self,
        mask_logits: Any,
        hw: tuple[int, int],
        *,
        threshold: float = 0.0,
        stability_offset: float = STABILITY_OFFSET,
        region_cells: Box | None = None,
        is_exclusive: bool = False,
    ) -> tuple[DeviceBitMasks, DeviceStatistics]:
        """Masks at the camera's size from low-resolution logits, with what is read off them, in one launch.

        Args:
            mask_logits: (N, h, w) float32, or float16, which is interpolated in float32.
        """
        logits = self._logits(mask_logits)
        count, cells_h, cells_w = logits.shape
        check_size("hw", hw)
        check_finite("threshold", threshold)
        check_finite("stability_offset", stability_offset)
        if stability_offset < 0:
            raise ValueError(f"stability_offset: expected at least 0, got {stability_offset}")
        region = (0.0, 0.0, float(cells_w), float(cells_h)) if region_cells is None else region_cells
        check_finite("region_cells", *region)
        if not (region[2] > region[0] and region[3] > region[1]):
            raise ValueError(f"region_cells: expected x1 > x0 and y1 > y0, got {region}")
        words = self._new((count, hw[0], row_words(hw[1])), np.uint32)
        rows = self._new((count, FIELDS), np.int64)
        workspace = self._workspace("icseg_upsample_threshold", count)
        options = ((ctypes.c_double * 4)(*region), threshold, stability_offset, int(is_exclusive))
        outputs = (words.pointer, rows.pointer, workspace.pointer)
        operation = _of_type("icseg_upsample_threshold", logits)
        self._run(operation, logits.pointer, *logits.shape, *hw, *options, *outputs)
        return DeviceBitMasks(words, hw[1]), DeviceStatistics(rows)

    def upsample_threshold(
        self,
        mask_logits: Any,
        hw: tuple[int, int],
        *,
        threshold: float = 0.0,
        stability_offset: float = STABILITY_OFFSET,
        region_cells: Box | None = None,
        is_exclusive: bool = False,
    ) -> tuple[DeviceArray, DeviceStatistics]:
        """As ``upsample_threshold_bits``, to (N, H, W) bool; one launch more."""
        bits, statistics = self.upsample_threshold_bits(
            mask_logits,
            hw,
            threshold=threshold,
            stability_offset=stability_offset,
            region_cells=region_cells,
            is_exclusive=is_exclusive,
        )
        return self.unpack_masks(bits), statistics

    def _logits(self, mask_logits: Any) -> DeviceView:
        expected, types = "float32 or float16 (N, h, w)", ("float32", "float16")
        view = contiguous_view(mask_logits, "mask_logits", expected, types, (3,), self._stream)
        check_batch("mask_logits", view.shape)
        return view

    def _logits_out(self, out: Any, logits: DeviceView) -> DeviceArray:
        given = self._given(out, str(logits), np.dtype(logits.type_name), logits.shape)
        size = int(np.prod(logits.shape, dtype=np.int64)) * logits.item_bytes
        if given.pointer < logits.pointer + size and logits.pointer < given.pointer + size:
            raise ValueError("out: expected memory beside mask_logits, got some of theirs")
        return given


def _of_type(operation: str, logits: DeviceView) -> str:
    return f"{operation}_half" if logits.type_name == "float16" else operation
