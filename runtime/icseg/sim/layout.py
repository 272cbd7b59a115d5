"""Who is on the table, where each thing stands, and who moves: drawn at random so that nothing runs into anything.

Knows geometry and time; knows nothing about light, surfaces or the renderer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from icseg.sim import motion
from icseg.sim.motion import Motion, Pose
from icseg.sim.things import COLOURS, KINDS, SIZES, footprint_of, height_of, radius_of
from icseg.sim.truth import ThingTruth
from icseg.sim.view import CameraPath

MAX_PER_KIND = 4
WIDE_KINDS = ("bowl", "plate")
MAX_WIDE = 3
CLEARANCE_M = 0.008
TRIES_PER_THING = 50
OCCLUDERS = ("box", "box", "bottle", "can")
EASILY_HIDDEN = ("mug", "can", "ball", "box", "bowl")


@dataclass(frozen=True, slots=True)
class Timing:
    """When and how fast things move.

    Attributes:
        start_s: nothing moves before; 0 also allows moves that began before the scene does.
        duration_s: of the scene.
        max_speed_m_s: of any move.
    """

    start_s: float
    duration_s: float
    max_speed_m_s: float

    def middle_of(self, rng: np.random.Generator, length_s: float, slack_s: float = 1.0) -> float:
        """A middle for an event of this length: soon after ``start_s``, or anywhere when moves may be under way."""
        if self.start_s == 0.0:
            return float(rng.uniform(0.2, 0.8)) * self.duration_s
        return self.start_s + length_s / 2 + float(rng.uniform(0.1, slack_s))


@dataclass(frozen=True, slots=True)
class Placed:
    """One thing and its script."""

    truth: ThingTruth
    motion: Motion


@dataclass(slots=True)
class Layout:
    """The things of a scene while it is being laid out.

    Attributes:
        camera: things are placed in front of it.
        timing: limits of all motion.
        placed: so far.
        hidden_id, hidden_window_s: the thing that another one passes in front of, and when.
        leaving_id, away_s: the thing that leaves, and the middle of its absence.
    """

    camera: CameraPath
    timing: Timing
    placed: list[Placed] = field(default_factory=list)
    hidden_id: int | None = None
    hidden_window_s: tuple[float, float] = (0.0, 0.0)
    leaving_id: int | None = None
    away_s: float = 0.0
    _swept: list[tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]] = field(default_factory=list)

    def world(self, right_m: float, away_m: float) -> tuple[float, float]:
        """Camera-aligned table coordinates about the look-at point -> x, y."""
        cx, cy = self.camera.towards_camera
        x0, y0, _ = self.camera.look_at_m
        return x0 - cy * right_m - cx * away_m, y0 + cx * right_m - cy * away_m

    def random_spot(self, rng: np.random.Generator, *, side: int = 0, far: bool = False) -> Pose:
        """A pose in view; ``side`` -1 or 1 keeps to that side of the view, ``far`` to the further half."""
        away = float(rng.uniform(0.05 if far else -0.14, 0.21))
        reach = 0.23 + 0.26 * away
        right = float(rng.uniform(0.3, 1.0)) * side * reach if side else float(rng.uniform(-reach, reach))
        x, y = self.world(right, away)
        cx, cy = self.camera.towards_camera
        # Most things turn their broad side to the camera (the handle of a mug beside it), as people put them down.
        yaw = math.atan2(cx, -cy) + float(rng.choice([0.0, math.pi])) + float(rng.normal(0.0, 0.6))
        # A mug whose handle nobody sees may as well be a can: not where somebody is going to say "the mug".
        if self.timing.start_s == 0.0 and rng.random() < 0.25:
            yaw = float(rng.uniform(-math.pi, math.pi))
        return Pose(x, y, 0.0, yaw)

    def try_add(self, truth: ThingTruth, script: Motion) -> bool:
        """Add the thing unless its script brings it too near another at any time."""
        grid_s = np.arange(-0.5, self.timing.duration_s + 0.5, motion.KEY_STEP_S)
        poses = script.sample(grid_s)
        cos, sin = np.cos(poses[:, 3]), np.sin(poses[:, 3])
        discs = np.stack(
            [
                np.stack([poses[:, 0] + cos * x - sin * y, poses[:, 1] + sin * x + cos * y, np.full_like(cos, r)], 1)
                for x, y, r in footprint_of(truth.kind, truth.size)
            ],
            axis=1,
        )
        height = height_of(truth.kind, truth.size)
        for other_discs, other_z, other_height in self._swept:
            apart = np.linalg.norm(discs[:, :, None, :2] - other_discs[:, None, :, :2], axis=-1)
            room = discs[:, :, None, 2] + other_discs[:, None, :, 2] + CLEARANCE_M
            overlap_z = (poses[:, 2] < other_z + other_height) & (other_z < poses[:, 2] + height)
            if bool(((apart < room).any(axis=(1, 2)) & overlap_z).any()):
                return False
        self._swept.append((discs, poses[:, 2], height))
        self.placed.append(Placed(truth, script))
        return True

    def add_still(self, rng: np.random.Generator, truth: ThingTruth) -> bool:
        """Find a place where the thing can stay."""
        return any(self.try_add(truth, motion.still(self.random_spot(rng))) for _ in range(TRIES_PER_THING))

    def add_moving(self, rng: np.random.Generator, truth: ThingTruth) -> bool:
        """Find a start and an end for a push or a carry."""
        for _ in range(TRIES_PER_THING):
            start, end = self.random_spot(rng), self.random_spot(rng)
            if self.try_add(truth, self._move(rng, start, end, self.timing.start_s)):
                return True
        return False

    def _move(self, rng: np.random.Generator, start: Pose, end: Pose, not_before_s: float) -> Motion:
        """A push or a carry of at most 0.25 m towards ``end``."""
        length = math.hypot(end.x_m - start.x_m, end.y_m - start.y_m)
        part = min(1.0, float(rng.uniform(0.08, 0.25)) / max(length, 1e-6))
        x = start.x_m + part * (end.x_m - start.x_m)
        y = start.y_m + part * (end.y_m - start.y_m)
        goal = Pose(x, y, 0.0, start.yaw_rad + float(rng.uniform(-0.8, 0.8)))
        carried = rng.random() < 0.4
        lift = float(rng.uniform(0.05, 0.13)) if carried else 0.0
        bow = float(rng.uniform(-0.05, 0.05))
        speed = self.timing.max_speed_m_s * float(rng.uniform(0.5, 1.0))
        duration = motion.travel_time_s(part * length * 1.2 + 3 * lift + abs(bow), speed)
        if self.timing.start_s == 0.0:
            start_s = float(rng.uniform(-0.5 * duration, 0.7 * self.timing.duration_s))
        else:
            start_s = not_before_s + float(rng.uniform(0.1, 2.5))
        if carried:
            return motion.carry(start, goal, start_s, duration, lift_m=lift)
        return motion.push(start, goal, start_s, duration, bow_m=bow)

    def add_pass(self, rng: np.random.Generator, target: ThingTruth, passer: ThingTruth, *, target_moves: bool) -> bool:
        """Place a thing and another one that passes between it and the camera."""
        for _ in range(TRIES_PER_THING):
            home = self.random_spot(rng, far=True)
            gap = radius_of(target.kind, target.size) + radius_of(passer.kind, passer.size)
            gap += float(rng.uniform(0.01, 0.05))
            # The line of sight of an off-centre thing leans towards the camera's own foot on the table.
            flat = self.camera.distance_m * math.cos(math.radians(self.camera.elevation_deg))
            eye = self.world(0.0, -flat)
            to_eye = (eye[0] - home.x_m, eye[1] - home.y_m)
            norm = math.hypot(*to_eye)
            towards = (to_eye[0] / norm, to_eye[1] / norm)
            sign = float(rng.choice([-1.0, 1.0]))
            reach = (-sign * float(rng.uniform(0.14, 0.26)), sign * float(rng.uniform(0.14, 0.26)))
            speed = self.timing.max_speed_m_s * float(rng.uniform(0.45, 0.75))
            duration = motion.travel_time_s(abs(reach[1] - reach[0]), speed)
            middle = self.timing.middle_of(rng, duration)
            yaw = math.atan2(towards[0], -towards[1]) + float(rng.uniform(-0.3, 0.3))
            crossing = motion.pass_in_front(home, towards, gap, reach, middle, duration, yaw_rad=yaw)
            script = motion.still(home)
            if target_moves:
                script = self._move(rng, home, self.random_spot(rng), middle + duration / 2)
            if self.try_add(target, script):
                if self.try_add(passer, crossing):
                    self.hidden_id = target.id
                    self.hidden_window_s = (middle - duration / 2, middle + duration / 2)
                    return True
                self._swept.pop()
                self.placed.pop()
        return False

    def add_leaving(self, rng: np.random.Generator, truth: ThingTruth) -> bool:
        """Place a thing that leaves the view at one side and comes back."""
        for _ in range(TRIES_PER_THING):
            side = int(rng.choice([-1, 1]))
            home = self.random_spot(rng, side=side)
            out_m = float(rng.uniform(0.26, 0.34))
            cx, cy = self.camera.towards_camera
            half_view = 0.36 + 0.3 * self._away_of(home)
            travel = half_view + 0.06 + out_m * 0.3 - side * self._right_of(home) + radius_of(truth.kind, truth.size)
            away = Pose(home.x_m - cy * side * travel, home.y_m + cx * side * travel, 0.0, home.yaw_rad + 0.5)
            leg = motion.travel_time_s(travel, self.timing.max_speed_m_s)
            pause = float(rng.uniform(0.5, 1.2))
            if self.timing.start_s == 0.0:
                pause *= self.timing.duration_s / 3
            middle = self.timing.middle_of(rng, 2 * leg + pause, 0.8)
            if self.try_add(truth, motion.leave_and_return(home, away, home, middle, leg, pause)):
                self.leaving_id, self.away_s = truth.id, middle
                return True
        return False

    def _right_of(self, pose: Pose) -> float:
        cx, cy = self.camera.towards_camera
        return -cy * (pose.x_m - self.camera.look_at_m[0]) + cx * (pose.y_m - self.camera.look_at_m[1])

    def _away_of(self, pose: Pose) -> float:
        cx, cy = self.camera.towards_camera
        return -cx * (pose.x_m - self.camera.look_at_m[0]) - cy * (pose.y_m - self.camera.look_at_m[1])


def draw_cast(rng: np.random.Generator, ambiguous_kind: str | None) -> list[ThingTruth]:
    """Kinds, colours and sizes of 4 to 8 things, ids from 1.

    With ``ambiguous_kind`` the first 2 to 4 are of that kind, in different colours, and no other is. Without it most
    casts hold several of one kind, and now and then two that only their size or their place tells apart.
    """
    appearances: list[tuple[str, str, str]] = []
    total = int(rng.integers(5 if ambiguous_kind else 4, 9))
    groups = [ambiguous_kind] if ambiguous_kind else list(rng.choice(KINDS, int(rng.integers(0, 3)), replace=False))
    for kind in groups:
        count = int(rng.integers(2, MAX_PER_KIND + 1))
        colours = rng.choice(COLOURS, count, replace=False)
        for index in range(count):
            appearance = (str(kind), str(colours[index]), str(rng.choice(SIZES)))
            if not ambiguous_kind and index and rng.random() < 0.3:
                appearance = (appearance[0], appearances[-1][1], appearance[2])
            appearances.append(appearance)
    while len(appearances) < total:
        kind, colour, size = str(rng.choice(KINDS)), str(rng.choice(COLOURS)), str(rng.choice(SIZES))
        is_full = sum(appearance[0] == kind for appearance in appearances) >= MAX_PER_KIND
        is_too_wide = kind in WIDE_KINDS and sum(appearance[0] in WIDE_KINDS for appearance in appearances) >= MAX_WIDE
        if kind != ambiguous_kind and not is_full and not is_too_wide:
            appearances.append((kind, colour, size))
    return [ThingTruth(index + 1, *appearance) for index, appearance in enumerate(appearances[:8])]


def exchange(rng: np.random.Generator, cast: list[ThingTruth], keep: str | None, kinds: Sequence[str]) -> None:
    """Let half of the cast, but not those of the kind to keep, be of other kinds; in place."""
    for index, thing in enumerate(cast):
        if thing.kind != keep and rng.random() < 0.5:
            cast[index] = replace(thing, kind=str(rng.choice(kinds)))


def draw_layout(
    rng: np.random.Generator,
    camera: CameraPath,
    timing: Timing,
    *,
    ambiguous_kind: str | None,
    has_motion: bool,
    unnamed: Sequence[str] = (),
) -> Layout | None:
    """Draw a cast, give its members their parts and place them; None when they do not fit."""
    cast = draw_cast(rng, ambiguous_kind)
    if unnamed:
        exchange(rng, cast, ambiguous_kind, unnamed)
    layout = Layout(camera, timing)
    rest = list(cast)
    if has_motion:
        target = (
            cast[0] if ambiguous_kind else next((t for t in cast if t.kind in EASILY_HIDDEN or t.kind in unnamed), None)
        )
        if target is not None and (ambiguous_kind or rng.random() < 0.7):
            kinds = [thing.kind for thing in cast]
            free = [kind for kind in OCCLUDERS if kind != ambiguous_kind and kinds.count(kind) < MAX_PER_KIND]
            kind = str(rng.choice(free))
            passer = ThingTruth(len(cast) + 1, kind, str(rng.choice(COLOURS)), "large")
            if not layout.add_pass(rng, target, passer, target_moves=ambiguous_kind is not None):
                return None
            rest.remove(target)
        members = [thing for thing in rest if not ambiguous_kind or thing.kind == ambiguous_kind]
        if members and rng.random() < 0.5:
            leaver = members[int(rng.integers(len(members)))]
            if not layout.add_leaving(rng, leaver):
                return None
            rest.remove(leaver)
        for thing in list(rest):
            moves = thing.kind == ambiguous_kind or rng.random() < 0.25
            if moves:
                if not layout.add_moving(rng, thing):
                    return None
                rest.remove(thing)
    # Wide things first: they are the hardest to fit.
    for thing in sorted(rest, key=lambda t: -radius_of(t.kind, t.size)):
        if not layout.add_still(rng, thing):
            return None
    layout.placed.sort(key=lambda placed: placed.truth.id)
    return layout
