"""What the CUDA kernels take, as the compiler says: registers, shared memory, stack, spills. Needs nvcc, no GPU.

python kernels/tests/resource_use.py       # writes kernels/tests/budget.json, which the tests compare with
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

KERNELS = Path(__file__).resolve().parents[1]
BUDGET = KERNELS / "tests" / "budget.json"
ARCHITECTURES = ("sm_87", "sm_90", "sm_110")
FLAGS = ["-std=c++17", "-fmad=false", "-Werror", "all-warnings", "-Xptxas", "-v,-warn-spills"]
Use = dict[str, int]


def nvcc() -> str | None:
    """The compiler, if there is one on PATH."""
    return shutil.which("nvcc")


def nvcc_version() -> str:
    """As 13.0."""
    said = subprocess.run([str(nvcc()), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"release (\d+\.\d+)", said)
    assert found, said
    return found[1]


def supports(architecture: str) -> bool:
    """The compiler knows it."""
    said = subprocess.run([str(nvcc()), "--list-gpu-code"], capture_output=True, text=True, check=True).stdout
    return architecture in said.split()


def resource_use(architecture: str) -> dict[str, Use]:
    """Kernel -> registers, shared_bytes, stack_bytes, spill_bytes.

    Raises:
        AssertionError: a source does not compile without warnings; the message is the compiler's.
    """

    def compiled(source: Path) -> str:
        with tempfile.TemporaryDirectory() as folder:
            command = [str(nvcc()), *FLAGS, f"-I{KERNELS / 'include'}", f"-arch={architecture}", "-cubin"]
            command += [str(source), "-o", f"{folder}/kernels.cubin"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    with ThreadPoolExecutor(2) as pool:
        said = "\n".join(pool.map(compiled, sorted((KERNELS / "src" / "cuda").glob("*.cu"))))
    said = subprocess.run(["c++filt"], input=said, capture_output=True, text=True, check=True).stdout
    use: dict[str, Use] = {}
    name = ""
    for line in said.splitlines():
        if found := re.search(r"Compiling entry function '(?:void )?icseg::cuda::([\w<> ]+)\(", line):
            name = found[1]
            use[name] = {"registers": 0, "shared_bytes": 0, "stack_bytes": 0, "spill_bytes": 0}
        for field, pattern in (
            ("registers", r"Used (\d+) registers"),
            ("shared_bytes", r"(\d+) bytes smem"),
            ("stack_bytes", r"(\d+) bytes stack frame"),
            ("spill_bytes", r"(\d+) bytes spill stores"),
        ):
            if name and (found := re.search(pattern, line)):
                use[name][field] = max(use[name][field], int(found[1]))
    return dict(sorted(use.items()))


def main() -> None:
    """Measure and write the budget."""
    budget = {"nvcc": nvcc_version(), **{one: resource_use(one) for one in ARCHITECTURES if supports(one)}}
    BUDGET.write_text(json.dumps(budget, indent=1) + "\n")


if __name__ == "__main__":
    main()
