"""What a benchmark's camera shows: the shipped clip to and fro, in any size, as messages ready to be sent."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from sensor_msgs.msg import CompressedImage, Image

from icseg.sim.clip_file import load_clip
from icseg.sim.truth import SimFrame
from icseg.types import Box, ImageU8

SHOWN_TWICE = 2
"""The clip has 15 frames a second, the camera sends 30."""
JPEG_QUALITY = 80
ALWAYS_SEEN_ID = 3
"""The thing of the shipped clip that nothing hides."""
FRAME_ID = "camera_optical_frame"


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One picture of the camera.

    Attributes:
        rgb: (H, W, 3) uint8.
        sim: the clip's frame that it was made of, at the clip's size.
    """

    rgb: ImageU8
    sim: SimFrame

    def box_image_px(self, thing_id: int = ALWAYS_SEEN_ID) -> Box | None:
        """A thing's box in pixels of this picture; None when it is not visible."""
        box = self.sim.box_image_px(thing_id)
        if box is None:
            return None
        height, width = self.sim.frame.hw
        across, down = self.rgb.shape[1] / width, self.rgb.shape[0] / height
        return box[0] * across, box[1] * down, box[2] * across, box[3] * down


def load_pictures(hw: tuple[int, int], count: int) -> list[Picture]:
    """The clip's first frames at this size."""
    return [resized(sim, hw) for sim in islice(load_clip(), count)]


def resized(sim: SimFrame, hw: tuple[int, int]) -> Picture:
    """A frame of the clip at another size; the aspect ratio is not kept."""
    image = sim.frame.image
    rgb = image if image.shape[:2] == hw else cv2.resize(image, (hw[1], hw[0]), interpolation=cv2.INTER_LINEAR)
    return Picture(np.ascontiguousarray(rgb, np.uint8), sim)


def to_and_fro(number: int, count: int) -> int:
    """Which of so many pictures is shown as the camera's image of this number."""
    place = number // SHOWN_TWICE % max(2 * count - 2, 1)
    return place if place < count else 2 * count - 2 - place


def raw_message(rgb: ImageU8, encoding: str = "rgb8") -> Image:
    """An image message without a stamp.

    Args:
        encoding: rgb8, bgr8, mono8, or any other name, which then is a lie.
    """
    values = rgb
    if encoding == "bgr8":
        values = np.ascontiguousarray(rgb[:, :, ::-1])
    elif encoding == "mono8":
        values = np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), np.uint8)
    height, width = values.shape[:2]
    message = Image(height=height, width=width, encoding=encoding, step=values.nbytes // height)
    message.header.frame_id = FRAME_ID
    message.data = array("B", values.tobytes())
    return message


def jpeg_message(rgb: ImageU8) -> CompressedImage:
    """A compressed image message without a stamp, as image_transport sends it."""
    is_done, encoded = cv2.imencode(
        ".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    )
    assert is_done, "OpenCV can write JPEG"
    message = CompressedImage(format="rgb8; jpeg compressed bgr8")
    message.header.frame_id = FRAME_ID
    message.data = array("B", encoded.tobytes())
    return message


def boxes_of(pictures: Sequence[Picture]) -> list[Box]:
    """The box of the thing that is always seen, in each picture."""
    boxes = [picture.box_image_px() for picture in pictures]
    return [box for box in boxes if box is not None]
