"""How large an object has been, and what can be as large as it.

A tracker that takes a neighbour in shows a mask in two pieces, or one far larger than before, and remembers it: from
then on every frame agrees. A thing of a real scene is in one place and does not grow by half from frame to frame. In
the spirit of the motion gate of SAMURAI (arXiv 2411.11922) and the anchors of DAM4SAM (arXiv 2411.17576), without the
alternative masks that they choose from.
"""

from __future__ import annotations

from dataclasses import dataclass

from icseg.mask_ops.mask_ops import MaskOps
from icseg.types import MaskBool

GROWTH_PER_FRAME = 1.01
"""A thing's largest extent grows by this factor in a frame at most: as fast as a thing comes nearer."""
EDGE_ERROR_CELLS = 1.5
"""By so many cells of the mask logits a box's side may be longer than it should: the edge of a mask is that coarse."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Width, height and area of what was seen of an object at its largest, in cells of the mask logits."""

    width: float
    height: float
    area: float

    @classmethod
    def of(cls, mask: MaskBool, mask_ops: MaskOps) -> Extent:
        """Measure a mask (h, w); all 0 when it is empty."""
        box, area = mask_ops.mask_box_area(mask)
        if box is None:
            return cls(0.0, 0.0, 0.0)
        return cls(box[2] - box[0], box[3] - box[1], float(area))

    def allows(self, other: Extent, max_growth: float) -> bool:
        """Something of the other extent can be the same thing.

        A thing that turns may become as wide as it was high.
        """
        side = max_growth * max(self.width, self.height) + EDGE_ERROR_CELLS
        return max(other.width, other.height) <= side and other.area <= max_growth**2 * self.area + EDGE_ERROR_CELLS**2

    def holds(self, other: Extent, max_growth: float) -> bool:
        """Pieces that together have the other extent can be parts of the same thing, partly hidden."""
        return (
            other.width <= max_growth * self.width + EDGE_ERROR_CELLS
            and other.height <= max_growth * self.height + EDGE_ERROR_CELLS
        )

    def scaled(self, ratio: float) -> Extent:
        """The same in cells ``ratio`` times as many along each side."""
        return Extent(ratio * self.width, ratio * self.height, ratio**2 * self.area)

    def grown_to(self, other: Extent) -> Extent:
        """The extent after another one was seen: larger by ``GROWTH_PER_FRAME`` at most, never smaller."""
        return Extent(
            _followed(self.width, other.width), _followed(self.height, other.height), _followed(self.area, other.area)
        )


def _followed(old: float, new: float) -> float:
    return max(old, min(new, old * GROWTH_PER_FRAME))
