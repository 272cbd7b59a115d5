"""Freed images are the system's again."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

from icseg_ros import memory

PROGRAM = """
import sys
import numpy as np
from icseg_ros.memory import give_back_images

def resident_mb():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

if sys.argv[1] == "given back":
    assert give_back_images()
np.ones(30 << 20, np.uint8)  # freed at once: from here on glibc keeps blocks up to this size
before = resident_mb()
images, small = [], []
for _ in range(200):  # a small block that stays after each image
    images.append(np.ones(1 << 20, np.uint8))
    small.append(bytes(2000))
del images
print(resident_mb() - before)
"""


def grown_mb(how: str) -> float:
    done = subprocess.run([sys.executable, "-c", PROGRAM, how], capture_output=True, text=True, check=True)
    return float(done.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="the C library is not glibc")
def test_freed_images_do_not_stay() -> None:
    assert grown_mb("given back") < 20
    assert grown_mb("kept") > 150  # what it is good for


def test_another_c_library_is_let_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not memory.give_back_images()
