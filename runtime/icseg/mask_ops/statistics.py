"""What is read off masks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icseg.types import Box

FIELDS = 12


@dataclass(frozen=True, slots=True, eq=False)
class MaskStatistics:
    """What is read off N masks, from exact integer sums over their pixels.

    Attributes:
        rows: (N, 12) int64: area; box x0, y0, x1, y1 (exclusive right and lower edges; all 0 when empty); sums of x, y,
            x x, x y, y y over the column and row numbers; area at the threshold plus, and minus, the stability offset.
    """

    rows: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def areas_px(self) -> npt.NDArray[np.int64]:
        """(N,) pixels."""
        return self.rows[:, 0]

    @property
    def boxes_px(self) -> npt.NDArray[np.int64]:
        """(N, 4) x0, y0, x1, y1."""
        return self.rows[:, 1:5]

    def box(self, index: int) -> Box | None:
        """Tight box of one mask, None when it is empty."""
        if self.rows[index, 0] == 0:
            return None
        x0, y0, x1, y1 = (float(edge) for edge in self.rows[index, 1:5])
        return x0, y0, x1, y1

    @property
    def centroids_px(self) -> npt.NDArray[np.float64]:
        """(N, 2) x, y; the centre of the top left pixel is 0.5, 0.5. NaN for an empty mask."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.rows[:, 5:7] / self.rows[:, :1] + 0.5

    @property
    def covariances_px2(self) -> npt.NDArray[np.float64]:
        """(N, 2, 2) second central moments over the area, xx xy, xy yy. NaN for an empty mask."""
        area = self.rows[:, 0].astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            x, y = self.rows[:, 5] / area, self.rows[:, 6] / area
            xx, xy, yy = self.rows[:, 7] / area - x * x, self.rows[:, 8] / area - x * y, self.rows[:, 9] / area - y * y
        return np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2)

    @property
    def stability(self) -> npt.NDArray[np.float64]:
        """(N,) area at the higher threshold over area at the lower one, 0..1; 1 when both are empty.

        *Source:* ``calculate_stability_score`` of the sam2 project, which is NaN for the empty mask.
        """
        above, below = self.rows[:, 10], self.rows[:, 11]
        return np.where(below == 0, 1.0, above / np.maximum(below, 1))
