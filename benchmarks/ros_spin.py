"""A node of a benchmark, spun until SIGINT. rclpy's own handler takes the context away in the middle of a callback."""

from __future__ import annotations

import signal
import threading
from contextlib import suppress

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

STOP_WITHIN_S = 2.0
"""A callback that is running has so long to end when the node is stopped."""


def init() -> threading.Event:
    """Before any node is made; the event is set by SIGINT and SIGTERM."""
    rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    return is_over


def spin_until(is_over: threading.Event, node: Node) -> None:
    """Call the node's callbacks in a thread until the event is set."""
    executor = SingleThreadedExecutor()
    executor.add_node(node)

    def spin() -> None:
        with suppress(ExternalShutdownException):
            executor.spin()

    spinner = threading.Thread(target=spin, daemon=True)
    spinner.start()
    is_over.wait()
    executor.shutdown()
    spinner.join(STOP_WITHIN_S)
