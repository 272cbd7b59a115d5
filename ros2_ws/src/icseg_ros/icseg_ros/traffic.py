"""What goes through the node, for diagnostics: rates, times by stage, drops, faults. Filled in the worker's thread."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from icseg import events
from icseg_ros.camera import Taken
from icseg_ros.happened import Happened

MASKS_KEPT = 300
"""Times are kept of so many masks, and of so many images that may become one."""
RATE_WINDOW_S = 5.0
"""Masks per second are counted over so long."""


@dataclass(frozen=True, slots=True)
class TrafficFacts:
    """A snapshot.

    Attributes:
        masks: published since the node was activated.
        masks_per_s: over the last seconds.
        timings_ms: stage -> (median, 95th percentile) of the last masks; ``total`` is from the image's arrival to the
            mask's publication.
        dropped: images of the stream that were passed over.
        faults: since the node was activated.
        last_fault: in words; empty when there was none.
        last_fault_s: seconds ago.
    """

    masks: int = 0
    masks_per_s: float = 0.0
    timings_ms: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    dropped: int = 0
    faults: int = 0
    last_fault: str = ""
    last_fault_s: float = 0.0


@dataclass(frozen=True, slots=True)
class _Arrival:
    wait_ms: float
    convert_ms: float
    received_at: float


class Traffic:
    """Counts and times. Any thread may read; one writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._arrivals: dict[int, _Arrival] = {}
        self._timings_ms: deque[dict[str, float]] = deque(maxlen=MASKS_KEPT)
        self._published_at: deque[float] = deque(maxlen=MASKS_KEPT)
        self._masks = self._dropped = self._faults = 0
        self._last_fault, self._last_fault_at = "", 0.0

    def took(self, taken: Taken) -> None:
        """An image was taken up."""
        with self._lock:
            # the times only: a frame held here would be held for ten seconds
            arrival = _Arrival(taken.wait_ms, taken.convert_ms, taken.received_at)
            self._arrivals[taken.frame.stamp_ns] = arrival
            while len(self._arrivals) > MASKS_KEPT:
                self._arrivals.pop(next(iter(self._arrivals)))

    def published(self, event: events.Tracked, publishing_ms: Mapping[str, float]) -> None:
        """A mask went out.

        Args:
            publishing_ms: milliseconds by stage that its messages took.
        """
        now = time.monotonic()
        with self._lock:
            self._masks += 1
            self._dropped = event.dropped
            self._published_at.append(now)
            arrival = self._arrivals.get(event.stamp_ns)
            if arrival is None or not event.is_live:
                return
            after = event.timings_ms.get("postprocess", 0.0)
            self._timings_ms.append(
                {
                    "wait": arrival.wait_ms,
                    "convert": arrival.convert_ms,
                    "model": sum(event.timings_ms.values()) - after,
                    "postprocess": after,
                    "publish": sum(publishing_ms.values()),
                    "total": (now - arrival.received_at) * 1e3,
                }
            )

    def take(self, happened: Happened) -> None:
        """Count what is a fault."""
        match happened.event:
            case events.Failed(error=error) | events.Rejected(error=error) | events.Degraded(error=error):
                self.fault(error)
            case events.CameraStalled(silent_s=silent_s):
                self.fault(f"no image for {silent_s:.1f} s while something is going on")

    def fault(self, what: str) -> None:
        """Something went wrong that the node goes on after."""
        with self._lock:
            self._faults += 1
            self._last_fault, self._last_fault_at = what, time.monotonic()

    def facts(self) -> TrafficFacts:
        """Now."""
        now = time.monotonic()
        with self._lock:
            recent = sum(now - at <= RATE_WINDOW_S for at in self._published_at)
            stages = {
                stage: [row[stage] for row in self._timings_ms]
                for stage in (self._timings_ms[0] if self._timings_ms else {})
            }
            return TrafficFacts(
                self._masks,
                recent / RATE_WINDOW_S,
                {stage: (float(np.median(spent)), float(np.percentile(spent, 95))) for stage, spent in stages.items()},
                self._dropped,
                self._faults,
                self._last_fault,
                now - self._last_fault_at if self._faults else 0.0,
            )
