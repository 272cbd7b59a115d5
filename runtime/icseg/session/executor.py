"""Where the policy works: jobs that are handed over, and an executor for recordings, which runs each at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any, TypeVar

_T = TypeVar("_T")


class InlineExecutor(Executor):
    """Runs every job at once, in the caller's thread."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run now; what it raises is kept for ``result``."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # an executor hands over whatever the job raised
            future.set_exception(error)
        return future


def submitted(executor: Executor, job: Callable[..., _T], *about: Any) -> Future[_T]:
    """The job's future; it has failed already when the executor takes no jobs any more."""
    try:
        return executor.submit(job, *about)
    except RuntimeError as error:  # it was shut down, or Python is about to end
        refused: Future[_T] = Future()
        refused.set_exception(error)
        return refused
