"""A folder that is not what its manifest says: which file, what was expected, what was found, what to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icseg.errors import PlanMismatchError
from icseg.inference.manifest import Manifest, ModelFile, check_specs, load_manifest, sha256_of, write_manifest
from icseg.inference.runner import TensorSpec
from icseg.inference.runner_scripted import ScriptedRunner
from icseg.tracker.graphs import GRAPH_NAMES, SegmenterFacts
from icseg.tracker.loading import load_tracker

FACTS = {
    "hidden_width": 8,
    "memory_width": 4,
    "memory_slots": 7,
    "pointer_slots": 16,
    "temporal_codes": 7,
    "pointer_span": 16,
    "prompt_tokens": 6,
    "multimask_for_prompts": False,
    "multimask_for_tracking": False,
    "multimask_min_points": 0,
    "multimask_max_points": 1,
    "stability_fallback": False,
    "stability_delta": 0.05,
    "stability_threshold": 0.98,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {}
    for name in GRAPH_NAMES:
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(name.encode())
        files[name] = ModelFile(path.name, sha256_of(path))
    manifest = Manifest(
        kind="segmenter",
        name="small",
        built_by="export/sam2_to_onnx.py",
        files=files,
        image_size=32,
        image_mean=(0.5, 0.5, 0.5),
        image_std=(0.2, 0.2, 0.2),
        precision="float32",
        tools={"torch": "2"},
        facts=FACTS,
    )
    write_manifest(tmp_path, manifest)
    return tmp_path


def edit(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_text())
    for name, value in changes.items():
        if value is None:
            del values[name]
        else:
            values[name] = value
    path.write_text(json.dumps(values))


def test_what_is_written_is_read(folder: Path) -> None:
    manifest = load_manifest(folder, kind="segmenter")
    assert manifest.image_mean == (0.5, 0.5, 0.5)
    assert SegmenterFacts.from_mapping(manifest.image_size, manifest.facts).as_mapping() == FACTS


def test_other_bytes_under_the_same_name(folder: Path) -> None:
    (folder / "mask_decoder.onnx").write_bytes(b"other")
    with pytest.raises(PlanMismatchError) as caught:
        load_tracker(folder)
    text = str(caught.value)
    assert text.startswith(
        f"{folder / 'mask_decoder.onnx'}: not the file that manifest.json describes: expected SHA-256 "
    )
    assert f"got {sha256_of(folder / 'mask_decoder.onnx')}" in text
    assert text.endswith("; rebuild the folder with export/sam2_to_onnx.py")


def test_a_missing_file(folder: Path) -> None:
    (folder / "memory_encoder.onnx").unlink()
    with pytest.raises(PlanMismatchError, match=r"memory_encoder.onnx: not found, but manifest.json names it; rebuild"):
        load_tracker(folder)


def test_a_folder_without_a_manifest(tmp_path: Path) -> None:
    with pytest.raises(PlanMismatchError, match=r"manifest.json: not found; expected a folder that an exporter"):
        load_tracker(tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "detector"}, "expected a segmenter, got a detector; give the folder of a segmenter"),
        ({"format": 2}, "expected format 1, got 2; rebuild"),
        ({"name": None, "colour": "red"}, r"missing keys \['name'\], unknown keys \['colour'\]"),
        ({"image_size": "32"}, "image_size: expected int, got '32'"),
        ({"image_size": True}, "image_size: expected int, got True"),
        ({"image_mean": [0.5]}, r"image_mean: expected three numbers, got \[0.5\]"),
        ({"image_std": [0.2, 0, 0.2]}, "expected image_size and image_std above 0"),
        ({"files": {"mask_decoder": {"file": "x"}}}, "files.mask_decoder: expected file and sha256"),
        ({"files": {"x": {"file": "../x", "sha256": ""}}}, "files.x: expected a plain file name, got '../x'"),
        ({"files": {}}, r"expected graphs \['image_encoder', .*\], got \[\]; rebuild"),
        ({"facts": {**FACTS, "hidden_width": 6}}, "facts.memory_width: expected a divisor of hidden_width 6, got 4"),
        ({"facts": {**FACTS, "memory_slots": 1}}, "facts.memory_slots: expected at least 2, got 1"),
        ({"facts": {**FACTS, "stability_fallback": 1}}, "facts.stability_fallback: expected bool, got 1"),
        ({"facts": {**FACTS, "slots": 1}}, r"manifest facts: missing \[\], unknown \['slots'\]"),
        ({"image_size": 30}, "facts.image_size: expected a multiple of 16, got 30"),
    ],
)
def test_faults_of_the_manifest_are_named(folder: Path, changes: dict[str, Any], message: str) -> None:
    edit(folder, **changes)
    with pytest.raises(PlanMismatchError, match=message):
        load_tracker(folder)


def test_a_manifest_that_is_not_json(folder: Path) -> None:
    (folder / "manifest.json").write_text("{")
    with pytest.raises(PlanMismatchError, match=r"manifest.json: not JSON"):
        load_manifest(folder, kind="segmenter")


def test_tensors_of_another_version(folder: Path) -> None:
    manifest = load_manifest(folder, kind="segmenter")
    x, wide = {"x": TensorSpec((1, 2), "float32")}, {"x": TensorSpec((1, 4), "float32"), "y": TensorSpec((1,), "int32")}
    runner = ScriptedRunner(wide, x, lambda feeds: {"x": np.zeros((1, 2), np.float32)})
    with pytest.raises(PlanMismatchError) as caught:
        check_specs(runner, x, x, path=folder / "mask_decoder.onnx", manifest=manifest)
    assert str(caught.value) == (
        f"{folder / 'mask_decoder.onnx'}: inputs differ from what this version of icseg uses: "
        "x: expected float32 (1, 2), got float32 (1, 4); y: expected None, got int32 (1,); "
        "rebuild the folder with export/sam2_to_onnx.py"
    )
