"""How a node of the demo runs: until Ctrl-C, or until it says that it is done. Knows nothing of what it does."""

from __future__ import annotations

import sys
from collections.abc import Callable

import rclpy
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import ParameterException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

from icseg.errors import IcsegError
from icseg_ros.stop_signal import init_with_stop_signal

EXIT_WRONG_PARAMETER = 2
"""Exit status when a parameter is wrong: what a command line gives for wrong arguments."""


class DemoNode(Node):
    """A node that may end by itself.

    Attributes:
        exit_code: what the process ends with; set it to end. None = go on.
        steady_clock: for timers: it goes on when the time of a simulation or a bag stands still.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.exit_code: int | None = None
        self.steady_clock = Clock(clock_type=ClockType.STEADY_TIME)

    def finish(self) -> None:
        """Called once at the end, whatever ends it."""


def run(make: Callable[[], DemoNode], args: list[str] | None = None) -> int:
    """Spin a node to its end.

    Args:
        make: makes it.
        args: the command line; the process's own when None.

    Returns:
        Its exit code; 0 after Ctrl-C or SIGTERM, 2 when a parameter is wrong or what it needs is missing (said on
        stderr).
    """
    is_over = init_with_stop_signal(args)
    node: DemoNode | None = None
    try:
        node = make()
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        while node.exit_code is None and not is_over.is_set():
            executor.spin_once(timeout_sec=0.2)
    except (IcsegError, ParameterException) as error:
        print(error, file=sys.stderr)
        return EXIT_WRONG_PARAMETER
    finally:
        if node is not None:
            node.finish()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0 if node is None else node.exit_code or 0
