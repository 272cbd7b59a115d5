"""What a plan is built with: precision, target, shapes, limits; and the same from the words of a command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from icseg.inference.manifest import PRECISIONS, TENSORRT, TENSORRT_RTX


@dataclass(frozen=True, slots=True)
class Profile:
    """Shapes of one input that has dynamic sizes: the least, the most frequent and the largest.

    Raises:
        ValueError: they are not of one rank, or not in this order.
    """

    least: tuple[int, ...]
    usual: tuple[int, ...]
    most: tuple[int, ...]

    def __post_init__(self) -> None:
        shapes = (self.least, self.usual, self.most)
        is_ordered = len({len(shape) for shape in shapes}) == 1 and all(
            1 <= low <= middle <= high for low, middle, high in zip(*shapes, strict=True)
        )
        if not is_ordered:
            raise ValueError(f"profile: expected shapes of one rank with 1 <= least <= usual <= most, got {shapes}")


def parse_profile(text: str) -> tuple[str, Profile]:
    """``image=1x3x512x512:1x3x640x640:1x3x1024x1024`` -> input name, profile.

    Raises:
        ValueError: it is not of that form.
    """
    name, _, shapes = text.partition("=")
    parts = [shape.split("x") for shape in shapes.split(":")]
    if not name or len(parts) != 3 or not all(size.isdecimal() for part in parts for size in part):
        raise ValueError(f"profile: expected NAME=LEAST:USUAL:MOST with shapes such as 1x3x512x512, got {text!r}")
    return name, Profile(*(tuple(map(int, part)) for part in parts))


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How a plan is built.

    Attributes:
        precision: one of ``PRECISIONS``, the lowest that must be in the graph.
        engine: ``tensorrt`` or ``tensorrt_rtx``; None for the one that is there.
        compute_capability: that of the GPU to build for, e.g. ``8.6``; None for the GPU of this machine.
        profiles: input of dynamic shape -> its shapes.
        workspace_mb: most memory that a layer may use for itself, in MiB; None for all of the GPU's.
        timing_cache: file of measured tactics, read and extended, that makes the next build quick. TensorRT for RTX
            measures when it loads a plan, and has none.
        allow_tf32: FP32 products may round their factors to 10 bits, which is quicker.
        show_progress: a progress bar on stderr, where that is a terminal.

    Raises:
        ValueError: a value is outside its range.
    """

    precision: str
    engine: str | None = None
    compute_capability: str | None = None
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    workspace_mb: int | None = None
    timing_cache: Path | None = None
    allow_tf32: bool = False
    show_progress: bool = False

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {PRECISIONS}, got {self.precision!r}")
        if self.engine not in (None, TENSORRT, TENSORRT_RTX):
            raise ValueError(f"engine: expected {TENSORRT} or {TENSORRT_RTX}, got {self.engine!r}")
        if self.workspace_mb is not None and self.workspace_mb < 1:
            raise ValueError(f"workspace_mb: expected at least 1, got {self.workspace_mb}")
