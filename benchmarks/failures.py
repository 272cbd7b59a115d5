"""Pictures of the clips that were followed worst: what the figures are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from benchmarks.clips import Clip
from icseg.evaluation.metrics import jaccard
from icseg.mask_ops.drawing import add_caption, contact_sheet
from icseg.sim.truth import SimFrame
from icseg.types import ImageU8, MaskBool

COLUMNS, WIDTH_PX = 6, 320
TRUE_RGB, MASK_RGB = (255, 255, 255), (255, 0, 120)


@dataclass
class Failures:
    """The worst clips so far: no more pictures are held than are drawn.

    Attributes:
        count: how many clips are kept.
        worst: mean J and pictures, worst first.
    """

    count: int = 5
    worst: list[tuple[float, list[ImageU8]]] = field(default_factory=list)

    def add(self, clip: Clip, followed: Sequence[tuple[SimFrame, MaskBool]]) -> None:
        """Look at one clip, followed frame by frame."""
        js = [jaccard(mask, sim.mask(clip.target_id)) for sim, mask in followed]
        mean = float(np.mean(js))
        if len(self.worst) == self.count and mean >= self.worst[-1][0]:
            return
        picks = np.linspace(0, len(followed) - 1, COLUMNS).round().astype(int)
        pictures = [
            _picture(*followed[n], clip.target_id, f"scene {clip.seed}, {clip.thing.kind}, frame {n}: J {js[n]:.2f}")
            for n in picks
        ]
        self.worst = sorted([*self.worst, (mean, pictures)], key=lambda entry: entry[0])[: self.count]

    def draw(self, path: Path) -> None:
        """One row a clip: the true outline is white, the mask magenta.

        Raises:
            OSError: the picture cannot be written.
        """
        sheet = contact_sheet([picture for _, row in self.worst for picture in row], COLUMNS, WIDTH_PX)
        if not cv2.imwrite(str(path), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80]):
            raise OSError(f"{path}: cannot be written")


def _picture(sim: SimFrame, mask: MaskBool, target_id: int, caption: str) -> ImageU8:
    picture = sim.frame.image.copy()
    picture[mask] = (0.5 * picture[mask] + 0.5 * np.array(MASK_RGB)).astype(np.uint8)
    outlines, _ = cv2.findContours(sim.mask(target_id).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, outlines, -1, TRUE_RGB, 2, cv2.LINE_AA)
    return add_caption(picture, caption)
