"""The connected pieces of one mask, labelled once, and which of them belong to an object."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from icseg.mask_ops.mask_ops import MaskOps
from icseg.tracker.extent import Extent
from icseg.types import Logits, MaskBool


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """8-connected pieces of a mask.

    Attributes:
        logits: (h, w) of the mask; positive inside.
        labels: (h, w) int32, 0 outside, piece number inside.
        areas: (pieces + 1,) cells of each label.
        is_kept: (pieces + 1,) the pieces that count; label 0 always does.
        mask_ops: what measures them.
    """

    logits: Logits
    labels: npt.NDArray[np.int32]
    areas: npt.NDArray[np.int64]
    is_kept: npt.NDArray[np.bool_]
    mask_ops: MaskOps

    @classmethod
    def of(cls, logits: Logits, mask_ops: MaskOps) -> Pieces:
        """All pieces of a mask, from its (h, w) logits."""
        found = mask_ops.connected_components(logits > 0)
        areas = np.concatenate(([logits.size - found.areas_px.sum()], found.areas_px))
        return cls(logits, found.labels, areas, np.ones(len(areas), np.bool_), mask_ops)

    @property
    def mask(self) -> MaskBool:
        """(h, w) where the kept pieces are."""
        return self.is_kept[self.labels] & (self.labels > 0)

    @property
    def kept_logits(self) -> Logits:
        """(h, w) logits, negative in the pieces that are left out; the mask's own array when none is."""
        if self.is_kept.all():
            return self.logits
        return np.where(self.is_kept[self.labels], self.logits, -np.abs(self.logits))

    def of_one_thing(self, before: MaskBool, extent: Extent, max_growth: float) -> Pieces:
        """The main piece, and others as long as all together are not too large for one thing.

        Args:
            before: (h, w) the mask of the latest frame that showed the object.
            extent: of the object so far.
            max_growth: see ``Extent.allows``.
        """
        if self._count < 2 or extent.holds(Extent.of(self.mask, self.mask_ops), max_growth):
            return self
        overlap = np.bincount(self.labels[before], minlength=len(self.areas)).astype(np.float64)
        # among pieces that were not there before, or all were: the largest
        order = sorted(np.flatnonzero(self.is_kept)[1:], key=lambda n: (-overlap[n], -int(self.areas[n])))
        kept = self._with_only(order[:1])
        for number in order[1:]:
            together = self._with_only([*np.flatnonzero(kept.is_kept), number])
            if extent.holds(Extent.of(together.mask, self.mask_ops), max_growth):
                kept = together
        return kept

    def without_specks(self, min_share: float) -> Pieces:
        """Without pieces smaller than a share of the largest."""
        if self._count < 2:
            return self
        largest = self.areas[1:][self.is_kept[1:]].max()
        return self._with_only(np.flatnonzero(self.is_kept & (self.areas >= min_share * largest)))

    @property
    def _count(self) -> int:
        return int(self.is_kept.sum()) - 1

    def _with_only(self, numbers: npt.ArrayLike) -> Pieces:
        is_kept = np.zeros_like(self.is_kept)
        is_kept[np.asarray(numbers, np.intp)] = True
        is_kept[0] = True
        return replace(self, is_kept=is_kept)
