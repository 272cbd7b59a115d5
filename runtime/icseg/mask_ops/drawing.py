"""Pictures for people: masks over frames, captions, contact sheets."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from icseg.mask_ops.native import overlay
from icseg.types import ImageU8, ObjectResult

COLOURS_RGB = ((0, 200, 120), (255, 140, 0), (60, 140, 255), (220, 60, 200), (250, 220, 40))
OUTLINE_RGB = np.array([255, 255, 255], np.uint8)
CAPTION_HEIGHT_PX = 34


def draw_objects(image: ImageU8, objects: Sequence[ObjectResult]) -> ImageU8:
    """A copy of an (H, W, 3) RGB image with each visible mask blended in, its outline and its box."""
    picture = image.copy()
    for thing in objects:
        if thing.is_lost or thing.box_image_px is None:
            continue
        colour = COLOURS_RGB[(thing.object_id - 1) % len(COLOURS_RGB)]
        picture = overlay(picture, thing.mask, np.array([colour], np.uint8), outline=OUTLINE_RGB)
        x0, y0, x1, y1 = (round(value) for value in thing.box_image_px)
        cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), colour, 1)
    return picture


def add_caption(picture: ImageU8, text: str) -> ImageU8:
    """The picture with one line of text on a dark band below it; long text is set smaller, then cut."""
    width = picture.shape[1]
    band = np.full((CAPTION_HEIGHT_PX, width, 3), 24, np.uint8)
    text = text.encode("ascii", "replace").decode()  # the built-in font has no other letters
    scale = 0.55
    (length, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    scale = max(0.35, scale * min(1.0, (width - 16) / max(length, 1)))
    while len(text) > 4 and cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0] > width - 16:
        text = text[:-4] + "..."
    cv2.putText(
        band, text, (8, CAPTION_HEIGHT_PX - 12), cv2.FONT_HERSHEY_SIMPLEX, scale, (235, 235, 235), 1, cv2.LINE_AA
    )
    return np.vstack((picture, band))


def contact_sheet(pictures: Sequence[ImageU8], columns: int = 4, width_px: int = 400) -> ImageU8:
    """Pictures of one size in a grid, each ``width_px`` wide.

    Raises:
        ValueError: no picture.
    """
    if not pictures:
        raise ValueError("contact sheet: expected at least one picture, got none")
    height = round(pictures[0].shape[0] * width_px / pictures[0].shape[1])
    small = [cv2.resize(picture, (width_px, height), interpolation=cv2.INTER_AREA) for picture in pictures]
    columns = min(columns, len(small))
    small += [np.zeros_like(small[0])] * (-len(small) % columns)
    rows = [np.hstack(small[start : start + columns]) for start in range(0, len(small), columns)]
    return np.vstack(rows).astype(np.uint8)
