"""One thread at a time: what is posted from anywhere runs in order in the node's executor, and a tick when asked for.

Why not the callbacks themselves: an action client may lose the answer to a goal that another thread is just sending
(rclpy notes the request after it was sent). Here sending and receiving share one mutually exclusive callback group,
so they cannot overlap. Knows nothing of speech.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.clock import Clock, ClockType
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node

_TIMEOUT_CHECK_PERIOD_S = 0.1
"""Seconds between ticks, while something waits: how late a time-out may be noticed."""


class Mailbox:
    """Runs work one piece at a time.

    Args:
        node: whose executor runs the work.
        tick: called every 0.1 s while it returns True, beginning after any piece of work.
        on_fault: told of an exception that work raised; the next piece runs all the same. What a report raises is
            only logged.
    """

    def __init__(self, node: Node, tick: Callable[[], bool], on_fault: Callable[[Exception], None]) -> None:
        self.group = MutuallyExclusiveCallbackGroup()
        self._node, self._tick, self._on_fault = node, tick, on_fault
        self._items: deque[Callable[[], object]] = deque()
        self._reports: deque[Callable[[], object]] = deque()
        self._lock = threading.RLock()  # held while work runs, so that close() does not pull the ground from under it
        self._is_closed = False
        self._guard = node.create_guard_condition(self._drain, self.group)
        # a paused simulation must not stop time-outs: no ROS time here
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timer = node.create_timer(_TIMEOUT_CHECK_PERIOD_S, self._on_tick, self.group, clock=steady)
        self._timer.cancel()

    def post(self, work: Callable[[], object]) -> None:
        """Have it run soon, after what was posted before. Never blocks; may be called from any thread."""
        if not self._is_closed:
            self._items.append(work)
            self._wake()

    def report(self, news: Callable[[], object]) -> None:
        """From work: call somebody else, after this piece and without the lock, so that he may wait for anything."""
        self._reports.append(news)

    def close(self, last: Callable[[], None]) -> None:
        """Let no work run any more. A report that is just being made may still end after this returned.

        Args:
            last: run here, after the piece that is just running, and before anything is destroyed.
        """
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._items.clear()
            last()
            self._reports.clear()
            self._node.destroy_timer(self._timer)
            self._node.destroy_guard_condition(self._guard)

    def _wake(self) -> None:
        with contextlib.suppress(InvalidHandle):  # closed in the meantime
            self._guard.trigger()

    def _drain(self) -> None:
        while self._items:
            with self._lock:
                if self._is_closed or not self._items:
                    return
                self._run(self._items.popleft())
            self._tell()
        with self._lock:
            if not self._is_closed and self._timer.is_canceled():
                self._timer.reset()

    def _on_tick(self) -> None:
        with self._lock:
            if not self._is_closed and not self._run(self._tick):
                self._timer.cancel()
        self._tell()

    def _tell(self) -> None:
        while not self._is_closed:
            try:
                news = self._reports.popleft()
            except IndexError:
                return
            try:
                news()
            except Exception as error:  # noqa: BLE001  (the boundary to ROS; who was told cannot be told of it)
                self._node.get_logger().error(f"speech: a callback failed: {type(error).__name__}: {error}")

    def _run(self, work: Callable[[], object]) -> object:
        try:
            return work()
        except Exception as error:  # noqa: BLE001  (the boundary to ROS: the executor must not die of one piece of work)
            self._on_fault(error)
            return True
