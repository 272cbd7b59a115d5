"""What FP16 costs: every nano graph converted in three ways, against FP32, alone and in recurrent tracking.

Ways: ours (export/graph/half_policy.py says what stays FP32); ours with nothing kept but the casts; onnxruntime's
``convert_float_to_float16`` with the very nodes kept that ours keeps. The errors of a graph are on inputs recorded from
FP32 tracking of the clip that ships, two things; the tracking is that of the same clip with all four graphs converted.
ONNX Runtime on the CPU computes most FP16 operators in FP32 and rounds what they give: this measures rounding, not
speed. With TensorRT for RTX installed, the memory of each graph's plan for SM 8.6 as its builder's log has it.

    python benchmarks/bench_half.py --save
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.timing import publish
from export.build_plan import build_plan
from export.graph.half_graph import inline_constants, kept_nodes, to_half
from export.graph.half_policy import HalfPolicy, half_policy
from export.plan_options import PlanOptions
from icseg.assets import nano_models
from icseg.errors import BackendError
from icseg.evaluation.metrics import jaccard
from icseg.inference.manifest import FLOAT16, FLOAT32, Manifest, load_manifest, sha256_of, write_manifest
from icseg.inference.runner import Runner
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from icseg.sim.clip_file import load_clip
from icseg.tracker.graphs import GRAPH_NAMES, SegmenterFacts
from icseg.tracker.loading import load_tracker
from icseg.tracker.tracker import Tracker
from icseg.types import Array, MaskBool, Prompt

FOLDER = nano_models() / "segmenter"
PLAN = {"engine": "tensorrt_rtx", "compute_capability": "8.6"}


def ours(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """As it is built."""
    return to_half(model, half_policy(name)).model


def nothing_kept(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """All that computes in floats becomes FP16."""
    return to_half(model, HalfPolicy({"Cast": "another type"}, {})).model


def of_onnxruntime(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """onnxruntime's own converter, with our list of nodes."""
    plain = onnx.ModelProto()
    plain.CopyFrom(model)
    inline_constants(plain.graph)
    names = [plain.graph.node[index].name for index in kept_nodes(plain.graph, half_policy(name))]
    return convert_float_to_float16(plain, keep_io_types=True, node_block_list=names)


WAYS: dict[str, Callable[[onnx.ModelProto, str], onnx.ModelProto]] = {
    "ours": ours,
    "nothing_kept": nothing_kept,
    "onnxruntime": of_onnxruntime,
}


class Recorder:
    """A runner that keeps every so manieth of its feeds."""

    def __init__(self, runner: Runner, every: int) -> None:
        self.backend, self.inputs, self.outputs = runner.backend, runner.inputs, runner.outputs
        self.feeds: list[dict[str, Array]] = []
        self._runner, self._every, self._count = runner, every, 0

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """As the runner."""
        if self._count % self._every == 0:
            self.feeds.append({name: value.copy() for name, value in feeds.items()})
        self._count += 1
        return self._runner.run(feeds)


def track(tracker: Tracker, count: int) -> Iterator[dict[int, MaskBool]]:
    """Masks by object of two things of the shipped clip, prompted with a box in the first frame."""
    state = tracker.new_state()
    for number, sim in zip(tqdm(range(count), unit="frame", leave=False), load_clip(), strict=False):
        if number == 0:
            things = sorted(sim.things, key=lambda thing: -int(sim.mask(thing).sum()))[:2]
            for object_id, thing in enumerate(things, 1):
                box = sim.box_image_px(thing)
                assert box is not None
                result = tracker.add_prompt(state, sim.frame, object_id, Prompt(box))
        else:
            result = tracker.step(state, sim.frame)
        yield {object_id: one.mask.copy() for object_id, one in result.objects.items()}


def convert(folder: Path, manifest: Manifest, way: str) -> None:
    """Write a folder of the four graphs, converted."""
    files = {}
    for name in GRAPH_NAMES:
        path = folder / f"{name}.onnx"
        onnx.save(WAYS[way](onnx.load(FOLDER / manifest.files[name].file), name), path)
        files[name] = replace(manifest.files[name], sha256=sha256_of(path), precision=FLOAT16)
    write_manifest(folder, replace(manifest, files=files, precision=FLOAT16))


def errors(path: Path, feeds: list[dict[str, Array]], threads: int) -> dict[str, float]:
    """Output -> largest relative L2 error over the recorded inputs."""
    full, half = (OnnxRuntimeRunner(one, threads=threads) for one in (FOLDER / path.name, path))
    worst = dict.fromkeys(full.outputs, 0.0)
    for feed in feeds:
        expected, got = full.run(feed), half.run(feed)
        for name, value in expected.items():
            scale = max(float(np.linalg.norm(value)), 1e-12)
            worst[name] = max(worst[name], float(np.linalg.norm(got[name] - value)) / scale)
    return {name: float(f"{value:.2e}") for name, value in worst.items()}


def plan_memory(path: Path, precision: str, folder: Path) -> dict[str, Any] | None:
    """What is known of a plan for SM 8.6; None without a builder."""
    try:
        facts = build_plan(path, folder / "a.plan", PlanOptions(precision, **PLAN))
    except BackendError as error:
        print(f"no plan: {error}", file=sys.stderr)
        return None
    return {
        "products": facts.products,
        "plan_bytes": facts.plan_bytes,
        "weights_bytes": facts.weights_bytes,
        "activation_bytes": facts.activation_bytes,
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=150, help="of the clip that ships")
    parser.add_argument(
        "--every", type=int, default=15, help="every so manieth run of a graph is an input to compare on"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_half.json")
    args = parser.parse_args()
    manifest = load_manifest(FOLDER, kind="segmenter")
    recorders = {
        name: Recorder(OnnxRuntimeRunner(FOLDER / file.file, threads=args.threads), args.every)
        for name, file in manifest.files.items()
    }
    facts = SegmenterFacts.from_mapping(manifest.image_size, manifest.facts)
    expected = list(track(Tracker(recorders, manifest, facts), args.frames))
    ways: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as temporary:
        full = {name: plan_memory(FOLDER / f"{name}.onnx", FLOAT32, Path(temporary)) for name in GRAPH_NAMES}
        for way in WAYS:
            folder = Path(temporary) / way
            folder.mkdir()
            convert(folder, manifest, way)
            graphs = {}
            for name in GRAPH_NAMES:
                path = folder / f"{name}.onnx"
                nodes = onnx.load(path).graph.node
                graphs[name] = {
                    "casts": sum(node.op_type == "Cast" for node in nodes),
                    "relative_errors": errors(path, recorders[name].feeds, args.threads),
                    "plan": plan_memory(path, FLOAT16, Path(temporary)),
                }
            got = track(load_tracker(folder, threads=args.threads), args.frames)
            ious = [jaccard(one[k], other[k]) for one, other in zip(expected, got, strict=True) for k in one]
            ways[way] = {
                "mean_iou": round(float(np.mean(ious)), 5),
                "min_iou": round(min(ious), 5),
                "n_masks": len(ious),
                "graphs": graphs,
            }
            print(f"{way:14} mask IoU against FP32: mean {ways[way]['mean_iou']}, least {ways[way]['min_iou']}")
    results = {
        "what": "nano segmenter in FP16 on ONNX Runtime against FP32: graphs on recorded inputs, recurrent tracking",
        "frames": args.frames,
        "recorded_inputs": {name: len(recorder.feeds) for name, recorder in recorders.items()},
        "plans_fp32": full,
        "ways": ways,
    }
    publish("bench_half", results, save=args.save)


if __name__ == "__main__":
    main()
