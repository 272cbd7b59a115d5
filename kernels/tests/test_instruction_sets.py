"""The CPU's operations give the same bits with every instruction set, and on an Arm processor."""

from __future__ import annotations

import platform
import shutil
import subprocess
from pathlib import Path

import pytest
from emulated_build import BUILD, KERNELS, TWINS, compile_all, run

ROW_KERNELS = KERNELS / "src" / "cpu" / "row_kernels.cpp"
OTHERS = [*(path for path in TWINS if path != ROW_KERNELS), KERNELS / "tests" / "twin_digest.cpp"]
AVX2 = ["-mavx2", "-mpopcnt", "-mbmi", "-mbmi2", "-mf16c"]
VERSIONS = {
    "plain": ([], set()),
    "avx2": (AVX2, {"avx2", "f16c", "bmi2"}),
    "avx512": (
        # GCC 12 finds its own header's undefined registers uninitialised
        [*AVX2, "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-Wno-maybe-uninitialized"],
        {"avx512f", "avx512bw", "avx512vl", "avx512dq"},
    ),
}
CROSS_COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64-static"


def digest(objects: list[Path], folder: Path, compiler: str = "g++", *, runner: tuple[str, ...] = ()) -> str:
    program = folder / "twin_digest"
    run([compiler, *(["-static"] if runner else []), *map(str, objects), "-o", str(program)])
    done = subprocess.run([*runner, str(program)], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def others() -> list[Path]:
    return compile_all(OTHERS, BUILD / "digest", [])


@pytest.fixture(scope="module")
def scalar(others: list[Path]) -> str:
    folder = BUILD / "digest-scalar"
    flags = ["-DICSEG_ISA=plain", "-DICSEG_SCALAR", "-fno-tree-vectorize", "-fno-tree-slp-vectorize"]
    return digest([*others, *compile_all([ROW_KERNELS], folder, flags)], folder)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="versions of x86")
@pytest.mark.parametrize("version", VERSIONS)
def test_x86(version: str, others: list[Path], scalar: str) -> None:
    flags, needed = VERSIONS[version]
    if missing := needed - set(Path("/proc/cpuinfo").read_text().split()):
        pytest.skip(f"this processor lacks {', '.join(sorted(missing))}")
    folder = BUILD / f"digest-{version}"
    own = compile_all([ROW_KERNELS], folder, ["-DICSEG_ISA=plain", *flags])
    assert digest([*others, *own], folder) == scalar


@pytest.mark.skipif(shutil.which(CROSS_COMPILER) is None, reason="apt-get install g++-aarch64-linux-gnu")
def test_neon(scalar: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = BUILD / "digest-neon"
    monkeypatch.setattr("emulated_build.COMPILER", CROSS_COMPILER)
    objects = compile_all([*OTHERS, ROW_KERNELS], folder, ["-DICSEG_ISA=plain"])
    if shutil.which(EMULATOR) is None:
        pytest.skip("compiled, not run: apt-get install qemu-user-static")
    assert digest(objects, folder, CROSS_COMPILER, runner=(EMULATOR,)) == scalar
