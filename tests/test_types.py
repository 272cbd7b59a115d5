"""Frames and prompts check themselves."""

from __future__ import annotations

import numpy as np
import pytest

from icseg.types import Frame, Prompt


@pytest.mark.parametrize(
    ("image", "text"),
    [
        (np.zeros((4, 4), np.uint8), r"expected uint8 \(H, W, 3\) RGB, got uint8 \(4, 4\)"),
        (np.zeros((4, 4, 3), np.float32), r"got float32 \(4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), r"zero-size image \(0, 4, 3\)"),
        ([[1, 2, 3]], "got list"),
    ],
)
def test_frames_that_are_no_images_are_refused(image: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Frame(image, 0, 0)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kwargs", "text"),
    [
        ({}, "expected a box or at least one point"),
        ({"box_image_px": (5, 5, 5, 9)}, "x1 > x0 and y1 > y0"),
        ({"box_image_px": (0, 0, float("inf"), 9)}, "must be finite"),
        ({"points_image_px": ((1, 1),)}, "1 points but 0 labels"),
        ({"points_image_px": ((1, 1),), "point_labels": (2,)}, "labels must be 0 or 1"),
    ],
)
def test_prompts_that_point_at_nothing_are_refused(kwargs: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Prompt(**kwargs)  # type: ignore[arg-type]
