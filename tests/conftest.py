"""What several test files need."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any

import numpy as np
import pytest

from icseg.types import Frame

FRAME_NS = 100_000_000


def make_frame(index: int, hw: tuple[int, int] = (48, 64)) -> Frame:
    """A grey frame; 10 a second."""
    return Frame(np.full((*hw, 3), 128, np.uint8), index * FRAME_NS, index)


class FakeClock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class ManualExecutor(Executor):
    """Runs a submitted job when the test says so, so that "while it thinks" is a state one can stay in."""

    def __init__(self) -> None:
        self.jobs: list[tuple[Future[Any], Any]] = []
        self.is_shut_down = False

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.is_shut_down = True

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        if self.is_shut_down:
            raise RuntimeError("shut down")
        future: Future[Any] = Future()
        self.jobs.append((future, lambda: fn(*args, **kwargs)))
        return future

    def run(self) -> None:
        """Run everything that was submitted."""
        while self.jobs:
            future, job = self.jobs.pop(0)
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(job())
            except Exception as error:  # noqa: BLE001  # an executor hands over whatever the job raised
                future.set_exception(error)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def executor() -> ManualExecutor:
    return ManualExecutor()
