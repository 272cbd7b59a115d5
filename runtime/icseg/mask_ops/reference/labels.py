"""Connected components by flood fill."""

from __future__ import annotations

import numpy as np

from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.components import Components
from icseg.mask_ops.reference.masks import one_mask
from icseg.types import MaskBool

_STEPS = {
    4: ((-1, 0), (0, -1), (0, 1), (1, 0)),
    8: ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)),
}


def connected_components(mask: MaskBool | BitMasks, *, connectivity: int = 8) -> Components:
    """The components of one (H, W) mask.

    Args:
        mask: (H, W) bool, or bit masks of one.
        connectivity: 4 or 8.

    Raises:
        ValueError: several masks, or another connectivity.
    """
    if connectivity not in _STEPS:
        raise ValueError(f"connectivity: expected 4 or 8, got {connectivity}")
    inside = one_mask(mask)
    labels = np.zeros(inside.shape, np.int32)
    rows: list[list[int]] = []
    for y, x in zip(*np.nonzero(inside), strict=True):
        if labels[y, x]:
            continue
        number = len(rows) + 1
        labels[y, x] = number
        found, waiting = [(int(y), int(x))], [(int(y), int(x))]
        while waiting:
            at_y, at_x = waiting.pop()
            for step_y, step_x in _STEPS[connectivity]:
                to = (at_y + step_y, at_x + step_x)
                is_image = 0 <= to[0] < inside.shape[0] and 0 <= to[1] < inside.shape[1]
                if is_image and inside[to] and not labels[to]:
                    labels[to] = number
                    found.append(to)
                    waiting.append(to)
        ys, xs = np.array(found).T
        rows.append([len(found), xs.min(), ys.min(), xs.max() + 1, ys.max() + 1, xs.sum(), ys.sum()])
    return Components(labels, np.array(rows, np.int64).reshape(-1, 7))


def largest_component(mask: MaskBool | BitMasks, *, connectivity: int = 8) -> MaskBool:
    """(H, W) bool of the component with the most pixels, the first in row order of equal ones; empty of an empty mask.

    Raises:
        ValueError: as ``connected_components``.
    """
    found = connected_components(mask, connectivity=connectivity)
    if not len(found):
        return np.zeros(found.labels.shape, np.bool_)
    return np.asarray(found.labels == int(found.areas_px.argmax()) + 1, np.bool_)
