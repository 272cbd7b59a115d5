"""Merge a PEFT LoRA adapter into a checkpoint, one weight file at a time: W + scale * B A, in float32.

Edge-LLM's own merge loads the whole model and reads pickled adapters too. This one reads safetensors only, needs memory
for one file, and refuses what it would not do exactly.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from export.policy.models import PolicyCheckpoint, read_json
from icseg.errors import PlanMismatchError

ADAPTER_NAME, CONFIG_NAME = "adapter_model.safetensors", "adapter_config.json"
_PLAIN = {
    "use_dora": (None, False),
    "bias": (None, "none"),
    "modules_to_save": (None, []),
    "rank_pattern": (None, {}),
    "alpha_pattern": (None, {}),
    "fan_in_fan_out": (None, False),
}
"""Settings of an adapter -> values with which it is W + scale * B A and nothing else."""
_PREFIX = "base_model.model."
_RENAMES = (("model.language_model.", "model."), ("model.visual.", "visual."))
"""Beginnings of a module's name in memory and in files, where the two differ."""


def merge_lora(checkpoint: PolicyCheckpoint, adapter: Path, output: Path) -> int:
    """Write the merged checkpoint to ``output``, a new folder.

    Returns:
        How many weights were changed.

    Raises:
        PlanMismatchError: no safetensors adapter, a kind of adapter that cannot be merged exactly, or one that was
            made for another model.
    """
    deltas = read_adapter(adapter)
    output.mkdir(parents=True)
    left = set(deltas)
    for path in checkpoint.weights:
        tensors = load_file(path)
        for module in sorted(left):
            name = next((name for name in _file_names(module) if name in tensors), None)
            if name is None:
                continue
            a, b, scale = deltas[module]
            weight = tensors[name]
            if weight.shape != (b.shape[0], a.shape[1]):
                raise PlanMismatchError(
                    f"{adapter}: {module}: expected {tuple(weight.shape)}, got {(b.shape[0], a.shape[1])}"
                )
            tensors[name] = (weight.float() + scale * (b.float() @ a.float())).to(weight.dtype)
            left.discard(module)
        save_file(tensors, output / path.name, metadata={"format": "pt"})
    if left:
        raise PlanMismatchError(f"{adapter}: {min(left)} is not in {checkpoint.folder}: made for another model?")
    for path in checkpoint.folder.iterdir():
        if path.suffix in (".json", ".jinja", ".txt"):
            shutil.copyfile(path, output / path.name)
    return len(deltas)


def read_adapter(folder: Path) -> dict[str, tuple[Tensor, Tensor, float]]:
    """Module name -> A (rank, in), B (out, rank) and scale; errors as ``merge_lora``."""
    config = read_json(folder / CONFIG_NAME)
    if config.get("peft_type") != "LORA":
        raise PlanMismatchError(f"{folder}: expected an adapter of type LORA, got {config.get('peft_type')!r}")
    for name, allowed in _PLAIN.items():
        if config.get(name) not in allowed:
            raise PlanMismatchError(f"{folder / CONFIG_NAME}: {name} = {config[name]!r} cannot be merged")
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not isinstance(rank, int) or rank < 1 or not isinstance(alpha, (int, float)):
        raise PlanMismatchError(f"{folder / CONFIG_NAME}: expected r and lora_alpha, got {rank!r} and {alpha!r}")
    path = folder / ADAPTER_NAME
    if not path.is_file():
        raise PlanMismatchError(f"{folder}: {ADAPTER_NAME} is missing; pickled adapters are never read")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise PlanMismatchError(f"{path}: not a whole safetensors file: {error}") from error
    scale = alpha / (rank**0.5 if config.get("use_rslora") else rank)
    deltas = {}
    for key in [key for key in tensors if key.endswith(".lora_A.weight")]:
        module = key.removesuffix(".lora_A.weight")
        a, b = tensors.pop(key), tensors.pop(f"{module}.lora_B.weight", torch.empty(0))
        if b.ndim != 2 or a.shape[0] != b.shape[1]:
            raise PlanMismatchError(f"{path}: {module}: A and B do not fit together")
        deltas[module.removeprefix(_PREFIX)] = (a, b, float(scale))
    if tensors or not deltas:
        raise PlanMismatchError(f"{path}: expected pairs of lora_A and lora_B, got {min(tensors, default='nothing')}")
    return deltas


def _file_names(module: str) -> list[str]:
    names = [module]
    names += [new + module.removeprefix(old) for old, new in _RENAMES if module.startswith(old)]
    return [f"{name}.weight" for name in names]
