"""What can stand on the simulated table: kinds, colours, sizes, and how much room each takes.

Knows nothing about places, cameras or the renderer. ``KINDS`` are those that have a name; ``shape_of`` knows the
unnamed ones too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np

from icseg.sim import meshes
from icseg.sim.meshes import Mesh
from icseg.sim.unnamed import TEST_UNNAMED, TRAIN_UNNAMED

Rgb = tuple[float, float, float]
Disc = tuple[float, float, float]

COLOUR_RGB: dict[str, Rgb] = {
    "red": (0.78, 0.06, 0.07),
    "orange": (0.95, 0.42, 0.04),
    "yellow": (0.95, 0.80, 0.08),
    "green": (0.08, 0.52, 0.16),
    "blue": (0.08, 0.24, 0.76),
    "purple": (0.42, 0.12, 0.58),
    "white": (0.92, 0.92, 0.90),
    "black": (0.055, 0.055, 0.06),
}
"""Linear 0..1, before the scene's jitter and light."""

SIZE_SCALE: dict[str, float] = {"small": 0.8, "large": 1.15}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of thing at scale 1, metres.

    Attributes:
        body: makes the part that carries the thing's colour.
        trim: makes a part of fixed colour (cap, bare metal) or None.
        trim_rgb: colour of the trim.
        footprint: discs (x, y, radius) in the thing's frame that cover what it takes of the table.
        height_m: upper end.
    """

    body: Callable[[], Mesh]
    footprint: tuple[Disc, ...]
    height_m: float
    trim: Callable[[], Mesh] | None = None
    trim_rgb: Rgb = (0.7, 0.7, 0.7)


KIND_SHAPES: dict[str, Kind] = {
    "mug": Kind(meshes.mug, ((0.0, 0.0, 0.042), (0.055, 0.0, 0.018)), 0.095),
    "bowl": Kind(meshes.bowl, ((0.0, 0.0, 0.069),), 0.056),
    "bottle": Kind(meshes.bottle, ((0.0, 0.0, 0.035),), 0.214, meshes.bottle_cap, (0.62, 0.60, 0.56)),
    "can": Kind(meshes.can, ((0.0, 0.0, 0.034),), 0.122, meshes.can_ends, (0.66, 0.67, 0.69)),
    "box": Kind(meshes.box, ((-0.02, 0.0, 0.034), (0.02, 0.0, 0.034)), 0.118),
    "ball": Kind(meshes.ball, ((0.0, 0.0, 0.037),), 0.074),
    "plate": Kind(meshes.plate, ((0.0, 0.0, 0.092),), 0.019),
    "spoon": Kind(
        meshes.spoon,
        ((-0.06, 0.0, 0.032), (-0.01, 0.0, 0.02), (0.03, 0.0, 0.016), (0.07, 0.0, 0.016), (0.105, 0.0, 0.02)),
        0.03,
    ),
}

KINDS: tuple[str, ...] = tuple(KIND_SHAPES)
COLOURS: tuple[str, ...] = tuple(COLOUR_RGB)
SIZES: tuple[str, ...] = tuple(SIZE_SCALE)


@cache
def unnamed_shapes() -> dict[str, Kind]:
    """Every kind that has no name, of the training and of the test."""
    shapes = {}
    for kind, body in {**TRAIN_UNNAMED, **TEST_UNNAMED}.items():
        vertices = body().vertices
        radius_m = float(np.linalg.norm(vertices[:, :2], axis=1).max())
        shapes[kind] = Kind(body, ((0.0, 0.0, radius_m),), float(vertices[:, 2].max()))
    return shapes


def shape_of(kind: str) -> Kind:
    """The shape of a kind, named or not.

    Raises:
        KeyError: there is no such kind.
    """
    return KIND_SHAPES.get(kind) or unnamed_shapes()[kind]


@cache
def mesh_of(kind: str) -> Mesh:
    """The coloured part of a kind at scale 1; do not write to it."""
    return shape_of(kind).body()


def footprint_of(kind: str, size: str) -> tuple[Disc, ...]:
    """Discs (x, y, radius) in metres, in the thing's own frame."""
    scale = SIZE_SCALE[size]
    return tuple((x * scale, y * scale, r * scale) for x, y, r in shape_of(kind).footprint)


def height_of(kind: str, size: str) -> float:
    """Upper end above the table in metres when the thing stands on it."""
    return shape_of(kind).height_m * SIZE_SCALE[size]


def radius_of(kind: str, size: str) -> float:
    """Radius in metres about the thing's axis that holds its whole footprint."""
    return max(float((x * x + y * y) ** 0.5) + r for x, y, r in footprint_of(kind, size))
