"""The ranges of numbers that the GPU's operations take; what is outside is refused by name. The CPU's are in C++."""

from __future__ import annotations

import math

LONGEST_SIDE = 65536
MOST_PIXELS = 2**31 - 1
MOST_MASKS = 65535
"""A batch has so many masks at most: CUDA's limit to a grid."""


def check_size(name: str, hw: tuple[int, int]) -> None:
    """At least one pixel, and few enough to be numbered in 31 bits.

    Raises:
        ValueError: it is not so.
    """
    if min(hw) < 1 or max(hw) > LONGEST_SIDE or hw[0] * hw[1] > MOST_PIXELS:
        raise ValueError(
            f"{name}: expected a height and width of 1..{LONGEST_SIDE} and fewer than 2^31 pixels, got {hw[0]}, {hw[1]}"
        )


def check_batch(name: str, shape: tuple[int, ...], width: int | None = None) -> None:
    """An (N, H, W) that one launch takes; ``width`` where the last axis holds words.

    Raises:
        ValueError: it is not so.
    """
    if shape[0] > MOST_MASKS:
        raise ValueError(f"{name}: expected at most {MOST_MASKS} masks, got {shape[0]}")
    check_size(name, (shape[1], shape[2] if width is None else width))


def check_finite(name: str, *values: float) -> None:
    """Neither infinite nor NaN.

    Raises:
        ValueError: it is not so.
    """
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{name}: expected a finite number, got {value}")


def check_share(name: str, value: float) -> None:
    """In 0..1.

    Raises:
        ValueError: it is not so.
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name}: expected 0..1, got {value}")


def check_count(name: str, value: int, least: int = 0, most: int = MOST_PIXELS, what: str = "") -> None:
    """In ``least``..``most``.

    Raises:
        ValueError: it is not so.
    """
    if not least <= value <= most:
        raise ValueError(f"{name}: expected {least}..{most}{what and ' ' + what}, got {value}")
