"""Which vision-language models can be built as a policy, and what a checkpoint's folder says about itself.

Nothing in a folder is run: weights come from safetensors only, and a folder with code of its own is refused, because
the tools that read it later would execute that code.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError, safe_open

from icseg.errors import ConfigError, PlanMismatchError
from icseg.inference.manifest import sha256_of

_CONFIG = "config.json"
_NEEDED = (_CONFIG, "tokenizer_config.json", "preprocessor_config.json")
_TEMPLATES = ("chat_template.jinja", "chat_template.json")
_FETCHED = ["*.json", "*.jinja", "*.safetensors", "merges.txt"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """What a family of models has in common.

    Attributes:
        name: for people.
        patch_px, merge: side of a vision patch, and patches per side that become one token.
        sizes: hidden size of the text model -> name of the size.
        coordinates: what its boxes are given in when it was not trained for our protocol.
    """

    name: str
    patch_px: int
    merge: int
    sizes: dict[int, str]
    coordinates: str

    def visual_tokens(self, side_px: int) -> int:
        """Tokens of a square image, after the preprocessor has rounded its side to whole tokens."""
        token_px = self.patch_px * self.merge
        return max(1, round(side_px / token_px)) ** 2


ARCHITECTURES = {
    "qwen3_vl": Architecture("Qwen3-VL", 16, 2, {2048: "2B", 2560: "4B", 4096: "8B"}, "0..1000"),
    "qwen2_5_vl": Architecture("Qwen2.5-VL", 14, 2, {2048: "3B", 3584: "7B"}, "pixels"),
}


@dataclass(frozen=True, slots=True)
class PolicyCheckpoint:
    """A checkpoint that was found and checked, and is not loaded.

    Attributes:
        folder: where its files are.
        name: for people and for the server.
        architecture: its family.
        size: such as 4B, or ``custom``.
        weights: its safetensors files.
        weight_bytes, largest_bytes: of all of them and of the largest.
    """

    folder: Path
    name: str
    architecture: Architecture
    size: str
    weights: tuple[Path, ...]
    weight_bytes: int
    largest_bytes: int

    def fingerprint(self) -> str:
        """SHA-256 over configuration and weights; reads every byte."""
        hashes = [sha256_of(path) for path in (self.folder / _CONFIG, *self.weights)]
        return hashlib.sha256("".join(hashes).encode()).hexdigest()


def find_policy(text: str) -> PolicyCheckpoint:
    """Find the checkpoint that a command line names: a folder, or a hub id in the local cache; nothing is downloaded.

    Raises:
        ConfigError: nothing is there under that name; says how to get it.
        PlanMismatchError: it is no supported model, is incomplete, or holds pickled weights or code.
    """
    path = Path(text).expanduser()
    if path.is_dir():
        return read_checkpoint(path, path.resolve().name)
    try:
        folder = Path(snapshot_download(text, local_files_only=True, allow_patterns=_FETCHED))
    except (LocalEntryNotFoundError, HFValidationError):
        raise ConfigError(
            f"{text}: expected a folder or a hub id in the local cache; none is there. To fetch a hub id: "
            f"hf download {text}"
        ) from None
    return read_checkpoint(folder, text.rsplit("/", 1)[-1])


def read_checkpoint(folder: Path, name: str) -> PolicyCheckpoint:
    """Check a checkpoint's folder without loading weights; errors as ``find_policy``."""
    for file in _NEEDED:
        if not (folder / file).is_file():
            raise PlanMismatchError(f"{folder}: {file} is missing; expected a whole checkpoint folder")
    config = read_json(folder / _CONFIG)
    kind = config.get("model_type")
    if kind not in ARCHITECTURES:
        raise PlanMismatchError(f"{folder}: expected a model of type {' or '.join(ARCHITECTURES)}, got {kind!r}")
    tokenizer = read_json(folder / "tokenizer_config.json")
    if not any((folder / file).is_file() for file in _TEMPLATES) and not tokenizer.get("chat_template"):
        raise PlanMismatchError(f"{folder}: no chat template; expected {' or '.join(_TEMPLATES)}")
    code = sorted(path.name for path in folder.glob("*.py"))
    if code or any("auto_map" in read_json(folder / file) for file in _NEEDED):
        raise PlanMismatchError(f"{folder}: it brings code of its own ({', '.join(code) or 'auto_map'}), never run")
    weights = tuple(sorted(folder.glob("*.safetensors")))
    if not weights:
        raise PlanMismatchError(f"{folder}: no safetensors; pickled weights are never read. Save it as safetensors")
    architecture = ARCHITECTURES[kind]
    hidden = config.get("text_config", config).get("hidden_size")
    _check_weights(folder, weights)
    sizes = [path.stat().st_size for path in weights]
    return PolicyCheckpoint(
        folder, name, architecture, architecture.sizes.get(hidden, "custom"), weights, sum(sizes), max(sizes)
    )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; PlanMismatchError when it is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise PlanMismatchError(f"{path}: not readable as JSON: {error}") from error
    if not isinstance(values, dict):
        raise PlanMismatchError(f"{path}: expected a JSON object")
    return values


def _check_weights(folder: Path, weights: tuple[Path, ...]) -> None:
    """A truncated file is found now, not after an hour of work."""
    for path in weights:
        try:
            with safe_open(path, framework="np"):
                pass
        except (SafetensorError, OSError) as error:
            raise PlanMismatchError(f"{path}: not a whole safetensors file: {error}") from error
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        named = set(read_json(index).get("weight_map", {}).values())
        missing = sorted(named - {path.name for path in weights})
        if missing:
            raise PlanMismatchError(f"{folder}: {missing[0]} is missing; {index.name} names it")
