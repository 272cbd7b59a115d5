"""Outlines by walking along the edges of pixels."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.reference.masks import one_mask
from icseg.types import MaskBool

_Corner = tuple[int, int]
_Step = tuple[int, int]


def contours(mask: MaskBool | BitMasks) -> list[npt.NDArray[np.int32]]:
    """The outlines of one mask, holes too, as polygons on the corners of pixels.

    The mask lies on the right-hand side: outer outlines run clockwise as seen in the image, holes the other way, so the
    signed areas add up to the mask's area; filling them gives the mask back. Pixels that only touch at a corner are on
    one outline. A polygon begins at its first corner in row order, and so are the polygons ordered.

    Returns:
        Each (K, 2) int32: x, y of the corners, of which no three in a row lie on a line; 0, 0 is the top left corner of
        the top left pixel.

    Raises:
        ValueError: several masks.
    """
    leaving = _steps(one_mask(mask))
    left_over = {(corner, step) for corner, steps in leaving.items() for step in steps}
    found = []
    while left_over:
        corner, step = next(iter(left_over))
        corners = []
        while (corner, step) in left_over:
            left_over.remove((corner, step))
            corner = (corner[0] + step[0], corner[1] + step[1])
            choices, to_the_left = leaving[corner], (step[1], -step[0])
            # where two outlines touch, both ways are open: the turn to the left joins the two pieces
            after = to_the_left if to_the_left in choices else choices[0]
            if after != step:
                corners.append(corner)
            step = after
        first = min(range(len(corners)), key=lambda index: (corners[index][1], corners[index][0]))
        found.append(corners[first:] + corners[:first])
    found.sort(key=lambda corners: (corners[0][1], corners[0][0]))
    return [np.array(corners, np.int32) for corners in found]


def _steps(mask: MaskBool) -> dict[_Corner, list[_Step]]:
    """The edges between inside and outside, by the corner that they leave, the mask on their right-hand side."""
    inside = np.pad(mask, 1)
    leaving = {}
    for y in range(mask.shape[0] + 1):
        for x in range(mask.shape[1] + 1):
            # of the four pixels around the corner
            above_left, above_right = inside[y, x], inside[y, x + 1]
            below_left, below_right = inside[y + 1, x], inside[y + 1, x + 1]
            ways = {
                (1, 0): below_right and not above_right,
                (-1, 0): above_left and not below_left,
                (0, 1): below_left and not below_right,
                (0, -1): above_right and not above_left,
            }
            leaving[x, y] = [step for step, is_open in ways.items() if is_open]
    return leaving
