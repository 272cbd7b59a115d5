"""Whether this machine can build and serve a policy with TensorRT Edge-LLM, and what is wrong when it cannot.

*Source:* the support matrix of Edge-LLM 0.11 (Orin on JetPack 7.2 only) and the payloads in its wheels, which are
matched exactly by system, CUDA, TensorRT and compute capability.
"""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from icseg.errors import ConfigError

JETPACK = "7.2"
CUDA_MAJOR = "13"
TENSORRT = {"aarch64": ("10.16",), "x86_64": ("10.16", "11.0")}
SM = {"aarch64": (87,), "x86_64": (80, 86, 100, 120)}

Ask = Callable[[Sequence[str]], str | None]


@dataclass(frozen=True, slots=True)
class Platform:
    """What was found; None where nothing was.

    Attributes:
        arch: ``aarch64`` or ``x86_64``.
        jetpack: such as 7.2, on a Jetson.
        cuda, tensorrt: versions.
        sm: compute capability times ten.
        gpu_free: bytes of GPU memory that are free; None on a Jetson, whose memory is shared.
    """

    arch: str
    jetpack: str | None
    cuda: str | None
    tensorrt: str | None
    sm: int | None
    gpu_free: int | None

    def problems(self) -> list[str]:
        """Everything that keeps it from building, with what to do."""
        if self.arch not in SM:
            return [f"CPU architecture {self.arch}: Edge-LLM has wheels for {' and '.join(SM)} only"]
        found = []
        if self.arch == "aarch64" and not _is_version(self.jetpack, JETPACK):
            hint = "; with JetPack 6 it needs a source build, see docs/policy.md" if self.jetpack else ""
            found.append(f"JetPack {self.jetpack or 'not found'}: expected {JETPACK}{hint}")
        if not _is_version(self.cuda, CUDA_MAJOR):
            found.append(f"CUDA {self.cuda or 'not found'}: expected {CUDA_MAJOR}")
        wanted = TENSORRT[self.arch]
        if not any(_is_version(self.tensorrt, version) for version in wanted):
            found.append(f"TensorRT for Python {self.tensorrt or 'not found'}: expected {' or '.join(wanted)}")
        if self.sm not in SM[self.arch]:
            expected = ", ".join(str(sm) for sm in SM[self.arch])
            found.append(f"GPU with SM {self.sm or 'not found'}: Edge-LLM's wheel has kernels for {expected} only")
        return found

    def check(self) -> None:
        """Raise ConfigError with every problem."""
        if problems := self.problems():
            raise ConfigError(f"this machine cannot build the engines: {'; '.join(problems)}")


def detect_platform(python: Path, root: Path = Path("/"), ask: Ask | None = None) -> Platform:
    """Look at this machine; loads no library and touches no GPU state.

    Args:
        python: the Python of Edge-LLM's environment: TensorRT must be importable there.
        root: where ``/proc`` and ``/etc`` are.
        ask: runs a command and returns its output, or None when it fails.
    """
    ask = ask if ask is not None else _ask
    arch = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine())
    query = ask(["nvidia-smi", "--query-gpu=compute_cap,memory.free", "--format=csv,noheader,nounits"])
    gpu = re.match(r"\s*(\d+)\.(\d)\s*,\s*(\d+)?", query or "")
    sm = int(gpu.group(1)) * 10 + int(gpu.group(2)) if gpu is not None else None
    free = int(gpu.group(3)) * 2**20 if gpu is not None and gpu.group(3) else None
    if sm is None and "Orin" in _text(root / "proc/device-tree/model"):
        sm = 87
    cuda = re.search(r'"cuda"\s*:\s*\{[^}]*"version"\s*:\s*"([\d.]+)"', _text(root / "usr/local/cuda/version.json"))
    tensorrt = ask([str(python), "-c", "import tensorrt; print(tensorrt.__version__)"])
    return Platform(
        arch=arch,
        jetpack=_jetpack(root, ask),
        cuda=cuda.group(1) if cuda is not None else None,
        tensorrt=(tensorrt or "").strip() or None,
        sm=sm,
        gpu_free=free,
    )


def _jetpack(root: Path, ask: Ask) -> str | None:
    package = ask(["dpkg-query", "-W", "-f", "${Version}", "nvidia-jetpack"])
    if package and (version := re.match(r"\d+(\.\d+)+", package)):
        return version.group()
    release = re.search(r"R(\d+)", _text(root / "etc/nv_tegra_release"))
    # Without the package only the line is known: L4T 36 is JetPack 6, 38 and later are JetPack 7.
    if release is None:
        return None
    return f"{7 if int(release.group(1)) >= 38 else 6} (L4T {release.group()}; apt install nvidia-jetpack)"


def _is_version(got: str | None, wanted: str) -> bool:
    return got is not None and (got == wanted or got.startswith(f"{wanted}."))


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def _ask(command: Sequence[str]) -> str | None:
    try:
        done = subprocess.run(list(command), capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout
