"""How the demo's nodes end: by a signal in the middle of a callback that still has something to say."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import pytest
from std_msgs.msg import String

from icseg_ros.demo_node import DemoNode, run


class Interrupted(DemoNode):
    """Interrupts itself and then goes on publishing for a while."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__("interrupted")
        self.number, self.published, self.finished = number, 0, 0
        self._out = self.create_publisher(String, "said", 10)
        self.create_timer(0.01, self._tick, clock=self.steady_clock)

    def _tick(self) -> None:
        os.kill(os.getpid(), self.number)
        for _ in range(20):
            time.sleep(0.01)
            self._out.publish(String(data="still here"))
            self.published += 1

    def finish(self) -> None:
        """Count the calls."""
        self.finished += 1


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_the_callback_finish_and_ends_with_0(number: signal.Signals) -> None:
    made: list[Interrupted] = []

    def make() -> Interrupted:
        made.append(Interrupted(number))
        return made[-1]

    assert run(make, []) == 0
    assert (made[0].published, made[0].finished) == (20, 1)
