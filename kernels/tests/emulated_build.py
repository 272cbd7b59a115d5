"""Builds what runs the CUDA sources in the emulation, programs and a library, plain or sanitized; nothing twice.

Test runs beside each other share what is built: one builds, the others wait for it.
"""

from __future__ import annotations

import fcntl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

KERNELS = Path(__file__).resolve().parents[1]
COMPILER = "g++"
BUILD = KERNELS.parent / "build" / "kernel_tests"
FLAGS = ["-std=c++17", "-O2", "-g", "-fPIC", "-ffp-contract=off", "-Wall", "-Wextra", "-Werror"]
INCLUDES = [f"-I{KERNELS / 'include'}", f"-I{KERNELS / 'tests' / 'emulation'}", f"-I{KERNELS / 'tests'}"]
SANITIZERS = {
    "plain": [],
    "address": ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
    "thread": ["-fsanitize=thread"],
}
EMULATED = [
    *sorted((KERNELS / "src" / "cuda").glob("*.cu")),
    KERNELS / "tests" / "emulation" / "cuda_emulation.cpp",
]
COMPARISON = KERNELS / "tests" / "emulated_operations.cpp"
TRACE = KERNELS / "tests" / "launch_trace.cpp"
TWINS = sorted((KERNELS / "src" / "cpu").glob("*.cpp"))
"""The CPU's versions: what is compared with, and not what is tested here, so without a sanitizer."""


@contextmanager
def alone() -> Iterator[None]:
    """Within it no other process builds here. Not to be nested."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def compile_all(sources: list[Path], folder: Path, flags: list[str]) -> list[Path]:
    """Object files of sources; those newer than everything under kernels/ and than the flags here are kept.

    Raises:
        AssertionError: a source does not compile; the message is the compiler's.
    """
    folder.mkdir(parents=True, exist_ok=True)
    read = [path for path in KERNELS.rglob("*") if path.suffix in {".h", ".cuh"}]
    newest = max(path.stat().st_mtime for path in [*read, Path(__file__)])

    def compiled(source: Path) -> Path:
        target = folder / f"{source.stem}.o"
        if not target.is_file() or target.stat().st_mtime < max(newest, source.stat().st_mtime):
            run([COMPILER, *FLAGS, *flags, *INCLUDES, "-x", "c++", "-c", str(source), "-o", str(target)])
        return target

    with alone(), ThreadPoolExecutor(2) as pool:
        return list(pool.map(compiled, sources))


def run(command: list[str]) -> None:
    """Run a tool.

    Raises:
        AssertionError: it failed; the message is what it said.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"


def build(kind: str) -> Path:
    """The program that compares, of one kind of ``SANITIZERS``."""
    objects = compile_all(TWINS, BUILD / "twins", ["-DICSEG_ISA=plain"])
    objects += compile_all([*EMULATED, COMPARISON], BUILD / kind, SANITIZERS[kind])
    return link(objects, BUILD / kind / COMPARISON.stem, SANITIZERS[kind])


def build_trace() -> Path:
    """The program that prints what each operation launches."""
    return link(compile_all([*EMULATED, TRACE], BUILD / "plain", []), BUILD / "plain" / TRACE.stem, [])


def build_library() -> Path:
    """The C interface of icseg/cuda.h on the host's memory, for whoever loads libicseg_cuda."""
    objects = compile_all(EMULATED, BUILD / "plain", [])
    return link(objects, BUILD / "plain" / "libicseg_cuda_emulated.so", ["-shared"])


def link(objects: list[Path], program: Path, flags: list[str]) -> Path:
    """A program or library of object files, linked anew if one is newer."""
    with alone():
        if not program.is_file() or any(path.stat().st_mtime > program.stat().st_mtime for path in objects):
            run(["g++", *flags, *map(str, objects), "-o", str(program)])
    return program
