"""What the CUDA kernels would put on a Jetson Orin: launches, bytes, and the time below which no kernel can be.

A model, not a measurement: nothing ran on a GPU. The launches are those that the compiled launchers make for these
sizes (traced through the emulation), the registers and shared memory those that nvcc gives the kernels for sm_87
(kernels/tests/budget.json). A floor is compulsory bytes over the memory's peak rate; caches, launch costs and waits
come on top and are not known here.

    python benchmarks/bench_kernels_model.py --save
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "kernels" / "tests"))
from emulated_build import build_trace
from resource_use import BUDGET

from benchmarks.timing import publish

BOARDS = {
    "Orin Nano 8 GB (Super)": {"gb_s": 102.0, "multiprocessors": 8},
    "Orin NX 16 GB": {"gb_s": 102.4, "multiprocessors": 8},
    "AGX Orin 64 GB": {"gb_s": 204.8, "multiprocessors": 16},
}
"""Memory rate and multiprocessors from NVIDIA's data sheets."""
REGISTERS, SHARED_BYTES, THREADS, BLOCKS = 65536, 164 * 1024, 1536, 16
"""What one multiprocessor of compute capability 8.7 has. *Source:* CUDA programming guide, technical specifications."""
RESERVED_SHARED_BYTES = 1024
"""What the system takes of every block."""
SIZES = {"480p": (480, 640), "720p": (720, 1280), "1080p": (1080, 1920)}
CELLS, SIDE = 256, 1024
"""SAM 2.1's logits and input."""


def resident_blocks(kernel: str, threads: int, budget: dict[str, dict[str, int]]) -> tuple[int, str]:
    """Blocks of a kernel that one multiprocessor holds, and what limits them."""
    use = next(taken for name, taken in budget.items() if name.split("<")[0] == kernel.split("<")[0])
    warps = -(-threads // 32)
    registers = warps * 32 * (-(-use["registers"] // 8) * 8)
    limits = {
        "threads": THREADS // (warps * 32),
        "blocks": BLOCKS,
        "registers": REGISTERS // registers,
        "shared memory": SHARED_BYTES // (use["shared_bytes"] + RESERVED_SHARED_BYTES),
    }
    limit = min(limits, key=lambda name: limits[name])
    return limits[limit], limit


def compulsory_bytes(operation: str, objects: int, hw: tuple[int, int]) -> int:
    """What must be read and written once: inputs and outputs, no intermediate results."""
    height, width = hw
    logits, words = 4 * CELLS * CELLS, 4 * height * -(-width // 32)
    low_words, labels, planes = CELLS * CELLS // 8, 4 * CELLS * CELLS, 2 * 3 * SIDE * SIDE
    each = {
        "clean_logits_up_to_8": 2 * logits,
        "clean_logits_any_area": 2 * logits,
        "upsample_threshold": logits + words,
        "upsample_threshold_exclusive": logits + words,
        "mask_statistics": words,
        "connected_components_low_resolution": low_words + labels,
        "largest_component_low_resolution": labels + low_words,
        "distance_peak_low_resolution": low_words,
        "mask_iou_matrix": words,
        "mask_nms": words,
        "rle_encode": words,
        "rle_decode": words,
        "contours": words,
        "overlay": words,
    }
    once = {
        "preprocess_bgr8_fp16": 3 * height * width + planes,
        "preprocess_nv12_fp16": 3 * height * width // 2 + planes,
        "overlay": 2 * 3 * height * width,
    }
    return objects * each.get(operation, 0) + once.get(operation, 0)


def trace(objects: int, hw: tuple[int, int]) -> dict[str, list[tuple[str, tuple[int, int, int], int]]]:
    """Operation -> its launches: kernel, grid, threads of a block."""
    command = [str(build_trace()), *map(str, (objects, CELLS, *hw, SIDE))]
    operations: dict[str, list[tuple[str, tuple[int, int, int], int]]] = {}
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        operation, kernel, x, y, z, threads = line.split()
        operations.setdefault(operation, []).append((kernel, (int(x), int(y), int(z)), int(threads)))
    return operations


def model(objects: int, hw: tuple[int, int], budget: dict[str, dict[str, int]]) -> list[Any]:
    """One row an operation."""
    rows = []
    for operation, launches in trace(objects, hw).items():
        kernels = []
        for kernel, grid, threads in launches:
            if kernel == "memset":
                continue
            resident, limit = resident_blocks(kernel, threads, budget)
            blocks = math.prod(grid)
            waves = {name: round(blocks / (resident * board["multiprocessors"]), 2) for name, board in BOARDS.items()}
            row = {"kernel": kernel, "blocks": blocks, "threads": threads, "blocks_per_multiprocessor": resident}
            kernels.append({**row, "limited_by": limit, "waves": waves})
        moved = compulsory_bytes(operation, objects, hw)
        floors = {name: round(moved / board["gb_s"] / 1e3, 2) for name, board in BOARDS.items()}
        counts = {"launches": len(kernels), "memsets": len(launches) - len(kernels)}
        rows.append({"operation": operation, **counts, "bytes": moved, "floor_us": floors, "kernels": kernels})
    return rows


def sam2(objects: int, hw: tuple[int, int]) -> dict[str, Any]:
    """What SAM 2's own code would do for holes, masks at the camera's size and no statistics.

    *Source:* csrc/connected_components.cu and utils/misc.py of the sam2 project: a loop over objects with six launches
    each and three zero-fills, one comparison before and four element-wise passes after; then ``interpolate`` and ``>``.
    The bytes count each array once where a pass writes it and once where the next one reads it: logits and a byte mask,
    labels and areas, the filled logits, FP32 and a byte a pixel at the camera's size.
    """
    height, width = hw
    cells, pixels = objects * CELLS * CELLS, objects * height * width
    compare_and_label = cells * (4 + 1) + cells * (1 + 4 + 4)
    fill = cells * (4 + 4 + 4 + 4)  # labels, areas, logits; the filled logits
    resize_and_threshold = 4 * cells + 4 * pixels + (4 + 1) * pixels
    moved = compare_and_label + fill + resize_and_threshold
    return {
        "launches": 6 * objects + 1 + 4 + 2,
        "zero_fills": 3,
        "bytes": moved,
        "floor_us": {name: round(moved / board["gb_s"] / 1e3, 2) for name, board in BOARDS.items()},
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_kernels_model.json")
    args = parser.parse_args()
    compiled = json.loads(BUDGET.read_text())
    rows = []
    for size, hw in SIZES.items():
        for objects in (1, 8):
            operations = {row["operation"]: row for row in model(objects, hw, compiled["sm_87"])}
            fused = [operations["clean_logits_up_to_8"], operations["upsample_threshold"]]
            together = {
                "launches": sum(row["launches"] for row in fused),
                "memsets": sum(row["memsets"] for row in fused),
                "bytes": sum(row["bytes"] for row in fused),
                "floor_us": {name: round(sum(row["floor_us"][name] for row in fused), 2) for name in BOARDS},
            }
            rows.append(
                {
                    "size": size,
                    "objects": objects,
                    "clean_masks_with_statistics": together,
                    "sam2_holes_and_masks_without_statistics": sam2(objects, hw),
                    "operations": list(operations.values()),
                }
            )
    results = {
        "what": "a model of the CUDA kernels on Jetson Orin: nothing was run on a GPU, no time here is measured",
        "nvcc": compiled["nvcc"],
        "architecture": "sm_87",
        "boards": BOARDS,
        "sizes": rows,
    }
    publish("bench_kernels_model", results, save=args.save)


if __name__ == "__main__":
    main()
