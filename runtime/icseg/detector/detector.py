"""What a detector says about an image: things with kind, colour and box, each with its probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from icseg.types import Box, ImageU8, Point


@dataclass(frozen=True, slots=True)
class Detection:
    """One thing found in one image.

    Attributes:
        box_image_px: x0, y0, x1, y1.
        score: probability that there is a thing here, 0..1.
        kind_probs, colour_probs: name -> probability, each summing to 1.
        point_image_px: a pixel where the thing itself is seen, if the detector knows one: the middle of a box may lie
            beside a bent thing, or on what hides it.
    """

    box_image_px: Box
    score: float
    kind_probs: Mapping[str, float]
    colour_probs: Mapping[str, float]
    point_image_px: Point | None = None

    @property
    def kind(self) -> str:
        """The likeliest kind."""
        return max(self.kind_probs, key=lambda name: self.kind_probs[name])

    @property
    def colour(self) -> str:
        """The likeliest colour."""
        return max(self.colour_probs, key=lambda name: self.colour_probs[name])


class Detector(Protocol):
    """Finds the things of a fixed vocabulary."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind it can name."""
        ...

    @property
    def colours(self) -> tuple[str, ...]:
        """Every colour it can name."""
        ...

    def detect(self, image: ImageU8) -> list[Detection]:
        """(H, W, 3) uint8 RGB -> detections, best score first."""
        ...


@runtime_checkable
class CloseDetector(Detector, Protocol):
    """A detector that finds more, and is surer of it, when it takes its time."""

    def detect_closely(self, image: ImageU8) -> list[Detection]:
        """(H, W, 3) uint8 RGB -> detections, best score first."""
        ...
