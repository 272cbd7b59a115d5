"""The picture for people: masks, boxes and names over an image. Knows no message."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from icseg.mask_ops.drawing import COLOURS_RGB, OUTLINE_RGB
from icseg.mask_ops.native import overlay
from icseg.types import ImageU8, ObjectResult

FONT, FONT_SCALE, TEXT_MARGIN_PX = cv2.FONT_HERSHEY_SIMPLEX, 0.5, 4


def draw(rgb: ImageU8, results: Sequence[ObjectResult], labels: Sequence[str]) -> ImageU8:
    """A copy of an (H, W, 3) RGB picture with each visible mask, its box and its label.

    What is lost is named in the top left corner. Letters that the font does not have become question marks.
    """
    named = [*zip(results, labels, strict=True)]
    seen = [number for number, (result, _) in enumerate(named) if not result.is_lost and result.box_image_px]
    colours = [COLOURS_RGB[number % len(COLOURS_RGB)] for number in range(len(named))]
    picture = rgb.copy()
    if seen:
        masks = np.stack([results[number].mask for number in seen])
        picture = overlay(rgb, masks, np.array([colours[number] for number in seen], np.uint8), outline=OUTLINE_RGB)
    lost_lines = 0
    for number, (result, label) in enumerate(named):
        if number in seen and result.box_image_px is not None:
            x0, y0, x1, y1 = (round(edge) for edge in result.box_image_px)
            cv2.rectangle(picture, (x0, y0), (x1 - 1, y1 - 1), colours[number], 1)
            _write(picture, label, x0, y0, colours[number])
        else:
            lost_lines += 1
            _write(picture, f"{label or 'target'} (lost)", 0, lost_lines * 20, colours[number])
    return picture


def _write(picture: ImageU8, text: str, x: int, baseline_y: int, colour: tuple[int, int, int]) -> None:
    """Text on a dark ground, its lower edge at ``baseline_y`` where the picture has room for that."""
    if not text:
        return
    text = text.encode("ascii", "replace").decode()
    (width, height), _ = cv2.getTextSize(text, FONT, FONT_SCALE, 1)
    left = max(0, min(x, picture.shape[1] - width - 2 * TEXT_MARGIN_PX))
    bottom = max(baseline_y, height + 2 * TEXT_MARGIN_PX)
    top_left = (left, bottom - height - 2 * TEXT_MARGIN_PX)
    cv2.rectangle(picture, top_left, (left + width + 2 * TEXT_MARGIN_PX, bottom), (24, 24, 24), cv2.FILLED)
    cv2.putText(
        picture, text, (left + TEXT_MARGIN_PX, bottom - TEXT_MARGIN_PX), FONT, FONT_SCALE, colour, 1, cv2.LINE_AA
    )
