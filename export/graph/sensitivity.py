"""Which layer costs what: each is made INT8 alone, and the graph's outputs are compared with FP32.

    python -m export.graph.sensitivity engines/nano-int8

Writes sensitivity.md and sensitivity.json into the folder, the most harmful layer first.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import onnx
from tqdm import tqdm

from export.build_folder import GRAPHS, BuildFolder
from export.calibration import load_samples
from export.graph.calibrator import choose, outputs_of, worst_error
from export.graph.graph_file import widen_weights
from export.graph.quantize import KEPT, layers_to_quantize, quantize
from icseg.errors import IcsegError

SAMPLES = 4
"""About how many samples a layer is judged on."""


@dataclass(frozen=True, slots=True)
class LayerCost:
    """Relative L2 error of the graph's worst output when only this layer is INT8."""

    graph: str
    layer: str
    error: float


def layer_costs(built: BuildFolder, *, threads: int = 0, is_quiet: bool = True) -> list[LayerCost]:
    """What every layer costs that a build makes INT8, the most harmful first.

    Raises:
        PlanMismatchError, SourceError: the folder is incomplete.
    """
    manifest, costs = built.manifest(GRAPHS), []
    for graph in KEPT:
        model = onnx.load(built.root / GRAPHS / manifest.files[graph].file)
        widen_weights(model)
        layers = layers_to_quantize(graph, model.graph)
        if not layers:
            continue
        samples = load_samples(built.samples(graph))
        thresholds = choose(model, layers, samples, threads=threads).thresholds
        judged = samples[1 :: max(1, len(samples) // SAMPLES)]
        expected = outputs_of(model, judged, threads)
        for layer in tqdm(layers, desc=graph, unit="layer", disable=is_quiet):
            got = outputs_of(quantize(model, thresholds, [layer]), judged, threads)
            costs.append(LayerCost(graph, layer, worst_error(got, expected)))
    return sorted(costs, key=lambda cost: -cost.error)


def as_markdown(costs: Sequence[LayerCost]) -> str:
    """A table."""
    rows = [f"| {cost.graph} | {cost.layer} | {cost.error:.2e} |" for cost in costs]
    head = ["# Sensitivity", "", "Relative L2 error of the graph's worst output when this layer alone is INT8.", ""]
    return "\n".join([*head, "| graph | layer | error |", "|---|---|---|", *rows, ""])


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what build_engines.py --int8 made")
    parser.add_argument("--threads", type=int, default=0, help="of ONNX Runtime (default: its choice)")
    options = parser.parse_args(argv)
    try:
        costs = layer_costs(BuildFolder(options.folder), threads=options.threads, is_quiet=not sys.stderr.isatty())
        (options.folder / "sensitivity.md").write_text(as_markdown(costs), encoding="utf-8")
        text = json.dumps([asdict(cost) for cost in costs], indent=1)
        (options.folder / "sensitivity.json").write_text(text + "\n", encoding="utf-8")
    except (IcsegError, OSError) as error:
        print(f"sensitivity: {error}", file=sys.stderr)
        return 2
    print(as_markdown(costs))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
