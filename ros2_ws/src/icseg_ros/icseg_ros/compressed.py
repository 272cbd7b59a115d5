"""Compressed pictures between ROS messages and numpy, as image_transport's plugin ``compressed`` has them.

Knows the plugin's ``format`` text, JPEG and PNG; refuses the other plugins' messages, which look alike.
"""

from __future__ import annotations

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage
from std_msgs.msg import Header

from icseg.types import Array, ImageU8
from icseg_ros.convert import EncodingError, pixels

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
# An orientation tag would turn the picture away from the camera_info that belongs to it.
_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


def compressed_to_rgb(msg: CompressedImage) -> ImageU8:
    """(H, W, 3) uint8 RGB of a JPEG or PNG, C-contiguous, owned by the caller.

    Raises:
        EncodingError: no picture, cut off or damaged data, or a depth image.
    """
    told = f"compressed image of format {msg.format!r}, {len(msg.data)} bytes"
    if "compressedDepth" in msg.format:
        raise EncodingError(f"{told}: this is depth; remap `image/compressed` to the colour camera's compressed topic")
    data = bytes(msg.data)
    if not data:
        raise EncodingError(f"{told}: no data; check the camera driver")
    # libjpeg fills what is missing of a picture with grey and says nothing
    if data.startswith(_JPEG_START) and _JPEG_END not in data:
        raise EncodingError(f"{told}: the JPEG is cut off; check the link to the camera")
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), _FLAGS)
    except cv2.error as error:
        raise EncodingError(f"{told}: {error.err}") from error
    if picture is None:
        raise EncodingError(
            f"{told}: expected a JPEG or PNG that can be read; check the link to the camera, and that the sender is "
            "image_transport's compressed plugin or writes format jpeg or png"
        )
    if _is_stored_as_rgb(msg.format):
        return np.ascontiguousarray(picture, np.uint8)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _is_stored_as_rgb(message_format: str) -> bool:
    """Whether the sender gave OpenCV red first: the picture's red and blue are then exchanged.

    *Source:* CompressedSubscriber of image_transport_plugins, which looks at the text behind "compressed" too.
    """
    return "compressed rgb" in message_format.partition(";")[2]


def png(image: ImageU8, header: Header) -> CompressedImage:
    """PNG, without loss, of an (H, W) or (H, W, 3) RGB uint8 picture."""
    if image.ndim == 2:
        return _compressed(header, "mono8; png compressed ", ".png", image)
    return _compressed(header, "rgb8; png compressed bgr8", ".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def jpeg(rgb: ImageU8, header: Header, quality: int) -> CompressedImage:
    """JPEG of an (H, W, 3) RGB uint8 picture; ``quality`` 1..100."""
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return _compressed(header, "rgb8; jpeg compressed bgr8", ".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, quality))


def _compressed(
    header: Header, message_format: str, suffix: str, image: Array, parameters: tuple[int, ...] = ()
) -> CompressedImage:
    is_done, encoded = cv2.imencode(suffix, image, parameters)
    if not is_done:
        raise ValueError(f"{suffix} of a picture {image.dtype} {image.shape}: OpenCV cannot write it")
    msg = CompressedImage(header=header, format=message_format)
    msg.data = pixels(encoded)
    return msg
