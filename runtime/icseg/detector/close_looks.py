"""Looking again at parts of an image, enlarged: what a detector overlooks or mistakes for being small in the picture.

Pure arithmetic over a detector's answers. A detection of the whole image keeps its place in the list, and its
probabilities become the mean of what all looks say of it; what only a closer look shows is added if that look is sure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from icseg.detector.detector import Detection
from icseg.geometry import box_iou, share_inside, smaller_inside
from icseg.settings import check, setting
from icseg.types import Box, ImageU8
from icseg.window import Window

Detect = Callable[[ImageU8], Sequence[Detection]]


@dataclass(frozen=True, slots=True)
class CloseLooksConfig:
    """Where to look again, and what to make of it.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    share: float = setting(
        0.6,
        "share of the image's sides that the five fixed windows have, in the corners and in the middle",
        low=0.3,
        high=1,
    )
    sure: float = setting(
        0.95, "score and probability of the kind from which a detection gets no window of its own", low=0, high=1
    )
    scale: float = setting(3.0, "how many times larger than its box that window is", low=1, high=20)
    min_width: float = setting(0.25, "least width of that window, as a share of the image's", low=0.05, high=1)
    border_px: float = setting(
        6.0,
        "a box so near to a window's border inside the image is cut off, and nothing is read from it; pixels",
        low=0,
        high=100,
    )
    min_iou: float = setting(0.5, "IoU of boxes of one thing in two looks", low=0, high=1)
    min_new_score: float = setting(0.5, "score of a thing that only a closer look shows", low=0, high=1)
    max_inside: float = setting(
        0.5,
        "share of a new box inside another of its colour beyond which it is a part of that thing, seen again",
        low=0,
        high=1,
    )
    max_alike_inside: float = setting(
        0.85, "the same for boxes of one kind and colour, whichever look they are from", low=0, high=1
    )

    def __post_init__(self) -> None:
        check("detector.close_looks", self)


@dataclass(frozen=True, slots=True)
class _Thing:
    """What the looks say of one thing: at the whole image (or the first that showed it), at the parts, at itself."""

    first: Detection
    in_parts: list[Detection]
    alone: list[Detection]

    def merged(self) -> Detection:
        looks = [[self.first], self.in_parts, self.alone]
        weights = [1 / len(look) for look in looks for _ in look]
        seen = [detection for look in looks for detection in look]
        if len(seen) == 1:
            return self.first
        box = np.average([d.box_image_px for d in seen], axis=0, weights=weights)
        return replace(
            self.first,
            box_image_px=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
            score=float(np.average([d.score for d in seen], weights=weights)),
            kind_probs=_mean([d.kind_probs for d in seen], weights),
            colour_probs=_mean([d.colour_probs for d in seen], weights),
        )


def detect_closely(detect: Detect, image: ImageU8, looks: CloseLooksConfig) -> list[Detection]:
    """(H, W, 3) uint8 RGB -> detections of the whole image and of closer looks as one list, best score first.

    Args:
        detect: of one image, whatever its size.
        image: RGB.
        looks: where to look.
    """
    hw = image.shape[0], image.shape[1]
    whole = detect(image)
    things = [_Thing(first, [], []) for first in whole]
    added: list[_Thing] = []
    parts = [found for window in _parts(hw, looks.share) for found in _look(detect, image, window, looks)]
    for found in sorted(parts, key=lambda d: -d.score):
        if (known := _same(found, things, looks)) is not None or (known := _same(found, added, looks)) is not None:
            known.in_parts.append(found)
        elif found.score >= looks.min_new_score and not any(_is_part(found, other, looks) for other in whole):
            added.append(_Thing(found, [], []))
    for thing in things:
        if min(thing.first.score, max(thing.first.kind_probs.values())) >= looks.sure:
            continue
        window = Window.around(thing.first.box_image_px, hw, looks.scale, looks.min_width * hw[1])
        if window.hw != hw:
            seen = _look(detect, image, window, looks)
            nearest = max(seen, key=lambda d: box_iou(d.box_image_px, thing.first.box_image_px), default=None)
            if nearest is not None and _overlaps(nearest, thing.first, looks):
                thing.alone.append(nearest)
    return _without_parts([thing.merged() for thing in (*things, *added)], looks)


def _parts(hw: tuple[int, int], share: float) -> Iterator[Window]:
    height, width = round(share * hw[0]), round(share * hw[1])
    below, right = hw[0] - height, hw[1] - width
    for top, left in ((0, 0), (0, right), (below, 0), (below, right), (below // 2, right // 2)):
        yield Window(left, top, width, height)


def _look(detect: Detect, image: ImageU8, window: Window, looks: CloseLooksConfig) -> list[Detection]:
    """What is seen in a window and not cut off by it, in pixels of the image."""
    hw = image.shape[0], image.shape[1]
    found = []
    for detection in detect(np.ascontiguousarray(window.crop(image))):
        box = window.box_in_image(detection.box_image_px)
        if not _is_cut(box, window, hw, looks.border_px):
            point = detection.point_image_px
            if point is not None:
                point = point[0] + window.left, point[1] + window.top
            found.append(replace(detection, box_image_px=box, point_image_px=point))
    return found


def _is_cut(box: Box, window: Window, hw: tuple[int, int], border_px: float) -> bool:
    right, below = window.left + window.width, window.top + window.height
    return (
        (window.left > 0 and box[0] < window.left + border_px)
        or (window.top > 0 and box[1] < window.top + border_px)
        or (right < hw[1] and box[2] > right - border_px)
        or (below < hw[0] and box[3] > below - border_px)
    )


def _same(found: Detection, things: Sequence[_Thing], looks: CloseLooksConfig) -> _Thing | None:
    best = max(things, key=lambda thing: box_iou(thing.first.box_image_px, found.box_image_px), default=None)
    return best if best is not None and _overlaps(best.first, found, looks) else None


def _overlaps(one: Detection, other: Detection, looks: CloseLooksConfig) -> bool:
    return box_iou(one.box_image_px, other.box_image_px) >= looks.min_iou


def _is_part(found: Detection, other: Detection, looks: CloseLooksConfig) -> bool:
    """A piece of a thing that is too large for the window looks like a thing of its colour."""
    inside = share_inside(found.box_image_px, other.box_image_px)
    return found.colour == other.colour and inside > looks.max_inside


def _without_parts(found: Sequence[Detection], looks: CloseLooksConfig) -> list[Detection]:
    """Without the weaker of two of one kind and colour that lie mostly in each other: a long thing seen in pieces."""
    kept: list[Detection] = []
    for one in sorted(found, key=lambda d: -d.score):
        alike = [other for other in kept if (one.kind, one.colour) == (other.kind, other.colour)]
        if not any(smaller_inside(one.box_image_px, other.box_image_px) > looks.max_alike_inside for other in alike):
            kept.append(one)
    return kept


def _mean(probs: Sequence[Mapping[str, float]], weights: Sequence[float]) -> dict[str, float]:
    total = sum(weights)
    return {name: sum(w * p[name] for w, p in zip(weights, probs, strict=True)) / total for name in probs[0]}
