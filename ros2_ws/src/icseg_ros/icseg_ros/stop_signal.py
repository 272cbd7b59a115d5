"""How a process of the robot is asked to stop: SIGINT and SIGTERM set an event, and take nothing from anybody."""

from __future__ import annotations

import signal
import threading
from collections.abc import Sequence

import rclpy
from rclpy.signals import SignalHandlerOptions


def init_with_stop_signal(args: Sequence[str] | None) -> threading.Event:
    """``rclpy.init``, whose own handlers would take the context away in the middle of a callback that publishes.

    Args:
        args: the command line; the process's own when None.

    Returns:
        Set from the first signal on. Call this in the main thread.
    """
    rclpy.init(args=None if args is None else list(args), signal_handler_options=SignalHandlerOptions.NO)
    is_over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_over.set())
    return is_over
