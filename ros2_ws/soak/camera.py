"""A camera that can be made to misbehave, in every way that a driver, a cable or a bag has been seen to.

Images of the shipped recording, 30 a second, from a thread of its own. What it sends is written into the ledger
before it is sent.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

from benchmarks.ros_pictures import FRAME_ID, Picture, load_pictures, raw_message, to_and_fro
from ros2_ws.soak.checks import MaskChecks

PICTURES_PLAYED = 45
"""So many pictures from the recording's beginning are shown to and fro: both mugs are in sight in them."""
HW = (480, 640)
PERIOD_NS = 33_333_333
READABLE = ("rgb8", "bgr8", "mono8")
SENT_KEPT = 256


@dataclass
class Manner:
    """How images are sent; any of it may be changed at any time.

    Attributes:
        is_running: images are sent at all.
        hw: height and width of the images, pixels.
        encoding: one of ``READABLE``, or a name that the node does not know.
        is_truncated: a quarter of the data is missing.
        has_stamps: else they are zero.
        copies: how often each image is sent, with the same stamp.
        per_period: images in a camera period.
    """

    is_running: bool = True
    hw: tuple[int, int] = HW
    encoding: str = "rgb8"
    is_truncated: bool = False
    has_stamps: bool = True
    copies: int = 1
    per_period: int = 1


class SoakCamera:
    """Sends until it is closed.

    Args:
        node: publishes the images.
        checks: the ledger.

    Attributes:
        manner: how images are sent at the moment.
    """

    def __init__(self, node: Node, checks: MaskChecks) -> None:
        self.manner = Manner()
        self._node, self._checks = node, checks
        self._lock = threading.RLock()
        self._pictures: dict[tuple[int, int], list[Picture]] = {}
        self._stamp_ns = time.time_ns() // PERIOD_NS * PERIOD_NS
        self._number = 0
        self._newest_sent: deque[tuple[int, Picture]] = deque(maxlen=SENT_KEPT)
        self._publisher = self._open("reliable")
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera")

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send no more; it may never have been started."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()

    def newest(self) -> tuple[int, Picture]:
        """Stamp and picture of the newest good image.

        Raises:
            IndexError: none was sent.
        """
        return self._newest_sent[-1]

    def reset(self) -> None:
        """Well-behaved again: the size stays."""
        with self._lock:
            self.manner = Manner(hw=self.manner.hw)

    def set_back(self, seconds: float) -> None:
        """As a bag that loops: the stamps of so long ago come again, to the nanosecond."""
        with self._lock:
            self._stamp_ns -= round(seconds * 1e9 / PERIOD_NS) * PERIOD_NS
            self._checks.begin_stream()

    def set_forward(self, seconds: float) -> None:
        """The camera's clock is corrected."""
        with self._lock:
            self._stamp_ns += round(seconds * 1e9 / PERIOD_NS) * PERIOD_NS

    def send_one(self, hw: tuple[int, int] | None = None, *, late_s: float = 0.0) -> None:
        """One image more, between the others.

        Args:
            hw: of another size than the camera's.
            late_s: with a stamp so long before the newest; not one that was sent before.
        """
        with self._lock:
            stamp = self._stamp_ns + PERIOD_NS // 3 - round(late_s * 1e9)
            self._send(self._publisher, stamp, hw or self.manner.hw)

    def offer(self, reliability: str) -> None:
        """The driver is started again, with this reliability."""
        with self._lock:
            self._node.destroy_publisher(self._publisher)
            self._publisher = self._open(reliability)

    def _open(self, reliability: str) -> Publisher:
        policy = ReliabilityPolicy.BEST_EFFORT if reliability == "best_effort" else ReliabilityPolicy.RELIABLE
        return self._node.create_publisher(Image, "image", QoSProfile(depth=5, reliability=policy))

    def _run(self) -> None:
        due = time.monotonic()
        while not self._is_over.is_set():
            with self._lock:
                manner = self.manner
                for _ in range(manner.per_period):
                    self._stamp_ns += PERIOD_NS // manner.per_period
                    if manner.is_running:
                        for _ in range(manner.copies):
                            self._send(self._publisher, self._stamp_ns, manner.hw)
                # whatever the division lost: a loop must give the same stamps again
                self._stamp_ns = -(-self._stamp_ns // PERIOD_NS) * PERIOD_NS
            due = max(due + PERIOD_NS / 1e9, time.monotonic() - 0.1)
            time.sleep(max(due - time.monotonic(), 0.0))

    def _send(self, publisher: Publisher, stamp_ns: int, hw: tuple[int, int]) -> None:
        manner = self.manner
        if hw not in self._pictures:
            self._pictures[hw] = load_pictures(hw, PICTURES_PLAYED)
        pictures = self._pictures[hw]
        picture = pictures[to_and_fro(self._number, len(pictures))]
        self._number += 1
        message = raw_message(picture.rgb, manner.encoding)
        if manner.is_truncated:
            message.data = message.data[: len(message.data) * 3 // 4]
        stamp = stamp_ns if manner.has_stamps else 0
        message.header.frame_id = FRAME_ID
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
        is_readable = manner.encoding in READABLE and not manner.is_truncated and manner.has_stamps
        self._checks.send(stamp, hw, is_readable=is_readable)
        publisher.publish(message)
        if is_readable:
            self._newest_sent.append((stamp, picture))
