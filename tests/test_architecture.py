"""The arrows of the design, by folder: docs/architecture.md shows the table, and this holds the tree to it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "runtime" / "icseg"
FILES = sorted(PACKAGE.rglob("*.py"))
PROGRAMS = {
    "export": ROOT / "export",
    "training": ROOT / "training",
    "benchmarks": ROOT / "benchmarks",
    "icseg_ros": ROOT / "ros2_ws" / "src" / "icseg_ros" / "icseg_ros",
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
PUBLIC = {"open_session", "Session", "Frame", "events"}
FORBIDDEN = {"torch", "transformers", "rclpy", "pickle", "requests", "httpx"}
MEANINGLESS = {"utils", "common", "helpers", "base", "manager", "misc"}


def table() -> dict[str, set[str]]:
    """Folder (or file of the package's root) -> what it may import, as docs/architecture.md says."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \|([^|]*)\|", text.split("<!-- arrows -->")[1].split("<!-- end -->")[0], re.M)
    return {room: set(re.findall(r"`([\w/.]+)`", allowed)) for room, allowed in rows}


ALLOWED = table()


def imports(source: str) -> list[str]:
    """Every module that a source imports, anywhere in it, with full names."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, "a relative import"
            names.append(node.module)
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def trespasses(room: str, source: str) -> list[str]:
    """What a source of a folder imports of icseg although the table does not let it."""
    allowed = ALLOWED[room] | {room}
    found = []
    for name in imports(source):
        parts = name.split(".")
        own = {"__version__", "_native"} | (PUBLIC if room in PROGRAMS else set())
        if parts[0] != "icseg" or len(parts) < 2 or parts[1] in own:
            continue
        place = "/".join(parts[1:])
        is_allowed = any(place == one or place.startswith(f"{one}/") for one in allowed)
        # the package that holds an allowed file is named on the way to it
        if not is_allowed and not any(one.startswith(f"{place}/") for one in allowed):
            found.append(name)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_one_way(path: Path) -> None:
    relative = path.relative_to(PACKAGE)
    room = relative.parts[0].removesuffix(".py")
    source = path.read_text()
    for name in imports(source):
        assert name.split(".")[0] not in FORBIDDEN, f"{relative} imports {name}"
        for vendor, files in VENDORS.items():
            if name == vendor or name.startswith(vendor + "."):
                assert str(relative) in files, f"{relative} imports {name}"
    if room != "__init__":
        assert trespasses(room, source) == [], relative


@pytest.mark.parametrize("program", ["export", "training", "icseg_ros"])
def test_what_stands_outside_reaches_the_runtime_only_where_it_may(program: str) -> None:
    for path in sorted(PROGRAMS[program].rglob("*.py")):
        assert trespasses(program, path.read_text()) == [], path.relative_to(ROOT)


def test_training_stands_below_export() -> None:
    for path in sorted(PROGRAMS["training"].rglob("*.py")):
        assert not [name for name in imports(path.read_text()) if name.split(".")[0] == "export"], path


def test_every_room_has_its_row() -> None:
    rooms = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in FILES} - {"__init__"}
    assert rooms | {"export", "training", "icseg_ros"} == set(ALLOWED)


def test_the_table_has_no_circle() -> None:
    """Row by row: a room whose imports are all settled is settled."""
    rooms = {room: {one.split("/")[0] for one in allowed} for room, allowed in ALLOWED.items()}
    settled: set[str] = set()
    while left := {room: allowed for room, allowed in rooms.items() if room not in settled}:
        new = {room for room, allowed in left.items() if allowed <= settled}
        assert new, f"a circle among {sorted(left)}"
        settled |= new


@pytest.mark.parametrize(
    ("room", "planted"),
    [
        ("tracker", "from icseg.dialogue.policy import Policy"),
        ("dialogue", "import icseg.tracker.tracker"),
        ("inference", "from icseg import mask_ops"),
        ("types", "from icseg.errors import IcsegError"),
        ("detector", "def later():\n    from icseg.session.session import Session"),
        ("export", "from icseg.session.session import Session"),
    ],
)
def test_an_import_against_the_arrow_is_found(room: str, planted: str) -> None:
    assert trespasses(room, planted) != []


def test_no_file_is_called_after_nothing() -> None:
    for path in FILES:
        assert path.stem not in MEANINGLESS, path
