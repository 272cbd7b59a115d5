"""Reliability diagrams: is what the detector says with 80 % right in 80 % of the cases?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

BINS = 10
"""Bins of equal width over the confidence 0..1."""
MIN_PER_BIN = 5
"""Bins with fewer are not drawn: their share means nothing."""

Judged = tuple[np.ndarray, np.ndarray]
"""Confidence 0..1 and whether it was right, of N answers."""


def reliability(confidence: np.ndarray, is_right: np.ndarray) -> list[dict[str, float]]:
    """Per bin of equal width that holds anything: how many, their mean confidence, the share of them that is right."""
    which = np.clip((confidence * BINS).astype(int), 0, BINS - 1)
    return [
        {
            "count": int((which == b).sum()),
            "confidence": round(float(confidence[which == b].mean()), 4),
            "right": round(float(is_right[which == b].mean()), 4),
        }
        for b in range(BINS)
        if (which == b).any()
    ]


def draw(answers: Mapping[str, Judged], path: Path) -> None:
    """One panel per sort of answer (score, kind, colour): the share that is right over confidence, and how many."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(answers), figsize=(4 * len(answers), 4), sharey=True)
    for axis, (name, judged) in zip(np.atleast_1d(axes), answers.items(), strict=True):
        rows = [row for row in reliability(*judged) if row["count"] >= MIN_PER_BIN]
        axis.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        axis.plot([row["confidence"] for row in rows], [row["right"] for row in rows], marker="o")
        for row in rows:
            axis.annotate(str(row["count"]), (row["confidence"], row["right"]), fontsize=7, xytext=(4, -9),
                          textcoords="offset points")  # fmt: skip
        axis.set(title=name, xlabel="confidence", xlim=(0, 1.02), ylim=(0, 1.02))
    np.atleast_1d(axes)[0].set_ylabel("share that is right (number of answers)")
    figure.tight_layout()
    figure.savefig(path, dpi=100)
    plt.close(figure)
