"""Bins of the reliability diagram, and that it is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")
from training.reliability import draw, reliability


def test_bins_hold_their_answers() -> None:
    confidence = np.array([0.05, 0.81, 0.85, 0.89, 1.0])
    is_right = np.array([False, True, True, False, True])
    assert reliability(confidence, is_right) == [
        {"count": 1, "confidence": 0.05, "right": 0.0},
        {"count": 3, "confidence": 0.85, "right": 0.6667},
        {"count": 1, "confidence": 1.0, "right": 1.0},
    ]


def test_a_picture_is_written(tmp_path: Path) -> None:
    confidence = np.linspace(0, 1, 200)
    answers = {"score": (confidence, confidence > 0.5), "kind": (confidence, confidence > 0.2)}
    draw(answers, tmp_path / "reliability.png")
    assert (tmp_path / "reliability.png").stat().st_size > 5000
