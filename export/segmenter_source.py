"""Where a segmenter's weights come from: the model that ships, a folder, the local hub cache, or Meta's ``.pt``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers import Sam2VideoConfig, Sam2VideoModel

from export.meta_checkpoint import load_meta_checkpoint
from export.sam2_sizes import at_resolution
from icseg.errors import ConfigError, PlanMismatchError
from icseg.inference.manifest import SettingValue, sha256_of
from icseg.tracker.loading import check_settings, sam2_settings

NANO = "nano"
_NANO_FOLDER = Path(__file__).resolve().parents[1] / "models" / "nano" / "segmenter"
_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_SETTINGS = "settings.json"
"""Beside weights that a tracker was tuned for: what goes into the manifest of every folder that is made of them."""
_MODEL_TYPES = ("sam2_video",)


@dataclass(frozen=True, slots=True)
class SegmenterSource:
    """Weights that were found, and are not loaded yet.

    Attributes:
        name: for manifests and people.
        fingerprint: SHA-256 over the files that the model is made from.
        load: reads them; float32, evaluation mode, at the resolution that was asked for.
        settings: of the runtime, for which the model was tuned, by full name: those of ``settings.json`` beside the
            weights, and SAM 2's own where there is no such file.
    """

    name: str
    fingerprint: str
    load: Callable[[], Sam2VideoModel]
    settings: dict[str, SettingValue] = field(default_factory=sam2_settings)


def find_segmenter(text: str, resolution: int | None = None) -> SegmenterSource:
    """Find the weights that a command line names.

    Args:
        text: ``nano``, a folder with config.json and model.safetensors, a ``.pt`` of Meta's, or a hub id whose files
            are in the local cache; nothing is downloaded.
        resolution: side of the input in pixels; None for that of the weights (1024 for ``.pt``).

    Raises:
        ConfigError: nothing is there under that name; says how to get it.
        PlanMismatchError: what is there is not a SAM 2 video model, or has settings that no tracker can have.
        ValueError: as ``at_resolution``.
    """
    if text == NANO:
        return _folder(_NANO_FOLDER, "icseg-nano-segmenter", resolution)
    path = Path(text).expanduser()
    if path.suffix == ".pt":
        if not path.is_file():
            raise ConfigError(f"{text}: no such file; expected a checkpoint such as sam2.1_hiera_tiny.pt")
        return SegmenterSource(path.stem, sha256_of(path), lambda: load_meta_checkpoint(path, resolution or 1024))
    if path.is_dir():
        return _folder(path, path.resolve().name, resolution)
    try:
        folder = Path(snapshot_download(text, local_files_only=True, allow_patterns=[_CONFIG, _WEIGHTS]))
    except (LocalEntryNotFoundError, HFValidationError):
        raise ConfigError(
            f"{text}: expected {NANO}, a folder, a .pt file, or a hub id in the local cache; "
            f"none is there. To fetch a hub id: hf download {text}"
        ) from None
    return _folder(folder, text.rsplit("/", 1)[-1], resolution)


def _folder(folder: Path, name: str, resolution: int | None) -> SegmenterSource:
    for file in (_CONFIG, _WEIGHTS):
        if not (folder / file).is_file():
            raise PlanMismatchError(f"{folder}: {file} is missing; expected a folder that save_pretrained wrote")
    try:
        kind = json.loads((folder / _CONFIG).read_text(encoding="utf-8")).get("model_type")
    except (UnicodeDecodeError, json.JSONDecodeError, AttributeError) as error:
        raise PlanMismatchError(f"{folder / _CONFIG}: not a model's configuration: {error}") from error
    if kind not in _MODEL_TYPES:
        raise PlanMismatchError(f"{folder}: expected a model of type {' or '.join(_MODEL_TYPES)}, got {kind!r}")
    hashes = "".join(sha256_of(folder / file) for file in (_CONFIG, _WEIGHTS))
    fingerprint = hashlib.sha256(hashes.encode()).hexdigest()
    return SegmenterSource(name, fingerprint, lambda: _load(folder, resolution), _settings(folder))


def _settings(folder: Path) -> dict[str, SettingValue]:
    path = folder / _SETTINGS
    if not path.is_file():
        return sam2_settings()
    hint = "correct it, or delete it for SAM 2's own"
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise PlanMismatchError(f"{path}: not JSON: {error}; {hint}") from error
    if not isinstance(values, dict) or not all(isinstance(value, SettingValue) for value in values.values()):
        raise PlanMismatchError(f"{path}: expected full names and plain values, got {values!r}; {hint}")
    check_settings(values, path, hint)
    return values


def _load(folder: Path, resolution: int | None) -> Sam2VideoModel:
    config = Sam2VideoConfig.from_pretrained(folder)
    if resolution is not None:
        at_resolution(config, resolution)
    try:
        model = Sam2VideoModel.from_pretrained(folder, config=config, dtype=torch.float32, use_safetensors=True)
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        reason = str(error).splitlines()[0]
        raise PlanMismatchError(f"{folder / _WEIGHTS}: cannot be read as weights of this model: {reason}") from error
    return model.eval()
