"""Perfect perception: a detector that reads the truth. What a trained detector is measured against."""

from __future__ import annotations

from collections import OrderedDict

from icseg.detector.detector import Detection
from icseg.errors import SourceError
from icseg.sim.things import COLOURS, KINDS
from icseg.sim.truth import SimFrame
from icseg.sim.truth_words import Facts
from icseg.types import ImageU8

MAX_FRAMES = 64


class TruthDetector:
    """Knows the last frames that it was shown, up to ``MAX_FRAMES``; their images are recognised by identity."""

    def __init__(self, *frames: SimFrame) -> None:
        # The frame is kept with its image: as long as it lives, no other image has its id.
        self._frames: OrderedDict[int, SimFrame] = OrderedDict()
        for frame in frames:
            self.show(frame)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind of the simulated table."""
        return KINDS

    @property
    def colours(self) -> tuple[str, ...]:
        """Every colour of the simulated table."""
        return COLOURS

    def show(self, frame: SimFrame) -> None:
        """Let it know one frame more."""
        self._frames[id(frame.frame.image)] = frame
        while len(self._frames) > MAX_FRAMES:
            self._frames.popitem(last=False)

    def detect(self, image: ImageU8) -> list[Detection]:
        """(H, W, 3) uint8 RGB of a known frame -> every visible thing, with certainty.

        Raises:
            SourceError: the image is of no frame that was shown.
        """
        frame = self._frames.get(id(image))
        if frame is None:
            raise SourceError("truth detector: expected an image of a frame that was shown with show(), got another")
        facts = Facts(frame)
        return [
            Detection(box, 1.0, {facts.thing(thing_id).kind: 1.0}, {facts.thing(thing_id).colour: 1.0})
            for thing_id, box in facts.boxes.items()
        ]
