"""manifest.json: what a folder of exported graphs says about itself, and the check that it is true.

It knows files, hashes and tensor specs. What the graphs mean stands in ``facts``, which each kind of model reads.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from icseg.errors import PlanMismatchError
from icseg.inference.runner import Runner, TensorSpec

MANIFEST_NAME = "manifest.json"
FORMAT = 2

ONNXRUNTIME, TENSORRT, TENSORRT_RTX = "onnxruntime", "tensorrt", "tensorrt_rtx"
ENGINES = (ONNXRUNTIME, TENSORRT, TENSORRT_RTX)
FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
PRECISIONS = (FLOAT32, FLOAT16, INT8)

SettingValue = bool | int | float | str

_SHA256 = re.compile("[0-9a-f]{64}")
_COMPUTE_CAPABILITY = re.compile(r"\d+\.\d+")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One graph's file beside the manifest.

    Attributes:
        file: its name.
        sha256: of its bytes, in hexadecimal.
        engine: which of ``ENGINES`` loads it; a plan for TensorRT-RTX is nothing to TensorRT.
        precision: got, one of ``PRECISIONS``: the lowest that the graph computes in.
        engine_version: of a plan, the version that built it, e.g. ``10.3.0``; no other loads it. Empty for ONNX.
        compute_capability: of a plan, the GPU generation it was built for, e.g. ``8.7`` for Orin. Empty for ONNX.
    """

    file: str
    sha256: str
    engine: str
    precision: str
    engine_version: str = ""
    compute_capability: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What one folder of graphs is.

    Attributes:
        kind: which part of icseg can load it, e.g. ``segmenter`` or ``detector``.
        name: the model's name, for people.
        built_by: the program that writes such a folder; errors tell the user to run it again.
        files: graph name -> file.
        image_size: side of the square input image in pixels.
        image_mean, image_std: per RGB channel, of the image scaled to 0..1.
        precision: asked for, one of ``PRECISIONS``; each file says what it got.
        source_sha256: fingerprint of the weights that the graphs were made from.
        calibration_sha256: fingerprint of the calibration data; empty where none was used.
        tools: tool -> version, of the export.
        facts: what only this kind of model needs; its loader checks it.
        settings: of the runtime, for which the model was tuned: full name -> value, e.g. ``tracker.window_scale``; its
            loader checks them. None: the folder was made before manifests had them, so nothing is known.
        format: version of this file's layout.
    """

    kind: str
    name: str
    built_by: str
    files: dict[str, ModelFile]
    image_size: int
    image_mean: tuple[float, float, float]
    image_std: tuple[float, float, float]
    precision: str
    source_sha256: str
    calibration_sha256: str
    tools: dict[str, str]
    facts: dict[str, Any]
    settings: dict[str, SettingValue] | None = None
    format: int = FORMAT

    def rebuild_hint(self) -> str:
        """What an error tells the user to do."""
        return f"rebuild the folder with {self.built_by}"


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json into the folder."""
    values = asdict(manifest)
    if manifest.settings is None:
        del values["settings"]
    text = json.dumps(values, indent=2, sort_keys=True)
    (folder / MANIFEST_NAME).write_text(text + "\n", encoding="utf-8")


def read_manifest(folder: Path) -> Manifest:
    """Read manifest.json; the files that it names are not looked at.

    Raises:
        PlanMismatchError: it is missing, or not what this version of icseg reads.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        raise PlanMismatchError(f"{path}: not found; expected a folder that an exporter of icseg wrote")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise PlanMismatchError(f"{path}: not JSON: {error}; rebuild the folder") from error
    return _parse(values, path)


def load_manifest(folder: Path, *, kind: str) -> Manifest:
    """Read manifest.json and check every file it names.

    Args:
        folder: where manifest.json and the graphs lie.
        kind: the kind of model that the caller can load.

    Raises:
        PlanMismatchError: the manifest is missing, not what this version of icseg reads, or of another kind; or a file
            is missing or has other bytes. The text names the file, what was expected, what was found and what to do.
    """
    manifest = read_manifest(folder)
    if manifest.kind != kind:
        path = folder / MANIFEST_NAME
        raise PlanMismatchError(f"{path}: expected a {kind}, got a {manifest.kind}; give the folder of a {kind}")
    for entry in manifest.files.values():
        _check_file(folder / entry.file, entry.sha256, manifest)
    return manifest


def _check_file(path: Path, expected: str, manifest: Manifest) -> None:
    if not path.is_file():
        raise PlanMismatchError(f"{path}: not found, but {MANIFEST_NAME} names it; {manifest.rebuild_hint()}")
    got = sha256_of(path)
    if got != expected:
        raise PlanMismatchError(
            f"{path}: not the file that {MANIFEST_NAME} describes: expected SHA-256 {expected}, got {got}; "
            f"{manifest.rebuild_hint()}"
        )


def _parse(values: Any, path: Path) -> Manifest:
    """Check keys and types by hand: a manifest is written by a program, so the first fault is enough."""
    if isinstance(values, dict) and values.get("format", FORMAT) != FORMAT:
        builder = values.get("built_by")
        hint = f" with {builder}" if isinstance(builder, str) else ""
        raise PlanMismatchError(f"{path}: expected format {FORMAT}, got {values['format']}; rebuild the folder{hint}")
    names = {field.name for field in fields(Manifest)} - {"settings"}
    if not isinstance(values, dict) or set(values) - {"settings"} != names:
        got = set(values) - {"settings"} if isinstance(values, dict) else set()
        raise PlanMismatchError(
            f"{path}: missing keys {sorted(names - got)}, unknown keys {sorted(got - names)}; rebuild the folder"
        )
    kinds = {"format": int, "image_size": int, "files": dict, "tools": dict, "facts": dict}
    kinds |= {"image_mean": list, "image_std": list}
    for name in names:
        kind = kinds.get(name, str)
        if not isinstance(values[name], kind) or isinstance(values[name], bool):
            raise PlanMismatchError(f"{path}: {name}: expected {kind.__name__}, got {values[name]!r}")
    if values["precision"] not in PRECISIONS:
        raise PlanMismatchError(f"{path}: precision: expected one of {PRECISIONS}, got {values['precision']!r}")
    if not _SHA256.fullmatch(values["source_sha256"]):
        raise PlanMismatchError(f"{path}: source_sha256: expected a SHA-256, got {values['source_sha256']!r}")
    if values["calibration_sha256"] and not _SHA256.fullmatch(values["calibration_sha256"]):
        raise PlanMismatchError(
            f"{path}: calibration_sha256: expected a SHA-256 or nothing, got {values['calibration_sha256']!r}"
        )
    for name in ("image_mean", "image_std"):
        if len(values[name]) != 3 or not all(isinstance(value, (int, float)) for value in values[name]):
            raise PlanMismatchError(f"{path}: {name}: expected three numbers, got {values[name]}")
    if values["image_size"] < 1 or min(values["image_std"]) <= 0:
        raise PlanMismatchError(
            f"{path}: expected image_size and image_std above 0, got {values['image_size']} and {values['image_std']}"
        )
    _check_settings(values, path)
    files = {name: _parse_file(name, entry, path) for name, entry in values["files"].items()}
    triples = {name: tuple(float(value) for value in values[name]) for name in ("image_mean", "image_std")}
    return Manifest(**{**values, **triples, "files": files})


def _check_settings(values: dict[str, Any], path: Path) -> None:
    hint = f"rebuild the folder with {values['built_by']}"
    settings = values.get("settings", {})
    if not isinstance(settings, dict):
        raise PlanMismatchError(f"{path}: settings: expected full names and values, got {settings!r}; {hint}")
    for name, value in settings.items():
        if not isinstance(value, SettingValue):
            raise PlanMismatchError(f"{path}: settings: {name}: expected one plain value, got {value!r}; {hint}")


def _parse_file(name: str, entry: Any, path: Path) -> ModelFile:
    keys = [field.name for field in fields(ModelFile)]
    is_right = isinstance(entry, dict) and set(entry) == set(keys)
    if not is_right or not all(isinstance(value, str) for value in entry.values()):
        raise PlanMismatchError(f"{path}: files.{name}: expected texts {', '.join(keys)}, got {entry!r}")
    if Path(entry["file"]).name != entry["file"]:
        raise PlanMismatchError(f"{path}: files.{name}: expected a plain file name, got {entry['file']!r}")
    for key, allowed in (("engine", ENGINES), ("precision", PRECISIONS)):
        if entry[key] not in allowed:
            raise PlanMismatchError(f"{path}: files.{name}.{key}: expected one of {allowed}, got {entry[key]!r}")
    made_for = (entry["engine_version"], entry["compute_capability"])
    if entry["engine"] == ONNXRUNTIME:
        if any(made_for):
            raise PlanMismatchError(f"{path}: files.{name}: an ONNX file is for every engine and GPU, got {made_for}")
    elif not entry["engine_version"] or not _COMPUTE_CAPABILITY.fullmatch(entry["compute_capability"]):
        raise PlanMismatchError(
            f"{path}: files.{name}: expected a plan's engine_version and compute_capability such as 8.7, got {made_for}"
        )
    return ModelFile(**entry)


def check_specs(
    runner: Runner,
    inputs: Mapping[str, TensorSpec],
    outputs: Mapping[str, TensorSpec],
    *,
    path: Path,
    manifest: Manifest,
) -> None:
    """Compare a loaded graph's tensors with what the running code will feed and read.

    Raises:
        PlanMismatchError: a tensor is missing, unknown, or of another shape or dtype.
    """
    for role, expected, got in (("inputs", inputs, runner.inputs), ("outputs", outputs, runner.outputs)):
        if dict(expected) == dict(got):
            continue
        differing = sorted(name for name in expected.keys() | got.keys() if expected.get(name) != got.get(name))
        details = "; ".join(f"{name}: expected {expected.get(name)}, got {got.get(name)}" for name in differing)
        raise PlanMismatchError(
            f"{path}: {role} differ from what this version of icseg uses: {details}; {manifest.rebuild_hint()}"
        )
