"""What a build is asked for, checked before anything is done."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from export.calibration import SIMULATED
from export.ladder import DEFAULT_FRAMES, MIN_FRAMES, Gates
from icseg.errors import ConfigError
from icseg.inference.manifest import PRECISIONS
from icseg.tracker.graphs import STRIDE

ORT, TRT, TRT_RTX, JETSON = "onnxruntime", "tensorrt", "tensorrt-rtx", "jetson-orin"
TARGETS = (ORT, TRT, TRT_RTX, JETSON)


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """One build.

    Attributes:
        segmenter: as ``find_segmenter`` takes it.
        policy: ``nano``, ``none``, or a vision-language model.
        target: one of ``TARGETS``.
        precision: one of ``PRECISIONS``, the lowest that layers may have.
        resolution: side of the input; None for that of the weights.
        memory_slots: frames that memory attention sees.
        compute_capability: that of the GPU that plans are for; None for that of this machine.
        calibration: ``sim`` or a folder of frames.
        output: the folder.
        frames: how many the verification compares; 0 verifies nothing.
        gates: what the verification demands.
        threads: how many ONNX Runtime uses; 0 lets it decide.

    Raises:
        ConfigError: a value is out of range.
    """

    segmenter: str
    policy: str
    target: str
    precision: str
    resolution: int | None
    memory_slots: int
    calibration: str
    output: Path
    frames: int = DEFAULT_FRAMES
    gates: Gates = field(default_factory=Gates)
    compute_capability: str | None = None
    threads: int = 0

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ConfigError(f"target: expected one of {TARGETS}, got {self.target!r}")
        if self.precision not in PRECISIONS:
            raise ConfigError(f"precision: expected one of {PRECISIONS}, got {self.precision!r}")
        if self.resolution is not None and (self.resolution <= 0 or self.resolution % (2 * STRIDE)):
            raise ConfigError(f"--resolution: expected a positive multiple of {2 * STRIDE}, got {self.resolution}")
        if not 2 <= self.memory_slots <= 16:
            raise ConfigError(f"--memory-slots: expected 2..16, got {self.memory_slots}")
        if self.frames != 0 and self.frames < MIN_FRAMES:
            raise ConfigError(f"--verify-frames: expected at least {MIN_FRAMES}, got {self.frames}")
        if self.compute_capability is not None and self.target == ORT:
            raise ConfigError(f"--compute-capability: {ORT} builds no plans: give --target {TRT_RTX}, or leave it out")
        if self.threads < 0:
            raise ConfigError(f"--threads: expected 0 or more, got {self.threads}")
        if self.calibration != SIMULATED and not Path(self.calibration).is_dir():
            raise ConfigError(f"--calibration {self.calibration}: no such folder; expected {SIMULATED} or a folder")
