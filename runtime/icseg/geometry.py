"""Boxes and points in one frame of coordinates: cut, measured, compared. Pure."""

from __future__ import annotations

from dataclasses import replace

from icseg.types import Box, Point, Prompt


def clip_box(box: Box, hw: tuple[int, int]) -> Box:
    """Cut a box to the image; x0 <= x1 and y0 <= y1 hold afterwards (corners given in the wrong order are swapped)."""
    height, width = hw
    x0, x1 = sorted((min(max(box[0], 0.0), float(width)), min(max(box[2], 0.0), float(width))))
    y0, y1 = sorted((min(max(box[1], 0.0), float(height)), min(max(box[3], 0.0), float(height))))
    return x0, y0, x1, y1


def clip_point(point: Point, hw: tuple[int, int]) -> Point:
    """The nearest position inside an (H, W) image; beyond the far edges that is the middle of the last pixel."""
    height, width = hw
    return min(max(point[0], 0.0), width - 0.5), min(max(point[1], 0.0), height - 0.5)


def clip_prompt(prompt: Prompt, hw: tuple[int, int]) -> Prompt:
    """The prompt with its box cut to an (H, W) image.

    Raises:
        ValueError: nothing of the box, or one of the points, is not in the image.
    """
    height, width = hw
    box = prompt.box_image_px
    if box is not None:
        box = clip_box(box, hw)
        if box_area(box) == 0:
            raise ValueError(f"the box {prompt.box_image_px} lies outside the image of {width}x{height} pixels")
    for point in prompt.points_image_px:
        if not box_contains((0, 0, width, height), point):
            raise ValueError(f"the point {point} lies outside the image of {width}x{height} pixels")
    return replace(prompt, box_image_px=box)


def box_area(box: Box) -> float:
    """Area in square units of the box's own frame; 0 for an empty or inverted box."""
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def box_center(box: Box) -> Point:
    """Middle of the box."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes in one frame, 0..1; 0 when either is empty."""
    overlap = box_area((max(a[0], b[0]), max(a[1], b[1]), min(a[2], b[2]), min(a[3], b[3])))
    union = box_area(a) + box_area(b) - overlap
    return overlap / union if union > 0 else 0.0


def share_inside(box: Box, other: Box) -> float:
    """Share of a box's area that lies in another one of its frame, 0..1; 0 when it is empty."""
    overlap = box_area((max(box[0], other[0]), max(box[1], other[1]), min(box[2], other[2]), min(box[3], other[3])))
    area = box_area(box)
    return overlap / area if area > 0 else 0.0


def smaller_inside(a: Box, b: Box) -> float:
    """Share of the smaller box's area that lies in the other, 0..1."""
    return max(share_inside(a, b), share_inside(b, a))


def box_contains(box: Box, point: Point) -> bool:
    """True when the point lies in the half-open box."""
    return box[0] <= point[0] < box[2] and box[1] <= point[1] < box[3]
