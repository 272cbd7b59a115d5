"""The shapes of the things, as triangles made by numpy: lathe profiles, a swept handle, a box, a spoon.

Knows metres and triangles; knows nothing about colours, scenes or the renderer. Every mesh stands on z = 0 with its
axis at x = y = 0, in metres at scale 1. A sharp edge is two rings of vertices in one place, because the renderer
averages the normals of the faces that share a vertex.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

RING_SEGMENTS = 36
Profile = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True, eq=False)
class Mesh:
    """Triangles in metres.

    Attributes:
        vertices: (N, 3) float64, x y z.
        faces: (M, 3) int32, counter-clockwise seen from outside.
    """

    vertices: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int32]


def join(*meshes: Mesh) -> Mesh:
    """Put meshes into one without welding them."""
    offsets = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + offset for mesh, offset in zip(meshes, offsets, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces).astype(np.int32))


def grid(points: npt.NDArray[np.float64], *, wrap_u: bool = False) -> Mesh:
    """A (U, V, 3) grid of points as triangles whose normal is d/du x d/dv; triangles without area are left out."""
    n_u, n_v = points.shape[:2]
    u, v = np.meshgrid(np.arange(n_u if wrap_u else n_u - 1), np.arange(n_v - 1), indexing="ij")
    right = (u + 1) % n_u
    a, b, c, d = (u * n_v + v, right * n_v + v, right * n_v + v + 1, u * n_v + v + 1)
    faces = np.concatenate([np.stack(corners, -1).reshape(-1, 3) for corners in ((a, b, c), (a, c, d))])
    vertices = points.reshape(-1, 3)
    p, q, r = (vertices[faces[:, i]] for i in range(3))
    has_area = np.linalg.norm(np.cross(q - p, r - p), axis=1) > 1e-10
    return Mesh(vertices, faces[has_area].astype(np.int32))


def lathe(*profiles: Profile) -> Mesh:
    """Turn (radius, z) lines about the z axis; each line is smooth, where two lines meet the edge is sharp.

    The lines together go from the axis below, up the outside, and (for hollow things) down the inside to the axis.
    """
    angle = np.linspace(0, 2 * np.pi, RING_SEGMENTS, endpoint=False)[:, None]
    rings = []
    for profile in profiles:
        r, z = np.asarray(profile, dtype=np.float64).T
        rings.append(grid(np.stack([r * np.cos(angle), r * np.sin(angle), z + 0 * angle], -1), wrap_u=True))
    return join(*rings)


def _arc(
    center: tuple[float, float], radius: float, from_deg: float, to_deg: float, n: int = 6
) -> list[tuple[float, float]]:
    angle = np.radians(np.linspace(from_deg, to_deg, n))
    return [(center[0] + radius * float(np.cos(a)), center[1] + radius * float(np.sin(a))) for a in angle]


def _handle(center_xz: tuple[float, float], radius: float, half_yz: tuple[float, float]) -> Mesh:
    """Half a ring in the xz plane with an elliptic section; its ends lie inside the wall of the mug."""
    bend = np.radians(np.linspace(-94, 94, 18))[None, :]
    section = np.radians(np.linspace(0, 360, 10, endpoint=False))[:, None]
    reach = radius + half_yz[1] * np.cos(section)
    x = center_xz[0] + reach * np.cos(bend)
    z = center_xz[1] + reach * np.sin(bend) * 1.05
    return grid(np.stack([x, half_yz[0] * np.sin(section) + 0 * bend, z], -1), wrap_u=True)


def mug() -> Mesh:
    """A straight mug with a handle on +x."""
    r, h, wall = 0.041, 0.095, 0.004
    foot = _arc((r - 0.006, 0.006), 0.006, -90, 0)
    lip = _arc((r - wall / 2, h - wall / 2), wall / 2, 0, 180)
    inside = [(r - wall, 0.012), (r - wall - 0.006, 0.006), (0.0, 0.006)]
    return join(
        lathe([(0.0, 0.0), foot[0]], [*foot, *lip, *inside]), _handle((r - 0.001, 0.049), 0.027, (0.0075, 0.005))
    )


def bowl() -> Mesh:
    """A round open bowl on a small foot."""
    foot, rim, h, wall = 0.029, 0.068, 0.054, 0.004
    t = np.linspace(0, 1, 12)
    outside = [(float(foot + (rim - foot) * np.sin(a * np.pi / 2)), float(0.008 + (h - 0.008) * a**1.7)) for a in t]
    inside = [(max(x - wall, 0.0), z + wall * 0.7) for x, z in reversed(outside[:-1])]
    lip = [(rim - wall * 0.3, h + wall * 0.5), (rim - wall, h)]
    return lathe([(0.0, 0.0), (foot, 0.0)], [(foot, 0.0), (foot, 0.006)], [*outside, *lip, *inside, (0.0, 0.011)])


def bottle() -> Mesh:
    """A bottle with shoulders and a neck; its cap is a mesh of its own."""
    r, neck = 0.034, 0.0125
    foot = _arc((r - 0.006, 0.006), 0.006, -90, 0)
    t = np.linspace(0, 1, 10)
    shoulder = [(float(neck + (r - neck) * (1 + np.cos(a * np.pi)) / 2), float(0.125 + 0.05 * a)) for a in t]
    return lathe([(0.0, 0.0), foot[0]], [*foot, *shoulder, (neck, 0.197)], [(neck, 0.197), (0.0, 0.197)])


def bottle_cap() -> Mesh:
    """The cap on the bottle's neck."""
    return lathe([(0.0, 0.195), (0.0155, 0.195)], [(0.0155, 0.195), (0.0155, 0.214)], [(0.0155, 0.214), (0.0, 0.214)])


def can() -> Mesh:
    """The painted side of a drinks can; its bare ends are a mesh of their own."""
    return lathe([(0.0265, 0.006), (0.0330, 0.013), (0.0330, 0.106), (0.0275, 0.117)])


def can_ends() -> Mesh:
    """The bare metal ends of the can."""
    lower = lathe([(0.0, 0.003), (0.024, 0.003)], [(0.024, 0.0), (0.0266, 0.0), (0.0266, 0.007)])
    rim = [(0.0276, 0.116), (0.0288, 0.1195), (0.0284, 0.1215), (0.0262, 0.1215), (0.0255, 0.1175)]
    tab = slab((0.0, 0.006, 0.1185), (0.007, 0.011, 0.0012))
    return join(lower, lathe(rim, [(0.0255, 0.1175), (0.0, 0.1175)]), tab)


def slab(center: tuple[float, float, float], half: tuple[float, float, float]) -> Mesh:
    """A box with sharp edges."""
    sides = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            corners = np.zeros((2, 2, 3))
            u, v = (axis + 1) % 3, (axis + 2) % 3
            corners[..., axis] = sign
            corners[..., u] = sign * np.array([[-1, -1], [1, 1]])
            corners[..., v] = np.array([[-1, 1], [-1, 1]])
            sides.append(grid(corners * half + center))
    return join(*sides)


def box() -> Mesh:
    """A carton, taller than wide and wider than deep."""
    return slab((0.0, 0.0, 0.059), (0.042, 0.026, 0.059))


def ball() -> Mesh:
    """A ball that rests on the table."""
    r = 0.037
    return lathe(_arc((0.0, r), r, -90, 90, 19))


def plate() -> Mesh:
    """A flat plate with a raised rim."""
    top = [(0.090, 0.0185), (0.086, 0.0165), (0.066, 0.0085), (0.058, 0.006), (0.0, 0.006)]
    under = [(0.056, 0.0), (0.064, 0.004), (0.088, 0.0150), (0.091, 0.0170), (0.090, 0.0185)]
    return lathe([(0.0, 0.0), (0.056, 0.0)], under, top)


def spoon() -> Mesh:
    """A big serving spoon that lies on the table, its handle on +x."""
    length, n = 0.215, 36
    s = np.linspace(0, 1, n)
    head = np.clip(s / 0.34, 0, 1)
    scoop = 0.027 * np.sqrt(np.clip(1 - (2 * head - 1) ** 2, 0, 1)) ** 0.9
    stem = 0.0052 + 0.0045 * np.clip((s - 0.45) / 0.55, 0, 1)
    half_width = np.where(s < 0.3, np.maximum(scoop, 0.002), np.maximum(scoop, stem))
    half_width[-1] *= 0.55
    x = (s - 0.42) * length
    lift = 0.004 + 0.018 * np.clip((s - 0.2) / 0.45, 0, 1) ** 1.5 - 0.016 * np.clip((s - 0.65) / 0.35, 0, 1) ** 1.5
    dish = 0.012 * np.clip(1 - (2 * head - 1) ** 2, 0, 1) * (s < 0.34)
    across = np.linspace(-1, 1, 9)[None, :]
    y = half_width[:, None] * across
    z_top = (lift + dish.max())[:, None] - dish[:, None] * (1 - across**2) + 0 * across
    thick = 0.0032 * np.sqrt(np.clip(1 - across**2, 0.05, 1))
    xs = x[:, None] + 0 * across
    top = np.stack([xs, y, z_top + thick * 0.3], -1)
    under = np.stack([xs, y, z_top - thick], -1)
    floor = under[..., 2].min()
    top[..., 2] -= floor
    under[..., 2] -= floor
    edges = [np.stack([under[:, i], top[:, i]], 1) for i in (0, -1)]
    return join(grid(top), grid(under[:, ::-1]), grid(edges[0]), grid(edges[1][:, ::-1]))
