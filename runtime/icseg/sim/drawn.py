"""A table drawn with rectangles from a list: exact truth with no renderer, for tests and rehearsals of dialogues."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icseg.sim.things import COLOUR_RGB
from icseg.sim.truth import SimFrame, ThingTruth
from icseg.types import Frame

_SCALE = {"small": 0.8, "large": 1.15}
_WH_PX = {
    "mug": (50, 55), "bowl": (80, 45), "bottle": (36, 100), "can": (38, 60),
    "box": (60, 60), "ball": (40, 40), "plate": (100, 40), "spoon": (90, 24),
}  # fmt: skip
"""Width and height of each kind at scale 1 in an image 480 high, at one image height below the horizon."""
_HORIZON = -0.3
"""Height of the horizon as a share of the image's height from its top: above the image."""
TABLE_GREY = 150
"""The table's colour, the same in all channels."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One thing: what it is, and where it stands as shares of the image (middle of its lower edge)."""

    kind: str
    colour: str
    x: float
    y: float = 0.8
    size: str = "small"


def draw_table(things: Sequence[Drawn], *, hw: tuple[int, int] = (480, 640), index: int = 0) -> SimFrame:
    """Draw things from far to near; ids are 1, 2 ... in the order given.

    Raises:
        ValueError: more than 255 things, or a kind, colour or size that the table does not have.
    """
    if len(things) > 255:
        raise ValueError(f"drawn table: expected at most 255 things, got {len(things)}")
    height, width = hw
    image = np.full((height, width, 3), TABLE_GREY, dtype=np.uint8)
    ids = np.zeros(hw, dtype=np.uint8)
    truths = {}
    for thing_id, thing in sorted(enumerate(things, start=1), key=lambda item: item[1].y):
        if thing.kind not in _WH_PX or thing.colour not in COLOUR_RGB or thing.size not in _SCALE:
            raise ValueError(f"drawn table: expected a kind, colour and size of the table, got {thing}")
        scale = (thing.y - _HORIZON) * _SCALE[thing.size] * height / 480
        w, h = (side * scale for side in _WH_PX[thing.kind])
        rows = slice(max(round(thing.y * height - h), 0), max(round(thing.y * height), 0))
        cols = slice(max(round(thing.x * width - w / 2), 0), max(round(thing.x * width + w / 2), 0))
        ids[rows, cols] = thing_id
        image[rows, cols] = [round(255 * share) for share in COLOUR_RGB[thing.colour]]
        truths[thing_id] = ThingTruth(thing_id, thing.kind, thing.colour, thing.size)
    return SimFrame(Frame(image, index * 100_000_000, index), ids, dict(sorted(truths.items())))
