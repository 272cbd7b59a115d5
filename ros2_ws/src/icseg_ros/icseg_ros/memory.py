"""How the C library keeps freed memory. Images come and go in several threads and sizes, and nothing else is large."""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""Numbers of the two options in glibc's malloc.h."""
LARGE_BYTES = 1 << 18
"""A block from this size on is the system's again as soon as it is freed. An image is larger, a message smaller."""
ARENAS = 2
"""Heaps that all threads share, in place of eight for every core."""


def give_back_images() -> bool:
    """Have freed images given back to the system; before threads are begun. False where the C library cannot.

    By itself glibc raises its bound for large blocks to the largest that was ever freed, and has eight arenas a core:
    images then lie between small blocks that stay, in an arena for every thread, and the process grows for as long as
    it meets new sizes. ros2_ws/soak/soak.py measures what the node takes.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGE_BYTES)) and bool(mallopt(M_ARENA_MAX, ARENAS))
