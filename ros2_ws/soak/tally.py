"""From occurrences, episodes and samples of memory to the result file. Pure; knows no ROS."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

MEMORY_GROWTH_BOUND = 0.05
"""Resident memory may grow by this share between the third quarter of a node's run and the last."""
TEXTS_KEPT = 4
"""Different texts that the result quotes of one kind."""
MEMORY_POINTS_KEPT = 100
"""Points of the memory's course in the result, about."""


@dataclass
class MemorySamples:
    """Resident memory of one node process.

    Attributes:
        at_s: since the node was ready.
        mb: resident memory, 10^6 bytes.
        threads, files: threads and open files of the process, at the same moments.
    """

    at_s: list[float] = field(default_factory=list)
    mb: list[float] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    files: list[int] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """Growth between the third quarter and the last one, by the level that is not exceeded in nine tenths of them.

        The first half is the warm-up: the buffer of images fills, and every fault comes about once. Where the node is
        cleaned up the memory falls for a moment; therefore the level, and not the mean.
        """
        if len(self.mb) < 8:
            return {"samples": len(self.mb)}
        quarter = len(self.mb) // 4
        early, late = (
            float(np.percentile(part, 90)) for part in (self.mb[2 * quarter : 3 * quarter], self.mb[-quarter:])
        )
        step = max(len(self.mb) // MEMORY_POINTS_KEPT, 1)
        return {
            "after_warm_up_mb": round(early, 1),
            "at_the_end_mb": round(late, 1),
            "growth": round(late / early - 1, 4),
            "bound": MEMORY_GROWTH_BOUND,
            "is_flat": late / early - 1 <= MEMORY_GROWTH_BOUND,
            "greatest_mb": round(max(self.mb), 1),
            "threads": [
                int(np.median(self.threads[2 * quarter : 3 * quarter])),
                int(np.median(self.threads[-quarter:])),
            ],
            "open_files": [
                int(np.median(self.files[2 * quarter : 3 * quarter])),
                int(np.median(self.files[-quarter:])),
            ],
            "over_time": [[round(at), round(mb, 1)] for at, mb in list(zip(self.at_s, self.mb, strict=True))[::step]],
        }


def fault_rows(occurrences: Iterable[Any], described: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One row a kind of fault: how often, in which words it showed, how soon, and how soon masks flowed again.

    Args:
        occurrences: ``faults.Occurrence``.
        described: name -> ``faults.Fault``.
    """
    by_name: dict[str, list[Any]] = {}
    for one in occurrences:
        by_name.setdefault(one.name, []).append(one)
    rows = []
    for name, fault in described.items():
        found = by_name.get(name, [])
        rows.append(
            {
                "fault": name,
                "what": fault.what,
                "injected": len(found),
                "shown": sum(bool(one.shown) for one in found),
                "shown_as": _texts(one.shown for one in found if one.shown),
                "shown_after_s": _spread([one.shown_after_s for one in found]),
                "bound_s": fault.shown_within_s,
                "recovers": {"by itself": "by itself", "box": "with the next box", "words": "with the next command"}[
                    fault.recovers
                ],
                "recovered": sum(one.recovered_after_s is not None for one in found),
                "recovered_after_s": _spread([one.recovered_after_s for one in found]),
                "problems": _texts(problem for one in found for problem in one.problems),
            }
        )
    return rows


def episode_rows(played: Sequence[tuple[str, str, bool]]) -> dict[str, Any]:
    """Name -> how often, how it ended, what was missed.

    Args:
        played: name, words, whether all that must happen did.
    """
    rows: dict[str, Any] = {}
    for name in sorted({name for name, _, _ in played}):
        ends = [(words, is_right) for other, words, is_right in played if other == name]
        rows[name] = {
            "played": len(ends),
            "ended": dict(Counter(words[:160] for words, is_right in ends if is_right).most_common(TEXTS_KEPT)),
            "missed": _texts(words for words, is_right in ends if not is_right),
        }
    return rows


def _spread(seconds: Sequence[float | None]) -> dict[str, float]:
    known = [one for one in seconds if one is not None]
    return {"median": round(float(np.median(known)), 2), "max": round(max(known), 2)} if known else {}


def _texts(texts: Iterable[str]) -> list[str]:
    return [text[:300] for text, _ in Counter(texts).most_common(TEXTS_KEPT)]
