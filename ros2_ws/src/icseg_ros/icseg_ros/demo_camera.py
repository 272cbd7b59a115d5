"""The simulated camera of the demo: the MuJoCo table as a camera driver would publish it, and the truth beside it.

Publishes `image`, `image/compressed` and `camera_info` like any driver, and for the simulated person and the tests
`ground_truth/label_image` (the exact instance map of each image, with its header), the same as PNG in
`ground_truth/label_image/compressed`, and `ground_truth/things` (what stands on the table, JSON, latched). The film is
rendered before the first image is published, so that the rate holds.
"""

from __future__ import annotations

import json
import math
import re
import sys
from array import array
from contextlib import closing
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from rclpy.executors import ExternalShutdownException
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header, String

from icseg.errors import ConfigError
from icseg.sim.truth import SimFrame
from icseg.types import ImageU8
from icseg_ros.demo_node import DemoNode, run
from icseg_ros.demo_scene import Scene, Wish, open_scene
from icseg_ros.settings import check, declare, read, setting

NS_PER_S = 1_000_000_000
CONVERSIONS = {
    "rgb8": None,
    "bgr8": cv2.COLOR_RGB2BGR,
    "rgba8": cv2.COLOR_RGB2RGBA,
    "bgra8": cv2.COLOR_RGB2BGRA,
    "mono8": cv2.COLOR_RGB2GRAY,
}
IMAGE_DEPTH = 5
"""Images that a publisher keeps for a slow reliable subscriber, as camera drivers do."""
TRUTH_DEPTH = 300
"""Maps of the truth that the publisher keeps for a slow subscriber: ten seconds."""
LABELS_FORMAT = "mono8; png compressed "
"""As image transports write it."""


@dataclass(frozen=True)
class CameraSettings:
    """The camera's parameters."""

    seed: int = setting(0, "number of the scene; those that no model was trained on", low=0, high=1_000_000)
    kind: str = setting("mug", "kind of which several things stand on the table, in different colours")
    size: str = setting("640x480", "width and height of the images in pixels, 64x48 to 1920x1200")
    rate_hz: float = setting(30.0, "images a second", low=0.5, high=120.0)
    duration_s: float = setting(10.0, "length of the film in seconds", low=0.5, high=60.0)
    source: str = setting(
        "auto",
        "render = MuJoCo in software; clip = the recorded clip; auto = the clip where nothing can be rendered",
        choices=("auto", "render", "clip"),
    )
    loop: str = setting(
        "mirror",
        "after the last image: mirror = back to the first and on; again = from the first, a cut; off = fall silent",
        choices=("mirror", "again", "off"),
    )
    encoding: str = setting("rgb8", "of the images", choices=tuple(CONVERSIONS))
    reliability: str = setting("reliable", "QoS of the images", choices=("reliable", "best_effort"))
    jpeg_quality: int = setting(90, "of the compressed images, percent", low=1, high=100)
    stamps: str = setting(
        "clock",
        "clock = the node's clock; counter = one period per image, from one period on",
        choices=("clock", "counter"),
    )
    frame_id: str = setting("camera_optical_frame", "frame of the images")
    memory_mb: int = setting(1024, "megabytes that the film may take; it is cut to that", low=16, high=65536)

    def __post_init__(self) -> None:
        check("", self)
        width, height = self.wh
        if not (64 <= width <= 1920 and 48 <= height <= 1200):
            raise ConfigError(f"size: expected 64x48 to 1920x1200, got {self.size!r}")

    @property
    def wh(self) -> tuple[int, int]:
        """Width and height in pixels."""
        found = re.fullmatch(r"([0-9]{1,5})x([0-9]{1,5})", self.size)
        if found is None:
            raise ConfigError(f"size: expected WIDTHxHEIGHT in pixels, as 640x480, got {self.size!r}")
        return int(found[1]), int(found[2])


@dataclass(frozen=True)
class Shot:
    """One picture of the film in the form in which it is sent: in its encoding, its map as PNG, itself as JPEG."""

    image: array[int]
    labels: array[int]
    jpeg: array[int]

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.image) + len(self.labels) + len(self.jpeg)


class DemoCamera(DemoNode):
    """Films the scene, then publishes it at a steady rate.

    Raises:
        IcsegError: a parameter is wrong, or the scene cannot be made.
    """

    def __init__(self) -> None:
        super().__init__("demo_camera")
        declare(self, "", CameraSettings)
        self.settings = settings = read(self, "", CameraSettings)
        reliability = (
            ReliabilityPolicy.RELIABLE if settings.reliability == "reliable" else ReliabilityPolicy.BEST_EFFORT
        )
        images = QoSProfile(depth=IMAGE_DEPTH, reliability=reliability)
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        self._image = self.create_publisher(Image, "image", images)
        self._compressed = self.create_publisher(CompressedImage, "image/compressed", images)
        truth = QoSProfile(depth=TRUTH_DEPTH)
        self._info = self.create_publisher(CameraInfo, "camera_info", truth)
        self._labels = self.create_publisher(Image, "ground_truth/label_image", truth)
        self._labels_png = self.create_publisher(CompressedImage, "ground_truth/label_image/compressed", truth)
        self._things = self.create_publisher(String, "ground_truth/things", latched)
        self.scene = self._open()
        self.shots = self._film(self.scene)
        self._camera_info = camera_info(self.scene.hw, self.scene.fovy_deg)
        if self.scene.fovy_deg is None:
            self.get_logger().warning("camera_info: the clip's field of view is not known; K is zero (not calibrated)")
        things = {"scene": self.scene.name, "things": [asdict(thing) for thing in self.scene.things]}
        self._things.publish(String(data=json.dumps(things)))
        self.published = 0
        self._timer = self.create_timer(1.0 / settings.rate_hz, self._publish_next, clock=self.steady_clock)
        self.get_logger().info(f"{self.scene.name}: {len(self.shots)} images at {settings.rate_hz:g} Hz")

    def finish(self) -> None:
        """Say how much was published."""
        print(json.dumps({"published": self.published}), flush=True)

    def _open(self) -> Scene:
        width, height = self.settings.wh
        wish = Wish(
            self.settings.source, self.settings.seed, self.settings.kind, (height, width),
            self.settings.rate_hz, self.settings.duration_s,
        )  # fmt: skip
        return open_scene(wish, self.get_logger().warning)

    def _film(self, scene: Scene) -> list[Shot]:
        """All pictures of the scene that the memory holds; logs how far it is."""
        shots: list[Shot] = []
        last: SimFrame | None = None
        used, told = 0, 0
        with closing(scene.frames) as frames:
            for sim in frames:
                if not self.context.ok():
                    raise ExternalShutdownException
                if sim is last:  # shown again
                    shot = shots[-1]
                else:
                    shot = shoot(sim, self.settings.encoding, self.settings.jpeg_quality)
                    used += shot.size
                last = sim
                if shots and used > self.settings.memory_mb * 1_000_000:
                    self.get_logger().warning(
                        f"memory_mb {self.settings.memory_mb}: only {len(shots)} of {scene.n_frames} images are filmed"
                    )
                    break
                shots.append(shot)
                if len(shots) * 4 // scene.n_frames > told:
                    told = len(shots) * 4 // scene.n_frames
                    self.get_logger().info(f"filming {scene.name}: {told * 25} %")
        return shots

    def _publish_next(self) -> None:
        index = position(self.published, len(self.shots), self.settings.loop)
        if index is None:
            self._timer.cancel()
            self.get_logger().info("the film is over; the camera falls silent")
            return
        shot = self.shots[index]
        header = Header(frame_id=self.settings.frame_id)
        stamp_ns = self._stamp_ns()
        header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, NS_PER_S)
        height, width = self.scene.hw
        self._camera_info.header = header
        self._info.publish(self._camera_info)
        # as an image transport: what nobody has subscribed to is not sent. Truth first: no mask comes before it
        if self._labels_png.get_subscription_count():
            self._labels_png.publish(CompressedImage(header=header, format=LABELS_FORMAT, data=shot.labels))
        if self._labels.get_subscription_count():
            labels = cv2.imdecode(np.frombuffer(shot.labels, np.uint8), cv2.IMREAD_UNCHANGED)
            self._labels.publish(image_message(header, height, width, "mono8", as_bytes(labels)))
        if self._image.get_subscription_count():
            self._image.publish(image_message(header, height, width, self.settings.encoding, shot.image))
        if self._compressed.get_subscription_count():
            kept = "mono8" if self.settings.encoding == "mono8" else "bgr8"
            what = f"{self.settings.encoding}; jpeg compressed {kept}"
            self._compressed.publish(CompressedImage(header=header, format=what, data=shot.jpeg))
        self.published += 1

    def _stamp_ns(self) -> int:
        if self.settings.stamps == "counter":
            return round((self.published + 1) * NS_PER_S / self.settings.rate_hz)
        return int(self.get_clock().now().nanoseconds)


def position(count: int, length: int, loop: str) -> int | None:
    """Which picture of the film is the ``count``-th to be shown, from 0; None when the film is over."""
    if loop == "off":
        return count if count < length else None
    if loop == "again" or length == 1:
        return count % length
    there_and_back = 2 * length - 2
    place = count % there_and_back
    return place if place < length else there_and_back - place


def shoot(sim: SimFrame, encoding: str, jpeg_quality: int) -> Shot:
    """A picture in an encoding."""
    image = encoded(sim.frame.image, encoding)
    coloured = image if encoding == "mono8" else sim.frame.image[:, :, ::-1]
    _, jpeg = cv2.imencode(".jpg", coloured, [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    _, labels = cv2.imencode(".png", sim.instance_ids, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return Shot(as_bytes(image), as_bytes(labels), as_bytes(jpeg))


def encoded(image: ImageU8, encoding: str) -> ImageU8:
    """(H, W, 3) RGB -> (H, W, channels), or (H, W) for mono8."""
    conversion = CONVERSIONS[encoding]
    return image if conversion is None else np.asarray(cv2.cvtColor(image, conversion), dtype=np.uint8)


def as_bytes(values: ImageU8) -> array[int]:
    """For ``msg.data``: the only type that is not checked byte by byte."""
    data = array("B")
    data.frombytes(np.ascontiguousarray(values).data)
    return data


def image_message(header: Header, height: int, width: int, encoding: str, data: array[int]) -> Image:
    """An image without padding; its data is not copied."""
    step = len(data) // height
    return Image(header=header, height=height, width=width, encoding=encoding, is_bigendian=0, step=step, data=data)


def camera_info(hw: tuple[int, int], fovy_deg: float | None) -> CameraInfo:
    """Intrinsics of an ideal pinhole that looks through the middle of the image; all zero without a field of view.

    The middle of the first pixel is 0, 0, as everywhere in ROS.
    """
    height, width = hw
    info = CameraInfo(height=height, width=width, distortion_model="plumb_bob", d=[0.0] * 5)
    if fovy_deg is not None:
        focal = height / 2 / math.tan(math.radians(fovy_deg) / 2)
        cx, cy = (width - 1) / 2, (height - 1) / 2
        info.k = [focal, 0.0, cx, 0.0, focal, cy, 0.0, 0.0, 1.0]
        info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
        info.p = [focal, 0.0, cx, 0.0, 0.0, focal, cy, 0.0, 0.0, 0.0, 1.0, 0.0]
    return info


def main(args: list[str] | None = None) -> int:
    """The executable ``demo_camera_node``."""
    return run(DemoCamera, args)


if __name__ == "__main__":
    sys.exit(main())
