"""From a prompt to the arrays that the mask decoder takes. Pure; knows no state and no engine."""

from __future__ import annotations

import numpy as np

from icseg.tracker import graphs
from icseg.types import Array, Prompt


def prompt_tokens(prompt: Prompt | None, image_hw: tuple[int, int], image_size: int, count: int) -> dict[str, Array]:
    """The mask decoder's point inputs: box corners, points, a closing not-a-point token, and masked padding.

    Args:
        prompt: in pixels of the image, or None for a frame that is tracked without one.
        image_hw: the image's height and width.
        image_size: side of the model's square image.
        count: tokens the graph takes.

    Returns:
        point_coords (1, count, 2) float32 in pixels of the model's image, point_labels (1, count) int32.

    Raises:
        ValueError: the prompt does not fit into ``count`` tokens.
    """
    coords = np.zeros((1, count, 2), np.float32)
    labels = np.full((1, count), graphs.LABEL_PADDING, np.int32)
    given = [] if prompt is None else list(zip(prompt.points_image_px, prompt.point_labels, strict=True))
    if prompt is not None and prompt.box_image_px is not None:
        x0, y0, x1, y1 = prompt.box_image_px
        corners = [((x0, y0), graphs.LABEL_BOX_TOP_LEFT), ((x1, y1), graphs.LABEL_BOX_BOTTOM_RIGHT)]
        given = corners + given
    if len(given) > count - 1:
        raise ValueError(f"prompt: expected at most {count - 1} points (a box counts as two), got {len(given)}")
    scale = np.array([image_size / image_hw[1], image_size / image_hw[0]], np.float32)
    for index, (point, label) in enumerate(given):
        coords[0, index] = np.asarray(point, np.float32) * scale
        labels[0, index] = label
    # SAM closes a prompt with one such token, and lets two stand for a prompt that is not there
    labels[0, len(given) : len(given) + (1 if given else 2)] = graphs.LABEL_NOT_A_POINT
    return {"point_coords": coords, "point_labels": labels}
