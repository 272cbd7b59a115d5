"""How the whole suite runs on several cores: the longest files first, and no worker takes more than its core."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("icseg", deadline=None)  # a test that waited for a core is no failure
settings.load_profile("icseg")

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""How many threads torch, numpy and OpenCV use, read when each is imported."""


def pytest_configure(config: pytest.Config) -> None:
    """Before the workers start, which inherit it as do the programs that tests start."""
    if getattr(config.option, "numprocesses", None):
        for name in THREADS:
            os.environ.setdefault(name, "1")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no worker is left alone with a long one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
