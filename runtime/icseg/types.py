"""The few values that every part of icseg passes around. Knows numpy and nothing else.

Coordinates carry their frame in the name: ``*_image_px`` (pixels of the camera image, x to the right, y down, the
top left corner of the top left pixel is 0, 0), ``*_vlm_1000`` (0..1000 on each axis, whatever the resolution).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ImageU8 = npt.NDArray[np.uint8]
MaskBool = npt.NDArray[np.bool_]
Logits = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
"""x0, y0, x1, y1; the frame is in the variable's name. x1 and y1 are exclusive edges, not pixel indices."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One camera image.

    Args:
        image: (H, W, 3) uint8, RGB, C-contiguous. Owned by the frame: nobody writes to it.
        stamp_ns: when it was taken, nanoseconds on the source's clock.
        index: running number given by the source, from 0, one per frame that the source produced.

    Raises:
        ValueError: the image is not (H, W, 3) uint8 or has a zero side, or stamp or index is negative.
    """

    image: ImageU8
    stamp_ns: int
    index: int

    def __post_init__(self) -> None:
        image = self.image
        if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
            got = f"{image.dtype} {image.shape}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ValueError(f"frame image: expected uint8 (H, W, 3) RGB, got {got}")
        if image.shape[0] == 0 or image.shape[1] == 0:
            raise ValueError(f"frame image: zero-size image {image.shape}")
        if self.stamp_ns < 0 or self.index < 0:
            raise ValueError(f"frame: negative stamp_ns {self.stamp_ns} or index {self.index}")

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return int(self.image.shape[0]), int(self.image.shape[1])


@dataclass(frozen=True, slots=True)
class Prompt:
    """SAM 2 geometry that says which thing to segment in one frame; at least a box or one point.

    Args:
        box_image_px: x0, y0, x1, y1 or None.
        points_image_px: any number of x, y.
        point_labels: one per point, 1 = on the thing, 0 = not on it.

    Raises:
        ValueError: neither box nor points, an empty or non-finite box, or as many labels as points is not true.
    """

    box_image_px: Box | None = None
    points_image_px: tuple[Point, ...] = ()
    point_labels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.box_image_px is None and not self.points_image_px:
            raise ValueError("prompt: expected a box or at least one point, got neither")
        if len(self.points_image_px) != len(self.point_labels):
            raise ValueError(f"prompt: {len(self.points_image_px)} points but {len(self.point_labels)} labels")
        if any(label not in (0, 1) for label in self.point_labels):
            raise ValueError(f"prompt: point labels must be 0 or 1, got {self.point_labels}")
        numbers = [*(self.box_image_px or ()), *(value for point in self.points_image_px for value in point)]
        if not np.isfinite(numbers).all():
            raise ValueError(f"prompt: coordinates must be finite, got {numbers}")
        if self.box_image_px is not None:
            x0, y0, x1, y1 = self.box_image_px
            if not (x1 > x0 and y1 > y0):
                raise ValueError(f"prompt: box must have x1 > x0 and y1 > y0, got {self.box_image_px}")


@dataclass(frozen=True, slots=True, eq=False)
class ObjectResult:
    """What the tracker says about one object in one frame.

    Attributes:
        object_id: the caller's number.
        mask: (H, W) bool at the frame's size; all False when the object is not visible.
        box_image_px: tight box of the mask, or None when the mask is empty.
        area_px: number of True pixels.
        object_score: logit that the object is visible at all; > 0 means visible.
        iou_score: the model's own estimate of the mask's IoU, 0..1.
        is_lost: not visible (object_score <= 0, an estimated IoU below the tracker's bound, or an empty mask).
    """

    object_id: int
    mask: MaskBool
    box_image_px: Box | None
    area_px: int
    object_score: float
    iou_score: float
    is_lost: bool

    def as_lost(self) -> ObjectResult:
        """The same object, not visible in this frame."""
        return replace(self, mask=np.zeros_like(self.mask), box_image_px=None, area_px=0, is_lost=True)


@dataclass(frozen=True, slots=True, eq=False)
class TrackResult:
    """The tracker's answer for one frame: one result per object, and what each stage took.

    Attributes:
        stamp_ns, frame_index: of the frame the masks belong to.
        objects: by object_id.
        timings_ms: stage name -> milliseconds.
    """

    stamp_ns: int
    frame_index: int
    objects: dict[int, ObjectResult]
    timings_ms: dict[str, float]
