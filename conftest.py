"""How the whole suite runs on several cores: the longest files first, and no worker takes more than its core."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent
SLOW = (
    "tests/export/test_build_engines.py",
    "tests/training/test_segmenter.py",
    "tests/training/test_whole_way.py",
    "kernels/tests/test_emulated_operations.py",
    "tests/parity/test_long_streams.py",
    "tests/parity",
    "tests/training",
    "tests/cli/test_demo.py",
    "tests/export",
    "kernels/tests",
    "tests/cli/test_segment.py",
    "tests/cli/test_evaluate.py",
    "tests/cli/test_terminal.py",
    "tests/cli/test_serve_policy.py",
    "tests/test_readme.py",
)
"""Files and folders that take long, or import what takes long: begun in this order, so that no worker is left alone
with a long one at the end. The first that names a file counts."""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
"""How many threads torch, numpy and OpenCV use, read when each is imported."""

settings.register_profile("icseg", deadline=None)  # a test that waited for a core is no failure
settings.load_profile("icseg")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--quick``: what `make check` runs."""
    parser.addoption("--quick", action="store_true", help="leave out what SLOW of conftest.py names")


def pytest_configure(config: pytest.Config) -> None:
    """Before the workers start, which inherit the environment as do the programs that tests start.

    Raises:
        pytest.UsageError: something in ``SLOW`` was moved.
    """
    if missing := [name for name in SLOW if not (ROOT / name).exists()]:
        raise pytest.UsageError(f"conftest.py, SLOW: nothing is at {', '.join(missing)}")
    if getattr(config.option, "numprocesses", None):
        for name in THREADS:
            os.environ.setdefault(name, "1")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """With ``--quick`` slow files are not even imported."""
    return True if config.getoption("quick") and place(collection_path) < len(SLOW) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow files first."""
    items.sort(key=lambda item: place(item.path))


def place(path: Path) -> int:
    """Where in ``SLOW`` a file or folder is named, or what it lies in; its length where nowhere."""
    return next((at for at, name in enumerate(SLOW) if path.is_relative_to(ROOT / name)), len(SLOW))
