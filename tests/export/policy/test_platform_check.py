"""What a machine lacks is said in full before anything starts."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from export.policy.platform_check import Ask, Platform, detect_platform
from icseg.errors import ConfigError

ORIN = Platform("aarch64", "7.2", "13.0", "10.16.0.72", 87, None)
PC = Platform("x86_64", None, "13.1", "11.0.0.114", 86, 20 * 10**9)


def answers(**said: str) -> Ask:
    def ask(command: Sequence[str]) -> str | None:
        return said.get(Path(command[0]).name.replace("-", "_"))

    return ask


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_an_orin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    write(tmp_path, "proc/device-tree/model", "NVIDIA Jetson AGX Orin Developer Kit\0")
    write(tmp_path, "usr/local/cuda/version.json", '{"cuda": {"name": "CUDA SDK", "version": "13.0"}}')
    ask = answers(dpkg_query="7.2+b21", python="10.16.0.72\n")
    found = detect_platform(Path("/opt/bin/python"), tmp_path, ask)
    assert found == ORIN
    assert found.problems() == []
    found.check()
    write(tmp_path, "etc/nv_tegra_release", "# R36 (release), REVISION: 4.0")
    old = detect_platform(Path("/opt/bin/python"), tmp_path, answers())
    assert old.jetpack is not None
    assert old.jetpack.startswith("6 (L4T R36")
    with pytest.raises(ConfigError, match="needs a source build"):
        old.check()


def test_a_pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    found = detect_platform(Path("python"), tmp_path, answers(nvidia_smi="8.6, 20480\n", python="10.16.0.72"))
    assert (found.sm, found.gpu_free, found.jetpack) == (86, 20480 * 2**20, None)
    bare = detect_platform(Path("python"), tmp_path, answers())
    assert (bare.sm, bare.gpu_free, bare.cuda, bare.tensorrt) == (None, None, None, None)
    assert len(bare.problems()) == 3


@pytest.mark.parametrize(
    ("machine", "problem"),
    [
        (ORIN, ""),
        (PC, ""),
        (replace(ORIN, jetpack="6.2"), "JetPack 6.2: expected 7.2"),
        (replace(ORIN, jetpack=None), "JetPack not found: expected 7.2"),
        (replace(ORIN, tensorrt="10.3.0"), "TensorRT for Python 10.3.0: expected 10.16"),
        (replace(ORIN, tensorrt="10.160"), "TensorRT for Python 10.160"),
        (replace(ORIN, cuda="12.6"), "CUDA 12.6: expected 13"),
        (replace(ORIN, sm=72), "GPU with SM 72: Edge-LLM's wheel has kernels for 87 only"),
        (replace(PC, sm=90), "GPU with SM 90"),
        (replace(PC, arch="riscv64"), "CPU architecture riscv64"),
    ],
)
def test_problems(machine: Platform, problem: str) -> None:
    found = machine.problems()
    assert len(found) == (1 if problem else 0)
    assert problem in "".join(found)
