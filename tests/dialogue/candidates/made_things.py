"""Detections and candidates made to measure, with no picture behind them."""

from __future__ import annotations

import numpy as np

from icseg.detector.detector import Detection
from icseg.dialogue.candidates.things import Candidate
from icseg.dialogue.english.words import Vocabulary
from icseg.types import Box, Point

HW = (400, 1000)
VOCABULARY = Vocabulary(("mug", "bowl", "can"), ("red", "blue", "white"))


def seen(
    box: Box,
    kinds: dict[str, float] | str = "mug",
    colours: dict[str, float] | str = "red",
    score: float = 1.0,
    point: Point | None = None,
) -> Detection:
    """A detection; a name instead of probabilities is certain."""
    kind_probs = {kinds: 1.0} if isinstance(kinds, str) else kinds
    colour_probs = {colours: 1.0} if isinstance(colours, str) else colours
    return Detection(box, score, kind_probs, colour_probs, point)


def thing(
    kind: str = "mug",
    colour: str = "red",
    x: float = 0.5,
    y: float = 0.8,
    size: float = 1.0,
    *,
    sure: float = 1.0,
) -> Candidate:
    """One candidate in an image of ``HW``; ``sure`` of its kind and colour, the rest goes to "can" and "white"."""
    kinds = {kind: sure, "can": 1 - sure} if kind != "can" else {"can": 1.0}
    colours = {colour: sure, "white": 1 - sure} if colour != "white" else {"white": 1.0}
    w, h = 50 * size, 60 * size
    box = (x * HW[1] - w / 2, y * HW[0] - h, x * HW[1] + w / 2, y * HW[0])
    return Candidate(seen(box, kinds, colours), x, y, float(np.log(size)))


def row(*xs: float, kind: str = "mug") -> list[Candidate]:
    """Red things of one kind, each at its share of the width."""
    return [thing(kind, x=x) for x in xs]
