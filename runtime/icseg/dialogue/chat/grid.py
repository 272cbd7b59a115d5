"""The grid on which the model speaks of positions: integers 0..1000 on each axis, whatever the picture's size.

Knows pixels and grid steps; knows no text and no dialogue. Outside ``dialogue/chat/`` positions are pixels.
*Source:* Qwen3-VL's grounding format, which IC-Seg (arXiv 2605.17531) keeps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from icseg.dialogue.actions import Answer
from icseg.errors import ModelOutputError
from icseg.geometry import clip_box, clip_point
from icseg.types import Box, Point

VLM_GRID = 1000
"""The far edge of the picture on each axis."""


@dataclass(frozen=True, slots=True)
class GridAnswer:
    """An ``Answer`` as the model gives it: about the keyframe that it was shown, in grid steps.

    Attributes:
        box_vlm_1000, point_vlm_1000: x0, y0, x1, y1 and x, y; whole numbers as a rule, but not by force.
    """

    box_vlm_1000: Box
    point_vlm_1000: Point
    thinking: str = ""

    @classmethod
    def from_pixels(cls, answer: Answer, hw: tuple[int, int]) -> GridAnswer:
        """The answer of which ``answer`` is the meaning in an (H, W) picture; the box is rounded outwards."""
        return cls(
            box_image_to_vlm(answer.box_image_px, hw), point_image_to_vlm(answer.point_image_px, hw), answer.thinking
        )

    def in_pixels(self, hw: tuple[int, int]) -> Answer:
        """What it means in an (H, W) picture."""
        box, point = box_vlm_to_image(self.box_vlm_1000, hw), point_vlm_to_image(self.point_vlm_1000, hw)
        return Answer(box, point, self.thinking)

    def check(self) -> None:
        """Make sure that this is a box and a point on the grid.

        Raises:
            ModelOutputError: a value is outside 0..1000, or the box is empty or upside down.
        """
        values = [*self.box_vlm_1000, *self.point_vlm_1000]
        if not all(0 <= value <= VLM_GRID for value in values):
            raise ModelOutputError(f"coordinates must be 0..{VLM_GRID}, got {values}")
        x0, y0, x1, y1 = self.box_vlm_1000
        if not (x1 > x0 and y1 > y0):
            raise ModelOutputError(f"bbox_2d must have x1 < x2 and y1 < y2, got {list(self.box_vlm_1000)}")


def box_image_to_vlm(box_image_px: Box, hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """Pixels of an (H, W) image -> integers 0..1000, rounded outwards to at least one grid step on each axis."""
    height, width = hw
    x0, y0, x1, y1 = clip_box(box_image_px, hw)
    left, top = math.floor(x0 * VLM_GRID / width), math.floor(y0 * VLM_GRID / height)
    right, bottom = math.ceil(x1 * VLM_GRID / width), math.ceil(y1 * VLM_GRID / height)
    left, top = min(left, VLM_GRID - 1), min(top, VLM_GRID - 1)
    return left, top, max(right, left + 1), max(bottom, top + 1)


def box_vlm_to_image(box_vlm_1000: Box, hw: tuple[int, int]) -> Box:
    """0..1000 -> pixels of an (H, W) image, clipped to it."""
    height, width = hw
    x0, y0, x1, y1 = box_vlm_1000
    sx, sy = width / VLM_GRID, height / VLM_GRID
    return clip_box((x0 * sx, y0 * sy, x1 * sx, y1 * sy), hw)


def point_image_to_vlm(point_image_px: Point, hw: tuple[int, int]) -> tuple[int, int]:
    """Pixels of an (H, W) image -> integers 0..1000."""
    height, width = hw
    x, y = point_image_px
    return (
        min(max(round(x * VLM_GRID / width), 0), VLM_GRID),
        min(max(round(y * VLM_GRID / height), 0), VLM_GRID),
    )


def point_vlm_to_image(point_vlm_1000: Point, hw: tuple[int, int]) -> Point:
    """0..1000 -> pixels of an (H, W) image, inside it: the far edge becomes the middle of the last pixel."""
    height, width = hw
    return clip_point((point_vlm_1000[0] * width / VLM_GRID, point_vlm_1000[1] * height / VLM_GRID), hw)
