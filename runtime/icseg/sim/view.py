"""The simulated camera: its path, its projection, and silhouettes good enough to judge who hides whom.

Pure geometry, so that a scene can be judged before it is ever rendered. Table frame as in ``motion.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from icseg.sim.motion import Pose
from icseg.sim.things import SIZE_SCALE, mesh_of
from icseg.types import ImageU8

Points = npt.NDArray[np.float64]
JUDGE_HW = (240, 320)
"""Size at which silhouettes are drawn: half of the default camera on each axis."""
MIN_DEPTH_M = 0.05


@dataclass(frozen=True, slots=True)
class CameraPath:
    """A camera that looks at one point of the table and swings gently about it.

    Attributes:
        look_at_m: x, y, z.
        distance_m, azimuth_deg, elevation_deg: of the camera from there; azimuth 0 looks along +y.
        fovy_deg: vertical field of view.
        roll_deg: turn about the line of sight.
        swing_deg: amplitude of azimuth and elevation.
        shift_m: amplitude of the look-at point, along the camera's right.
        period_s, phase_rad: of the swing.
    """

    look_at_m: tuple[float, float, float]
    distance_m: float
    azimuth_deg: float
    elevation_deg: float
    fovy_deg: float
    roll_deg: float = 0.0
    swing_deg: tuple[float, float] = (0.0, 0.0)
    shift_m: float = 0.0
    period_s: float = 8.0
    phase_rad: float = 0.0

    @property
    def towards_camera(self) -> tuple[float, float]:
        """Unit vector on the table from the look-at point to the camera."""
        azimuth = np.radians(self.azimuth_deg)
        return -float(np.sin(azimuth)), -float(np.cos(azimuth))


@dataclass(frozen=True, slots=True, eq=False)
class CameraPose:
    """A pinhole camera; ``axes`` has right, up and backward as columns, (3, 3)."""

    position_m: Points
    axes: Points
    fovy_deg: float

    def project(self, points_m: Points, hw: tuple[int, int]) -> Points:
        """(N, 3) points of the table frame -> (N, 3) x, y in pixels and depth in metres (negative behind)."""
        local = (points_m - self.position_m) @ self.axes
        depth = -local[:, 2]
        focal = hw[0] / 2 / np.tan(np.radians(self.fovy_deg) / 2)
        safe = np.maximum(depth, MIN_DEPTH_M)
        x = hw[1] / 2 + focal * local[:, 0] / safe
        y = hw[0] / 2 - focal * local[:, 1] / safe
        return np.stack([x, y, depth], axis=1)


def camera_at(path: CameraPath, t_s: float) -> CameraPose:
    """The camera at a time."""
    turn = 2 * np.pi * t_s / path.period_s + path.phase_rad
    azimuth = np.radians(path.azimuth_deg + path.swing_deg[0] * np.sin(turn))
    elevation = np.radians(path.elevation_deg + path.swing_deg[1] * np.sin(turn * 0.8 + 1.0))
    forward = np.array([np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), -np.sin(elevation)])
    right = np.array([np.cos(azimuth), -np.sin(azimuth), 0.0])
    look_at = np.asarray(path.look_at_m) + path.shift_m * np.sin(turn * 0.7) * right
    up = np.cross(right, forward)
    roll = np.radians(path.roll_deg)
    rolled = np.cos(roll) * right + np.sin(roll) * up, np.cos(roll) * up - np.sin(roll) * right
    return CameraPose(look_at - path.distance_m * forward, np.stack([*rolled, -forward], axis=1), path.fovy_deg)


def thing_points(kind: str, size: str, pose: Pose) -> Points:
    """Some vertices of a thing's mesh in the table frame, (N, 3)."""
    vertices = mesh_of(kind).vertices[::3] * SIZE_SCALE[size]
    cos, sin = np.cos(pose.yaw_rad), np.sin(pose.yaw_rad)
    turned = vertices @ np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    return np.asarray(turned + np.array([pose.x_m, pose.y_m, pose.z_m]))


def silhouettes(camera: CameraPose, things: Mapping[int, tuple[str, str, Pose]], hw: tuple[int, int]) -> ImageU8:
    """Approximate instance map: the convex outlines of the things, painted from far to near.

    Args:
        camera: where from.
        things: id -> kind, size, pose.
        hw: size of the map in pixels.

    Returns:
        (H, W) uint8, 0 = no thing.
    """
    canvas = np.zeros(hw, dtype=np.uint8)
    outlines = []
    for thing_id, (kind, size, pose) in things.items():
        pixels = camera.project(thing_points(kind, size, pose), hw)
        if pixels[:, 2].min() > MIN_DEPTH_M:
            foot = camera.project(np.array([[pose.x_m, pose.y_m, pose.z_m]]), hw)
            outlines.append((float(foot[0, 2]), thing_id, pixels[:, :2]))
    for _, thing_id, outline in sorted(outlines, key=lambda item: -item[0]):
        hull = cv2.convexHull(np.round(outline).astype(np.int32))
        cv2.fillConvexPoly(canvas, hull, thing_id)
    return canvas
