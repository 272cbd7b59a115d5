"""Forms of memory attention for ONNX Runtime on a CPU: one layer of SAM 2.1, seven slots and sixteen pointers.

The same softmax(query @ key^T + mask) @ value, values 64 wide, in five forms: the plain products that are exported;
the queries in chunks, unrolled; ONNX's own Attention of opset 23; ONNX Runtime's operator with the mask as another
column (what ``export/graph/cpu_attention.py`` writes); and without any mask, for scale. Every form runs in a process
of its own, for its peak memory, several times in turns; its values are compared with those of the plain products
before times are told. Processor time is told beside the clock's, as it suffers less from what else a machine does; it
is of all threads.

    python benchmarks/bench_attention.py --save
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.timing import publish, summary_ms
from benchmarks.tracker_arms import peak_mb
from export.difference import relative_error
from export.graph.cpu_attention import join_attention
from export.graph.graph_rewriter import DOMAIN, Rewriter, shapes_of

WIDTH, VALUE_WIDTH, SLOTS, POINTER_TOKENS, STRIDE = 256, 64, 7, 64, 16
CHUNK = 512
PLAIN, CHUNKS, STANDARD, BLOCKS, UNMASKED = FORMS = ("plain", "chunks", "opset_23", "blocks", "blocks_without_mask")
TOLERANCE = 1e-5
RUNS = 2
"""Timed ones of a process, after one that is not."""


def model_of(form: str, queries: int, keys: int) -> onnx.ModelProto:
    """One layer's attention, without its projections."""
    value, node = helper.make_tensor_value_info, helper.make_node
    inputs = {"q": [1, queries, WIDTH], "k": [1, keys, WIDTH], "v": [1, keys, VALUE_WIDTH], "mask": [keys]}
    constants = {"axis": np.array([1])}
    transpose = node("Transpose", ["k"], ["kt"], "transpose", perm=[0, 2, 1])
    if form == CHUNKS:
        nodes, parts = [transpose], []
        for at in range(0, queries, CHUNK):
            constants |= {f"from{at}": np.array([at]), f"to{at}": np.array([at + CHUNK])}
            nodes.append(node("Slice", ["q", f"from{at}", f"to{at}", "axis"], [f"q{at}"]))
            nodes += _products(f"q{at}", f"y{at}")
            parts.append(f"y{at}")
        nodes.append(node("Concat", parts, ["y"], axis=1))
    elif form == STANDARD:
        constants["scores"] = np.array([queries, keys])
        nodes = [node("Expand", ["mask", "scores"], ["bias"])]
        nodes.append(node("Attention", ["q", "k", "v", "bias"], ["y"], q_num_heads=1, kv_num_heads=1, scale=1.0))
    else:
        nodes = [transpose, *_products("q", "y", is_masked=form != UNMASKED)]
    graph = helper.make_graph(
        nodes,
        form,
        [value(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [value("y", TensorProto.FLOAT, [1, queries, VALUE_WIDTH])],
        [onnx.numpy_helper.from_array(one, name) for name, one in constants.items()],
    )
    opset = 23 if form == STANDARD else 18
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    if form in (BLOCKS, UNMASKED):
        rewriter = Rewriter(model.graph)
        join_attention(rewriter, shapes_of(model), min_scores=0)
        rewriter.finish()
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    return model


def _products(query: str, output: str, *, is_masked: bool = True) -> list[onnx.NodeProto]:
    node, scores = helper.make_node, f"{output}_masked" if is_masked else f"{output}_scores"
    add = [node("Add", [f"{output}_scores", "mask"], [scores], f"{output}_add")] if is_masked else []
    return [
        node("MatMul", [query, "kt"], [f"{output}_scores"], f"{output}_qk"),
        *add,
        node("Softmax", [scores], [f"{output}_weights"], f"{output}_softmax", axis=-1),
        node("MatMul", [f"{output}_weights", "v"], [output], f"{output}_pv"),
    ]


def run_form(form: str, queries: int, keys: int, threads: int, out: Path) -> None:
    """In a process of its own: a line of JSON on stdout, the values in a file."""
    random = np.random.default_rng(0)
    feeds = {
        "q": random.standard_normal((1, queries, WIDTH), np.float32) / 4,
        "k": random.standard_normal((1, keys, WIDTH), np.float32),
        "v": random.standard_normal((1, keys, VALUE_WIDTH), np.float32),
        "mask": np.zeros(keys, np.float32),
    }
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # it warns of the mask that the unmasked form does not read
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    model = model_of(form, queries, keys).SerializeToString()
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    clock_ms, processor_ms = [], []
    for _ in range(RUNS + 1):
        clock, processor = time.perf_counter(), time.process_time()
        (values,) = session.run(None, feeds)
        processor_ms.append((time.process_time() - processor) * 1e3)
        clock_ms.append((time.perf_counter() - clock) * 1e3)
    np.save(out, values)
    print(json.dumps({"clock": clock_ms[1:], "processor": processor_ms[1:], "peak_mb": peak_mb()}))


def measure(resolution: int, rounds: int, threads: int) -> dict[str, Any]:
    """All forms at one resolution."""
    queries = (resolution // STRIDE) ** 2
    keys = SLOTS * queries + POINTER_TOKENS
    said: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(rounds):
            for form in FORMS:
                command = [sys.executable, __file__, "--form", form, *map(str, ("--threads", threads))]
                command += map(str, ("--sizes", queries, keys, "--out", Path(name) / f"{form}.npy"))
                done = subprocess.run(command, capture_output=True, text=True, check=True)
                said[form].append(json.loads(done.stdout.strip().splitlines()[-1]))
        values = {form: np.load(Path(name) / f"{form}.npy") for form in FORMS}
    errors = {form: relative_error(values[form], values[PLAIN]) for form in FORMS}
    if max(errors.values()) > TOLERANCE:
        raise RuntimeError(f"the forms differ: {errors}")
    rows = {
        form: {
            "clock": summary_ms([spent for one in said[form] for spent in one["clock"]]),
            "processor": summary_ms([spent for one in said[form] for spent in one["processor"]]),
            "peak_mb": max(one["peak_mb"] for one in said[form]),
            "relative_l2_to_plain": float(f"{errors[form]:.1e}"),
        }
        for form in FORMS
    }
    gflop = 2 * queries * keys * (WIDTH + VALUE_WIDTH) / 1e9
    return {"resolution": resolution, "queries": queries, "keys": keys, "gflop": round(gflop, 1), "forms": rows}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--resolutions", nargs="+", type=int, default=[512, 1024])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--note", default="", help="goes into the results, e.g. what else the machine did")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_attention.json")
    parser.add_argument("--form", choices=FORMS, help=argparse.SUPPRESS)
    parser.add_argument("--sizes", nargs=2, type=int, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.form:
        run_form(args.form, *args.sizes, args.threads, args.out)
        return
    results = {
        "what": "memory attention of one layer of SAM 2.1 on ONNX Runtime's CPU provider, in several forms",
        "note": args.note,
        "threads": args.threads,
        "runs_of_a_process": RUNS,
        "resolutions": [measure(resolution, args.rounds, args.threads) for resolution in args.resolutions],
    }
    publish("bench_attention", results, save=args.save)


if __name__ == "__main__":
    main()
