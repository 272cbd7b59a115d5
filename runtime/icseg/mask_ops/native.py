"""The compiled twins of ``reference.py``. The only file that imports the extension."""

from __future__ import annotations

import icseg._native as _native
from icseg.types import Box, MaskBool

compiler: str = _native.compiler()
has_cuda: bool = _native.has_cuda


def mask_box_area(mask: MaskBool) -> tuple[Box | None, int]:
    """Tight box (exclusive right and lower edges, pixels) and area of an (H, W) bool mask; (None, 0) when it is empty.

    Raises:
        TypeError: not a C-contiguous two-dimensional bool array.
    """
    area_px, x0, y0, x1, y1 = _native.mask_bounds(mask)
    if area_px == 0:
        return None, 0
    return (float(x0), float(y0), float(x1), float(y1)), int(area_px)
