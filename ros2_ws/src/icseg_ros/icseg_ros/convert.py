"""Images between ROS messages and numpy: raw images, depth, masks. Pure functions; knows no node, topic or clock.

Header and size of what is made are the source's. Rows may be padded (``step``), and data may be of either byte order.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from icseg.errors import IcsegError
from icseg.types import Array, ImageU8, MaskBool

_COLOURS: dict[str, tuple[int, int | None]] = {
    "rgb8": (3, None),
    "bgr8": (3, cv2.COLOR_BGR2RGB),
    "mono8": (1, cv2.COLOR_GRAY2RGB),
    "rgba8": (4, cv2.COLOR_RGBA2RGB),
    "bgra8": (4, cv2.COLOR_BGRA2RGB),
    # OpenCV's own names say nothing of the order of channels: blue first, as RViz reads them
    "8UC1": (1, cv2.COLOR_GRAY2RGB),
    "8UC3": (3, cv2.COLOR_BGR2RGB),
    "8UC4": (4, cv2.COLOR_BGRA2RGB),
}
"""Encoding -> channels, and how OpenCV turns it into RGB."""
_DEPTHS = {"16UC1": ("u2", 1e-3), "mono16": ("u2", 1e-3), "32FC1": ("f4", 1.0)}
"""Encoding -> kind of number, and metres a unit."""
COLOUR_ENCODINGS = (*_COLOURS, "mono16")
DEPTH_ENCODINGS = tuple(_DEPTHS)
MAX_LABELS_8_BIT, MAX_LABELS_16_BIT = 254, 65534
"""Labels that a mono8 or 16UC1 label image holds: the number above means "not labelled" by convention."""


class EncodingError(IcsegError, ValueError):
    """An image message is not what it says it is, or of an encoding that is not read; the text says what is."""


def stamp_ns(header: Header) -> int:
    """The header's stamp in nanoseconds."""
    return int(header.stamp.sec) * 1_000_000_000 + int(header.stamp.nanosec)


def pixels(values: Array) -> array[int]:
    """The bytes of an array, as the ``data`` field of a message takes them without looking at each one."""
    data = array("B")
    data.frombytes(np.ascontiguousarray(values).data.cast("B"))
    return data


def image_to_rgb(msg: Image) -> ImageU8:
    """(H, W, 3) uint8 RGB, C-contiguous, a copy that the caller owns.

    Grey becomes three equal channels, alpha is left out, mono16 loses its lower byte.

    Raises:
        EncodingError: of another encoding than ``COLOUR_ENCODINGS``, or size, step and data do not fit each other.
    """
    if msg.encoding == "mono16":
        grey = _numbers(msg, "u2") >> 8
        return np.asarray(cv2.cvtColor(grey.astype(np.uint8), cv2.COLOR_GRAY2RGB), np.uint8)
    if msg.encoding not in _COLOURS:
        raise EncodingError(
            f"image of encoding {msg.encoding!r}: expected one of {', '.join(COLOUR_ENCODINGS)}; "
            "set the camera driver's output encoding, or remap `image` to a topic that has one of them"
        )
    channels, code = _COLOURS[msg.encoding]
    picture = _rows(msg, channels).reshape(msg.height, msg.width, channels)
    if code is None:
        return np.array(picture, order="C")
    return np.asarray(cv2.cvtColor(picture, code), np.uint8)


def depth_to_metres(msg: Image, window_xyxy: tuple[int, int, int, int] | None = None) -> npt.NDArray[np.float32]:
    """(H, W) float32 metres along the optical axis; NaN where there is no measurement (0, negative, not finite).

    Args:
        window_xyxy: only this part, in pixels inside the image, right and lower edge exclusive.

    Raises:
        EncodingError: of another encoding than ``DEPTH_ENCODINGS``, or size, step and data do not fit each other.
    """
    if msg.encoding not in _DEPTHS:
        raise EncodingError(
            f"depth of encoding {msg.encoding!r}: expected one of {', '.join(DEPTH_ENCODINGS)}; "
            "remap `depth` to the driver's depth image in millimetres or metres"
        )
    kind, metres = _DEPTHS[msg.encoding]
    values = _numbers(msg, kind)
    if window_xyxy is not None:
        x0, y0, x1, y1 = window_xyxy
        values = values[y0:y1, x0:x1]
    depth: npt.NDArray[np.float32] = values.astype(np.float32)
    depth[~(np.isfinite(depth) & (depth > 0))] = np.nan
    depth *= np.float32(metres)
    return depth


def mask_to_image(mask: MaskBool, header: Header) -> Image:
    """mono8: 255 where an (H, W) bool mask is True, else 0."""
    return _image(header, "mono8", mask.view(np.uint8) * np.uint8(255))


def labels_to_image(masks: Sequence[MaskBool], header: Header, hw: tuple[int, int] | None = None) -> Image:
    """Which thing each pixel belongs to: k for the k-th of (H, W) bool masks, counted from 1; 0 for none.

    Where masks overlap the first one counts. mono8 up to 254 masks, 16UC1 above.

    Args:
        hw: the size when there are no masks.

    Raises:
        ValueError: neither masks nor a size, masks of different sizes, or too many masks.
    """
    sizes = {mask.shape for mask in masks} if masks or hw is None else {hw}
    if len(sizes) != 1 or len(masks) > MAX_LABELS_16_BIT:
        raise ValueError(
            f"label image: expected at most {MAX_LABELS_16_BIT} masks, all of one size, or a size; "
            f"got {len(masks)} of sizes {sorted(sizes)}"
        )
    (size,) = sizes
    is_wide = len(masks) > MAX_LABELS_8_BIT
    if len(masks) == 1:
        labels: Array = masks[0].view(np.uint8)
    else:
        labels = np.zeros(size, "<u2" if is_wide else np.uint8)
    if len(masks) > 1:
        for number, mask in reversed(list(enumerate(masks, 1))):
            np.copyto(labels, number, where=mask)
    return _image(header, "16UC1" if is_wide else "mono8", labels)


def rgb_to_image(rgb: ImageU8, header: Header) -> Image:
    """rgb8 of an (H, W, 3) uint8 picture.

    Raises:
        ValueError: of another shape or type.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
        raise ValueError(f"picture: expected uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}")
    return _image(header, "rgb8", rgb)


def _image(header: Header, encoding: str, values: Array) -> Image:
    height, width = values.shape[:2]
    msg = Image(header=header, height=height, width=width, encoding=encoding, step=values.nbytes // height)
    msg.data = pixels(values)
    return msg


def _rows(msg: Image, bytes_a_pixel: int) -> npt.NDArray[np.uint8]:
    """(H, W * bytes_a_pixel): a view of the message's data without the padding."""
    height, width, step = int(msg.height), int(msg.width), int(msg.step)
    told = f"image of encoding {msg.encoding!r}, {width}x{height}"
    if height == 0 or width == 0:
        raise EncodingError(f"{told}: a zero size; check the camera driver")
    if step < width * bytes_a_pixel:
        raise EncodingError(f"{told}: expected a step of at least {width * bytes_a_pixel} bytes, got {step}")
    data = np.frombuffer(msg.data, np.uint8)
    if data.size != step * height:
        raise EncodingError(f"{told}: expected step * height = {step} * {height} bytes of data, got {data.size}")
    return data.reshape(height, step)[:, : width * bytes_a_pixel]


def _numbers(msg: Image, kind: str) -> Array:
    """(H, W) numbers of one channel, in the message's byte order."""
    size = int(kind[1:])
    order = ">" if msg.is_bigendian else "<"
    return _rows(msg, size).view(f"{order}{kind}")
