"""One tracker step, stage by stage: icseg on ONNX Runtime, FP32 and INT8, beside transformers with the same weights.

The clip is a scene of the test split at 640x480, one thing, a true box in the first frame; all seven memory slots and
sixteen pointers are full before the first step that is timed. Every arm runs in a process of its own, and they take
turns, one step each, with the same frames and threads; an arm's masks are compared with those of transformers before
times are told. The full-size models have random weights: time does not depend on them, and the agreement of random
masks means nothing for INT8. With each model comes what its graphs compute and move, and the least time that takes on a
Jetson Orin.

    python benchmarks/bench_tracker.py --save
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from transformers import Sam2VideoModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.graph_cost import ORIN, graph_cost
from benchmarks.timing import publish, summary_ms
from benchmarks.tracker_arms import ARMS, ICSEG, load_clip
from export.build_folder import tracker_maker
from export.calibration import Clip, record
from export.graph.calibrator import choose
from export.graph.cpu_graph import spell_for_cpu
from export.graph.graph_file import widen_weights
from export.graph.quantize import layers_to_quantize
from export.sam2_sizes import sam2_config
from export.sam2_to_onnx import export_segmenter
from icseg.assets import nano_models
from icseg.inference.manifest import FLOAT32, INT8, load_manifest, sha256_of, write_manifest
from icseg.sim.scene import make_scene
from icseg.sim.table import SimulatedTable, stream
from icseg.tracker.graphs import GRAPH_NAMES
from icseg.tracker.loading import load_tracker
from icseg.tracker.state import TrackerConfig

WARM_UP = 17
"""Frames before the first that is timed: slots and pointers are full by then, and every buffer is there."""
CALIBRATED_FRAMES = 14
REFERENCE = "transformers_eager"


@dataclass(frozen=True, slots=True)
class Case:
    """A model, and how many of its steps are timed."""

    model: str
    resolution: int | None
    steps: int

    @property
    def name(self) -> str:
        """For people."""
        return self.model if self.resolution is None else f"sam2.1-{self.model}-{self.resolution}"


CASES = (Case("nano", None, 90), Case("tiny", 512, 12), Case("tiny", 1024, 5))


def prepare(case: Case, folder: Path, seed: int, threads: int) -> None:
    """Clip, weights and engines of one case."""
    with SimulatedTable() as table:
        spec = make_scene(seed, split="test", ambiguous_kind="mug")
        sims = list(stream(table, spec, fps=15, duration_s=(WARM_UP + case.steps + 1) / 15))
    thing = max(sims[0].things, key=lambda number: int(sims[0].mask(number).sum()))
    np.savez(folder / "clip.npz", images=np.stack([sim.frame.image for sim in sims]), box=sims[0].box_image_px(thing))
    if case.resolution is None:
        shutil.copytree(nano_models() / "segmenter", folder / "weights")
        shutil.copytree(nano_models() / "segmenter", folder / "graphs")
    else:
        torch.manual_seed(0)
        model = Sam2VideoModel(sam2_config(case.model, case.resolution)).eval()
        model.save_pretrained(folder / "weights")
        export_segmenter(model, folder / "graphs", name=case.name, source_sha256="0" * 64)
    write_engines(folder, FLOAT32, {name: onnx.load(folder / "graphs" / f"{name}.onnx") for name in GRAPH_NAMES})
    write_engines(folder, INT8, quantize_case(folder, threads))


def write_engines(folder: Path, precision: str, graphs: dict[str, onnx.ModelProto]) -> None:
    """Some of the graphs of a case, spelled for the CPU as a build does it, and the FP32 engines for the rest."""
    out = folder / precision / "segmenter"
    shutil.copytree(folder / ("graphs" if precision == FLOAT32 else f"{FLOAT32}/segmenter"), out)
    manifest = load_manifest(out, kind="segmenter")
    files = dict(manifest.files)
    for name, graph in graphs.items():
        onnx.save(spell_for_cpu(graph), out / files[name].file)
        files[name] = replace(files[name], precision=precision, sha256=sha256_of(out / files[name].file))
    calibration = "0" * 64 if precision == INT8 else ""
    write_manifest(out, replace(manifest, files=files, precision=precision, calibration_sha256=calibration))


def quantize_case(folder: Path, threads: int) -> dict[str, onnx.ModelProto]:
    """The graphs of a case that have INT8 layers, calibrated on its first frames."""
    source = folder / "graphs"
    frames, prompt = load_clip(folder / "clip.npz")
    tracker = load_tracker(source, threads=threads)
    clip = Clip(frames[:CALIBRATED_FRAMES], {1: prompt}, {})
    make_tracker = tracker_maker(tracker.manifest, TrackerConfig())
    samples = record(tracker.runners, make_tracker, iter([clip]))
    quantized = {}
    for name in GRAPH_NAMES:
        graph = onnx.load(source / f"{name}.onnx")
        widen_weights(graph)
        if layers := layers_to_quantize(name, graph.graph, for_cpu=True):
            quantized[name] = choose(graph, layers, samples[name], methods=("max",), threads=threads).model
    return quantized


class Arm:
    """One arm in a process of its own, which does a step whenever it is told to."""

    def __init__(self, name: str, folder: Path, threads: int) -> None:
        self._masks, self._words = folder / f"{name}.npz", folder / f"{name}.stderr"
        script = Path(__file__).with_name("tracker_arms.py")
        command = [sys.executable, str(script), name, str(folder), str(self._masks), "--threads", str(threads)]
        with self._words.open("w") as stderr:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, text=True
            )
        self._rows: list[dict[str, float]] = []

    def step(self) -> None:
        """One step; nothing where the process has died, of which ``finish`` tells."""
        if self._process.poll() is None:
            with contextlib.suppress(BrokenPipeError):
                print(file=self._process.stdin, flush=True)
                self._rows += self._answer()

    def finish(self) -> dict[str, Any]:
        """What it says of itself; ``error`` with its last words when it could not run."""
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        said = self._answer()
        if self._process.wait() != 0 or not said:
            words = self._words.read_text().strip().splitlines()
            return {"error": words[-1][:300] if words else f"exit code {self._process.returncode}"}
        with np.load(self._masks, allow_pickle=False) as archive:
            masks = archive["masks"]
        stages: dict[str, list[float]] = defaultdict(list)
        for row in self._rows[WARM_UP - 1 :]:
            for stage, spent in row.items():
                stages[stage].append(spent)
        step = summary_ms(stages.pop("total"))
        return {"step": step, "stages": {name: summary_ms(spent) for name, spent in stages.items()}, "masks": masks} | {
            "peak_mb": said[0]["peak_mb"]
        }

    def _answer(self) -> list[dict[str, float]]:
        line = self._process.stdout.readline()
        return [json.loads(line)] if line else []


def run_arms(names: Sequence[str], folder: Path, steps: int, threads: int) -> dict[str, dict[str, Any]]:
    """What every arm says; they take turns, one step each, so that what else the machine does falls on all of them."""
    arms = {name: Arm(name, folder, threads) for name in names}
    for _ in range(WARM_UP - 1 + steps):
        for arm in arms.values():
            arm.step()
    return {name: arm.finish() for name, arm in arms.items()}


def mean_iou(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Mean IoU over frames; two empty masks agree."""
    scores = [(a & b).sum() / (a | b).sum() if (a | b).any() else 1.0 for a, b in zip(ours, theirs, strict=True)]
    return round(float(np.mean(scores)), 4)


def measure(case: Case, names: Sequence[str], seed: int, threads: int) -> dict[str, Any]:
    """Arms of one case."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(case, folder, seed, threads)
        arms = run_arms(names, folder, case.steps, threads)
        costs = {graph: graph_cost(folder / "graphs" / f"{graph}.onnx") for graph in GRAPH_NAMES}
    reference = arms[REFERENCE]
    for arm in arms.values():
        if "masks" in arm and arm is not reference:
            arm["mask_iou_with_transformers"] = mean_iou(arm["masks"], reference["masks"])
            arm["ratio_to_transformers_eager"] = round(arm["step"]["median_ms"] / reference["step"]["median_ms"], 3)
    for arm in arms.values():
        arm.pop("masks", None)
    return {
        "model": case.name,
        "arms": arms,
        "computes": {
            graph: {
                "layer_gflop": round(cost.layer_flop / 1e9, 3),
                "attention_gflop": round(cost.product_flop / 1e9, 3),
                "weights_million": round(cost.weight_count / 1e6, 3),
            }
            for graph, cost in costs.items()
        },
        "least_ms_on_orin_by_arithmetic": {
            device.name: {
                precision: round(sum(cost.least_ms(device, precision) for cost in costs.values()), 2)
                for precision in ("float16", "int8")
            }
            for device in ORIN
        },
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=[case.name for case in CASES], default=[c.name for c in CASES])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), help=f"{REFERENCE} is always there")
    parser.add_argument("--seed", type=int, default=3000, help="scene of the test split")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, help="timed steps of every model, at most those of its own")
    parser.add_argument("--note", default="", help="goes into the results, e.g. what else the machine did")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_tracker.json")
    args = parser.parse_args()
    cases = [case if args.steps is None else replace(case, steps=min(case.steps, args.steps)) for case in CASES]
    names = [name for name in ARMS if name == REFERENCE or name in args.arms]
    rows = []
    for case in cases:
        if case.name not in args.models:
            continue
        rows.append(measure(case, names, args.seed, args.threads))
        results = {
            "what": "one tracker step, one thing, 640x480, seven slots and sixteen pointers full",
            "note": args.note,
            "threads": args.threads,
            "torch": torch.__version__,
            "icseg_arms": ICSEG,
            "models": rows,
        }
        publish("bench_tracker", results, save=args.save)  # after each, as the last one takes the longest


if __name__ == "__main__":
    main()
