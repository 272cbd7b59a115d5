"""What can be told of tools/build_wheels.sh without building: it explains itself and refuses what it cannot do."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "build_wheels.sh"


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", str(SCRIPT), *arguments], capture_output=True, text=True, check=False)


def test_help_names_every_option_and_says_about_the_gpu_library() -> None:
    result = _run("--help")
    assert result.returncode == 0
    for word in ("--aarch64", "--python", "--cuda", "--no-check", "libicseg_cuda.so", "dist/"):
        assert word in result.stdout


def test_an_unknown_option_is_refused_with_the_usage() -> None:
    result = _run("--arm")
    assert result.returncode == 2
    assert "usage:" in result.stderr


@pytest.mark.skipif(platform.machine() != "x86_64", reason="on Arm nothing is cross-compiled")
@pytest.mark.skipif(sys.version_info[:2] == (3, 13), reason="the Python that is asked for")
def test_arm_wants_the_python_of_its_headers() -> None:
    result = _run("--aarch64", "--python", sys.executable)
    assert result.returncode == 1
    assert "wants Python 3.13" in result.stderr
