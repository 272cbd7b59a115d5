"""What the simulated person sees and judges by: exact instance maps by stamp, and masks compared with them.

Knows nothing of ROS topics; stamps are whole nanoseconds of the images' headers.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field

import cv2
import numpy as np

from icseg.errors import SourceError
from icseg.evaluation.metrics import jaccard
from icseg.sim.truth import SimFrame, ThingTruth
from icseg.types import Array, Frame, ImageU8, MaskBool

MAPS_KEPT = 1800
"""So many maps of the truth are kept: a minute at 30 Hz, some kilobytes each."""


def parse_things(text: str) -> dict[int, ThingTruth]:
    """The things of ``ground_truth/things`` by id.

    Raises:
        SourceError: it is not what the simulated camera publishes.
    """
    try:
        things = [ThingTruth(**thing) for thing in json.loads(text)["things"]]
    except (ValueError, TypeError, KeyError) as error:
        raise SourceError(f"ground_truth/things: expected the JSON of demo_camera, got {text[:80]!r}") from error
    return {thing.id: thing for thing in things}


class Truth:
    """Instance maps of the newest images.

    Attributes:
        things: on the table, by id; empty until they are known.
    """

    def __init__(self) -> None:
        self.things: dict[int, ThingTruth] = {}
        self._maps: OrderedDict[int, Array] = OrderedDict()
        self._begin_ns: int | None = None

    def add(self, stamp_ns: int, png: Array) -> None:
        """The instance map of an image: the bytes of a PNG, uint8."""
        if self._begin_ns is None:
            self._begin_ns = stamp_ns
        self._maps[stamp_ns] = png
        while len(self._maps) > MAPS_KEPT:
            self._maps.popitem(last=False)

    @property
    def newest_ns(self) -> int | None:
        """Stamp of the newest map."""
        return next(reversed(self._maps), None)

    def is_from_before(self, stamp_ns: int) -> bool:
        """The stamp is older than the first map: nothing can be said about it."""
        return self._begin_ns is None or stamp_ns < self._begin_ns

    def labels(self, stamp_ns: int) -> ImageU8 | None:
        """The instance map of an image; None when there is none with this stamp."""
        png = self._maps.get(stamp_ns)
        return None if png is None else np.asarray(cv2.imdecode(png, cv2.IMREAD_UNCHANGED), dtype=np.uint8)

    def now(self) -> SimFrame | None:
        """What is to be seen now; the picture itself is black. None before the first map and the things."""
        if self.newest_ns is None or not self.things:
            return None
        labels = self.labels(self.newest_ns)
        assert labels is not None
        frame = Frame(np.zeros((*labels.shape, 3), np.uint8), self.newest_ns, 0)
        return SimFrame(frame, labels, self.things)


@dataclass
class Score:
    """Masks judged by the truth with the same stamp.

    Attributes:
        target: the thing that is meant.
        js: J of every mask that could be judged.
        unknown_stamps: stamps of masks that no image has.
        before: masks of images from before the first map.
        wrong_sizes: masks that are not of their image's size.
    """

    truth: Truth
    target: int
    js: list[float] = field(default_factory=list)
    unknown_stamps: list[int] = field(default_factory=list)
    before: int = 0
    wrong_sizes: int = 0
    _waiting: list[tuple[int, MaskBool]] = field(default_factory=list)

    @property
    def masks(self) -> int:
        """Masks that came."""
        return self.settled + self.before + len(self._waiting)

    @property
    def settled(self) -> int:
        """Masks of which it is known whether an image has their stamp, and how good they are."""
        return len(self.js) + len(self.unknown_stamps) + self.wrong_sizes

    @property
    def mean_j(self) -> float:
        """Mean J of the masks that could be judged; 0 without."""
        return float(np.mean(self.js)) if self.js else 0.0

    def add(self, stamp_ns: int, mask: MaskBool) -> None:
        """A mask; one that overtook its truth waits for it."""
        self._waiting.append((stamp_ns, mask))
        self.settle()

    @property
    def not_judged(self) -> int:
        """Masks whose truth may still come."""
        return len(self._waiting)

    def settle(self) -> None:
        """Judge what can be judged: a map that is not there although a later one is does not come any more."""
        newest = self.truth.newest_ns
        waiting, self._waiting = self._waiting, []
        for stamp_ns, mask in waiting:
            labels = self.truth.labels(stamp_ns)
            if labels is not None and labels.shape == mask.shape:
                self.js.append(jaccard(mask, labels == self.target))
            elif labels is not None:
                self.wrong_sizes += 1
            elif self.truth.is_from_before(stamp_ns):
                self.before += 1
            elif newest is not None and stamp_ns < newest:
                self.unknown_stamps.append(stamp_ns)
            else:
                self._waiting.append((stamp_ns, mask))
