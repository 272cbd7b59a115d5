"""What the tracker found, as messages: region of interest, segment, detections. Knows no node and publishes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from geometry_msgs.msg import Point
from icseg_msgs.msg import Segment
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import Header

from icseg.mask_ops.native import mask_statistics
from icseg.types import Box, ObjectResult


def roi(box_image_px: Box | None, hw: tuple[int, int]) -> RegionOfInterest:
    """The whole pixels that a box touches, inside an image of ``hw``; all zero for no box or one outside it."""
    if box_image_px is None:
        return RegionOfInterest()
    x0, y0, x1, y1 = box_image_px
    left, top = max(0, math.floor(x0)), max(0, math.floor(y0))
    right, bottom = min(hw[1], math.ceil(x1)), min(hw[0], math.ceil(y1))
    if right <= left or bottom <= top:
        return RegionOfInterest()
    return RegionOfInterest(x_offset=left, y_offset=top, width=right - left, height=bottom - top)


def segment_message(
    result: ObjectResult,
    *,
    segment_id: int = 1,
    label: str = "",
    score: float | None = None,
    attributes: Sequence[tuple[str, str]] = (),
    point: Point | None = None,
) -> Segment:
    """One thing; box and area 0, centroid NaN when it is not visible.

    Args:
        segment_id: its value in the label image, 0..255.
        score: 0..1; None for the tracker's own estimate, 0 when lost.
        attributes: (name, value).
        point: metres, in the camera's optical frame.
    """
    is_seen = not result.is_lost and result.box_image_px is not None
    if score is None:
        score = result.iou_score if is_seen else 0.0
    x, y = mask_statistics(result.mask).centroids_px[0] if is_seen else (math.nan, math.nan)
    height, width = result.mask.shape
    return Segment(
        id=segment_id,
        label=label,
        score=min(1.0, max(0.0, float(score))),
        roi=roi(result.box_image_px if is_seen else None, (height, width)),
        centroid_x=float(x),
        centroid_y=float(y),
        area_px=int(result.area_px) if is_seen else 0,
        attributes=[f"{name}={value}" for name, value in attributes],
        has_point=point is not None,
        point=point if point is not None else Point(),
    )


def detections(header: Header, segments: Sequence[Segment], vision_msgs: ModuleType | Any) -> Any:
    """Detection2DArray of the segments that are visible; the label is the class, and the segment's number the id.

    Args:
        vision_msgs: the module ``vision_msgs.msg``, 4.0 or later.
    """
    found = vision_msgs.Detection2DArray(header=header)
    for segment in segments:
        if segment.roi.width == 0:
            continue
        box, outcome = vision_msgs.BoundingBox2D(), vision_msgs.ObjectHypothesisWithPose()
        box.center.position.x = segment.roi.x_offset + segment.roi.width / 2
        box.center.position.y = segment.roi.y_offset + segment.roi.height / 2
        box.size_x, box.size_y = float(segment.roi.width), float(segment.roi.height)
        outcome.hypothesis.class_id, outcome.hypothesis.score = segment.label, float(segment.score)
        if segment.has_point:
            outcome.pose.pose.position = segment.point
        one = vision_msgs.Detection2D(header=header, bbox=box, id=str(segment.id))
        one.results.append(outcome)
        found.detections.append(one)
    return found
