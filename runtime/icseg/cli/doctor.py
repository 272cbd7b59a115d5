"""``icseg doctor``: what this machine can run, and what to do about what it cannot."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from icseg.cli.options import add_options, effective_of
from icseg.errors import BackendError, IcsegError


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``is_needed``: without it icseg's main job does not run."""

    name: str
    is_ok: bool
    detail: str
    remedy: str = ""
    is_needed: bool = False


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser("doctor", help="say what this machine can run", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the report as one JSON document")
    add_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print the report; 1 when something is missing that the main job needs."""
    findings = examine(args)
    if args.json:
        print(json.dumps([asdict(finding) for finding in findings]))
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            sign = "ok " if finding.is_ok else ("NO " if finding.is_needed else "-  ")
            print(f"{sign} {finding.name:<{width}}  {finding.detail}")
            if not finding.is_ok and finding.remedy:
                print(f"    {'':<{width}}  -> {finding.remedy}")
    return 0 if all(finding.is_ok for finding in findings if finding.is_needed) else 1


def examine(args: argparse.Namespace) -> list[Finding]:
    """Every check, in the order of the report."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    findings = [Finding("machine", True, f"{platform.machine()}, {cores} cores, Python {platform.python_version()}")]
    for package, needed in (("numpy", True), ("opencv-python-headless", True), ("onnxruntime", True)):
        findings.append(_package(package, f"pip install {package}", needed=needed))
    findings += [_native(), _providers(), _gpu(), _tensorrt(), *_models(args), _renderer()]
    findings += [_package("torch", "pip install 'icseg[export]' (only to train and export)"), _ros()]
    return findings


def _package(name: str, remedy: str, *, needed: bool = False) -> Finding:
    try:
        return Finding(name, True, importlib.metadata.version(name), is_needed=needed)
    except importlib.metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", remedy, needed)


def _native() -> Finding:
    try:
        from icseg.mask_ops import native
    except ImportError as error:
        return Finding("native mask ops", False, str(error), "pip install -e . (needs g++ and cmake)", True)
    return Finding("native mask ops", True, f"{native.compiler}, CUDA {'yes' if native.has_cuda else 'no'}", "", True)


def _providers() -> Finding:
    try:
        import onnxruntime
    except ImportError as error:
        return Finding("ONNX Runtime", False, str(error), "pip install onnxruntime", True)
    return Finding("ONNX Runtime", True, ", ".join(onnxruntime.get_available_providers()), "", True)


def _gpu() -> Finding:
    model = Path("/proc/device-tree/model")
    if model.is_file():
        name = model.read_text(errors="replace").strip("\x00\n ")
        if "Jetson" in name or "Orin" in name:
            return Finding("GPU", True, name)
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return Finding("GPU", False, "no NVIDIA GPU seen; everything runs on the CPU", "nothing to do without a GPU")
    query = [tool, "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        seen = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (subprocess.SubprocessError, OSError) as error:
        return Finding("GPU", False, f"nvidia-smi failed: {error}", "check the driver")
    return Finding("GPU", True, seen)


def _tensorrt() -> Finding:
    from icseg.inference.cuda_stream import CudaStream
    from icseg.inference.tensorrt_module import find_tensorrt

    try:
        engine, module = find_tensorrt()
    except BackendError as error:
        return Finding("TensorRT", False, "cannot be loaded; engines of ONNX graphs do not need it", str(error))
    name = f"{engine} {module.__version__}"
    try:
        capability = CudaStream().compute_capability
    except BackendError as error:
        return Finding("TensorRT", False, f"{name} builds plans, but this machine cannot run them", str(error))
    return Finding("TensorRT", True, f"{name}, plans for compute capability {capability}")


def _models(args: argparse.Namespace) -> list[Finding]:
    """The models that the settings choose, and whose tracker settings are in force with them."""
    try:
        from icseg.models import model_folder, open_models

        effective = effective_of(args)
        models = open_models(effective)
    except (IcsegError, ImportError) as error:
        # an error of icseg says itself what to do
        remedy = "" if isinstance(error, IcsegError) else "install what is said above to be missing"
        return [Finding("engines", False, str(error), remedy, True)]
    folder, backend = model_folder(effective.settings.model), next(iter(models.tracker.backends.values()))
    loaded = f"{folder}: segmenter and policy {models.policy.name} load, on {backend}"
    return [
        Finding("engines", True, loaded, "", True),
        Finding("tracker settings", True, models.facts["tracker settings"]),
    ]


def _renderer() -> Finding:
    try:
        from icseg.sim.table import SimulatedTable

        with SimulatedTable():
            return Finding("simulated table", True, f"MuJoCo renders with {os.environ.get('MUJOCO_GL', 'its default')}")
    except (IcsegError, ImportError) as error:
        remedy = "pip install 'icseg[sim]'; apt-get install libosmesa6"
        return Finding("simulated table", False, str(error), remedy)


def _ros() -> Finding:
    distro = os.environ.get("ROS_DISTRO")
    if importlib.util.find_spec("rclpy") is not None:
        return Finding("ROS 2", True, f"rclpy is importable (ROS_DISTRO={distro or 'not set'})")
    return Finding("ROS 2", False, "rclpy cannot be imported", "source /opt/ros/jazzy/setup.bash, then run again")
