"""How good a mask is: region similarity J and contour accuracy F, as the DAVIS benchmark defines them.

*Source:* Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation" (CVPR 2016) and
the DAVIS 2017 toolkit, its quirks included: a mask cut by the border of the image has no contour along it.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from icseg.types import MaskBool

TOLERANCE = 0.008
"""How far a contour may lie from the true one, as a share of the image's diagonal."""


def jaccard(predicted: MaskBool, true: MaskBool) -> float:
    """J: intersection over union of two (H, W) masks, 0..1; 1 for two empty ones.

    Raises:
        ValueError: the shapes differ.
    """
    _check_shapes(predicted, true)
    union = np.count_nonzero(predicted | true)
    return np.count_nonzero(predicted & true) / union if union else 1.0


def boundary_f(predicted: MaskBool, true: MaskBool) -> float:
    """F: harmonic mean of precision and recall of the contours of two (H, W) masks, 0..1.

    A contour pixel is right when one of the other contour lies within ``TOLERANCE`` of the diagonal, rounded up.

    Raises:
        ValueError: the shapes differ.
    """
    _check_shapes(predicted, true)
    ours, theirs = contour(predicted), contour(true)
    counts = np.count_nonzero(ours), np.count_nonzero(theirs)
    if 0 in counts:
        return float(counts[0] == counts[1])
    radius = math.ceil(TOLERANCE * math.hypot(*true.shape))
    precision = np.count_nonzero(_is_within(radius, theirs)[ours]) / counts[0]
    recall = np.count_nonzero(_is_within(radius, ours)[theirs]) / counts[1]
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def contour(mask: MaskBool) -> MaskBool:
    """(H, W) pixels that differ from their right, lower or lower right neighbour."""
    edges = np.zeros(mask.shape, np.bool_)
    edges[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    edges[:-1] |= mask[:-1] ^ mask[1:]
    edges[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return edges


def _is_within(radius: int, marks: MaskBool) -> MaskBool:
    distance = cv2.distanceTransform((~marks).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    near: MaskBool = np.rint(distance.astype(np.float64) ** 2) <= radius**2  # squared distances are whole numbers
    return near


def _check_shapes(predicted: MaskBool, true: MaskBool) -> None:
    if predicted.shape != true.shape:
        raise ValueError(f"masks: expected one shape, got {predicted.shape} and {true.shape}")
