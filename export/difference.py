"""How far two arrays are apart. Needs nothing but numpy, so that engines can be verified where there is no torch."""

from __future__ import annotations

import numpy as np

from icseg.types import Array


def relative_error(got: Array, expected: Array) -> float:
    """L2 norm of the difference over the L2 norm of what is expected."""
    scale = float(np.linalg.norm(expected.astype(np.float64)))
    return float(np.linalg.norm(got.astype(np.float64) - expected)) / max(scale, 1e-12)
