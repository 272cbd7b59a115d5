"""The stills that are being worked on: a bounded number, stepped by the worker. Each has a session of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from std_msgs.msg import Header

from icseg.dialogue.policy import Policy
from icseg.errors import IcsegError
from icseg.tracker.tracker import Tracker
from icseg.types import Frame, Prompt
from icseg_ros.still import Still, StillOutcome, StillResult

MAX_STILLS = 8
"""Requests that are worked on at once; more are refused."""

Done = Callable[[StillResult, Header], None]


@dataclass(frozen=True, slots=True, eq=False)
class StillRequest:
    """What is wanted of one picture.

    Attributes:
        picture: with its header; None = the newest image of the stream.
        wanted: words, or the target itself.
        answers: given to the questions that come, in order.
        timeout_s: seconds until it is given up.
    """

    picture: tuple[Frame, Header] | None
    wanted: Prompt | str
    answers: Sequence[str]
    timeout_s: float


_T = TypeVar("_T")


class Stills:
    """For the worker's thread; each ``done`` is called once.

    Args:
        policy, tracker: the node's models.
        executor: where the policy runs.
        clock: seconds, monotonic.
    """

    def __init__(self, policy: Policy, tracker: Tracker, executor: Executor, clock: Callable[[], float]) -> None:
        self._policy, self._tracker, self._executor, self._clock = policy, tracker, executor, clock
        self._running: list[tuple[Still, Header, Done]] = []

    def begin(self, request: StillRequest, newest: tuple[Frame, Header] | None, done: Done) -> None:
        """A prompt is answered at once, words when the policy has decided.

        Args:
            newest: the newest image of the stream; None before the first.
        """
        picture = request.picture or newest
        if picture is None:
            done(StillResult(StillOutcome.NO_IMAGE, "no image came yet: check the camera"), Header())
            return
        frame, header = picture
        if len(self._running) >= MAX_STILLS:
            done(StillResult(StillOutcome.FAILED, "too many such requests are being worked on: try again"), header)
            return
        still = Still(
            frame,
            self._policy,
            self._tracker,
            self._executor,
            self._clock,
            timeout_s=request.timeout_s,
            answers=request.answers,
        )
        if isinstance(request.wanted, str):
            still.command(request.wanted)
            self._running.append((still, header, done))
            return
        wanted = request.wanted
        done(_result_of(lambda: still.segment(wanted)), header)

    def step(self) -> None:
        """One step of each."""
        for entry in list(self._running):
            still, header, done = entry
            result = _result_of(still.poll)
            if result is not None:
                self._running.remove(entry)
                still.close()
                done(result, header)

    def close(self, why: str) -> None:
        """End all of them."""
        while self._running:
            still, header, done = self._running.pop()
            still.close()
            done(StillResult(StillOutcome.FAILED, why), header)


def _result_of(work: Callable[[], _T]) -> _T | StillResult:
    """What comes of it; whatever breaks is the end of this still, and no matter of the stream or of the others."""
    try:
        return work()
    except IcsegError as error:
        return StillResult(StillOutcome.FAILED, str(error))
    except Exception as error:  # noqa: BLE001  # nothing that is wrong in one request may end the node
        return StillResult(StillOutcome.FAILED, f"unexpected {type(error).__name__}: {error}")
