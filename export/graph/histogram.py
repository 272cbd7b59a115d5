"""How large the values of a tensor are, over many runs, and up to where INT8 should resolve them. Pure numpy.

Symmetric: only absolute values count. The range doubles when a larger value comes, so that nothing is kept but bins.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from icseg.types import Array

Method = Literal["max", "percentile", "entropy"]
METHODS: tuple[Method, ...] = get_args(Method)

BINS = 2048
LEVELS = 128
"""Values of one sign in INT8, zero among them."""
PERCENTILE = 99.99
MIN_THRESHOLD = 1e-6
"""The least threshold, for a tensor that is zero in all of the calibration: its scale must not be zero."""


class Histogram:
    """Counts of absolute values in ``BINS`` bins of equal width from 0 to ``top``.

    Attributes:
        counts: (BINS,) int64.
        top: upper end of the last bin; 0 before the first value.
        largest: absolute value seen.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(BINS, np.int64)
        self.top = self.largest = 0.0

    def add(self, values: Array) -> None:
        """Count some more values.

        Raises:
            ValueError: a value is not finite.
        """
        size = np.abs(values.astype(np.float32, copy=False)).ravel()
        largest = float(size.max(initial=0.0))
        if not np.isfinite(largest):
            raise ValueError("calibration: a value is not finite")
        self.largest = max(self.largest, largest)
        if self.top == 0:
            self.top = max(largest, MIN_THRESHOLD)
        while largest > self.top:
            self.counts = np.concatenate([self.counts.reshape(-1, 2).sum(1), np.zeros(BINS // 2, np.int64)])
            self.top *= 2
        self.counts += np.histogram(size, BINS, (0.0, self.top))[0]

    def threshold(self, method: Method) -> float:
        """The absolute value that becomes 127; above 0.

        ``max`` clips nothing; ``percentile`` the largest 0.01 %; ``entropy`` what costs least information.
        """
        match method:
            case "max":
                found = self.largest
            case "percentile":
                shares = np.cumsum(self.counts) / max(int(self.counts.sum()), 1)
                found = (int(np.searchsorted(shares, PERCENTILE / 100)) + 1) * self.top / BINS
            case "entropy":
                found = self._entropy_bins() * self.top / BINS
        return max(min(found, self.largest), MIN_THRESHOLD)

    def _entropy_bins(self) -> int:
        """How many bins to keep so that the clipped and quantized distribution diverges least from the true one.

        *Source:* S. Migacz, 8-bit inference with TensorRT, GTC 2017. Ours leaves the bin of zeros out: it holds what
        activations cut off, is exact at every scale, and would outweigh the rest.
        """
        counts = self.counts.astype(np.float64)
        counts[0] = 0
        if not counts.any():
            return BINS
        best, best_divergence = BINS, np.inf
        for kept in range(LEVELS, BINS + 1, LEVELS // 16):
            reference = counts[:kept].copy()
            reference[-1] += counts[kept:].sum()
            level = (np.arange(kept) * LEVELS) // kept
            is_used = counts[:kept] > 0
            sums = np.bincount(level, counts[:kept], LEVELS)
            used = np.bincount(level, is_used, LEVELS)
            quantized = np.where(is_used, (sums / np.maximum(used, 1))[level], 0.0)
            divergence = _divergence(reference, quantized)
            if divergence < best_divergence:
                best, best_divergence = kept, divergence
        return best


def _divergence(reference: Array, quantized: Array) -> float:
    """Kullback-Leibler, nats; infinite where the reference has mass and the quantized none."""
    if not quantized.any():
        return float(np.inf)
    p, q = reference / reference.sum(), quantized / quantized.sum()
    where = p > 0
    q = np.maximum(q, 1e-9)
    return float((p[where] * np.log(p[where] / q[where])).sum())
