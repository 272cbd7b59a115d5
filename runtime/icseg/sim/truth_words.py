"""Which things of a simulated frame a description fits, exactly: the truth that a perfect listener would find.

The counterpart of the runtime's soft belief, and the yardstick for it. Only visible things count.
"""

from __future__ import annotations

import math

import numpy as np

from icseg.dialogue.english.words import Axis, Description, Rank, Relation
from icseg.geometry import box_center
from icseg.sim.things import SIZES
from icseg.sim.truth import SimFrame, ThingTruth
from icseg.types import Box

MIN_VISIBLE_PX = 12
"""Nobody would speak of a thing of which less is seen."""


class Facts:
    """What can be said truly of one frame.

    Attributes:
        boxes: tight box of the visible pixels of every visible thing, by id.
        hw: height and width of the frame in pixels.
    """

    def __init__(self, frame: SimFrame) -> None:
        counts = np.bincount(frame.instance_ids.ravel(), minlength=256)
        seen = [thing_id for thing_id in frame.things if counts[thing_id] >= MIN_VISIBLE_PX]
        found = {thing_id: frame.box_image_px(thing_id) for thing_id in seen}
        self.boxes: dict[int, Box] = {thing_id: box for thing_id, box in found.items() if box is not None}
        self._things = frame.things
        self.hw = frame.frame.hw

    def thing(self, thing_id: int) -> ThingTruth:
        """What it is."""
        return self._things[thing_id]

    def place(self, thing_id: int) -> tuple[float, float]:
        """Middle of the visible box as shares of the image's width and height."""
        x, y = box_center(self.boxes[thing_id])
        return x / self.hw[1], y / self.hw[0]

    def row(self, axis: Axis, ids: frozenset[int]) -> list[int]:
        """Ids from left to right, or from the nearest (the lowest in the image) to the farthest."""
        return sorted(ids, key=lambda i: (box_center(self.boxes[i])[0] if axis == "x" else -self.boxes[i][3], i))

    def of_appearance(self, said: Description, among: frozenset[int] | None = None) -> frozenset[int]:
        """The things whose kind and colour are among those said."""
        return frozenset(
            thing_id
            for thing_id in (self.boxes if among is None else among)
            if (not said.kinds or self._things[thing_id].kind in said.kinds)
            and (not said.colours or self._things[thing_id].colour in said.colours)
        )

    def matching(
        self, said: Description, among: frozenset[int] | None = None, *, is_absolute: bool = False
    ) -> frozenset[int]:
        """The things that a description fits; several when it is ambiguous.

        Args:
            said: the description; its unknown words are skipped.
            among: the things that are spoken of; all visible ones by default.
            is_absolute: sizes are meant as such, not as compared with the others of the kind.
        """
        ids = self.of_appearance(said, among)
        if said.size is not None:
            ids = self._of_size(said.size.startswith("big"), ids, is_absolute)
        if said.relation is not None:
            ids = self._related(said.relation, ids)
        for rank in said.ranks:
            ids = self._ranked(rank, ids)
        return ids

    def nearest(self, thing_id: int) -> int | None:
        """The visible thing that stands nearest to another, or None when it is alone."""
        others = [other for other in self.boxes if other != thing_id]
        return min(others, key=lambda other: self._distance(thing_id, other), default=None)

    def _of_size(self, is_big: bool, ids: frozenset[int], is_absolute: bool) -> frozenset[int]:
        kept: set[int] = set()
        for kind in {self._things[i].kind for i in ids}:
            sizes = {i: SIZES.index(self._things[i].size) for i in ids if self._things[i].kind == kind}
            extreme = (max if is_big else min)(sizes.values())
            if is_absolute:
                extreme = len(SIZES) - 1 if is_big else 0
            kept |= {i for i, size in sizes.items() if size == extreme}
        return frozenset(kept)

    def _related(self, relation: Relation, ids: frozenset[int]) -> frozenset[int]:
        anchors = self.matching(relation.anchor)
        pairs = [(i, anchor) for i in ids for anchor in anchors if i != anchor]
        if relation.name == "near":
            closest = min((self._distance(*pair) for pair in pairs), default=math.inf)
            return frozenset(i for i, anchor in pairs if self._distance(i, anchor) <= closest)
        axis: Axis = "x" if relation.name in ("left", "right") else "y"
        is_first = relation.name in ("left", "front")
        return frozenset(i for i, anchor in pairs if (self.row(axis, frozenset((i, anchor)))[0] == i) == is_first)

    def _ranked(self, rank: Rank, ids: frozenset[int]) -> frozenset[int]:
        row = self.row(rank.axis or "x", ids)
        if rank.index is None:
            return frozenset(row[(len(row) - 1) // 2 : len(row) // 2 + 1])
        if rank.is_loose and len(row) > 2:
            # "On the left" fits everything in the first third of the row; "the leftmost" only the first.
            ends = row if rank.index == 0 else row[::-1]
            along = [self._along(rank.axis or "x", thing_id) for thing_id in ends]
            third = abs(along[-1] - along[0]) / 3
            return frozenset(i for i, at in zip(ends, along, strict=True) if abs(at - along[0]) <= third)
        return (
            frozenset(row[rank.index : rank.index + 1 or None]) if -len(row) <= rank.index < len(row) else frozenset()
        )

    def _along(self, axis: Axis, thing_id: int) -> float:
        return self.place(thing_id)[0] if axis == "x" else self.boxes[thing_id][3] / self.hw[0]

    def _distance(self, a: int, b: int) -> float:
        """Between the places where two things stand, in shares of the image."""
        feet = [(self.place(i)[0], self.boxes[i][3] / self.hw[0]) for i in (a, b)]
        return math.dist(*feet)
