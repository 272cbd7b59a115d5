"""A node in tests: a context of its own, spun until something holds. Tests only; never installed."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node

DEADLINE_S = 30.0


class Spun:
    """A node with its executor; a context manager that shuts both down.

    Attributes:
        node: to make publishers and subscriptions with.
    """

    def __init__(self, name: str) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self.node: Node = rclpy.create_node(name, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)

    def __enter__(self) -> Spun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def until(self, holds: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
        """Spin until it holds.

        Raises:
            AssertionError: it did not in time; the text says what.
        """
        end_s = time.monotonic() + deadline_s
        while not holds():
            assert time.monotonic() < end_s, f"not within {deadline_s:g} s: {what}"
            self._executor.spin_once(timeout_sec=0.1)
