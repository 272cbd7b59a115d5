"""From a manifest's entry to a runner: the entry's engine decides, and nothing falls back to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from icseg.errors import BackendError
from icseg.inference.manifest import Manifest, check_specs
from icseg.inference.runner import Runner, TensorSpec
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from icseg.inference.runner_tensorrt import TensorRtRunner


def load_graph(
    folder: Path,
    manifest: Manifest,
    name: str,
    *,
    inputs: Mapping[str, TensorSpec],
    outputs: Mapping[str, TensorSpec],
    providers: Sequence[str],
    threads: int,
) -> Runner:
    """One graph of a folder whose manifest was loaded and checked, on the engine that it was built for.

    Args:
        folder: where the graph lies.
        manifest: names the graph.
        name: of the graph.
        inputs, outputs: the tensors that the running code feeds and reads.
        providers, threads: of ONNX Runtime; a plan takes none of them.

    Raises:
        PlanMismatchError: the tensors are others, or the plan is for another version or GPU; says what to rebuild.
        BackendError: the engine is missing, or cannot load the graph.
    """
    entry = manifest.files[name]
    path = folder / entry.file
    runner: Runner
    match entry.engine:
        case "onnxruntime":
            runner = OnnxRuntimeRunner(path, providers=providers, threads=threads)
        case "tensorrt" | "tensorrt_rtx":
            runner = TensorRtRunner(path, entry, rebuild_hint=manifest.rebuild_hint())
        case engine:
            raise BackendError(f"{path}: no runner for {engine!r}")
    check_specs(runner, inputs, outputs, path=path, manifest=manifest)
    return runner
