"""A part of the image that is looked at closely, and the way between its pixels and the image's.

A model that sees the whole image squashed to its input draws a small thing with a few cells. Looked at closer, the same
model draws it better: the part of the image around the thing is enlarged to the whole input. It has the image's
proportions, so that things are squashed as ever.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from icseg.geometry import box_center
from icseg.types import Box, ImageU8, MaskBool, ObjectResult, Prompt

RESTING_SHARE = 1 / 6
"""A window rests while the thing's middle is within this share of its width and height from its own middle, and then
moves along the side where it is not. A window at rest is best: its memories lie where they lay."""
RESTING_SIZE_RATIO = 1.4
"""A window keeps its size while the wanted one is this many times larger or smaller at most."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of whole pixels inside an image.

    Attributes:
        left, top: of its first pixel.
        width, height: in pixels.
    """

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def whole(cls, image_hw: tuple[int, int]) -> Window:
        """All of an image."""
        return cls(0, 0, image_hw[1], image_hw[0])

    @classmethod
    def around(cls, box_image_px: Box, image_hw: tuple[int, int], scale: float, min_width: float) -> Window:
        """Around a box, inside the image.

        Args:
            box_image_px: in the middle of it, or as near to it as the border allows.
            image_hw: height and width of the image.
            scale: how many times larger than the box it is, along the side where that asks for more.
            min_width: in pixels.
        """
        height, width = image_hw
        x0, y0, x1, y1 = box_image_px
        share = min(1.0, max((x1 - x0) * scale / width, (y1 - y0) * scale / height, min_width / width))
        return cls._placed(
            box_center(box_image_px), max(1, round(share * width)), max(1, round(share * height)), image_hw
        )

    @classmethod
    def _placed(cls, middle: tuple[float, float], width: int, height: int, image_hw: tuple[int, int]) -> Window:
        left, top = (
            min(max(round(at - side / 2), 0), length - side)
            for at, side, length in ((middle[0], width, image_hw[1]), (middle[1], height, image_hw[0]))
        )
        return cls(left, top, width, height)

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width."""
        return self.height, self.width

    def following(self, box_image_px: Box, image_hw: tuple[int, int], scale: float, min_width: float) -> Window:
        """The window for the next frame, where the thing was last seen in a box: this one as long as it will do."""
        wanted = Window.around(box_image_px, image_hw, scale, min_width)
        if not 1 / RESTING_SIZE_RATIO <= wanted.width / self.width <= RESTING_SIZE_RATIO:
            return wanted
        x, y = box_center(box_image_px)
        # of the middles, not of the windows: one beside the image's border has little way to go, and must go it
        drifts_x = abs(x - (self.left + self.width / 2)) > RESTING_SHARE * self.width
        drifts_y = abs(y - (self.top + self.height / 2)) > RESTING_SHARE * self.height
        moved = Window._placed((x, y), self.width, self.height, image_hw)
        moved = replace(moved, left=moved.left if drifts_x else self.left, top=moved.top if drifts_y else self.top)
        return self if moved == self else moved

    def crop(self, image: ImageU8) -> ImageU8:
        """(H, W, 3) -> the window's part of it; a view."""
        return image[self.top : self.top + self.height, self.left : self.left + self.width]

    def box_in_image(self, box: Box) -> Box:
        """A box in pixels of the window -> of the image."""
        return box[0] + self.left, box[1] + self.top, box[2] + self.left, box[3] + self.top

    def prompt_inside(self, prompt: Prompt) -> Prompt:
        """A prompt in pixels of the image -> of the window."""
        box = prompt.box_image_px
        if box is not None:
            box = box[0] - self.left, box[1] - self.top, box[2] - self.left, box[3] - self.top
        points = tuple((x - self.left, y - self.top) for x, y in prompt.points_image_px)
        return replace(prompt, box_image_px=box, points_image_px=points)

    def result_in_image(self, result: ObjectResult, image_hw: tuple[int, int]) -> ObjectResult:
        """What was found in the window -> in the image."""
        if self.hw == image_hw:
            return result
        mask = np.zeros(image_hw, np.bool_)
        mask[self.top : self.top + self.height, self.left : self.left + self.width] = result.mask
        box = result.box_image_px
        return replace(result, mask=mask, box_image_px=None if box is None else self.box_in_image(box))

    def cells_in(self, other: Window, cells: MaskBool) -> MaskBool:
        """(h, w) cells of a mask over this window -> the same over another window; False beyond this one."""
        if other == self:
            return cells
        inside = []
        for count, low, length, old_low, old_length in (
            (cells.shape[0], other.top, other.height, self.top, self.height),
            (cells.shape[1], other.left, other.width, self.left, self.width),
        ):
            centres_px = low + (np.arange(count) + 0.5) * length / count
            inside.append(np.floor((centres_px - old_low) * count / old_length).astype(np.intp))
        rows, cols = inside
        is_known = np.logical_and.outer(*((at >= 0) & (at < n) for at, n in zip(inside, cells.shape, strict=True)))
        known: MaskBool = cells[np.ix_(rows.clip(0, cells.shape[0] - 1), cols.clip(0, cells.shape[1] - 1))] & is_known
        return known


def widened(box: Box, width: float, height: float) -> Box:
    """A box about the same middle, at least so wide and so high."""
    (x, y), right, down = box_center(box), max(box[2] - box[0], width) / 2, max(box[3] - box[1], height) / 2
    return x - right, y - down, x + right, y + down
