"""``clarify_segment_node``: starts the node, spins it, and leaves nothing behind."""

from __future__ import annotations

import signal
import sys

import rclpy
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.lifecycle import TransitionCallbackReturn

from icseg_ros.node import ClarifySegmentNode

THREADS = 4
"""Images, services and actions, speech, timers: none waits for another."""


def main(arguments: list[str] | None = None) -> int:
    """Run until SIGINT or SIGTERM; 0 then."""
    rclpy.init(args=arguments)
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGINT))
    node = ClarifySegmentNode()
    executor = MultiThreadedExecutor(THREADS)
    executor.add_node(node)
    try:
        if node.get_parameter("autostart").value and node.trigger_configure() is TransitionCallbackReturn.SUCCESS:
            node.trigger_activate()
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass  # how a node is stopped
    finally:
        node.close()
        executor.shutdown(timeout_sec=2.0)
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
