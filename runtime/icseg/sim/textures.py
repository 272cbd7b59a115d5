"""Surfaces for table, walls and floor, drawn by numpy: wood, stone, cloth, tiles, plaster. Deterministic, tileable.

Knows images only. A texture is (SIDE_PX, SIDE_PX, 3) uint8 RGB.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from icseg.types import ImageU8

SIDE_PX = 512
TABLE_NAMES = (
    "oak", "walnut", "pine", "grey_wood", "marble", "granite", "linen", "gingham", "laminate", "slate_tiles",
)  # fmt: skip
WALL_NAMES = (
    "plaster_warm", "plaster_cool", "plaster_sage", "concrete", "brick", "white_tiles", "panels", "floor_boards",
)  # fmt: skip
Field = npt.NDArray[np.float64]
Rgb = tuple[float, float, float]


def _noise(rng: np.random.Generator, cells_yx: tuple[int, int], octaves: int = 4) -> Field:
    """Tileable value noise in about -1..1; ``cells_yx`` is the number of bumps along each side."""
    total = np.zeros((SIDE_PX, SIDE_PX))
    for octave in range(octaves):
        rows, cols = (min(n << octave, SIDE_PX) for n in cells_yx)
        lattice = np.pad(rng.uniform(-1, 1, (rows, cols)), 2, mode="wrap").astype(np.float32)
        size = (round((cols + 4) * SIDE_PX / cols), round((rows + 4) * SIDE_PX / rows))
        smooth = cv2.resize(lattice, size, interpolation=cv2.INTER_CUBIC)
        top, left = 2 * SIDE_PX // rows, 2 * SIDE_PX // cols
        total += smooth[top : top + SIDE_PX, left : left + SIDE_PX] * 0.55**octave
    return total


def _mix(stops: Sequence[Rgb], amount: Field) -> Field:
    """Colours along ``stops`` by amount 0..1, (H, W, 3) in 0..1."""
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(amount, at, [stop[c] for stop in stops]) for c in range(3)], -1)


def _to_u8(colour: Field) -> ImageU8:
    return np.ascontiguousarray(np.clip(colour * 255 + 0.5, 0, 255).astype(np.uint8))


def wood(seed: int, dark: Rgb, light: Rgb, planks: int) -> ImageU8:
    """Planks along x with grain; ``planks`` = 0 gives one solid board."""
    rng = np.random.default_rng(seed)
    y = np.linspace(0, 1, SIDE_PX, endpoint=False)[:, None]
    warp = _noise(rng, (2, 1), 3) * 0.5 + _noise(rng, (24, 1), 2) * 0.15
    rings = 0.5 + 0.5 * np.sin(2 * np.pi * (y * 9 + warp * 1.6))
    fibre = _noise(rng, (128, 3), 3)
    amount = np.clip(0.2 + 0.5 * rings + 0.16 * fibre, 0, 1)
    colour = _mix([dark, light], amount)
    if planks:
        board = (y * planks).astype(int) % planks
        colour *= rng.uniform(0.82, 1.12, planks)[board][..., None]
        colour[np.broadcast_to((y * planks) % 1 < 0.018, colour.shape[:2])] *= 0.45
    return _to_u8(colour)


def stone(seed: int, stops: Sequence[Rgb], vein: Rgb) -> ImageU8:
    """Polished stone with veins and speckles."""
    rng = np.random.default_rng(seed)
    cloud = np.clip(0.5 + 0.4 * _noise(rng, (3, 3), 5), 0, 1)
    colour = _mix(stops, cloud)
    line = np.exp(-(((_noise(rng, (3, 2), 5)) / 0.045) ** 2))[..., None] * 0.6
    colour = colour * (1 - line) + np.asarray(vein) * line
    return _to_u8(colour * (1 + 0.05 * rng.standard_normal((SIDE_PX, SIDE_PX, 1))))


def cloth(seed: int, ground: Rgb, stripe: Rgb, stripes: int) -> ImageU8:
    """Woven cloth; ``stripes`` crossing bands on each side, 0 for plain."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / SIDE_PX
    colour = np.broadcast_to(np.asarray(ground), (SIDE_PX, SIDE_PX, 3)).copy()
    if stripes:
        cover = 0.5 * ((x * stripes) % 1 < 0.5)[..., None] + 0.5 * ((y * stripes) % 1 < 0.5)[..., None]
        colour = colour * (1 - cover) + np.asarray(stripe) * cover
    weave = 0.06 * (np.sin(2 * np.pi * x * 128) * np.sin(2 * np.pi * y * 128))
    return _to_u8(colour * (1 + weave[..., None] + 0.05 * _noise(rng, (8, 8), 4)[..., None]))


def tiles(seed: int, ground: Rgb, joint: Rgb, count: int, *, is_brick: bool = False) -> ImageU8:
    """Square tiles or bricks with joints, each a little different."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIDE_PX, 0:SIDE_PX] / SIDE_PX
    rows = count * 2 if is_brick else count
    row = (y * rows).astype(int)
    along = x * count + (0.5 * (row % 2) if is_brick else 0.0)
    tone = rng.uniform(0.82, 1.1, (rows, count))[row, along.astype(int) % count]
    colour = np.asarray(ground) * tone[..., None] * (1 + 0.06 * _noise(rng, (16, 16), 3)[..., None])
    is_joint = ((y * rows) % 1 < 0.05 * rows / count) | (along % 1 < 0.05)
    colour[is_joint] = joint
    return _to_u8(colour)


def plaster(seed: int, ground: Rgb, roughness: float) -> ImageU8:
    """A painted wall or a laminate with soft stains."""
    rng = np.random.default_rng(seed)
    shade = 1 + roughness * (_noise(rng, (4, 4), 6) + 0.25 * rng.standard_normal((SIDE_PX, SIDE_PX)))
    return _to_u8(np.asarray(ground) * shade[..., None])


def table_textures() -> dict[str, ImageU8]:
    """Table tops by name."""
    return {
        "oak": wood(1, (0.45, 0.29, 0.15), (0.72, 0.52, 0.32), 4),
        "walnut": wood(2, (0.19, 0.11, 0.07), (0.38, 0.24, 0.15), 3),
        "pine": wood(3, (0.70, 0.50, 0.28), (0.90, 0.74, 0.50), 5),
        "grey_wood": wood(4, (0.36, 0.34, 0.31), (0.60, 0.57, 0.52), 0),
        "marble": stone(5, [(0.72, 0.72, 0.72), (0.93, 0.92, 0.90)], (0.45, 0.45, 0.47)),
        "granite": stone(6, [(0.14, 0.15, 0.17), (0.38, 0.38, 0.40)], (0.55, 0.52, 0.50)),
        "linen": cloth(7, (0.80, 0.76, 0.66), (0.80, 0.76, 0.66), 0),
        "gingham": cloth(8, (0.90, 0.89, 0.86), (0.38, 0.50, 0.62), 8),
        "laminate": plaster(9, (0.74, 0.75, 0.74), 0.03),
        "slate_tiles": tiles(10, (0.42, 0.45, 0.47), (0.24, 0.24, 0.24), 5),
    }


def wall_textures() -> dict[str, ImageU8]:
    """Walls and floors by name."""
    return {
        "plaster_warm": plaster(21, (0.84, 0.79, 0.70), 0.03),
        "plaster_cool": plaster(22, (0.66, 0.72, 0.77), 0.03),
        "plaster_sage": plaster(23, (0.55, 0.62, 0.52), 0.05),
        "concrete": plaster(24, (0.52, 0.51, 0.50), 0.09),
        "brick": tiles(25, (0.55, 0.30, 0.22), (0.66, 0.63, 0.58), 4, is_brick=True),
        "white_tiles": tiles(26, (0.86, 0.87, 0.86), (0.62, 0.62, 0.60), 8),
        "panels": wood(27, (0.50, 0.36, 0.22), (0.66, 0.50, 0.33), 6),
        "floor_boards": wood(28, (0.30, 0.21, 0.14), (0.48, 0.36, 0.25), 8),
    }
