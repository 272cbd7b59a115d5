"""A folder that is not what its manifest says: which file, what was expected, what was found, what to do."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from icseg.assets import nano_models
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

ENTRY = {
    "file": "x.onnx",
    "sha256": "",
    "engine": "onnxruntime",
    "precision": "float32",
    "engine_version": "",
    "compute_capability": "",
}
PLAN = ENTRY | {"file": "x.plan", "engine": "tensorrt", "engine_version": "10.3.0", "compute_capability": "8.7"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {}
    for name in GRAPH_NAMES:
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(name.encode())
        files[name] = ModelFile(path.name, sha256_of(path), "onnxruntime", "float32")
    manifest = Manifest(
        kind="segmenter",
        name="small",
        built_by="export/sam2_to_onnx.py",
        files=files,
        image_size=32,
        image_mean=(0.5, 0.5, 0.5),
        image_std=(0.2, 0.2, 0.2),
        precision="float32",
        source_sha256="ab" * 32,
        calibration_sha256="",
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


def test_a_folder_of_the_first_format_is_to_be_rebuilt(folder: Path) -> None:
    edit(folder, format=1, source_sha256=None, calibration_sha256=None)
    with pytest.raises(PlanMismatchError, match=r"expected format 2, got 1; rebuild the folder with export/sam2_to_o"):
        load_manifest(folder, kind="segmenter")


def test_the_models_that_ship_say_what_they_were_made_from() -> None:
    detector, segmenter = nano_models() / "detector", nano_models() / "segmenter"
    assert load_manifest(detector, kind="detector").source_sha256 == sha256_of(detector / "model.safetensors")
    hashes = "".join(sha256_of(segmenter / file) for file in ("config.json", "model.safetensors"))
    assert load_manifest(segmenter, kind="segmenter").source_sha256 == sha256(hashes.encode()).hexdigest()


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
        ({"format": 3}, "expected format 2, got 3; rebuild the folder with export/sam2_to_onnx.py"),
        ({"format": None}, r"missing keys \['format'\]"),
        ({"precision": "fp16"}, "precision: expected one of .*'float16'.*, got 'fp16'"),
        ({"source_sha256": ""}, "source_sha256: expected a SHA-256, got ''"),
        ({"calibration_sha256": "AB" * 32}, "calibration_sha256: expected a SHA-256 or nothing, got 'ABAB"),
        ({"name": None, "colour": "red"}, r"missing keys \['name'\], unknown keys \['colour'\]"),
        ({"image_size": "32"}, "image_size: expected int, got '32'"),
        ({"image_size": True}, "image_size: expected int, got True"),
        ({"image_mean": [0.5]}, r"image_mean: expected three numbers, got \[0.5\]"),
        ({"image_std": [0.2, 0, 0.2]}, "expected image_size and image_std above 0"),
        ({"files": {"mask_decoder": {"file": "x"}}}, "files.mask_decoder: expected texts file, sha256, engine,"),
        ({"files": {"x": ENTRY | {"sha256": 1}}}, "files.x: expected texts file, sha256, engine,"),
        ({"files": {"x": ENTRY | {"file": "../x"}}}, "files.x: expected a plain file name, got '../x'"),
        ({"files": {"x": ENTRY | {"engine": "trt"}}}, "files.x.engine: expected one of .*'tensorrt'.*, got 'trt'"),
        ({"files": {"x": ENTRY | {"precision": "int4"}}}, "files.x.precision: expected one of .*, got 'int4'"),
        ({"files": {"x": ENTRY | {"engine_version": "1"}}}, "files.x: an ONNX file is for every engine and GPU"),
        ({"files": {"x": PLAN | {"engine_version": ""}}}, "files.x: expected a plan's engine_version and compute_cap"),
        ({"files": {"x": PLAN | {"compute_capability": "sm_87"}}}, r"such as 8.7, got \('10.3.0', 'sm_87'\)"),
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
