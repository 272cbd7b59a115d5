"""Runs tests on mutants, one after another, each in a fork of a process that has the slow imports behind it.

Started by ``mutation.py`` in a copy of the tree that is its own. A request is a line of JSON on stdin: ``path`` and
``source`` of the mutated file (null: the code as it is), ``tests``, and the limits ``cpu_s`` and ``wall_s``. The reply
is a line on stdout: ``outcome`` ("noticed", "survived", "hung", "broken"), ``by`` (the test that failed), ``cpu_s``.

Hypothesis draws the same examples each time, has no deadline, and does not shrink: that something fails is enough.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import hypothesis
import pytest

SLOW_IMPORTS = ("numpy", "onnxruntime", "cv2", "tqdm")
MEMORY_BYTES = 16 * 2**30
"""Bytes of address space: a mutant that fills a list for ever ends here."""
OUTCOMES = {pytest.ExitCode.OK: "survived", pytest.ExitCode.TESTS_FAILED: "noticed"}


class _Witness:
    """Notes the first test that fails; a file that cannot be imported counts as one."""

    def __init__(self) -> None:
        self.by = ""

    def pytest_sessionstart(self) -> None:
        phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
        hypothesis.settings.register_profile(
            "mutants",
            phases=phases,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        hypothesis.settings.load_profile("mutants")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.by = self.by or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.by = self.by or report.nodeid


def _run_tests(request: dict[str, Any], reply: int) -> None:
    """In the fork; never returns."""
    os.setsid()
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (request["cpu_s"], request["cpu_s"] + 5))
    # what is compiled of a mutant must not be found by the next one
    sys.dont_write_bytecode = request["path"] is not None
    witness = _Witness()
    options = ["-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "--rootdir", str(Path.cwd())]
    code = pytest.main([*options, *request["tests"]], plugins=[witness])
    if code == pytest.ExitCode.INTERRUPTED and witness.by:
        code = pytest.ExitCode.TESTS_FAILED
    os.write(reply, json.dumps({"outcome": OUTCOMES.get(code, "broken"), "by": witness.by}).encode())
    os._exit(0)


def _result(request: dict[str, Any]) -> dict[str, Any]:
    reading, writing = os.pipe()
    begin = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _run_tests(request, writing)
        finally:
            os._exit(70)  # a mutant that broke the test runner itself; the reply is missing
    os.close(writing)
    status, spent = 0, None
    while spent is None:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            spent = usage.ru_utime + usage.ru_stime
        elif time.monotonic() - begin > request["wall_s"]:
            os.killpg(child, signal.SIGKILL)
            time.sleep(0.1)
        else:
            time.sleep(0.01)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what the tests left running
    with os.fdopen(reading, "rb") as reply:
        said = reply.read()
    if said:
        return {**json.loads(said), "cpu_s": round(spent, 2)}
    is_late = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGXCPU)
    return {"outcome": "hung" if is_late else "noticed", "by": "the test process ended", "cpu_s": round(spent, 2)}


def main() -> None:
    """Entry point."""
    for name in SLOW_IMPORTS:
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        if request["path"] is None:
            print(json.dumps(_result(request)), flush=True)
            continue
        path = Path(request["path"])
        original = path.read_bytes()
        path.write_text(request["source"])
        for compiled in path.parent.glob(f"__pycache__/{path.stem}.*.pyc"):
            compiled.unlink()
        try:
            print(json.dumps(_result(request)), flush=True)
        finally:
            path.write_bytes(original)


if __name__ == "__main__":
    main()
