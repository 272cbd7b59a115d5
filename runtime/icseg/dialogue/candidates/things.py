"""Detections in the dialogue's frames -> the things that may be meant, and the frame that shows one of them best.

Knows boxes and probabilities; knows no words. The newest frame says what there is, because the person speaks about what
they see now; earlier frames only matter as keyframes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from icseg.detector.detector import Detection
from icseg.geometry import box_area, box_center, box_contains, box_iou, clip_box, clip_point
from icseg.settings import check, setting
from icseg.types import Box, Point

FLAT_KINDS = frozenset(
    ("book", "bowl", "card", "dish", "envelope", "fork", "key", "knife", "magazine", "pen", "pencil", "phone", "plate",
     "remote", "scissors", "spoon", "tray")
)  # fmt: skip
"""Kinds of things that lie on a table rather than stand on it."""
FLAT_FORESHORTENING = 2.0
"""A camera that looks down at about 35 degrees shows a lying thing this many times shorter in depth than in width."""
FLAT_HORIZON_SHIFT = 0.2
"""The horizon by which lying things are measured is this share of the image's height lower than that of standing ones;
fitted, as the foreshortening, on simulated tables."""
NO_HORIZON = -100.0
"""A horizon so far above the image that all things are equally far below it: sizes are compared as they are seen."""


@dataclass(frozen=True, slots=True)
class ThingsConfig:
    """What counts as a thing, and as the same thing in another frame.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    min_score: float = setting(0.15, "detections with a lower score are no things", low=0, high=1)
    max_overlap: float = setting(
        0.7, "of two boxes with a greater IoU the weaker is the same thing seen twice", low=0, high=1
    )
    max_things: int = setting(24, "things with the best scores that are kept", low=1, high=100)
    min_link_iou: float = setting(
        0.3, "boxes in neighbouring images with at least this IoU may be one thing", low=0, high=1
    )
    keyframe_gain: float = setting(
        1.15,
        # every image further back is one more that the tracker has to catch up
        "an earlier image must show the thing this many times better than the newest to be the keyframe",
        low=1,
        high=10,
    )
    horizon: float = setting(
        -0.4,
        # so that a near thing does not pass for a big one
        "height of the horizon as a share of the image's height from its top; sizes are divided by the distance below "
        "it. -0.4 = a camera that looks down on a table at about 35 degrees; -100 = sizes compared as they look",
        low=NO_HORIZON,
        high=0.5,
    )

    def __post_init__(self) -> None:
        check("candidates.things", self)


@dataclass(frozen=True, slots=True)
class Candidate:
    """One thing in the newest frame.

    Attributes:
        detection: where it is and what it looks like.
        x, y: middle of the box and its lower edge, where the thing stands, as shares of width and height.
        size_log: logarithm of its size; differences mean ratios of real sizes between things of one kind.
    """

    detection: Detection
    x: float
    y: float
    size_log: float


@dataclass(frozen=True, slots=True)
class View:
    """One thing in one frame."""

    frame_id: int
    detection: Detection


def find_candidates(
    detections: Sequence[Detection], hw: tuple[int, int], config: ThingsConfig
) -> tuple[Candidate, ...]:
    """Detections of one (H, W) image -> things, from left to right."""
    height, width = hw
    kept: list[tuple[Detection, Box]] = []
    for detection in sorted(detections, key=lambda d: -d.score):
        box = clip_box(detection.box_image_px, hw)
        is_seen_twice = any(box_iou(box, other) > config.max_overlap for _, other in kept)
        if detection.score >= config.min_score and box_area(box) > 0 and not is_seen_twice:
            kept.append((detection, box))
    candidates = []
    for detection, box in kept[: config.max_things]:
        size_log = _size_log(box, height, config.horizon, is_flat=detection.kind in FLAT_KINDS)
        candidates.append(Candidate(detection, box_center(box)[0] / width, box[3] / height, size_log))
    return tuple(sorted(candidates, key=lambda c: (c.x, c.y)))


def _size_log(box: Box, height: int, horizon: float, *, is_flat: bool) -> float:
    """Logarithm of a real size, but for what things of one kind have in common."""
    wide, high = box[2] - box[0], box[3] - box[1]
    if is_flat and horizon > NO_HORIZON:
        high, horizon = FLAT_FORESHORTENING * high, horizon + FLAT_HORIZON_SHIFT
    # The diagonal changes least when a thing turns. Nothing above the horizon is on a table.
    return math.log(math.hypot(wide, high)) - math.log(max(box[3] / height - horizon, 0.05))


def link_views(
    target: Detection, frames: Sequence[tuple[int, Sequence[Detection]]], config: ThingsConfig
) -> list[View]:
    """Follow a thing back in time.

    Args:
        target: the thing in the newest frame.
        frames: frame id and detections of each frame, newest first.
        config: what counts as the same thing.

    Returns:
        Views, newest first. Ends at the first frame where the thing cannot be told from another.
    """
    views = [View(frames[0][0], target)]
    for frame_id, detections in frames[1:]:
        found = _same_thing(views[-1].detection, [d for d in detections if d.score >= config.min_score], config)
        if found is None:
            break
        views.append(View(frame_id, found))
    return views


def best_view(views: Sequence[View], hw: tuple[int, int], config: ThingsConfig) -> View:
    """The view that shows the thing largest, least cut by the border and surest; ``views`` are newest first."""
    best = views[0]
    bar = _quality(best.detection, hw) * config.keyframe_gain
    for view in views[1:]:
        if (quality := _quality(view.detection, hw)) > bar:
            best, bar = view, quality
    return best


def point_on(target: Detection, others: Sequence[Detection], hw: tuple[int, int]) -> Point:
    """A point on the thing, inside the (H, W) image: the detector's, or the nearest to the box's middle that is free.

    Args:
        target: the thing.
        others: what is seen in the same image, ``target`` or not; what stands nearer than it may cover it.
        hw: size of the image.
    """
    if target.point_image_px is not None:
        return clip_point(target.point_image_px, hw)
    x0, y0, x1, y1 = clip_box(target.box_image_px, hw)
    middle = box_center((x0, y0, x1, y1))
    in_front = [d.box_image_px for d in others if d is not target and d.box_image_px[3] > y1]
    shares = (0.5, 0.35, 0.65, 0.2, 0.8)
    places = [(x0 + sx * (x1 - x0), y0 + sy * (y1 - y0)) for sx in shares for sy in shares]
    free = [place for place in places if not any(box_contains(box, place) for box in in_front)]
    return clip_point(min(free, key=lambda place: math.dist(place, middle), default=middle), hw)


def label_of(detection: Detection) -> str:
    """What a thing is called: colour and kind, e.g. ``red mug``."""
    return f"{detection.colour} {detection.kind}"


def likeness(a: Detection, b: Detection) -> float:
    """Probability, 0..1, that two detections have the same kind and the same colour, as far as they are sure of it."""
    return _overlap(a.kind_probs, b.kind_probs) * colour_likeness(a, b)


def colour_likeness(a: Detection, b: Detection) -> float:
    """Probability, 0..1, that two detections have the same colour: kinds change with the view, colours hardly."""
    return _overlap(a.colour_probs, b.colour_probs)


def _quality(detection: Detection, hw: tuple[int, int]) -> float:
    height, width = hw
    x0, y0, x1, y1 = clip_box(detection.box_image_px, hw)
    is_cut = x0 <= 1 or y0 <= 1 or x1 >= width - 1 or y1 >= height - 1
    return box_area((x0, y0, x1, y1)) * detection.score * (0.5 if is_cut else 1.0)


def _same_thing(target: Detection, detections: Sequence[Detection], config: ThingsConfig) -> Detection | None:
    alike = [other for other in detections if likeness(target, other) >= 0.4]
    near = [other for other in alike if box_iou(target.box_image_px, other.box_image_px) >= config.min_link_iou]
    if near:
        return max(near, key=lambda other: likeness(target, other) * box_iou(target.box_image_px, other.box_image_px))
    # It moved too far to overlap: only an appearance that nothing else has still tells it.
    return alike[0] if len(alike) == 1 else None


def _overlap(a: Mapping[str, float], b: Mapping[str, float]) -> float:
    """Shared probability of two distributions, 0..1."""
    return sum(min(share, b.get(name, 0.0)) for name, share in a.items())
