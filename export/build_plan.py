"""Build a TensorRT plan from an ONNX graph, with tensorrt or TensorRT for RTX, whichever is there.

    python -m export.build_plan models/nano/segmenter/memory_encoder.onnx memory_encoder.plan --fp16 --target 8.6

Networks are strongly typed: the plan computes in the types of the graph. --fp16 and --int8 therefore convert the graph
first (what stays FP32 is a table in graph/half_policy.py) and keep the converted one beside the plan; --int8 wants a
graph that is quantized already. The builder's log is kept beside the plan too. TensorRT for RTX builds for any --target
without a GPU; tensorrt builds for the GPU of this machine.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from export.atomic_file import write_atomically
from export.build_log import BuildProgress, memory_bytes
from export.graph.half_graph import computes_in_half, read_graph, to_half
from export.graph.half_policy import half_policy
from export.plan_network import add_profiles, check_precision, parse_network, product_precisions
from export.plan_options import PlanOptions, parse_profile
from icseg.errors import BackendError, IcsegError
from icseg.inference.cuda_stream import CudaStream
from icseg.inference.manifest import FLOAT16, FLOAT32, INT8, TENSORRT, TENSORRT_RTX, sha256_of
from icseg.inference.tensorrt_module import find_tensorrt, load_tensorrt, make_logger


@dataclass(frozen=True, slots=True)
class PlanFacts:
    """What was built.

    Attributes:
        engine, engine_version, compute_capability, precision, sha256: for the manifest.
        nodes: how many the ONNX graph has.
        layers: how many TensorRT's network has, before it is fused.
        products: precision -> number of convolutions and matrix products that run in it.
        plan_bytes: size of the file.
        weights_bytes, activation_bytes: device memory, as the builder's log says; None where it does not.
        build_s: seconds that the builder took.
    """

    engine: str
    engine_version: str
    compute_capability: str
    precision: str
    sha256: str
    nodes: int
    layers: int
    products: dict[str, int]
    plan_bytes: int
    weights_bytes: int | None
    activation_bytes: int | None
    build_s: float


def log_path(plan: Path) -> Path:
    """Where the builder's log of a plan is kept."""
    return plan.with_name(f"{plan.name}.log")


def build_plan(graph: Path, plan: Path, options: PlanOptions) -> PlanFacts:
    """Build and write one plan, and its log beside it.

    Args:
        graph: .onnx file in the types that the plan is to compute in.
        plan: where it goes; a plan that is there already stays until the new one is whole.

    Raises:
        BackendError: no TensorRT, no such GPU, or the graph is refused; says what to do.
        PlanMismatchError: the file is no graph, or not in the precision that was asked for.
        ValueError: the profiles do not fit the graph, or the target is unknown.
        OSError: a file cannot be read or written; the old plan stays.
        KeyboardInterrupt: Ctrl-C; the old plan stays.
    """
    nodes = len(read_graph(graph).graph.node)
    engine, trt = (options.engine, load_tensorrt(options.engine)) if options.engine else find_tensorrt()
    capability = options.compute_capability or _this_gpu()
    lines: list[str] = []
    try:
        content, facts = _build(trt, engine, capability, graph, plan, options, lines)
    finally:
        write_atomically(log_path(plan), "\n".join([*lines, ""]).encode())
    write_atomically(plan, content)
    memory = memory_bytes(lines)
    return PlanFacts(
        engine=engine,
        engine_version=trt.__version__,
        compute_capability=capability,
        precision=options.precision,
        sha256=sha256_of(plan),
        nodes=nodes,
        plan_bytes=plan.stat().st_size,
        weights_bytes=memory.get("weights"),
        activation_bytes=memory.get("activation"),
        **facts,
    )


def _this_gpu() -> str:
    try:
        return CudaStream().compute_capability
    except BackendError as error:
        raise BackendError(
            f"no GPU here to build for; name a compute capability such as 8.6 (--target): {error}"
        ) from error


def _build(
    trt: ModuleType,
    engine: str,
    capability: str,
    graph: Path,
    plan: Path,
    options: PlanOptions,
    lines: list[str],
) -> tuple[memoryview, dict[str, Any]]:
    errors: list[str] = []

    def keep(severity: str, message: str) -> None:
        lines.append(f"{severity:8} {message}")
        if severity in ("ERROR", "INTERNAL_ERROR"):
            errors.append(message)

    def fault(what: str) -> BackendError:
        reason = errors[-1] if errors else "no reason given"
        return BackendError(f"{graph}: {engine} {what}: {reason}; all it said is in {log_path(plan)}")

    logger = make_logger(trt, keep)
    try:
        builder = trt.Builder(logger)
    except TypeError as error:
        # what its Python binding raises where the constructor gives nothing, as without a GPU
        raise fault("cannot start; tensorrt builds only on the GPU that it builds for") from error
    network = parse_network(trt, builder, logger, graph)
    products = product_precisions(trt, network)
    check_precision(options.precision, products, graph)
    config = builder.create_builder_config()
    config.profiling_verbosity = trt.ProfilingVerbosity.DETAILED
    if not options.allow_tf32:
        config.clear_flag(trt.BuilderFlag.TF32)
    if options.workspace_mb is not None:
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mb << 20)
    add_profiles(builder, config, network, options.profiles, graph)
    _set_target(trt, engine, config, capability)
    cache = options.timing_cache if engine == TENSORRT else None
    if cache:
        _read_timing_cache(config, cache, lines)
    progress = BuildProgress(plan.name, is_shown=options.show_progress)
    config.progress_monitor = progress.monitor(trt)
    start = time.monotonic()
    with progress.running():
        content = builder.build_serialized_network(network, config)
    build_s = time.monotonic() - start
    if content is None:
        raise fault("cannot build it")
    if cache:
        write_atomically(cache, memoryview(config.get_timing_cache().serialize()))
    return memoryview(content), {"layers": network.num_layers, "products": products, "build_s": round(build_s, 2)}


def _set_target(trt: ModuleType, engine: str, config: Any, capability: str) -> None:
    if engine == TENSORRT_RTX:
        names = {name for name in trt.ComputeCapability.__members__ if name.startswith("SM")}
        name = f"SM{capability.replace('.', '')}"
        if name not in names:
            known = sorted(f"{member[2:-1]}.{member[-1]}" for member in names)
            raise ValueError(f"compute capability: {engine} builds for {', '.join(known)}, got {capability}")
        config.num_compute_capabilities = 1
        config.set_compute_capability(getattr(trt.ComputeCapability, name), 0)
    elif capability != (here := CudaStream().compute_capability):
        raise ValueError(f"compute capability: {engine} builds for this machine's GPU, {here}, got {capability}")


def _read_timing_cache(config: Any, path: Path, lines: list[str]) -> None:
    cache = config.create_timing_cache(path.read_bytes() if path.is_file() else b"")
    if cache is None or not config.set_timing_cache(cache, ignore_mismatch=False):
        lines.append(f"WARNING  {path.name}: not a timing cache of this TensorRT and GPU; begun anew")
        config.set_timing_cache(config.create_timing_cache(b""), ignore_mismatch=False)


def convert_beside(graph: Path, plan: Path, policy: str) -> Path:
    """Write the graph as FP16 beside the plan; a graph that is FP16 already is taken as it is.

    Raises:
        PlanMismatchError: the file is no graph.
        ValueError: the graph cannot be converted.
    """
    model = read_graph(graph)
    if computes_in_half(model):
        return graph
    path = plan.with_suffix(".fp16.onnx")
    write_atomically(path, to_half(model, half_policy(policy)).model.SerializeToString())
    return path


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(
        prog="build_plan", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("graph", type=Path, help=".onnx file")
    parser.add_argument("plan", type=Path, help="where the plan goes")
    precision = parser.add_mutually_exclusive_group()
    precision.add_argument("--fp32", action="store_const", const=FLOAT32, dest="precision", help="as it is (default)")
    precision.add_argument("--fp16", action="store_const", const=FLOAT16, dest="precision", help="converted to FP16")
    precision.add_argument("--int8", action="store_const", const=INT8, dest="precision", help="quantized; rest FP16")
    parser.add_argument("--policy", help="graph whose table of what stays FP32 is used; default: the file's name")
    parser.add_argument("--engine", choices=(TENSORRT, TENSORRT_RTX), help="default: the one that is there")
    parser.add_argument("--target", metavar="X.Y", help="compute capability to build for; default: this GPU's")
    parser.add_argument(
        "--profile",
        action="append",
        default=[],
        metavar="NAME=LEAST:USUAL:MOST",
        help="shapes of an input of dynamic shape, e.g. image=1x3x512x512:1x3x640x640:1x3x1024x1024",
    )
    parser.add_argument("--workspace-mb", type=int, help="most memory for one layer's own use; default: all")
    parser.add_argument("--timing-cache", type=Path, help="file of measured tactics, kept (tensorrt only)")
    parser.add_argument("--tf32", action="store_true", help="FP32 products may use TF32")
    parser.add_argument("--json", action="store_true", help="the facts as one line of JSON")
    options = parser.parse_args(argv)
    asked = options.precision or FLOAT32
    try:
        plan_options = PlanOptions(
            precision=asked,
            engine=options.engine,
            compute_capability=options.target,
            profiles=dict(map(parse_profile, options.profile)),
            workspace_mb=options.workspace_mb,
            timing_cache=options.timing_cache,
            allow_tf32=options.tf32,
            show_progress=True,
        )
        options.plan.parent.mkdir(parents=True, exist_ok=True)
        graph = options.graph
        if asked != FLOAT32:
            graph = convert_beside(graph, options.plan, options.policy or graph.stem)
        facts = build_plan(graph, options.plan, plan_options)
    except (IcsegError, ValueError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"{parser.prog}: stopped; {options.plan} is as it was", file=sys.stderr)
        return 130
    print(json.dumps(asdict(facts)) if options.json else describe(facts))
    return 0


def describe(facts: PlanFacts) -> str:
    """The facts as lines for people."""
    products = ", ".join(f"{count} {precision}" for precision, count in sorted(facts.products.items()))

    def size(value: int | None) -> str:
        return "not said" if value is None else f"{value / 1e6:.1f} MB"

    return (
        f"{facts.engine} {facts.engine_version}, compute capability {facts.compute_capability}, {facts.precision}\n"
        f"{facts.nodes} nodes, {facts.layers} layers; products: {products}\n"
        f"plan {size(facts.plan_bytes)}, weights {size(facts.weights_bytes)}, "
        f"activations {size(facts.activation_bytes)}; built in {facts.build_s:.1f} s"
    )


if __name__ == "__main__":
    raise SystemExit(main())
