"""Is what was built what it was built from? Graph by graph against PyTorch, then over long streams, then against truth.

    python -m export.verify engines/nano-int8

Writes report.md, report.json and report.png into the folder. Below a gate the command fails and names the graph.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from export.build_folder import PLANS, SEGMENTER, BuildFolder, tracker_maker
from export.calibration import load_samples
from export.ladder import DEFAULT_FRAMES, Gates, Verification, climb
from export.source_code import code_fingerprint
from export.verify_report import summary_of, write_report
from icseg.errors import ConfigError, IcsegError
from icseg.inference.manifest import FLOAT32
from icseg.inference.runner import Runner
from icseg.tracker.graphs import GRAPH_NAMES, graph_specs
from icseg.tracker.loading import load_tracker

if TYPE_CHECKING:  # torch is not there where engines are only verified
    from export.build_options import BuildOptions
    from export.segmenter_source import SegmenterSource


def verify_folder(
    built: BuildFolder,
    *,
    part: str = "",
    source: SegmenterSource | None,
    frames: int,
    gates: Gates | None = None,
    threads: int = 0,
    is_quiet: bool = True,
) -> Verification:
    """Verify a folder that ``build_engines.py`` made.

    Args:
        built: the folder.
        part: subfolder of it that holds the segmenter to verify, e.g. ``tensorrt``.
        source: the weights, for PyTorch as the reference of single graphs, and of the streams of an FP32 build; None
            compares with the FP32 graphs of the folder.
        frames, gates, is_quiet: as ``climb``.
        threads: how many ONNX Runtime uses; 0 lets it decide.

    Raises:
        ConfigError: an FP32 build without its source: there is nothing to compare it with.
        IcsegError: the folder is incomplete, or an engine failed.
    """
    tracker = load_tracker(built.root / part / SEGMENTER, threads=threads)
    manifest, fp32 = tracker.manifest, built.fp32_runners(threads)
    torch_runners: Mapping[str, Runner] | None = None
    if source is not None:
        from export.sam2_to_onnx import graph_modules
        from export.torch_runner import TorchRunner

        model = source.load()
        model.set_attn_implementation("eager")
        specs = graph_specs(tracker.facts)
        torch_runners = {name: TorchRunner(one, specs[name], name) for name, one in graph_modules(model).items()}
    is_fp32 = all(file.precision == FLOAT32 for file in manifest.files.values())
    if is_fp32 and torch_runners is None:
        raise ConfigError(f"{built.root}: an FP32 build is compared with PyTorch: give its weights with --source")
    return climb(
        tracker.runners,
        torch_runners or fp32,
        torch_runners if is_fp32 and torch_runners is not None else fp32,
        tracker_maker(manifest),
        precision=manifest.precision,
        precisions={name: file.precision for name, file in manifest.files.items()},
        samples={name: load_samples(built.samples(name)) for name in GRAPH_NAMES},
        frames=frames,
        gates=gates,
        is_quiet=is_quiet,
    )


def verification_inputs(options: BuildOptions) -> dict[str, str]:
    """What the verification of a build depends on besides what is verified."""
    return {
        "frames": str(options.frames),
        "gates": json.dumps(asdict(options.gates), sort_keys=True),
        "ladder": code_fingerprint("verify*.py", "ladder.py", "recurrent.py", "torch_runner.py"),
    }


def _source(text: str | None, built: BuildFolder) -> SegmenterSource | None:
    if text is None:
        return None
    from export.segmenter_source import find_segmenter

    return find_segmenter(text, built.image_size)


def chosen_gates(min_iou: float | None, max_loss: float | None) -> Gates:
    """The default gates, but for what a person chose.

    Raises:
        ValueError: a gate is outside 0..1.
    """
    for name, value in (("--min-iou", min_iou), ("--max-loss", max_loss)):
        if value is not None and not 0 <= value <= 1:
            raise ValueError(f"{name}: expected 0..1, got {value}")
    gates = Gates()
    if min_iou is not None:
        gates = replace(gates, mean_iou=dict.fromkeys(gates.mean_iou, min_iou))
    return gates if max_loss is None else replace(gates, loss_of_j_and_f=max_loss)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry: 0 when everything passed, 1 when not, 2 when it could not be told."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="what build_engines.py made")
    parser.add_argument("--part", choices=("", PLANS), default="", help=f"{PLANS}: its plans (default: what is beside)")
    parser.add_argument("--frames", type=int, default=DEFAULT_FRAMES, help=f"of the streams (default {DEFAULT_FRAMES})")
    parser.add_argument("--source", help="model to load for PyTorch as the reference (default: its FP32 graphs)")
    parser.add_argument("--min-iou", type=float, help="gate: mean IoU with the reference over the streams")
    parser.add_argument("--max-loss", type=float, help="gate: loss of J&F against the truth")
    parser.add_argument("--threads", type=int, default=0, help="of ONNX Runtime (default: its choice)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")
    options = parser.parse_args(argv)
    built = BuildFolder(options.folder)
    try:
        gates = chosen_gates(options.min_iou, options.max_loss)
        result = verify_folder(
            built,
            part=options.part,
            source=_source(options.source, built),
            frames=options.frames,
            gates=gates,
            threads=options.threads,
            is_quiet=options.json or not sys.stderr.isatty(),
        )
        write_report(built.root / options.part, result, gates)
    except (IcsegError, ValueError, OSError) as error:
        print(f"verify: {error}", file=sys.stderr)
        return 2
    print(json.dumps(result.as_mapping()) if options.json else summary_of(result))
    return 1 if result.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
