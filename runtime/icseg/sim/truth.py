"""What the simulated table knows exactly: for evaluation, training and the simulated user; never for the runtime."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icseg.types import Box, Frame, ImageU8, MaskBool


@dataclass(frozen=True, slots=True)
class ThingTruth:
    """One thing on the table. ``id`` (1..255) is its value in the instance map."""

    id: int
    kind: str
    colour: str
    size: str


@dataclass(frozen=True, slots=True, eq=False)
class SimFrame:
    """A camera frame with its exact instance map.

    Attributes:
        frame: what a robot would see.
        instance_ids: (H, W) uint8, 0 = no thing, else ``ThingTruth.id``.
        things: every thing of the scene, visible or not, by id.
    """

    frame: Frame
    instance_ids: ImageU8
    things: dict[int, ThingTruth]

    def mask(self, thing_id: int) -> MaskBool:
        """(H, W) bool: the visible pixels of one thing."""
        return np.equal(self.instance_ids, thing_id)

    def box_image_px(self, thing_id: int) -> Box | None:
        """Tight box of the visible pixels (exclusive right and lower edges), or None when not visible."""
        rows, cols = np.nonzero(self.mask(thing_id))
        if rows.size == 0:
            return None
        return float(cols.min()), float(rows.min()), float(cols.max() + 1), float(rows.max() + 1)
