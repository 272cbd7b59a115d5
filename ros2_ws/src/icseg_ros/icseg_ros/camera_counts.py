"""What came from the camera and what became of it: running numbers for diagnostics. Knows no topic and no pixel."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

RATE_WINDOW_S = 2.0
"""Images per second are counted over so long."""
LATENCIES_KEPT = 100
"""Median and 95th percentile are of so many images."""


@dataclass(frozen=True)
class CameraCounts:
    """One moment's numbers, since the node was activated for the first time.

    An image that is received waits in the slot, and then is taken, overwritten, rate limited, rejected or discarded.

    Attributes:
        received: images that came while active.
        taken: given to the worker as frames.
        overwritten: replaced by a newer one before the worker had time.
        rate_limited: passed over because of ``max_rate_hz``.
        rejected: not images, without a stamp, or with the stamp of the one before; ``last_error`` says why, and is
            empty again when a later one is taken.
        discarded: waited when the input was switched off.
        backward: stamps that were earlier than the one before.
        jumps: of them, those after which the stream begins anew.
        encoding: the newest image's, for a compressed one its format; empty before the first.
        width, height: size of the newest image that was taken, pixels; 0 before the first.
        fps: images a second received over the last 2 s.
        reliability: the subscription's: reliable, best_effort, or empty while no publisher is there.
        incompatible_qos: publishers that offered less than was asked for.
        qos_error: what does not match now; empty when nothing.
        latency_p50_ms, latency_p95_ms: from stamp to reception, over the last 100; NaN before the first. Of use only
            when the camera's clock and the node's agree.
        last_received_monotonic: ``time.monotonic()`` of the newest image; NaN before the first.
    """

    received: int
    taken: int
    overwritten: int
    rate_limited: int
    rejected: int
    discarded: int
    backward: int
    jumps: int
    last_error: str
    encoding: str
    width: int
    height: int
    fps: float
    reliability: str
    incompatible_qos: int
    qos_error: str
    latency_p50_ms: float
    latency_p95_ms: float
    last_received_monotonic: float


class RateLimit:
    """Which images to pass over so that at most so many a second remain, by their stamps.

    A stamp may be early or late by a quarter of the period without moving the schedule, so that a camera of just this
    rate loses none to its jitter and the mean rate keeps the bound.
    """

    def __init__(self) -> None:
        self._due_ns: int | None = None

    def admits(self, stamp_ns: int, max_rate_hz: float) -> bool:
        """Whether this image is one to keep; stamps ascend."""
        period_ns = int(1e9 / max_rate_hz)
        if self._due_ns is None:
            self._due_ns = stamp_ns
        if stamp_ns < self._due_ns - period_ns // 4:
            return False
        self._due_ns = max(self._due_ns, stamp_ns - period_ns // 4) + period_ns
        return True

    def reset(self) -> None:
        """The next image is kept."""
        self._due_ns = None


class Arrivals:
    """When images came, and how late."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=2048)
        self._latencies_ms: deque[float] = deque(maxlen=LATENCIES_KEPT)

    def add(self, at: float, latency_ms: float) -> None:
        """One image at a monotonic time in seconds."""
        self._times.append(at)
        self._latencies_ms.append(latency_ms)

    @property
    def last(self) -> float:
        """Monotonic seconds of the last one; NaN before the first."""
        return self._times[-1] if self._times else float("nan")

    def fps(self, now: float) -> float:
        """Images a second over the window before ``now``."""
        return sum(at > now - RATE_WINDOW_S for at in self._times) / RATE_WINDOW_S

    def latency_ms(self) -> tuple[float, float]:
        """Median and 95th percentile; NaN before the first."""
        if not self._latencies_ms:
            return float("nan"), float("nan")
        median, late = np.percentile(self._latencies_ms, (50, 95))
        return float(median), float(late)
