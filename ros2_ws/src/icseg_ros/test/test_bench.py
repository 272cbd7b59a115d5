"""The benchmarks of the node run: one short case, one fault. What they measure is not judged here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[4]
DEADLINE_S = 120.0

pytestmark = pytest.mark.alone


def run(*arguments: str) -> dict[str, Any]:
    """The document that a benchmark prints last."""
    argv = [sys.executable, str(ROOT / arguments[0]), *arguments[1:]]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    document: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return document


def test_one_case_of_the_latencies() -> None:
    (case,) = run("benchmarks/bench_ros.py", "--smoke")["cases"]
    assert case["latency"]["n"] > 0
    stages = {name: numbers["median_ms"] for name, numbers in case["split"].items()}
    assert stages["model"] > 0
    assert case["without_model"]["median_ms"] < case["latency"]["median_ms"]
    assert case["without_model_and_its_queue"]["median_ms"] <= case["without_model"]["median_ms"]
    frames = case["frames"]["all"]
    assert frames["sent"] == 75
    assert frames["refused"] == frames["masks_heard_twice"] == frames["masks_out_of_order"] == 0
    assert set(case["processes"]) == {"camera", "node", "listener"}
    assert case["relay"]["latency"]["n"] > 0


def test_one_fault_of_the_soak() -> None:
    pytest.importorskip("icseg_test_msgs", reason="built with the workspace, not installed on robots")
    faults = "camera_sends_bgr8"
    document = run("ros2_ws/soak/soak.py", "--smoke", "--policies", "candidates", "--only", faults, "--episodes", "0")
    held = document["invariants"]
    assert held["masks"] > 0
    assert (set(held["broken"].values()), held["node_died"], held["tracebacks"]) == ({0}, [], 0)
    assert held["exit_code_after_sigint"] == {"candidates": 0}
    (row,) = [row for row in document["faults"] if row["injected"]]
    assert (row["fault"], row["shown"], row["recovered"], row["problems"]) == (faults, 1, 1, [])
