"""``clarify_segment_node``: starts the node, spins it, and leaves nothing behind."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

import rclpy
from rclpy.exceptions import InvalidHandle
from rclpy.executors import Executor, ExternalShutdownException, MultiThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.logging import get_logger

from icseg.errors import ConfigError
from icseg_ros.memory import give_back_images
from icseg_ros.node import NAME, ClarifySegmentNode
from icseg_ros.stop_signal import init_with_stop_signal

THREADS = 4
"""Threads of the executor. Services and actions, speech, timers: none waits for another."""
SPINNER_CHECK_PERIOD_S = 0.5
"""How often it is checked that the executor still spins."""


def main(arguments: list[str] | None = None, make: Callable[[], ClarifySegmentNode] = ClarifySegmentNode) -> int:
    """Run until SIGINT or SIGTERM (0), or until spinning ends by a defect (1); 2 = a parameter was wrong at the start.

    ``make`` makes the node.
    """
    give_back_images()
    is_over = init_with_stop_signal(arguments)
    try:
        node = make()
    except ConfigError as error:
        get_logger(NAME).fatal(f"cannot start: {error}")
        rclpy.try_shutdown()
        return 2
    executor = MultiThreadedExecutor(THREADS)
    executor.add_node(node)
    spinner = threading.Thread(target=spin, args=(executor,), name="spin")
    spinner.start()
    try:
        if node.get_parameter("autostart").value and node.trigger_configure() is TransitionCallbackReturn.SUCCESS:
            node.trigger_activate()
        while spinner.is_alive() and not is_over.wait(SPINNER_CHECK_PERIOD_S):
            pass
    finally:
        node.close()
        executor.shutdown()
        spinner.join()
        node.destroy_node()
        rclpy.try_shutdown()
    return 0 if is_over.is_set() else 1


def spin(executor: Executor) -> None:
    """Spin until the executor or the context ends.

    Raises:
        Exception: what a callback raises.
    """
    while True:
        try:
            executor.spin()
        except ExternalShutdownException:
            return
        # rclpy 7 stumbles over what is destroyed while it gathers what to wait for, as a clean-up does
        except InvalidHandle:  # clients, publishers
            continue
        except rclpy_implementation.RCLError as error:  # actions; by this class any other trouble is told too
            if "pointer is invalid" not in str(error):
                raise
            continue
        return


if __name__ == "__main__":
    sys.exit(main())
