"""TensorRT Edge-LLM's command lines, as argument lists, and where its programs are.

*Source:* the argument parsers of the ``tensorrt-edgellm`` 0.11.0 wheel: ``tensorrt_edgellm/scripts/quantize.py`` and
``export.py``; the server's line is in ``icseg.policy_server.entry``. It pins other versions of torch's neighbours than
icseg, so it lives in an environment of its own.
"""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from icseg.errors import ConfigError
from icseg.policy_server.process import find_program

VERSION = "0.11.0"
EXPORT, QUANTIZE, SERVE = "tensorrt-edgellm-export", "tensorrt-edgellm-quantize", "tensorrt-edgellm-serve"
DATASET = "icseg"
DATASET_VARIABLE = "EDGELLM_QUANT_DATASET_ICSEG"
"""Edge-LLM's own convention for where a dataset lies: prefix and the dataset's name."""
SAMPLES = 128
"""Samples of the calibration set: image calibration takes no more, whatever it is asked for."""

_ROOT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = _ROOT / ".venv-edge-llm" / "bin"
_LAUNCHER = Path(__file__).resolve().with_name("edge_llm_quantize.py")


@dataclass(frozen=True, slots=True)
class EdgeLlm:
    """An installed Edge-LLM: the folder of its programs, with the Python that runs them."""

    folder: Path

    def quantize(self, model: Path, output: Path, *, method: str, device: str) -> list[str]:
        """Quantize the language model; the vision tower stays FP16.

        Started through our launcher, which registers our calibration set under its name and then runs Edge-LLM's own
        command.
        """
        return [
            *(str(self.folder / "python"), str(_LAUNCHER), "llm"),
            *("--model_dir", str(model), "--output_dir", str(output), "--quantization", method),
            *("--image_dataset", DATASET, "--num_samples", str(SAMPLES), "--device", device),
        ]

    def export(self, model: Path, output: Path, *, precision: str) -> list[str]:
        """Export language model and vision tower to ONNX; on the CPU."""
        command = [str(self.folder / EXPORT), str(model), str(output)]
        # NVIDIA's own figures for Orin were measured with these two.
        extra = ["--externalize-weights", "int4_ffn", "--int4-gemm-plugin-version", "2"]
        return [*command, *extra] if precision == "int4_awq" else command

    @property
    def server(self) -> Path:
        """The program that serves a checkpoint."""
        return self.folder / SERVE

    def check_version(self) -> str:
        """The installed version.

        Raises:
            ConfigError: it cannot be asked, or is not the one whose options are used here.
        """
        ask = "from importlib.metadata import version; print(version('tensorrt-edgellm'))"
        try:
            done = subprocess.run(
                [str(self.folder / "python"), "-c", ask], capture_output=True, text=True, timeout=60, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise ConfigError(f"{self.folder}: TensorRT Edge-LLM does not start there: {error}") from error
        got = done.stdout.strip()
        if got != VERSION:
            raise ConfigError(f"{self.folder}: expected TensorRT Edge-LLM {VERSION}, got {got}; install that version")
        return got


def find_edge_llm(folder: Path | None) -> EdgeLlm:
    """Where Edge-LLM is: ``folder``, else the checkout's ``.venv-edge-llm``, else beside this Python, else on PATH.

    Raises:
        ConfigError: it is not there; says how to install it.
    """
    if folder is None and (_ENVIRONMENT / EXPORT).is_file():
        folder = _ENVIRONMENT
    return EdgeLlm(find_program(EXPORT, folder).parent)


def planned_edge_llm(folder: Path | None) -> EdgeLlm:
    """As ``find_edge_llm``, but for a plan: where it would be when it is not installed yet."""
    try:
        return find_edge_llm(folder)
    except ConfigError:
        return EdgeLlm(folder if folder is not None else Path(sys.prefix) / "bin")
