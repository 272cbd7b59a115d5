"""The stills that are being worked on: a bounded number, stepped by the worker."""

from __future__ import annotations

from collections.abc import Callable

from icseg.errors import IcsegError
from icseg.types import Prompt
from icseg_ros.still import Still, StillOutcome, StillResult

MAX_STILLS = 8

Done = Callable[[StillResult], None]


class Stills:
    """For one thread; each ``done`` is called once."""

    def __init__(self) -> None:
        self._running: list[tuple[Still, Done]] = []

    @property
    def is_full(self) -> bool:
        """No more are taken."""
        return len(self._running) >= MAX_STILLS

    def begin(self, still: Still, request: Prompt | str, done: Done) -> None:
        """A prompt is answered at once, words when the policy has decided."""
        if isinstance(request, str):
            still.command(request)
            self._running.append((still, done))
            return
        try:
            done(still.segment(request))
        except IcsegError as error:
            done(StillResult(StillOutcome.FAILED, str(error)))

    def step(self) -> None:
        """One step of each."""
        for entry in list(self._running):
            still, done = entry
            try:
                result = still.poll()
            except IcsegError as error:
                result = StillResult(StillOutcome.FAILED, str(error))
            if result is not None:
                self._running.remove(entry)
                still.close()
                done(result)

    def close(self, why: str) -> None:
        """End all of them."""
        while self._running:
            still, done = self._running.pop()
            still.close()
            done(StillResult(StillOutcome.FAILED, why))
