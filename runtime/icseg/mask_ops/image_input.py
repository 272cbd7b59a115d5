"""From a camera image to the square, normalised input of a network: one way for every model, in training and here."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from icseg.mask_ops.native import preprocess
from icseg.types import ImageU8, Logits


def normalise_image(image: ImageU8, size: int, mean: Sequence[float], std: Sequence[float]) -> Logits:
    """Resize to a square, scale and normalise; the aspect ratio is not kept, as in SAM 2.

    Args:
        image: (H, W, 3) uint8 RGB.
        size: side of the square in pixels.
        mean, std: per channel, of the image scaled to 0..1.

    Returns:
        (1, 3, size, size) float32, C-contiguous.
    """
    planes = np.empty((1, 3, size, size), np.float32)
    if image.shape[0] <= size and image.shape[1] <= size:
        preprocess(image, (size, size), mean, std, out=planes[0])
        return planes
    # smaller than it is: every pixel counts
    resized = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
    for channel in range(3):
        scale = 1 / (255 * std[channel])
        np.multiply(resized[..., channel], np.float32(scale), out=planes[0, channel])
        planes[0, channel] -= np.float32(mean[channel] / std[channel])
    return planes
