"""The one harness of all benchmarks: every iteration kept, median and p95 with n, the machine in the result."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = ("icseg", "numpy", "onnxruntime", "opencv-python-headless")


def summary_ms(samples_ms: Sequence[float]) -> dict[str, float]:
    """Median, 95th percentile, least and greatest of a list of milliseconds, and how many there were."""
    return {
        "median_ms": round(float(np.median(samples_ms)), 3),
        "p95_ms": round(float(np.percentile(samples_ms, 95)), 3),
        "min_ms": round(min(samples_ms), 3),
        "max_ms": round(max(samples_ms), 3),
        "n": len(samples_ms),
    }


def machine() -> dict[str, Any]:
    """Processor, usable cores, versions, commit."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        model = next((line.split(":", 1)[1].strip() for line in cpuinfo.open() if line.startswith("model name")), model)
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "processor": model,
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "commit": commit or "unknown",
    }


def publish(name: str, results: Mapping[str, Any], *, save: bool) -> None:
    """Print the result as the last line of stdout, one JSON document; with ``save`` also to results/NAME.json."""
    document = {"benchmark": name, "machine": machine(), **results}
    if save:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    sys.stdout.flush()
    print(json.dumps(document))
