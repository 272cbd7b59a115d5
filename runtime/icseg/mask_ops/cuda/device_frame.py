"""A camera's frame in GPU memory: how its encoding lays it out, with rows any distance apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, get_args

from icseg.inference.device_memory import DeviceStream
from icseg.mask_ops.cuda.device_view import DeviceView, device_view
from icseg.mask_ops.cuda.ranges import check_size
from icseg.mask_ops.options import Encoding

ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
"""In the order of their numbers in cuda.h."""
_EXPECTED = {
    "rgb8": "uint8 (H, W, 3)",
    "bgr8": "uint8 (H, W, 3)",
    "rgba8": "uint8 (H, W, 4)",
    "nv12": "uint8 (H * 3 / 2, W) of an even H and W",
    "yuyv": "uint8 (H, W, 2) of an even W",
}
_CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "yuyv": 2}


@dataclass(frozen=True, slots=True, eq=False)
class DeviceFrame:
    """One frame.

    Attributes:
        view: the array.
        height, width: of the picture in pixels.
        step: bytes from one row to the next.
        encoding: its number in cuda.h.
    """

    view: DeviceView
    height: int
    width: int
    step: int
    encoding: int


def device_frame(
    image: Any, name: str, encoding: Encoding, stream: DeviceStream, *, is_output: bool = False
) -> DeviceFrame:
    """The frame in an array.

    Raises:
        TypeError: not such an array in GPU memory.
        ValueError: an unknown encoding, a shape that it does not have, gaps within a row, or read-only memory to be
            written to.
    """
    if encoding not in ENCODINGS:
        raise ValueError(f"encoding: expected one of {', '.join(ENCODINGS)}, got {encoding}")
    expected = _EXPECTED[encoding]
    view = device_view(image, name, expected, stream)
    refusal = f"{name}: expected {expected}, got {view}"
    if view.type_name != "uint8":
        raise TypeError(refusal)
    channels = _CHANNELS.get(encoding)
    if len(view.shape) != (2 if channels is None else 3) or view.shape[2:] != (() if channels is None else (channels,)):
        raise ValueError(refusal)
    height, width = view.shape[:2]
    if encoding == "nv12":
        # rows of Y, then half as many of U and V, in pairs of rows
        if height % 3 != 0 or height // 3 * 2 % 2 != 0:
            raise ValueError(refusal)
        height = height // 3 * 2
    if encoding in ("nv12", "yuyv") and width % 2 != 0:
        raise ValueError(refusal)
    check_size(name, (height, width))
    pixel = channels or 1
    if view.steps[2:] not in ((), (1,)) or (width > 1 and view.steps[1] != pixel) or _is_folded(view, width * pixel):
        raise ValueError(
            f"{name}: expected rows without gaps between their pixels and in order, got steps of {view.steps} bytes: "
            "pass a contiguous copy of it"
        )
    if is_output and view.is_read_only:
        raise ValueError(f"{refusal} that is read-only: pass one that may be written to")
    step = view.steps[0] if view.shape[0] > 1 else width * pixel
    return DeviceFrame(view, height, width, step, ENCODINGS.index(encoding))


def _is_folded(view: DeviceView, row_bytes: int) -> bool:
    return view.shape[0] > 1 and view.steps[0] < row_bytes
