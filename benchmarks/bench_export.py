"""All sizes of SAM 2.1 through the exporter: parity of every graph, then TensorRT plans in FP16 and INT8, with no GPU.

Random weights, because the graphs, their operators and their memory do not depend on them. Every graph is loaded in
ONNX Runtime and compared with PyTorch, as every export does, then built into plans by TensorRT for RTX, whose builder
needs no GPU: nodes, layers, size of the plan, weights and activations as the builder's log gives them. A proxy for a
Jetson's TensorRT, which has the same parser and API, and no timing of anything.

    python benchmarks/bench_export.py --save
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import onnx
import torch
import transformers
from tqdm import tqdm
from transformers import Sam2VideoModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.timing import publish
from export.build_plan import build_plan
from export.graph.graph_file import widen_weights
from export.graph.half_graph import to_half
from export.graph.half_policy import half_policy
from export.graph.quantize import activations, collect, layers_to_quantize, quantize
from export.plan_options import PlanOptions
from export.sam2_sizes import SIZES, sam2_config
from export.sam2_to_onnx import export_segmenter, facts_of, sample_feeds
from icseg.inference.manifest import FLOAT16, INT8, TENSORRT_RTX
from icseg.tracker.graphs import GRAPH_NAMES, graph_specs

CAPABILITY = "8.6"
"""The GPU generation nearest to Orin's 8.7 that TensorRT for RTX builds for."""


def random_model(size: str, resolution: int) -> Sam2VideoModel:
    """With weights of one seed."""
    torch.manual_seed(0)
    return Sam2VideoModel(sam2_config(size, resolution)).eval()


def plans_of(folder: Path, model: Sam2VideoModel, work: Path) -> dict[str, dict[str, Any]]:
    """Graph name -> precision -> what the builder said; INT8 where some layers become INT8."""
    facts = facts_of(model, memory_slots=7, pointer_slots=16, max_points=8)
    specs, out = graph_specs(facts), {}
    for name in GRAPH_NAMES:
        graph = onnx.load(folder / f"{name}.onnx")
        typed = {FLOAT16: graph}
        widened = onnx.ModelProto()
        widened.CopyFrom(graph)
        widen_weights(widened)
        if layers := layers_to_quantize(name, widened.graph):
            samples = [sample_feeds(specs[name], facts, seed) for seed in range(2)]
            histograms = collect(widened, set(activations(widened.graph, layers).values()), samples)
            thresholds = {tensor: histogram.threshold("max") for tensor, histogram in histograms.items()}
            typed[INT8] = quantize(widened, thresholds, layers)
        out[name] = {}
        for precision, one in typed.items():
            path = work / f"{name}-{precision}.onnx"
            onnx.save(to_half(one, half_policy(name)).model, path)
            facts_of_plan = build_plan(
                path, path.with_suffix(".plan"), PlanOptions(precision, TENSORRT_RTX, CAPABILITY)
            )
            kept = asdict(facts_of_plan)
            out[name][precision] = {
                key: kept[key]
                for key in ("nodes", "layers", "products", "plan_bytes", "weights_bytes", "activation_bytes")
            }
    return out


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", choices=tuple(SIZES), default=list(SIZES))
    parser.add_argument("--resolutions", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_export.json")
    args = parser.parse_args()
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()
    rows = []
    cases = [(size, resolution) for resolution in args.resolutions for size in args.sizes]
    for size, resolution in tqdm(cases, unit="model", disable=not sys.stderr.isatty()):
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            model = random_model(size, resolution)
            errors = export_segmenter(model, Path(folder), name=size, source_sha256="0" * 64)
            export_s = time.perf_counter() - begin
            plans = plans_of(Path(folder), model, Path(folder))
        rows.append(
            {
                "size": size,
                "resolution": resolution,
                "parameters": sum(p.numel() for p in model.parameters()),
                "export_s": round(export_s, 1),
                "relative_error_against_torch": {name: float(f"{error:.2e}") for name, error in errors.items()},
                "plans": plans,
            }
        )
    results = {
        "what": "SAM 2.1 with random weights: ONNX Runtime against PyTorch, and plans of TensorRT for RTX",
        "engine": TENSORRT_RTX,
        "compute_capability": CAPABILITY,
        "memory_slots": 7,
        "models": rows,
    }
    publish("bench_export", results, save=args.save)


if __name__ == "__main__":
    main()
