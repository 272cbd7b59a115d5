"""An executor that runs a job when it is submitted: for recordings, where nothing has to go on meanwhile."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from typing import Any


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
