"""The arrows of the design: who may import whom, and where a vendor's package may be named."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "runtime" / "icseg"
FILES = sorted(PACKAGE.rglob("*.py"))

BASE = {"types", "errors", "geometry"}
ALLOWED: dict[str, set[str]] = {
    "types": set(),
    "errors": set(),
    "geometry": {"types"},
    "inference": BASE | {"mask_ops"},
    "mask_ops": BASE | {"_native"},
    "settings": {"errors"},
    "window": BASE,
    "tracker": BASE | {"inference", "mask_ops", "settings", "window"},
    "dialogue": BASE | {"inference", "mask_ops", "settings", "window"},
    "frames": BASE,
    "inbox": BASE,
    "config": BASE | {"settings"},
    "intent": BASE,
    "events": BASE | {"dialogue"},
    "assets": BASE,
    "state": BASE,
    "metrics": BASE,
    "conversation": BASE | {"dialogue"},
    "stream": BASE | {"config", "frames"},
    "recheck": BASE | {"config", "dialogue"},
    "pursuit": BASE | {"config", "dialogue", "events", "frames", "recheck", "state"},
    "session": BASE | {"config", "conversation", "dialogue", "events", "inbox", "intent", "pursuit", "state", "stream"},
    "executor": BASE,
    "policy_entry": BASE | {"dialogue"},
    "server_process": BASE,
    "embedded": BASE | {"assets", "config", "dialogue", "session", "tracker"},
    # the simulated user understands words as the runtime does, and a scene is played to whatever takes frames and words
    "sim": BASE | {"dialogue", "events", "mask_ops"},
}
VENDORS = {
    "onnxruntime": {"inference/runner_onnxruntime.py", "cli/doctor.py"},
    # never imported with the file that uses them: inference/tensorrt_module.py and cuda_stream.py ask for them by name
    "tensorrt": set(),
    "tensorrt_rtx": set(),
    "tensorrt_rtx_bindings": set(),
    "cuda": set(),
    "mujoco": {"sim/model.py", "sim/table.py"},
    "icseg._native": {"mask_ops/native.py"},
}
FORBIDDEN = {"torch", "transformers", "rclpy", "pickle", "requests", "httpx"}


def imports(path: Path) -> list[str]:
    """Every module a file imports, anywhere in it, with full names."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def part(name: str) -> str:
    """The part of icseg that a module name belongs to."""
    return name.split(".")[1]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    own = relative.parts[0].removesuffix(".py")
    for name in imports(path):
        top = name.split(".")[0]
        assert top not in FORBIDDEN, f"{relative} imports {name}"
        for vendor, files in VENDORS.items():
            if name == vendor or name.startswith(vendor + "."):
                assert str(relative) in files, f"{relative} imports {name}"
        if top == "icseg" and "." in name and own in ALLOWED:
            assert part(name) in ALLOWED[own] | {own, "__version__"}, f"{relative} imports {name}"


def test_export_reaches_the_runtime_only_through_its_contracts() -> None:
    allowed = ("icseg.tracker.graphs", "icseg.inference", "icseg.dialogue", "icseg.errors", "icseg.types")
    # calibration and verification track real things, so they stand outside of the runtime as its users do
    users = {
        f"{name}.py" for name in ("build_folder", "build_segmenter", "calibration", "ladder", "recurrent", "verify")
    }
    as_users = ("icseg.tracker", "icseg.sim", "icseg.metrics", "icseg.cli.sources")
    # the policy's files make what the runtime sends to a model, and start the server as the runtime does
    policy = ("icseg.sim", "icseg.geometry", "icseg.policy_entry", "icseg.server_process")
    for path in sorted((ROOT / "export").glob("*.py")):
        more: tuple[str, ...] = ("icseg.assets",) if path.name == "build_detector.py" else ()
        if path.name in users:
            more = as_users
        elif "policy" in path.stem or path.stem == "edge_llm":
            more = policy
        for name in imports(path):
            if name.startswith("icseg."):
                assert name.startswith(allowed + more), f"{path.name} imports {name}"


def test_no_file_is_called_after_nothing() -> None:
    for path in FILES:
        assert path.stem not in {"utils", "common", "helpers", "base", "manager", "misc"}, path
