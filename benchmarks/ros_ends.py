"""Both ends of the path: the camera that sends images, and the robot that hears masks; in one process or in two.

    python benchmarks/ros_ends.py OUT.json --camera --listener --size 480x640 --seconds 20

The camera waits for a subscriber, prints "began" and when, sends for so long, and shows the target once. A listener
goes on until SIGINT. Times are ``time.monotonic()``.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from pathlib import Path

import rclpy
from icseg_msgs.msg import RoiStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.ros_pictures import boxes_of, jpeg_message, load_pictures, raw_message, to_and_fro
from benchmarks.ros_spin import init, spin_until

PICTURES = 45
"""Three seconds of the recording: 125 MB of messages at 1280x720."""
MASKS = "/clarify_segment/mask"
DISCOVERY_S = 1.0
"""What two participants take to meet on a busy machine, when the graph already shows both."""
SHOWN_AT = 15
"""Number of the image in which the target is shown."""


class Camera(Node):
    """Sends at a fixed rate; the stamp is the time at which the image is given to the middleware.

    Attributes:
        sent: stamp_ns and the same moment in monotonic seconds, of every image.
    """

    def __init__(self, hw: tuple[int, int], transport: str, reliability: str, rate_hz: float) -> None:
        super().__init__("camera")
        self.sent: list[tuple[int, float]] = []
        self._period_s = 1.0 / rate_hz
        pictures = load_pictures(hw, PICTURES)
        is_raw = transport == "raw"
        self._messages = [raw_message(one.rgb) if is_raw else jpeg_message(one.rgb) for one in pictures]
        self._boxes = boxes_of(pictures)
        best_effort = reliability == "best_effort"
        qos = QoSProfile(
            depth=5, reliability=ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
        )
        kind, topic = (Image, "image") if is_raw else (CompressedImage, "image/compressed")
        self._images = self.create_publisher(kind, topic, qos)
        self._rois = self.create_publisher(RoiStamped, "target_roi", 1)

    def run(self, seconds: float, *, has_target: bool) -> None:
        """Send for so long, from when somebody listens.

        Raises:
            RuntimeError: nobody did.
        """
        self._wait_for_ears(has_target)
        due = time.monotonic()
        print(f"began {due:.6f}", flush=True)
        for number in range(round(seconds / self._period_s)):
            time.sleep(max(due - time.monotonic(), 0.0))
            due += self._period_s
            place = to_and_fro(number, len(self._messages))
            message = self._messages[place]
            at, stamp = time.monotonic(), time.time_ns()
            message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
            self._images.publish(message)
            self.sent.append((stamp, at))
            if number == SHOWN_AT and has_target:
                self._show(place)
        print("ended", flush=True)

    def _wait_for_ears(self, has_target: bool, deadline_s: float = 30.0) -> None:
        ends_at = time.monotonic() + deadline_s
        own = (self._images, self._rois) if has_target else (self._images,)
        counts = [one.get_subscription_count for one in own]
        counts += [lambda: self.count_publishers(MASKS), lambda: self.count_subscribers(MASKS)]
        while not all(count() for count in counts):
            if time.monotonic() > ends_at:
                raise RuntimeError(f"{self._images.topic_name} or {MASKS} has no other end after {deadline_s:g} s")
            time.sleep(0.02)
        time.sleep(DISCOVERY_S)

    def _show(self, place: int) -> None:
        x0, y0, x1, y1 = (round(side) for side in self._boxes[place])
        message = RoiStamped()
        message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = x0, y0, x1 - x0, y1 - y0
        self._rois.publish(message)


class Listener(Node):
    """Hears ~/mask.

    Attributes:
        heard: stamp_ns, when it came (s), height and width, of every mask.
    """

    def __init__(self) -> None:
        super().__init__("listener")
        self.heard: list[tuple[int, float, int, int]] = []
        self.create_subscription(Image, MASKS, self._take, 5)

    def _take(self, message: Image) -> None:
        at, stamp = time.monotonic(), message.header.stamp
        self.heard.append((stamp.sec * 10**9 + stamp.nanosec, at, message.height, message.width))


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--camera", action="store_true")
    parser.add_argument("--listener", action="store_true")
    parser.add_argument("--size", default="480x640", help="height x width, pixels")
    parser.add_argument("--transport", choices=("raw", "compressed"), default="raw")
    parser.add_argument("--reliability", choices=("reliable", "best_effort"), default="reliable")
    parser.add_argument("--rate-hz", type=float, default=30.0)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--no-target", action="store_true", help="show no target: nobody waits for one")
    args = parser.parse_args()
    is_over = init()
    height, width = (int(side) for side in args.size.split("x"))
    listener = Listener() if args.listener else None
    camera = Camera((height, width), args.transport, args.reliability, args.rate_hz) if args.camera else None
    filming = threading.Thread(target=lambda: camera and camera.run(args.seconds, has_target=not args.no_target))
    filming.start()
    if listener is not None:
        print("listens", flush=True)
        spin_until(is_over, listener)
    filming.join()
    rows = {"sent": camera.sent if camera else [], "heard": listener.heard if listener else []}
    args.out.write_text(json.dumps(rows))
    for node in (camera, listener):
        if node is not None:
            node.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
