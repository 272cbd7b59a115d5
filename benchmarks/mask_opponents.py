"""What general libraries do of the mask operations, composed as well as they can be, buffers kept where they allow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cc3d
import cv2
import numpy as np
import torch
from pycocotools import mask as coco
from scipy import ndimage

from icseg.mask_ops.options import VIDEO_HOLE_VALUE, Encoding
from icseg.mask_ops.reference import mask_box_area
from icseg.types import Array, Box, ImageU8, Logits, MaskBool

MAX_AREA_PX = 8
"""SAM 2's ``fill_hole_area``."""
REMOVED_VALUE = -10.0
EIGHT_CONNECTED = np.ones((3, 3), np.uint8)


@dataclass(frozen=True)
class Masks:
    """Packed masks and (N, 6) area, sum x, sum y and the three second moments; boxes x0, y0, x1, y1."""

    bits: list[Array]
    moments: Array
    boxes: list[tuple[int, int, int, int]]


def opencv_clean(logits: Logits) -> Logits:
    """Holes and sprinkles on the low-resolution logits, as SAM 2 does."""
    cleaned = logits
    for operator, value in ((cv2.CMP_LE, VIDEO_HOLE_VALUE), (cv2.CMP_GT, REMOVED_VALUE)):
        part = cv2.compare(logits, 0, operator)
        _, labels, stats, _ = cv2.connectedComponentsWithStats(part, connectivity=8, ltype=cv2.CV_32S)
        is_small = stats[:, cv2.CC_STAT_AREA] <= MAX_AREA_PX
        is_small[0] = False
        if is_small.any():
            cleaned = np.where(is_small[labels], np.float32(value), cleaned)
    return cleaned


class OpenCvMasks:
    """Logits to clean bit masks with statistics: components at low resolution, and moments of the box only."""

    def __init__(self, hw: tuple[int, int]) -> None:
        self._wh = hw[::-1]
        self._resized = np.empty(hw, np.float32)
        self._mask = np.empty(hw, np.uint8)

    def __call__(self, batch: Logits) -> Masks:
        """What it makes of (N, h, w) logits."""
        bits, boxes, moments = [], [], np.zeros((len(batch), 6))
        for logits, row in zip(batch, moments, strict=True):
            cleaned = opencv_clean(logits)
            cv2.resize(cleaned, self._wh, dst=self._resized, interpolation=cv2.INTER_LINEAR)
            cv2.compare(self._resized, 0, cv2.CMP_GT, dst=self._mask)
            x, y, width, height = cv2.boundingRect(self._mask)
            found = cv2.moments(self._mask[y : y + height, x : x + width], binaryImage=True) if width else None
            if found is not None:
                area, sum_x, sum_y = found["m00"], found["m10"], found["m01"]
                row[:] = (
                    area,
                    sum_x + x * area,
                    sum_y + y * area,
                    found["m20"] + 2 * x * sum_x + x * x * area,
                    found["m11"] + x * sum_y + y * sum_x + x * y * area,
                    found["m02"] + 2 * y * sum_y + y * y * area,
                )
            boxes.append((x, y, x + width, y + height))
            bits.append(np.packbits(self._mask, axis=1, bitorder="little"))
        return Masks(bits, moments, boxes)


class TorchMasks:
    """The same in torch, without the clean-up: SAM 2 skips it where its CUDA extension is not built."""

    def __init__(self, hw: tuple[int, int]) -> None:
        self._hw = hw
        self._x, self._y = torch.arange(hw[1], dtype=torch.float64), torch.arange(hw[0], dtype=torch.float64)

    def __call__(self, batch: Logits) -> Masks:
        """What it makes of (N, h, w) logits."""
        logits = torch.from_numpy(batch)[:, None]
        masks = torch.nn.functional.interpolate(logits, self._hw, mode="bilinear", align_corners=False)[:, 0] > 0
        bits, boxes, moments = [], [], np.zeros((len(batch), 6))
        for mask, row in zip(masks, moments, strict=True):
            columns, rows = mask.sum(0), mask.sum(1)
            by_row = mask.double() @ self._x
            weights_x, weights_y = columns.double(), rows.double()
            row[:] = torch.stack(
                [
                    weights_x.sum(),
                    weights_x @ self._x,
                    weights_y @ self._y,
                    weights_x @ self._x**2,
                    by_row @ self._y,
                    weights_y @ self._y**2,
                ]
            ).numpy()
            at_x, at_y = columns.nonzero()[:, 0], rows.nonzero()[:, 0]
            is_empty = len(at_x) == 0
            edges = (0, 0, 0, 0) if is_empty else (at_x[0], at_y[0], at_x[-1] + 1, at_y[-1] + 1)
            boxes.append(tuple(int(edge) for edge in edges))
            bits.append(np.packbits(mask.numpy(), axis=1, bitorder="little"))
        return Masks(bits, moments, boxes)  # type: ignore[arg-type]


def coco_encode(mask: MaskBool) -> bytes:
    """pycocotools, with the change of order that it wants."""
    encoded: bytes = coco.encode(np.asfortranarray(mask.view(np.uint8)))["counts"]
    return encoded


def coco_decode(encoded: bytes, hw: tuple[int, int]) -> MaskBool:
    """pycocotools, with the change of order that others want."""
    return np.ascontiguousarray(coco.decode({"size": list(hw), "counts": encoded})).view(np.bool_)


def coco_iou(masks: MaskBool) -> Array:
    """pycocotools on run lengths, encoding counted."""
    encoded = [coco.encode(np.asfortranarray(mask.view(np.uint8))) for mask in masks]
    return np.asarray(coco.iou(encoded, encoded, [0] * len(encoded)))


def component_counters() -> dict[str, Callable[[MaskBool], int]]:
    """Library -> number of 8-connected components with area and box of each."""

    def opencv(mask: MaskBool) -> int:
        return int(cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)[0]) - 1

    def by_cc3d(mask: MaskBool) -> int:
        labels, count = cc3d.connected_components(mask, connectivity=8, return_N=True)
        cc3d.statistics(labels)
        return int(count)

    def scipy(mask: MaskBool) -> int:
        labels, count = ndimage.label(mask, EIGHT_CONNECTED)
        np.bincount(labels.ravel())
        ndimage.find_objects(labels)
        return int(count)

    return {"opencv": opencv, "cc3d": by_cc3d, "scipy": scipy}


_TO_RGB = {"nv12": cv2.COLOR_YUV2RGB_NV12, "yuyv": cv2.COLOR_YUV2RGB_YUYV, "bgr8": cv2.COLOR_BGR2RGB}


def opencv_planes(
    image: ImageU8, encoding: Encoding, mean: Sequence[float], std: Sequence[float], out: Logits
) -> Logits:
    """Decoded, resized as bytes, one multiplication and one subtraction a plane into a kept buffer."""
    rgb = cv2.cvtColor(image, _TO_RGB[encoding]) if encoding in _TO_RGB else image
    resized = cv2.resize(rgb, out.shape[:0:-1], interpolation=cv2.INTER_LINEAR)
    for channel, plane in enumerate(cv2.split(resized)):
        np.multiply(plane, np.float32(1 / (255 * std[channel])), out=out[channel])
        out[channel] -= np.float32(mean[channel] / std[channel])
    return out


def opencv_blob(image: ImageU8, encoding: Encoding, mean: Sequence[float], std: Sequence[float], side: int) -> Array:
    """``blobFromImage``; one scale for all channels, so it is only nearly the same."""
    rgb = cv2.cvtColor(image, _TO_RGB[encoding]) if encoding in _TO_RGB else image
    offsets = [255 * value for value in mean]
    return np.asarray(cv2.dnn.blobFromImage(rgb, 1 / (255 * float(np.mean(std))), (side, side), offsets)[0])


def opencv_overlay(image: ImageU8, masks: MaskBool, colours: Array) -> ImageU8:
    """The whole picture blended once a mask, copied where the mask is, the outline drawn."""
    picture = image.copy()
    for mask, colour in zip(masks, colours, strict=True):
        as_bytes = mask.view(np.uint8)
        blended = cv2.addWeighted(picture, 0.5, np.full_like(picture, colour), 0.5, 0)
        cv2.copyTo(blended, as_bytes, picture)
        outlines, _ = cv2.findContours(as_bytes, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(picture, outlines, -1, (255, 255, 255), 1)
    return picture


def tracker_masks_before(logits: Logits, hw: tuple[int, int]) -> tuple[MaskBool, Box | None, int]:
    """A tracker's mask of one object without the compiled operations: pieces, resize, comparison, box and area."""
    inside = (logits > 0).astype(np.uint8)
    cv2.connectedComponentsWithStats(inside, connectivity=8, ltype=cv2.CV_32S)
    mask = cv2.resize(logits, hw[::-1], interpolation=cv2.INTER_LINEAR) > 0
    return mask, *mask_box_area(mask)
