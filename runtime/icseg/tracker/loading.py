"""From a folder of exported graphs to a tracker: the manifest is checked, then every tensor of every graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from icseg.errors import PlanMismatchError
from icseg.inference.graph_loading import load_graph
from icseg.inference.manifest import MANIFEST_NAME, load_manifest
from icseg.inference.runner_onnxruntime import CPU_PROVIDER
from icseg.tracker.graphs import GRAPH_NAMES, SegmenterFacts, graph_specs
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker

KIND = "segmenter"


def load_tracker(
    folder: Path,
    *,
    providers: Sequence[str] = (CPU_PROVIDER,),
    threads: int = 0,
    config: TrackerConfig | None = None,
) -> Tracker:
    """A tracker, each graph on the engine that its manifest names.

    Args:
        folder: holds manifest.json and the four graphs.
        providers: ONNX Runtime's execution providers, most wanted first; plans take none.
        threads: of ONNX Runtime, within one operator on the CPU; 0 lets it decide.
        config: how the tracker remembers.

    Raises:
        PlanMismatchError: the folder is not what its manifest says, or not what this version of icseg uses.
        BackendError: an engine, a provider or a GPU is not available, or cannot load a graph.
        ValueError: the configuration does not fit the graphs, e.g. more conditioning slots than memory slots.
    """
    manifest = load_manifest(folder, kind=KIND)
    if set(manifest.files) != set(GRAPH_NAMES):
        raise PlanMismatchError(
            f"{folder / MANIFEST_NAME}: expected graphs {sorted(GRAPH_NAMES)}, got {sorted(manifest.files)}; "
            f"{manifest.rebuild_hint()}"
        )
    facts = SegmenterFacts.from_mapping(manifest.image_size, manifest.facts)
    runners = {
        name: load_graph(
            folder,
            manifest,
            name,
            inputs=spec.inputs,
            outputs=spec.outputs,
            providers=providers,
            threads=threads,
        )
        for name, spec in graph_specs(facts).items()
    }
    return Tracker(runners, manifest, facts, config)
