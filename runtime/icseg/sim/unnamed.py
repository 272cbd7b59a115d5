"""Shapes that language and detector have no word for: to train a segmenter on shape itself, and to test it on others.

``TRAIN_UNNAMED`` are drawn at random, each by its number; ``TEST_UNNAMED`` were designed, and no training sees them.
Metres, as in ``meshes.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt

from icseg.sim.meshes import Mesh, Profile, grid, join, lathe, slab

ANGLES = np.linspace(0, 2 * np.pi, 48, endpoint=False)
N_RANDOM = 24
RANDOM_KEY = 4711


def prism(outline_m: npt.NDArray[np.float64], height_m: float, *, taper: float = 1.0, twist_rad: float = 0.0) -> Mesh:
    """An outline raised from the table.

    Args:
        outline_m: (48,) radius at each of ``ANGLES``.
        height_m: of the top.
        taper: size of the top relative to the foot.
        twist_rad: turn of the top.
    """
    levels = np.linspace(0, 1, 8)
    scale, turn = 1 + (taper - 1) * levels, twist_rad * levels
    r, angle = outline_m[:, None] * scale, ANGLES[:, None] + turn
    side = np.stack([r * np.cos(angle), r * np.sin(angle), height_m * levels + 0 * angle], -1)
    foot, top = (np.stack([side[:, end] * (0, 0, 1), side[:, end]], 1) for end in (0, -1))
    return join(grid(foot, wrap_u=True), grid(side, wrap_u=True), grid(top[:, ::-1], wrap_u=True))


def tube(arc_deg: tuple[float, float], bend_m: float, thick_m: float) -> Mesh:
    """A thick wire bent to an arc in the xz plane, standing on its lowest point; its ends are closed."""
    bend = np.radians(np.linspace(*arc_deg, 30))[None, :]
    section = np.linspace(0, 2 * np.pi, 14, endpoint=False)[:, None]
    reach = bend_m + thick_m * np.cos(section)
    skin = np.stack([reach * np.cos(bend), thick_m * np.sin(section) + 0 * bend, reach * np.sin(bend)], -1)
    ends = [np.broadcast_to(skin[:, end].mean(0), skin[:, end].shape) for end in (0, -1)]
    skin = np.concatenate([ends[0][:, None], skin, ends[1][:, None]], axis=1)
    skin[..., 2] -= skin[..., 2].min()
    skin[..., 0] -= (skin[..., 0].min() + skin[..., 0].max()) / 2
    return grid(skin, wrap_u=True)


def _smooth(points: Profile, n: int = 24) -> list[tuple[float, float]]:
    """A (radius, z) line through points, rounded between them."""
    r, z = np.asarray(points, np.float64).T
    at = np.linspace(0, len(points) - 1, n)
    before = np.clip(at.astype(int), 0, len(points) - 2)
    ease = (1 - np.cos(np.pi * (at - before))) / 2
    return list(zip((1 - ease) * r[before] + ease * r[before + 1], np.interp(at, range(len(points)), z), strict=True))


def _turned(points: Profile) -> Mesh:
    """A solid of revolution with a flat foot and a flat top."""
    line = _smooth(points)
    return lathe([(0.0, line[0][1]), line[0]], line, [line[-1], (0.0, line[-1][1])])


def _wavy(lobes: int, depth: float, radius_m: float, phase_rad: float = 0.0) -> npt.NDArray[np.float64]:
    return np.asarray(radius_m * (1 + depth * np.cos(lobes * ANGLES + phase_rad)))


def random_shape(number: int) -> Mesh:
    """One of four families, 4 to 17 cm tall: turned, raised outline, bent wire, two parts on each other."""
    rng = np.random.default_rng([RANDOM_KEY, number])
    height = float(rng.uniform(0.05, 0.16))
    radii = rng.uniform(0.015, 0.048, int(rng.integers(3, 7)))
    turned = _turned(list(zip(radii, np.linspace(0, height, len(radii)), strict=True)))
    if number % 4 == 0:
        return turned
    outline = _wavy(int(rng.integers(2, 7)), float(rng.uniform(0.05, 0.35)), float(rng.uniform(0.025, 0.042)))
    taper, twist = float(rng.uniform(0.5, 1.2)), float(rng.uniform(-0.8, 0.8))
    if number % 4 == 1:
        return prism(outline, float(rng.uniform(0.025, 0.13)), taper=taper, twist_rad=twist)
    if number % 4 == 2:
        begin, length = float(rng.uniform(-200, 60)), float(rng.uniform(120, 300))
        return tube((begin, begin + length), float(rng.uniform(0.028, 0.045)), float(rng.uniform(0.008, 0.018)))
    low = float(rng.uniform(0.02, 0.06))
    half = (float(rng.uniform(0.012, 0.045)), float(rng.uniform(0.012, 0.03)), float(rng.uniform(0.01, 0.04)))
    return join(prism(outline, low, taper=taper), slab((0.0, 0.0, low + half[2]), half))


def _star() -> Mesh:
    points = np.abs((ANGLES * 5 / (2 * np.pi)) % 1 - 0.5) * 2
    return prism(0.022 + 0.033 * points, 0.035)


def _cross() -> Mesh:
    return join(slab((0, 0, 0.05), (0.05, 0.016, 0.018)), slab((0, 0, 0.05), (0.016, 0.015, 0.05)))


TEST_UNNAMED: dict[str, Callable[[], Mesh]] = {
    "unnamed_cone": lambda: lathe([(0.0, 0.0), (0.045, 0.0)], [(0.045, 0.0), (0.003, 0.12), (0.0, 0.121)]),
    "unnamed_ring": lambda: tube((-180.0, 180.0), 0.042, 0.014),
    "unnamed_star": _star,
    "unnamed_pear": lambda: _turned(
        [(0.012, 0.0), (0.038, 0.022), (0.041, 0.04), (0.020, 0.075), (0.015, 0.09), (0.004, 0.1)]
    ),
    "unnamed_goblet": lambda: _turned(
        [(0.034, 0.0), (0.030, 0.006), (0.007, 0.014), (0.007, 0.065), (0.034, 0.085), (0.038, 0.13)]
    ),
    "unnamed_arch": lambda: tube((0.0, 180.0), 0.042, 0.013),
    "unnamed_cross": _cross,
    "unnamed_dumbbell": lambda: _turned(
        [(0.015, 0.0), (0.036, 0.025), (0.012, 0.055), (0.012, 0.07), (0.036, 0.1), (0.012, 0.125)]
    ),
}
"""Name -> mesh; for measuring only."""

TRAIN_UNNAMED: dict[str, Callable[[], Mesh]] = {
    f"unnamed_{number:02d}": partial(random_shape, number) for number in range(N_RANDOM)
}
"""Name -> mesh."""
