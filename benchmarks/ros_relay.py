"""The path without icseg: for every image a blank mask of its size with its header. What ROS itself costs.

python benchmarks/ros_relay.py OUT.json raw 480x640 reliable
"""

from __future__ import annotations

import json
import sys
import time
from array import array
from pathlib import Path

import rclpy
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.ros_spin import init, spin_until


class Relay(Node):
    """Subscribes as the node does, publishes as it does, computes nothing.

    Attributes:
        rows: stamp_ns, when the image came and when the mask was given to the middleware (s).
    """

    def __init__(self, transport: str, hw: tuple[int, int], reliability: str) -> None:
        super().__init__("relay")
        self.rows: list[tuple[int, float, float]] = []
        self._hw, self._mask = hw, array("B", bytes(hw[0] * hw[1]))
        self._masks = self.create_publisher(Image, "/clarify_segment/mask", 5)
        kind, topic = (Image, "image") if transport == "raw" else (CompressedImage, "image/compressed")
        policy = ReliabilityPolicy.BEST_EFFORT if reliability == "best_effort" else ReliabilityPolicy.RELIABLE
        self.create_subscription(kind, topic, self._pass_on, QoSProfile(depth=1, reliability=policy))

    def _pass_on(self, message: Image | CompressedImage) -> None:
        came_at = time.monotonic()
        height, width = self._hw
        mask = Image(header=message.header, height=height, width=width, encoding="mono8", step=width)
        mask.data = self._mask
        self._masks.publish(mask)
        stamp = message.header.stamp
        self.rows.append((stamp.sec * 10**9 + stamp.nanosec, came_at, time.monotonic()))


def main(out: Path, transport: str, size: str, reliability: str) -> int:
    """Run until SIGINT."""
    is_over = init()
    height, width = (int(side) for side in size.split("x"))
    relay = Relay(transport, (height, width), reliability)
    spin_until(is_over, relay)
    out.write_text(json.dumps({"masks": relay.rows}))
    relay.destroy_node()
    rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
