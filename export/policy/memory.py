"""How much memory and disk each stage of a policy's build needs, and whether it is there.

*Source:* TensorRT Edge-LLM's documentation: quantization wants the FP16 weights in GPU memory, export 1.5 times the
checkpoint in RAM, a build on the device the model and 2 GB. The margins on top are ours; none was measured.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from export.policy.models import PolicyCheckpoint
from export.policy.platform_check import Platform
from icseg.errors import ConfigError

GB = 10**9
_MARGIN = 1 * GB
_MARGIN_BUILD = 2 * GB
"""What a stage, and the building of engines, needs on top of the model's size."""
PACKED = {"fp16": 1.0, "int8_sq": 0.65, "int4_awq": 0.45}
"""Size of a quantized checkpoint over FP16: weights of 8 or 4.13 bits; embeddings, head and vision tower stay FP16."""


@dataclass(frozen=True, slots=True)
class MemoryNeed:
    """One stage's need in bytes; ``where`` is ``ram``, ``gpu`` or ``disk``."""

    stage: str
    where: str
    needed: int
    available: int | None

    @property
    def is_met(self) -> bool:
        """Whether it is there; an amount that is not known counts as there."""
        return self.available is None or self.available >= self.needed

    def __str__(self) -> str:
        have = "unknown" if self.available is None else f"{self.available / GB:.1f} GB"
        return f"{self.stage}: {self.needed / GB:.1f} GB of {self.where}, available {have}"


@dataclass(frozen=True, slots=True)
class Available:
    """Bytes that are free; None where it is not known."""

    ram: int | None
    gpu: int | None
    disk: int | None


def memory_needs(
    checkpoint: PolicyCheckpoint, stages: Sequence[str], precision: str, device: str, available: Available
) -> list[MemoryNeed]:
    """What the stages need: one line a stage, and one for the disk."""
    size = checkpoint.weight_bytes
    packed = int(size * PACKED[precision])
    is_gpu = device == "cuda"
    amounts = {
        "merge": ("ram", 3 * checkpoint.largest_bytes + _MARGIN),
        "quantize": ("gpu" if is_gpu else "ram", int(1.2 * size) + _MARGIN),
        "export": ("ram", int(1.5 * packed) + _MARGIN),
        "build": ("ram", packed + _MARGIN_BUILD),
    }
    free = {"ram": available.ram, "gpu": available.gpu, "disk": available.disk}
    needs = [MemoryNeed(name, *amounts[name], free[amounts[name][0]]) for name in stages if name in amounts]
    written = {"merge": size, "quantize": packed, "copy": packed, "export": packed, "build": packed}
    disk = sum(written.get(name, 0) for name in stages)
    return [*needs, MemoryNeed("all stages", "disk", disk, free["disk"])]


def check_needs(needs: Sequence[MemoryNeed]) -> None:
    """Refuse when something is missing.

    Raises:
        ConfigError: names every stage that has not enough.
    """
    missing = [str(need) for need in needs if not need.is_met]
    if missing:
        raise ConfigError(
            f"not enough memory: {'; '.join(missing)}. Free some, use another machine, "
            "or pass --ignore-memory to try anyway"
        )


def available_memory(output: Path, platform: Platform, meminfo: Path = Path("/proc/meminfo")) -> Available:
    """What this machine has free now: on a Jetson the GPU's memory is the RAM, without a GPU it is none."""
    ram = None
    if meminfo.is_file():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                ram = int(line.split()[1]) * 1024
    there = next(folder for folder in (output.absolute(), *output.absolute().parents) if folder.exists())
    gpu = platform.gpu_free
    if gpu is None:
        gpu = 0 if platform.sm is None else ram
    return Available(ram, gpu, shutil.disk_usage(there).free)
