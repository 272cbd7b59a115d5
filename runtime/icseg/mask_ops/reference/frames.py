"""Camera frames: a network's input, and masks drawn onto a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.options import Encoding
from icseg.mask_ops.reference.masks import as_bool
from icseg.mask_ops.reference.resize import linear_taps
from icseg.types import Array, ImageU8, MaskBool

_YUV_SHIFT = 20
_Y_SCALE, _U_TO_B, _U_TO_G, _V_TO_G, _V_TO_R = 1220542, 2116026, -409993, -852492, 1673527


def decode_frame(image: ImageU8, encoding: Encoding) -> ImageU8:
    """(H, W, 3) RGB of a frame; BT.601 of video range with OpenCV's fixed-point coefficients for NV12 and YUYV.

    Raises:
        ValueError: an unknown encoding, or a frame of another shape or type than the encoding's.
    """
    channels = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "nv12": None, "yuyv": 2}
    if encoding not in channels:
        raise ValueError(f"encoding: expected one of {', '.join(channels)}, got {encoding}")
    is_planar = channels[encoding] is None
    is_shaped = image.ndim == 2 if is_planar else image.ndim == 3 and image.shape[2] == channels[encoding]
    is_even = encoding not in ("nv12", "yuyv") or image.shape[1] % 2 == 0
    if not is_shaped or not is_even or image.dtype != np.uint8 or (is_planar and image.shape[0] % 3):
        raise ValueError(f"image: expected uint8 {encoding}, got {image.dtype} {image.shape}")
    if encoding in ("rgb8", "rgba8"):
        return image[..., :3]
    if encoding == "bgr8":
        return image[..., ::-1]
    if encoding == "nv12":
        height = image.shape[0] // 3 * 2
        pairs = image[height:].reshape(height // 2, -1, 2).repeat(2, 0).repeat(2, 1)
        return _rgb_of_yuv(image[:height], pairs[..., 0], pairs[..., 1])
    return _rgb_of_yuv(image[..., 0], image[:, 0::2, 1].repeat(2, 1), image[:, 1::2, 1].repeat(2, 1))


def _rgb_of_yuv(y: ImageU8, u: ImageU8, v: ImageU8) -> ImageU8:
    light = np.maximum(y.astype(np.int32) - 16, 0) * _Y_SCALE + (1 << (_YUV_SHIFT - 1))
    blue_difference, red_difference = u.astype(np.int32) - 128, v.astype(np.int32) - 128
    red = light + _V_TO_R * red_difference
    green = light + _V_TO_G * red_difference + _U_TO_G * blue_difference
    blue = light + _U_TO_B * blue_difference
    return (np.stack([red, green, blue], -1) >> _YUV_SHIFT).clip(0, 255).astype(np.uint8)


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
) -> npt.NDArray[Any]:
    """A network's input from a camera frame: decoded, resized, normalised, one plane a channel.

    Bilinear with half-pixel centres and no antialiasing: for a frame much larger than the input, shrink it first.

    Args:
        image: uint8, shaped as ``options.Encoding`` says; rows may lie any distance apart.
        hw: height and width of the planes.
        mean, std: per channel, of the image scaled to 0..1.
        encoding: of the image.
        dtype: float32 or float16.
        place_xywh: the rectangle of the planes that the picture fills; all of them by default. The rest (letterbox) is
            what black becomes.
        out: (3, *hw) of ``dtype`` to write to, C-contiguous; a new array by default.

    Returns:
        (3, *hw), red first.

    Raises:
        ValueError, TypeError: an array or a number that is not as said.
    """
    height, width = hw
    x0, y0, new_width, new_height = place_xywh or (0, 0, width, height)
    if min(x0, y0) < 0 or min(new_width, new_height) < 1 or x0 + new_width > width or y0 + new_height > height:
        raise ValueError(f"place_xywh: expected a rectangle within {width} x {height}, got {place_xywh}")
    if np.dtype(dtype) not in (np.float32, np.float16):
        raise TypeError(f"dtype: expected float32 or float16, got {dtype}")
    rgb = decode_frame(image, encoding).astype(np.float32)
    scale = np.array([1 / (255 * one) for one in std], np.float32)
    shift = np.array([-a / b for a, b in zip(mean, std, strict=True)], np.float32)
    left, right, weight_x = linear_taps(rgb.shape[1], 0, rgb.shape[1], new_width)
    top, bottom, weight_y = linear_taps(rgb.shape[0], 0, rgb.shape[0], new_height)
    weight_x, weight_y = weight_x[None, :, None], weight_y[:, None, None]
    columns = (rgb[:, left] * (1 - weight_x) + rgb[:, right] * weight_x) * scale + shift
    picture = columns[top] * (1 - weight_y) + columns[bottom] * weight_y
    planes = np.empty((3, height, width), dtype) if out is None else out
    planes[:] = shift[:, None, None]
    planes[:, y0 : y0 + new_height, x0 : x0 + new_width] = picture.transpose(2, 0, 1)
    return planes


def overlay(
    image: ImageU8,
    masks: MaskBool | BitMasks,
    colours: npt.NDArray[np.uint8],
    *,
    alpha: float = 0.5,
    outline: npt.NDArray[np.uint8] | None = None,
) -> ImageU8:
    """Masks drawn onto a picture, one after the other: each blended in, then its edge in the outline's colour.

    Args:
        image: (H, W, 3) uint8.
        masks: N of the image's size.
        colours: (N, 3) uint8.
        alpha: 0..1, rounded to 1 / 256; share of the colour, results rounded down.
        outline: (3,) uint8 for pixels of the mask with a neighbour outside it above, below, left or right, beyond the
            image too; no outline by default.

    Returns:
        (H, W, 3) uint8, a new array.

    Raises:
        ValueError: other shapes, or alpha out of range.
    """
    batch = as_bool(masks)
    if batch.shape[1:] != image.shape[:2] or colours.shape != (len(batch), 3) or not 0 <= alpha <= 1:
        raise ValueError(f"overlay: image {image.shape}, masks {batch.shape}, colours {colours.shape}, alpha {alpha}")
    picture, share = image.astype(np.int32), round(alpha * 256)
    for mask, colour in zip(batch, colours.astype(np.int32), strict=True):
        picture[mask] = (picture[mask] * (256 - share) + colour * share) >> 8
        if outline is not None:
            around = np.pad(mask, 1)
            inner = mask & around[:-2, 1:-1] & around[2:, 1:-1] & around[1:-1, :-2] & around[1:-1, 2:]
            picture[mask & ~inner] = outline
    return picture.astype(np.uint8)
