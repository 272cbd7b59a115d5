"""What a person could say about a simulated frame, and which things it fits in truth: test material for dialogues.

Only things of which enough is seen are spoken of, and only places and sizes that nobody would dispute: a person does
not call a mug "the leftmost" that stands a pixel further left, nor one "the big mug" whose half is outside the image.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from icseg.dialogue.english.words import Axis, ordinal_word
from icseg.sim.truth import SimFrame
from icseg.sim.truth_words import Facts
from icseg.sim.user import matching_ids
from icseg.types import MaskBool

STYLES = ("kind", "colour", "colour_kind", "size_kind", "place", "ordinal", "next_to")
MIN_SEEN_SHARE = 0.0013
"""A thing that fills less of the image (400 px of 640x480) makes every word that fits it unfair."""
MIN_SEEN_WIDTH = 0.015
"""A strip narrower than this share of the image's width (10 px of 640) goes unnoticed beside what hides the rest,
however long it is."""
MIN_GAP = 0.03
"""Neighbours in a row whose middles (or feet) are nearer than this share of the image's side are not told by place."""
MIN_DISTANCE_RATIO = 1.3
"""A thing is called the one "next to" another when the second nearest of its kind is this many times as far."""
_ENDS: dict[tuple[Axis, bool], str] = {
    ("x", True): "leftmost", ("x", False): "rightmost", ("y", True): "nearest", ("y", False): "farthest",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Command:
    """Something to say.

    Attributes:
        text: the words.
        style: one of ``STYLES``.
        fitting: ids of the things that it fits; more than one when it is ambiguous.
    """

    text: str
    style: str
    fitting: frozenset[int]

    @property
    def is_ambiguous(self) -> bool:
        """It fits several things."""
        return len(self.fitting) > 1


def commands(frame: SimFrame) -> list[Command]:
    """Everything that can fairly be said of a frame, each text once."""
    facts = Facts(frame)
    clear = frozenset(i for i in facts.boxes if _is_clear(frame.mask(i)))
    found: dict[str, Command] = {}
    for style, text in _phrases(facts, clear):
        fitting = matching_ids(text, frame)
        if fitting and fitting <= clear and text not in found:
            found[text] = Command(text, style, fitting)
    return list(found.values())


def draw_command(frame: SimFrame, rng: np.random.Generator, *, is_ambiguous: bool) -> Command | None:
    """One command, first its style and then its words at random; None when the frame allows none such."""
    pool = [command for command in commands(frame) if command.is_ambiguous == is_ambiguous]
    if not pool:
        return None
    styles = sorted({command.style for command in pool})
    style = styles[int(rng.integers(len(styles)))]
    pool = [command for command in pool if command.style == style]
    return pool[int(rng.integers(len(pool)))]


def _is_clear(seen: MaskBool) -> bool:
    """Enough of a thing is seen: the whole of it, and at its widest."""
    if seen.sum() < MIN_SEEN_SHARE * seen.size:
        return False
    # with a frame about it: what the image's border cuts is not wider for it
    inside = cv2.distanceTransform(np.pad(seen, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return bool(2 * inside.max() >= MIN_SEEN_WIDTH * seen.shape[1])


def _phrases(facts: Facts, clear: frozenset[int]) -> Iterator[tuple[str, str]]:
    for thing_id in sorted(clear):
        thing = facts.thing(thing_id)
        peers = frozenset(i for i in facts.boxes if facts.thing(i).kind == thing.kind)
        yield "kind", f"the {thing.kind}"
        yield "colour", f"the {thing.colour} one"
        yield "colour_kind", f"the {thing.colour} {thing.kind}"
        if len({facts.thing(i).size for i in peers}) > 1 and not any(_is_cut(facts, i) for i in peers):
            yield "size_kind", f"the {'big' if thing.size == 'large' else 'small'} {thing.kind}"
        if not peers <= clear:
            continue  # a peer that is hardly seen has its place in the row, but nobody would count it
        yield from _places(facts, thing_id, peers)
        if (anchor := _neighbour(facts, thing_id, peers, clear)) is not None:
            yield "next_to", f"the {thing.kind} next to the {anchor}"


def _is_cut(facts: Facts, thing_id: int) -> bool:
    """It reaches the image's border: how large it is cannot be seen."""
    x0, y0, x1, y1 = facts.boxes[thing_id]
    return x0 <= 0 or y0 <= 0 or x1 >= facts.hw[1] or y1 >= facts.hw[0]


def _places(facts: Facts, thing_id: int, peers: frozenset[int]) -> Iterator[tuple[str, str]]:
    kind = facts.thing(thing_id).kind
    axes: tuple[Axis, ...] = ("x", "y")
    for axis in axes:
        row = facts.row(axis, peers)
        along = sorted(facts.place(i)[0] if axis == "x" else _foot(facts, i)[1] for i in row)
        if len(row) < 2 or min(b - a for a, b in itertools.pairwise(along)) < MIN_GAP:
            continue
        place = row.index(thing_id)
        if place in (0, len(row) - 1):
            yield "place", f"the {_ENDS[axis, place == 0]} {kind}"
        if axis == "x" and len(row) > 2:
            yield "ordinal", f"the {ordinal_word(place)} {kind} from the left"


def _neighbour(facts: Facts, thing_id: int, peers: frozenset[int], clear: frozenset[int]) -> str | None:
    """A thing of another kind that this one, and clearly no peer of it, stands next to; in words that fit it alone."""
    best: tuple[float, str] | None = None
    for anchor in clear - peers:
        truth = facts.thing(anchor)
        alike = [i for i in facts.boxes if (facts.thing(i).colour, facts.thing(i).kind) == (truth.colour, truth.kind)]
        mine = math.dist(_foot(facts, thing_id), _foot(facts, anchor))
        others = [math.dist(_foot(facts, peer), _foot(facts, anchor)) for peer in peers if peer != thing_id]
        if len(alike) > 1 or not others or min(others) < MIN_DISTANCE_RATIO * mine:
            continue
        if best is None or mine < best[0]:
            best = mine, f"{truth.colour} {truth.kind}"
    return best[1] if best is not None else None


def _foot(facts: Facts, thing_id: int) -> tuple[float, float]:
    """Where it stands: middle and lower edge of its box, as shares of the image's width and height."""
    return facts.place(thing_id)[0], facts.boxes[thing_id][3] / facts.hw[0]
