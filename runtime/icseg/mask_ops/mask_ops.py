"""The seam between the tracker and the mask operations: what it needs of them, and which twin does it.

``reference`` is the definition in numpy, ``native`` its compiled twin; both have the same names, arguments and results.
Which one a tracker uses is said when it is loaded, and nothing falls back to the other.
"""

from __future__ import annotations

from typing import Literal, Protocol

from icseg.errors import ConfigError
from icseg.mask_ops import native, reference
from icseg.mask_ops.components import Components
from icseg.mask_ops.statistics import MaskStatistics
from icseg.types import Box, Logits, MaskBool

MaskOpsName = Literal["native", "reference"]


class MaskOps(Protocol):
    """The operations of a tracker, as ``reference`` defines them."""

    def connected_components(self, mask: MaskBool) -> Components:
        """The 8-connected components of one (H, W) mask.

        Raises:
            TypeError, ValueError: not an (H, W) bool array.
        """
        ...

    def mask_box_area(self, mask: MaskBool) -> tuple[Box | None, int]:
        """Tight box (exclusive right and lower edges, pixels) and area of an (H, W) mask; (None, 0) when it is empty.

        Raises:
            TypeError, ValueError: not an (H, W) bool array.
        """
        ...

    def upsample_threshold(
        self, mask_logits: Logits, hw: tuple[int, int], *, stability_offset: float
    ) -> tuple[MaskBool, MaskStatistics]:
        """Masks at the image's size from low-resolution logits, with what is read off them.

        Args:
            mask_logits: (N, h, w) float32.
            hw: height and width of the image.
            stability_offset: of the two thresholds between which a mask's stability is measured.

        Returns:
            (N, H, W) bool, new, and their statistics.

        Raises:
            TypeError, ValueError: another type or shape.
        """
        ...


def choose_mask_ops(name: MaskOpsName) -> MaskOps:
    """The twin of that name.

    Raises:
        ConfigError: there is none of that name.
    """
    match name:
        case "native":
            return native
        case "reference":
            return reference
        case _:
            raise ConfigError(f"mask_ops: expected native or reference, got {name!r}")
