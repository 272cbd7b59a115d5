"""Scripted motion: time -> pose, as pure functions. No physics, no renderer, no random numbers.

Table frame: x to the right and y away from the camera at azimuth 0, z up from the table top; metres, seconds, radians.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

KEY_STEP_S = 0.1
PEAK_OVER_MEAN = 1.25
"""``_ease`` runs at a constant speed with soft ends; its peak speed is this many times its mean speed."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a thing stands: its axis on the table, height of its foot, turn about z."""

    x_m: float
    y_m: float
    z_m: float = 0.0
    yaw_rad: float = 0.0


@dataclass(frozen=True, slots=True)
class Motion:
    """Poses at increasing times; straight in between, at rest before the first and after the last.

    Raises:
        ValueError: no poses, not one time per pose, or times that do not increase.
    """

    times_s: tuple[float, ...]
    poses: tuple[Pose, ...]

    def __post_init__(self) -> None:
        if not self.poses or len(self.times_s) != len(self.poses):
            raise ValueError(f"motion: expected one time per pose, got {len(self.times_s)} and {len(self.poses)}")
        if any(later <= sooner for sooner, later in zip(self.times_s, self.times_s[1:], strict=False)):
            raise ValueError(f"motion: times must increase, got {self.times_s}")

    def pose_at(self, t_s: float) -> Pose:
        """Pose at a time, which may lie outside the script."""
        x, y, z, yaw = (float(v) for v in self.sample(np.array([t_s]))[0])
        return Pose(x, y, z, yaw)

    def sample(self, times_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """(T, 4) float64: x, y, z, yaw at each time."""
        table = np.array([(p.x_m, p.y_m, p.z_m, p.yaw_rad) for p in self.poses])
        return np.stack([np.interp(times_s, self.times_s, table[:, c]) for c in range(4)], axis=1)

    @property
    def is_still(self) -> bool:
        """True when the thing never moves."""
        return all(pose == self.poses[0] for pose in self.poses)


def _ease(u: float) -> float:
    """0..1 -> 0..1 with constant speed in the middle and soft ends over a fifth of the time each."""
    ramp = 0.2
    if u < ramp:
        return PEAK_OVER_MEAN * u * u / (2 * ramp)
    if u > 1 - ramp:
        return 1 - PEAK_OVER_MEAN * (1 - u) ** 2 / (2 * ramp)
    return PEAK_OVER_MEAN * (u - ramp / 2)


def travel_time_s(length_m: float, max_speed_m_s: float) -> float:
    """How long an eased move of this length takes at least."""
    return max(length_m * PEAK_OVER_MEAN / max_speed_m_s, 2 * KEY_STEP_S)


def still(pose: Pose) -> Motion:
    """Never moves."""
    return Motion((0.0,), (pose,))


def _follow(path: Callable[[float], Pose], start_s: float, duration_s: float) -> Motion:
    n = max(2, math.ceil(duration_s / KEY_STEP_S))
    poses = tuple(path(_ease(i / n)) for i in range(n + 1))
    return Motion(tuple(start_s + duration_s * i / n for i in range(n + 1)), poses)


def push(start: Pose, end: Pose, start_s: float, duration_s: float, *, bow_m: float = 0.0) -> Motion:
    """Pushed over the table from start to end, turning on the way; ``bow_m`` bends the path to its left."""
    dx, dy = end.x_m - start.x_m, end.y_m - start.y_m
    length = math.hypot(dx, dy) or 1.0

    def path(u: float) -> Pose:
        side = bow_m * 4 * u * (1 - u) / length
        yaw = start.yaw_rad + u * (end.yaw_rad - start.yaw_rad)
        return Pose(start.x_m + u * dx - side * dy, start.y_m + u * dy + side * dx, 0.0, yaw)

    return _follow(path, start_s, duration_s)


def carry(start: Pose, end: Pose, start_s: float, duration_s: float, *, lift_m: float) -> Motion:
    """Lifted, carried along an arc and put down."""

    def path(u: float) -> Pose:
        z = lift_m * math.sin(math.pi * u) ** 0.7 if 0 < u < 1 else 0.0
        yaw = start.yaw_rad + u * (end.yaw_rad - start.yaw_rad)
        return Pose(start.x_m + u * (end.x_m - start.x_m), start.y_m + u * (end.y_m - start.y_m), z, yaw)

    return _follow(path, start_s, duration_s)


def then(first: Motion, second: Motion) -> Motion:
    """One motion after the other; the second must begin later than the first ends."""
    return Motion((*first.times_s, *second.times_s), (*first.poses, *second.poses))


def leave_and_return(home: Pose, away: Pose, back: Pose, middle_s: float, leg_s: float, pause_s: float) -> Motion:
    """Pushed out of the view to ``away``, waits there around ``middle_s``, and comes back to ``back``."""
    out = push(home, away, middle_s - pause_s / 2 - leg_s, leg_s)
    return then(out, push(away, back, middle_s + pause_s / 2, leg_s))


def pass_in_front(
    target: Pose, towards_camera: tuple[float, float], gap_m: float, reach_m: tuple[float, float], middle_s: float,
    duration_s: float, *, yaw_rad: float = 0.0,
) -> Motion:  # fmt: skip
    """Pushed across the line of sight between a camera and a thing at rest.

    Args:
        target: the thing that gets hidden.
        towards_camera: unit vector on the table.
        gap_m: distance between the axes of the two when one is in front of the other.
        reach_m: signed positions across the line of sight where the pass begins and ends (camera's right is positive).
        middle_s: the middle of the pass in time.
        duration_s: of the whole pass.
        yaw_rad: turn of the thing that passes.
    """
    cx, cy = towards_camera
    right = (-cy, cx)
    front = (target.x_m + gap_m * cx, target.y_m + gap_m * cy)
    start, end = (Pose(front[0] + s * right[0], front[1] + s * right[1], 0.0, yaw_rad) for s in reach_m)
    return push(start, end, middle_s - duration_s / 2, duration_s)
