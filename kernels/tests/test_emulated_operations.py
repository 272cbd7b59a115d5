"""The CUDA sources, run on the host: equal to their twins on the CPU, under unkind schedules and sanitizers.

Then typical mistakes are switched on one by one, and each must be found. What this cannot find: anything that needs a
real memory system (weak ordering, bank conflicts), forward progress, drivers, speed.
"""

from __future__ import annotations

import subprocess

import pytest
from emulated_build import build

ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "ASAN_OPTIONS": "detect_stack_use_after_return=0",  # fibers have stacks of their own
    "TSAN_OPTIONS": "symbolize=0:exitcode=66",  # symbolising takes minutes
}
TIMEOUT_S = 600
"""A program that hangs is a failure; a busy machine is not."""

SCHEDULES = {
    "forward": ["--order", "forward"],
    "reverse": ["--order", "reverse", "--small"],
    "random, three blocks at a time": ["--order", "random", "--yield", "20", "--resident", "3", "--small"],
    "other poison": ["--poison", "7f", "--small"],
}
UNKIND = SCHEDULES["random, three blocks at a time"]


def run(kind: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [str(build(kind)), *options]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=TIMEOUT_S, errors="replace"
    )


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_equal_to_the_cpu(schedule: str) -> None:
    done = run("plain", *SCHEDULES[schedule])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["address", "thread"])
def test_clean_under_sanitizers(kind: str) -> None:
    done = run(kind, "--small")
    assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
    assert "ERROR: " not in done.stderr
    assert "WARNING: ThreadSanitizer" not in done.stderr


BUGS = {
    "areas that start as they are": ("plain", "clean", []),
    "no barrier after the start": ("plain", "clean", []),
    "no barrier before the reduction": ("plain", "statistics", []),
    "every block turns the box round": ("plain", "statistics", []),
    "a union by a plain store": ("plain", "clean", UNKIND),
    "a union that does not retry": ("plain", "clean", UNKIND),
    "a vote that only some lanes reach": ("plain", "upsample", []),
    "a barrier in a branch": ("plain", "upsample", []),
    "writes one word past the mask": ("address", "upsample", []),
    "reads one cell past the row": ("address", "upsample", []),
    "areas counted without atomics": ("thread", "clean", []),
    "a plain sum over blocks": ("thread", "statistics", []),
}
"""What is switched on in the kernels, and which way of running them finds it."""


@pytest.mark.parametrize("bug", BUGS)
def test_a_seeded_bug_is_found(bug: str) -> None:
    kind, check, options = BUGS[bug]
    done = run(kind, "--bug", bug, "--only", check, "--small", *options)
    found = done.stdout + done.stderr
    assert done.returncode != 0, f"not found: {bug}"
    signs = {"plain": ("differs: ", "emulation: "), "address": ("ERROR: AddressSanitizer",), "thread": ("data race",)}
    assert any(sign in found for sign in signs[kind]), found[-2000:]


def test_every_seeded_bug_of_the_kernels_is_in_the_list() -> None:
    from emulated_build import KERNELS

    text = "".join(path.read_text() for path in (KERNELS / "include" / "icseg").glob("*.cuh"))
    seeded = {part.split('"')[1] for part in text.split("ICSEG_SEEDED_BUG(")[1:] if part.startswith('"')}
    assert seeded == set(BUGS)
