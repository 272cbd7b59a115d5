"""The connected components of a mask."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """The K components of one mask, numbered in the order in which their first pixels are met row by row.

    Attributes:
        labels: (H, W) int32: 0 outside, component k is k + 1.
        rows: (K, 7) int64: area; box x0, y0, x1, y1 (exclusive right and lower edges); sums of the pixels' columns and
            rows.
    """

    labels: npt.NDArray[np.int32]
    rows: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def areas_px(self) -> npt.NDArray[np.int64]:
        """(K,) pixels."""
        return self.rows[:, 0]

    @property
    def boxes_px(self) -> npt.NDArray[np.int64]:
        """(K, 4) x0, y0, x1, y1."""
        return self.rows[:, 1:5]

    @property
    def centroids_px(self) -> npt.NDArray[np.float64]:
        """(K, 2) x, y; the centre of the top left pixel is 0.5, 0.5."""
        return self.rows[:, 5:7] / self.rows[:, :1] + 0.5
