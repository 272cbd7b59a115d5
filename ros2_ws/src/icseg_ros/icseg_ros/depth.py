"""From a pixel of a mask to a point in space, by the depth image of the same time. Knows the pinhole model only.

The depth must be aligned to the colour image: same view, same frame. Lens distortion is not taken out.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from geometry_msgs.msg import Point as PointMsg
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from icseg.types import MaskBool, Point
from icseg_ros.convert import EncodingError, depth_to_metres, stamp_ns
from icseg_ros.image_subscription import ImageSubscription
from icseg_ros.settings import check, setting

DEPTHS_KEPT = 10
"""Depth images that wait for the mask of their time."""
MAX_ASPECT_ERROR = 0.02
"""Width over height of mask and depth, or of mask and camera_info, may differ so much: a scaled size is rounded."""
WINDOW_RADII_PX = (2, 8, 32)
"""Windows of the depth image around the pixel: the smallest one with enough measurements counts."""
MIN_MEASUREMENTS = 5
"""Below that a median is not safe from flying pixels; a window without them is given up for a wider one."""


@dataclass(frozen=True)
class DepthSettings:
    """Whether and how points in space are given.

    Raises:
        ConfigError: a value is out of range.
    """

    enabled: bool = setting(False, "subscribe to `depth` and `camera_info`, and publish ~/point")
    max_offset_s: float = setting(
        0.05, "seconds between the image's stamp and its depth's at most", low=0.0, high=1.0, is_fixed=False
    )

    def __post_init__(self) -> None:
        check("depth", self)


class DepthInput:
    """Subscribes to ``depth`` and ``camera_info`` when enabled; off until ``set_active(True)``.

    Args:
        node: is not spun here.
        spun: makes the subscriptions and calls them back; by default the same node. Is not spun here.

    Attributes:
        max_offset_s: may be set at any time.
        reason: why the last ``point_of`` gave none, and what to do; empty when it gave one.
    """

    def __init__(self, node: Node, settings: DepthSettings, *, spun: Node | None = None) -> None:
        self.max_offset_s = settings.max_offset_s
        self.reason = ""
        self._node, self._lock = spun if spun is not None else node, threading.Lock()
        self._is_active = False
        self._depths: deque[tuple[int, Image]] = deque(maxlen=DEPTHS_KEPT)
        self._camera_info: CameraInfo | None = None
        self._image_subscription = self._info_subscription = None
        if settings.enabled:
            depth_topic, info_topic = (node.resolve_topic_name(name) for name in ("depth", "camera_info"))
            self._image_subscription = ImageSubscription(self._node, Image, depth_topic, self._on_depth)
            qos = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
            self._info_subscription = self._node.create_subscription(CameraInfo, info_topic, self._on_camera_info, qos)

    @property
    def is_enabled(self) -> bool:
        """Whether it subscribed at all."""
        return self._image_subscription is not None

    def set_active(self, is_active: bool) -> None:
        """Keep what comes, or forget everything and pass it over."""
        with self._lock:
            self._is_active = is_active
            self._depths.clear()
            self._camera_info = None

    def close(self) -> None:
        """Unsubscribe; see `ImageSubscription.close`."""
        self.set_active(False)
        if self._image_subscription is not None:
            self._image_subscription.close()
            self._node.destroy_subscription(self._info_subscription)
            self._image_subscription = self._info_subscription = None

    def point_of(self, mask: MaskBool, stamp_ns: int, pixel_xy: Point) -> tuple[PointMsg, str] | None:
        """Where a pixel of a mask is: the median depth of the mask around it, along the pixel's ray.

        Args:
            mask: (H, W) bool, of the colour image.
            stamp_ns: the stamp of that image.
            pixel_xy: column and row of the mask, e.g. of `icseg.mask_ops.native.distance_peak`.

        Returns:
            metres in the optical frame (x right, y down, z forward) and the frame's name; None when there is none,
            and ``reason`` says why.
        """
        self.reason = ""
        with self._lock:
            depths, info = tuple(self._depths), self._camera_info
        try:
            depth = _nearest(depths, stamp_ns, self.max_offset_s)
            if info is None:
                raise _NoPoint("no camera_info came yet: remap `camera_info` to that of the colour camera")
            if depth.header.frame_id != info.header.frame_id:
                raise _NoPoint(
                    f"depth is in frame {depth.header.frame_id!r}, camera_info in {info.header.frame_id!r}: "
                    "remap `depth` to the depth image that the driver aligns to colour"
                )
            for name, width, height in (("depth", depth.width, depth.height), ("camera_info", info.width, info.height)):
                _check_aspect(name, width, height, mask.shape)
            metres = _depth_at(depth, mask, pixel_xy)
            return _back_projected(info, mask.shape, pixel_xy, metres), info.header.frame_id
        except (_NoPoint, EncodingError) as error:
            self.reason = str(error)
            return None

    def _on_depth(self, message: Image) -> None:
        with self._lock:
            if self._is_active:
                self._depths.append((stamp_ns(message.header), message))

    def _on_camera_info(self, message: CameraInfo) -> None:
        with self._lock:
            if self._is_active:
                self._camera_info = message


class _NoPoint(Exception):  # a turn of events, not an error
    pass


def _nearest(depths: tuple[tuple[int, Image], ...], stamp: int, max_offset_s: float) -> Image:
    if not depths:
        raise _NoPoint("no depth image came yet: remap `depth`, and check its publisher")
    at, depth = min(depths, key=lambda item: abs(item[0] - stamp))
    offset_s = (at - stamp) / 1e9
    if abs(offset_s) > max_offset_s:
        raise _NoPoint(
            f"the nearest depth image is {offset_s:+.3f} s off the image, expected {max_offset_s:g} s at most: raise "
            "depth.max_offset_s, or check that both cameras use one clock"
        )
    return depth


def _check_aspect(name: str, width: int, height: int, hw: tuple[int, ...]) -> None:
    if width < 1 or height < 1 or abs(width / height * hw[0] / hw[1] - 1) > MAX_ASPECT_ERROR:
        raise _NoPoint(
            f"{name} is {width}x{height} and the image {hw[1]}x{hw[0]}: expected one shape; remap `{name}` to what "
            "belongs to the colour image"
        )


def _depth_at(depth: Image, mask: MaskBool, pixel_xy: Point) -> float:
    """Metres: median over the mask's measurements around the pixel."""
    width, height = int(depth.width), int(depth.height)
    scale_x, scale_y = width / mask.shape[1], height / mask.shape[0]
    column, row = int((pixel_xy[0] + 0.5) * scale_x), int((pixel_xy[1] + 0.5) * scale_y)
    for radius in WINDOW_RADII_PX:
        x0, y0 = max(0, column - radius), max(0, row - radius)
        x1, y1 = min(width, column + radius + 1), min(height, row + radius + 1)
        if x1 <= x0 or y1 <= y0:
            raise ValueError(f"pixel {pixel_xy}: expected one inside the mask {mask.shape[1]}x{mask.shape[0]}")
        on_mask = mask[np.ix_(_cells(y0, y1, scale_y, mask.shape[0]), _cells(x0, x1, scale_x, mask.shape[1]))]
        measured = depth_to_metres(depth, (x0, y0, x1, y1))[on_mask]
        measured = measured[np.isfinite(measured)]
        if measured.size >= MIN_MEASUREMENTS:
            return float(np.median(measured))
    raise _NoPoint(
        "the depth camera measured nothing on the target here: too near, too far, or a surface it cannot see"
    )


def _cells(first: int, end: int, scale: float, size: int) -> npt.NDArray[np.intp]:
    """The mask's rows or columns that lie under the depth's."""
    return np.minimum(((np.arange(first, end) + 0.5) / scale).astype(np.intp), size - 1)


def _back_projected(info: CameraInfo, hw: tuple[int, ...], pixel_xy: Point, metres: float) -> PointMsg:
    """K counts from the centre of the top left pixel; it is scaled to the image's size."""
    fx, fy, cx, cy = info.k[0], info.k[4], info.k[2], info.k[5]
    if not (fx > 0 and fy > 0):
        raise _NoPoint("camera_info has no focal length (k is zero): calibrate the camera")
    scale_x, scale_y = hw[1] / info.width, hw[0] / info.height
    x = (pixel_xy[0] - ((cx + 0.5) * scale_x - 0.5)) / (fx * scale_x) * metres
    y = (pixel_xy[1] - ((cy + 0.5) * scale_y - 0.5)) / (fy * scale_y) * metres
    return PointMsg(x=float(x), y=float(y), z=metres)
