"""The compiled twins of ``reference``: same names, arguments and results. The only file that imports the extension.

Every function releases the interpreter lock while it works, and refuses arguments with an error that names them.
Shapes, units and sources are in the docstrings of ``reference``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

import icseg._native as _native
from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.components import Components
from icseg.mask_ops.options import IMAGE_MARGIN, STABILITY_OFFSET, Encoding, Variant, hole_value
from icseg.mask_ops.statistics import MaskStatistics
from icseg.types import Array, Box, ImageU8, Logits, MaskBool

compiler: str = _native.compiler()
has_cuda: bool = _native.has_cuda
instruction_set: str = _native.instruction_set()
"""The vector instructions in use: avx512, avx2, or plain (the compiler's own for the processor)."""


def pack_masks(masks: MaskBool) -> BitMasks:
    """(N, H, W) or (H, W) bool to one bit a pixel."""
    batch = masks[None] if getattr(masks, "ndim", 3) == 2 else masks
    words = _native.pack_masks(batch)
    return BitMasks(words, int(batch.shape[2]))


def unpack_masks(masks: BitMasks) -> MaskBool:
    """(N, H, W) bool."""
    return _native.unpack_masks(masks.words, masks.width)


def _bits(masks: MaskBool | BitMasks) -> BitMasks:
    return masks if isinstance(masks, BitMasks) else pack_masks(masks)


def mask_statistics(masks: MaskBool | BitMasks) -> MaskStatistics:
    """Area, box and moments of each mask; both areas of the stability are the area itself."""
    bits = _bits(masks)
    return MaskStatistics(_native.mask_statistics(bits.words, bits.width))


def mask_box_area(mask: MaskBool) -> tuple[Box | None, int]:
    """Tight box (exclusive right and lower edges, pixels) and area of an (H, W) bool mask; (None, 0) when it is empty.

    Raises:
        TypeError: not a bool array.
        ValueError: not two-dimensional, or not C-contiguous.
    """
    area_px, x0, y0, x1, y1 = _native.mask_bounds(mask)
    if area_px == 0:
        return None, 0
    return (float(x0), float(y0), float(x1), float(y1)), int(area_px)


def clean_logits(
    mask_logits: Logits,
    max_hole_px: int,
    max_sprinkle_px: int,
    *,
    variant: Variant = "video",
    threshold: float = 0.0,
) -> Logits:
    """Holes filled and sprinkles removed; both are those of the logits given."""
    value = hole_value(variant, threshold)
    return _native.clean_logits(mask_logits, max_hole_px, value, max_sprinkle_px, threshold - IMAGE_MARGIN, threshold)


def fill_holes(mask_logits: Logits, max_area_px: int, *, variant: Variant = "video", threshold: float = 0.0) -> Logits:
    """Holes of at most ``max_area_px`` cells filled."""
    return clean_logits(mask_logits, max_area_px, 0, variant=variant, threshold=threshold)


def remove_sprinkles(mask_logits: Logits, max_area_px: int, *, threshold: float = 0.0) -> Logits:
    """Pieces of at most ``max_area_px`` cells removed."""
    return clean_logits(mask_logits, 0, max_area_px, threshold=threshold)


def _region(mask_logits: Logits, region_cells: Box | None) -> Box:
    if region_cells is not None or getattr(mask_logits, "ndim", 0) != 3:
        return region_cells or (0.0, 0.0, 1.0, 1.0)
    return 0.0, 0.0, float(mask_logits.shape[2]), float(mask_logits.shape[1])


def upsample_threshold(
    mask_logits: Logits,
    hw: tuple[int, int],
    *,
    threshold: float = 0.0,
    stability_offset: float = STABILITY_OFFSET,
    region_cells: Box | None = None,
    is_exclusive: bool = False,
) -> tuple[MaskBool, MaskStatistics]:
    """Masks at the camera's size from low-resolution logits, with what is read off them, in one pass."""
    region = _region(mask_logits, region_cells)
    masks, rows = _native.upsample_threshold(mask_logits, *hw, region, threshold, stability_offset, is_exclusive)
    return masks, MaskStatistics(rows)


def upsample_threshold_bits(
    mask_logits: Logits,
    hw: tuple[int, int],
    *,
    threshold: float = 0.0,
    stability_offset: float = STABILITY_OFFSET,
    region_cells: Box | None = None,
    is_exclusive: bool = False,
) -> tuple[BitMasks, MaskStatistics]:
    """As ``upsample_threshold``, to masks of one bit a pixel."""
    region = _region(mask_logits, region_cells)
    words, rows = _native.upsample_threshold_bits(mask_logits, *hw, region, threshold, stability_offset, is_exclusive)
    return BitMasks(words, hw[1]), MaskStatistics(rows)


def connected_components(mask: MaskBool | BitMasks, *, connectivity: int = 8) -> Components:
    """The components of one (H, W) mask."""
    bits = _bits(mask)
    return Components(*_native.connected_components(bits.words, bits.width, connectivity))


def largest_component(mask: MaskBool | BitMasks, *, connectivity: int = 8) -> MaskBool:
    """(H, W) bool of the component with most pixels, the first in row order of equal ones; empty if there is none."""
    bits = _bits(mask)
    return _native.largest_component(bits.words, bits.width, connectivity)


def distance_peak(mask: MaskBool | BitMasks) -> tuple[int, int, float] | None:
    """The pixel of one mask that is farthest from everything outside it, and how far: a hint where to grasp."""
    bits = _bits(mask)
    x, y, square = _native.distance_peak(bits.words, bits.width)
    return None if square == 0 else (x, y, float(np.sqrt(square)))


def mask_iou_matrix(a: MaskBool | BitMasks, b: MaskBool | BitMasks) -> npt.NDArray[np.float64]:
    """(N, M) intersection over union of every mask of ``a`` with every mask of ``b``; 0 where both are empty."""
    of_a, of_b = _bits(a), _bits(b)
    if of_a.hw != of_b.hw:
        raise ValueError(f"b: expected masks of {of_a.hw} as a's, got {of_b.hw}")
    return _native.mask_iou_matrix(of_a.words, of_b.words, of_a.width)


def mask_nms(masks: MaskBool | BitMasks, scores: npt.NDArray[np.float32], max_iou: float) -> npt.NDArray[np.int32]:
    """Greedy non-maximum suppression: numbers of the masks that stay, by falling score."""
    bits = _bits(masks)
    return _native.mask_nms(bits.words, bits.width, scores, max_iou)


def rle_encode(mask: MaskBool | BitMasks) -> bytes:
    """COCO's compressed run lengths of one mask, byte for byte as pycocotools writes them."""
    bits = _bits(mask)
    return _native.rle_encode(bits.words, bits.width)


def rle_decode(encoded: bytes, hw: tuple[int, int]) -> MaskBool:
    """The (H, W) mask of COCO's compressed run lengths.

    Raises:
        ValueError: the text is cut off or holds other characters, or the runs do not fill the mask.
    """
    return _native.rle_decode(encoded, *hw)


def contours(mask: MaskBool | BitMasks) -> list[npt.NDArray[np.int32]]:
    """The outlines of one mask, holes too, as (K, 2) polygons on the corners of pixels."""
    bits = _bits(mask)
    corners, ends = _native.contours(bits.words, bits.width)
    return np.split(corners, ends[:-1]) if len(ends) else []


def preprocess(
    image: ImageU8,
    hw: tuple[int, int],
    mean: Sequence[float],
    std: Sequence[float],
    *,
    encoding: Encoding = "rgb8",
    dtype: npt.DTypeLike = np.float32,
    place_xywh: tuple[int, int, int, int] | None = None,
    out: Array | None = None,
    threads: int = 1,
) -> npt.NDArray[Any]:
    """A network's input from a camera frame: decoded, resized, normalised, one plane a channel.

    Args:
        threads: that share the rows, 1..64; the values do not depend on it.
    """
    planes = np.empty((3, *hw), dtype) if out is None else out
    if planes.shape != (3, *hw) or planes.dtype != np.dtype(dtype):
        raise ValueError(f"out: expected {np.dtype(dtype)} {(3, *hw)}, got {planes.dtype} {planes.shape}")
    place = place_xywh or (0, 0, hw[1], hw[0])
    _native.preprocess(image, encoding, planes, place, tuple(mean), tuple(std), threads)
    return planes


def overlay(
    image: ImageU8,
    masks: MaskBool | BitMasks,
    colours: npt.NDArray[np.uint8],
    *,
    alpha: float = 0.5,
    outline: npt.NDArray[np.uint8] | None = None,
) -> ImageU8:
    """Masks drawn onto a picture, one after the other: each blended in, then its edge in the outline's colour."""
    bits = _bits(masks)
    if bits.hw != image.shape[:2]:
        raise ValueError(f"masks: expected the image's {image.shape[:2]}, got {bits.hw}")
    return _native.overlay(image, bits.words, colours, alpha, outline)
