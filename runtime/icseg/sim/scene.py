"""A scene is a value: which things, how they move, light, surfaces, camera. ``make_scene`` draws one from a seed.

Knows nothing about the renderer. The same seed and options give the same scene everywhere; the splits never share a
scene, because the split is a part of the random key.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from icseg.errors import IcsegError
from icseg.sim.layout import Layout, Timing, draw_layout
from icseg.sim.motion import Motion
from icseg.sim.textures import TABLE_NAMES, WALL_NAMES
from icseg.sim.things import COLOUR_RGB, KINDS, Rgb
from icseg.sim.truth import ThingTruth
from icseg.sim.view import JUDGE_HW, CameraPath, camera_at, silhouettes

Split = Literal["train", "val", "test"]
SPLIT_KEYS: dict[str, int] = {"train": 1, "val": 2, "test": 3}
FINISHES = ("matte", "satin", "glossy")
MAX_ATTEMPTS = 400
"""Layouts that are drawn before a seed is given up."""
MIN_CLEAR_PX = 350
"""A thing is clear when at least this much of its silhouette at ``JUDGE_HW`` is seen: 1400 px at 640x480, where convex
outlines are up to a third too big."""
MIN_CLEAR_SHARE = 0.75
HIDDEN_SHARE = 0.5
HIDDEN_S = (0.5, 1.5)
AMBIGUOUS_CLEAR_S = (0.0, 1.0, 2.0)


@dataclass(frozen=True, slots=True)
class ThingSpec:
    """One thing: what it is, its exact colour (0..1), finish, and script."""

    truth: ThingTruth
    rgb: Rgb
    finish: str
    motion: Motion


@dataclass(frozen=True, slots=True)
class LightSpec:
    """A key light (a spot above the table), a fill light without shadows, and ambient light; colours 0..1."""

    key_position_m: tuple[float, float, float]
    key_rgb: Rgb
    casts_shadow: bool
    fill_position_m: tuple[float, float, float]
    fill_rgb: Rgb
    ambient_rgb: Rgb


@dataclass(frozen=True, slots=True)
class SurfaceSpec:
    """A texture by name and the tint it is multiplied with."""

    texture: str
    tint: Rgb


@dataclass(frozen=True, slots=True)
class MatSpec:
    """A thin cloth on the table under the things: place, turn, half sides."""

    surface: SurfaceSpec
    x_m: float
    y_m: float
    yaw_rad: float
    half_m: tuple[float, float]


@dataclass(frozen=True, slots=True)
class SceneSpec:
    """Everything that the renderer needs, and what is known to happen.

    Attributes:
        seed, split: where it came from.
        things: in the order of their ids.
        hidden_id, hidden_window_s: a thing that another passes in front of, and when; None when there is no such.
        leaving_id, away_s: a thing that leaves the view and comes back, and the middle of its absence.
    """

    seed: int
    split: str
    duration_s: float
    things: tuple[ThingSpec, ...]
    camera: CameraPath
    light: LightSpec
    table: SurfaceSpec
    wall: SurfaceSpec
    floor: SurfaceSpec
    mat: MatSpec | None
    hidden_id: int | None = None
    hidden_window_s: tuple[float, float] = (0.0, 0.0)
    leaving_id: int | None = None
    away_s: float = 0.0

    @property
    def truths(self) -> dict[int, ThingTruth]:
        """The things by id."""
        return {thing.truth.id: thing.truth for thing in self.things}


def make_scene(
    seed: int,
    *,
    split: Split,
    ambiguous_kind: str | None = None,
    motion: bool = True,
    duration_s: float = 10.0,
    motion_start_s: float = 3.0,
    max_speed_m_s: float = 0.25,
    unnamed: Sequence[str] = (),
) -> SceneSpec:
    """Draw a scene.

    Args:
        seed: any number from 0.
        split: "train", "val" or "test".
        ambiguous_kind: 2 to 4 things are of this kind, in different colours. Unless things may move from the
            beginning, all of them are well visible in the first 2 s; with ``motion`` all of them move later and one
            is hidden for 0.5 to 1.5 s by a thing that passes.
        motion: things move; the camera swings gently either way.
        duration_s: of the scene.
        motion_start_s: things are at rest before; with 0 they may be under way when the scene begins.
        max_speed_m_s: of things.
        unnamed: kinds without a name that stand in for half of the things (``sim/unnamed.py``); ``ambiguous_kind`` may
            be one of these.

    Raises:
        ValueError: a negative seed, or an unknown split or kind.
        IcsegError: no scene fits the wishes (for example no time for a pass in a short scene).
    """
    if seed < 0 or split not in get_args(Split) or ambiguous_kind not in (None, *KINDS, *unnamed):
        raise ValueError(
            f"scene: expected seed >= 0, split of {get_args(Split)}, kind of {(*KINDS, *unnamed)}; got {seed}, "
            f"{split!r}, {ambiguous_kind!r}"
        )
    timing = Timing(motion_start_s, duration_s, max_speed_m_s)
    for attempt in range(MAX_ATTEMPTS):
        rng = np.random.default_rng(np.random.SeedSequence([SPLIT_KEYS[split], seed, attempt]))
        camera = _draw_camera(rng)
        layout = draw_layout(rng, camera, timing, ambiguous_kind=ambiguous_kind, has_motion=motion, unnamed=unnamed)
        if layout is not None and _is_good(layout, ambiguous_kind):
            return _dress(rng, layout, seed, split)
    raise IcsegError(f"scene: seed {seed} found no layout for {ambiguous_kind=}, {motion=}, {duration_s=}")


def _draw_camera(rng: np.random.Generator) -> CameraPath:
    return CameraPath(
        look_at_m=(float(rng.uniform(-0.05, 0.05)), float(rng.uniform(-0.05, 0.05)), 0.03),
        distance_m=float(rng.uniform(0.60, 0.78)),
        azimuth_deg=float(rng.uniform(-28, 28)),
        elevation_deg=float(rng.uniform(21, 43)),
        fovy_deg=float(rng.uniform(36, 42)),
        roll_deg=float(rng.normal(0, 1.5)),
        swing_deg=(float(rng.uniform(0, 4)), float(rng.uniform(0, 1.5))),
        shift_m=float(rng.uniform(0, 0.02)),
        period_s=float(rng.uniform(6, 11)),
        phase_rad=float(rng.uniform(0, 2 * np.pi)),
    )


def _shares(layout: Layout, t_s: float, ids: Collection[int] | None = None) -> dict[int, tuple[int, float]]:
    """Per thing (all when None): pixels visible at ``JUDGE_HW``, and their share of its own outline within the view."""
    camera = camera_at(layout.camera, t_s)
    things = {p.truth.id: (p.truth.kind, p.truth.size, p.motion.pose_at(t_s)) for p in layout.placed}
    together = silhouettes(camera, things, JUDGE_HW)
    shares = {}
    for thing_id in things if ids is None else ids:
        alone = int(np.count_nonzero(silhouettes(camera, {thing_id: things[thing_id]}, JUDGE_HW)))
        visible = int(np.count_nonzero(together == thing_id))
        shares[thing_id] = (visible, visible / alone if alone else 0.0)
    return shares


def _is_good(layout: Layout, ambiguous_kind: str | None) -> bool:
    """Judge a layout by silhouettes before anybody renders it."""
    if ambiguous_kind is None or layout.timing.start_s == 0.0:
        seen = _shares(layout, layout.timing.duration_s / 2).values()
        return sum(visible >= 60 for visible, _ in seen) >= 3
    members = [placed.truth.id for placed in layout.placed if placed.truth.kind == ambiguous_kind]
    for t_s in AMBIGUOUS_CLEAR_S:
        shares = _shares(layout, t_s, members)
        if any(shares[m][0] < MIN_CLEAR_PX or shares[m][1] < MIN_CLEAR_SHARE for m in members):
            return False
    if layout.leaving_id is not None and _shares(layout, layout.away_s, [layout.leaving_id])[layout.leaving_id][0] > 0:
        return False
    if layout.hidden_id is None:
        return True
    times = np.arange(*layout.hidden_window_s, 0.1)
    hidden = layout.hidden_id
    hidden_s = 0.1 * sum(_shares(layout, float(t), [hidden])[hidden][1] < HIDDEN_SHARE for t in times)
    return bool(HIDDEN_S[0] <= hidden_s <= HIDDEN_S[1])


def _jitter(rng: np.random.Generator, rgb: Rgb, amount: float) -> Rgb:
    gain = float(rng.uniform(1 - amount, 1 + amount))
    r, g, b = (float(np.clip(c * gain + rng.normal(0, amount / 6) * (0.3 + 0.7 * c), 0.02, 1.0)) for c in rgb)
    return r, g, b


def _draw_light(rng: np.random.Generator) -> LightSpec:
    angle, spread = float(rng.uniform(0, 2 * np.pi)), float(rng.uniform(0.1, 0.9))
    warmth, strength = float(rng.uniform(-0.12, 0.12)), float(rng.uniform(0.55, 0.95))
    fill = float(rng.uniform(0.2, 0.5))
    ambient = float(rng.uniform(0.26, 0.42))
    return LightSpec(
        key_position_m=(spread * np.cos(angle), spread * np.sin(angle) - 0.1, float(rng.uniform(1.1, 1.8))),
        key_rgb=(strength * (1 + warmth), strength, strength * (1 - warmth)),
        casts_shadow=bool(rng.random() < 0.6),
        fill_position_m=(float(rng.uniform(-1.0, 1.0)), -1.2, float(rng.uniform(0.5, 1.0))),
        fill_rgb=(fill * (1 - warmth), fill, fill * (1 + warmth)),
        ambient_rgb=(ambient, ambient, ambient * (1 + 0.3 * warmth)),
    )


def _draw_surface(rng: np.random.Generator, names: tuple[str, ...]) -> SurfaceSpec:
    return SurfaceSpec(str(rng.choice(names)), _jitter(rng, (0.88, 0.88, 0.88), 0.12))


def _dress(rng: np.random.Generator, layout: Layout, seed: int, split: str) -> SceneSpec:
    """Add colours, light and surfaces to a layout."""
    things = tuple(
        ThingSpec(p.truth, _jitter(rng, COLOUR_RGB[p.truth.colour], 0.10), str(rng.choice(FINISHES)), p.motion)
        for p in layout.placed
    )
    table = _draw_surface(rng, TABLE_NAMES)
    mat = None
    if rng.random() < 0.35:
        names = tuple(name for name in (*TABLE_NAMES, *WALL_NAMES) if name != table.texture)
        x, y, yaw = rng.uniform(-0.15, 0.15), rng.uniform(-0.1, 0.1), rng.uniform(-0.5, 0.5)
        half = float(rng.uniform(0.12, 0.28)), float(rng.uniform(0.10, 0.2))
        mat = MatSpec(_draw_surface(rng, names), float(x), float(y), float(yaw), half)
    return SceneSpec(
        seed=seed, split=split, duration_s=layout.timing.duration_s, things=things, camera=layout.camera,
        light=_draw_light(rng), table=table, wall=_draw_surface(rng, WALL_NAMES),
        floor=_draw_surface(rng, WALL_NAMES), mat=mat, hidden_id=layout.hidden_id,
        hidden_window_s=layout.hidden_window_s, leaving_id=layout.leaving_id, away_s=layout.away_s,
    )  # fmt: skip
