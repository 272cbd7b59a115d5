"""The ladder of a verification: graph by graph, then over long streams, then against the truth; and its gates.

A graph may look right in one frame and lose its target in the five hundredth, because what it writes is read again. So
the streams decide; the graphs' own errors tell where to look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from tqdm import tqdm

from export.difference import relative_error
from export.recurrent import STREAMS, Agreement, compare, simulated_streams
from icseg.inference.manifest import FLOAT16, FLOAT32, INT8
from icseg.inference.runner import Runner
from icseg.tracker.graphs import GRAPH_NAMES
from icseg.tracker.tracker import Tracker

MIN_FRAMES = 2 * STREAMS
"""Frames of all streams together; a stream of one frame would show nothing of the memory."""
DEFAULT_FRAMES = 500
SAMPLES_PER_GRAPH = 8
"""Recorded inputs on which a graph's outputs are compared."""


@dataclass(frozen=True, slots=True)
class Gates:
    """What is still the same model.

    Attributes:
        graph_error: precision -> relative L2 error of a graph's worst output, mean over samples. Loose: one graph's
            error says little about masks.
        mean_iou: precision -> mean IoU with the masks of the reference over the streams. Not higher for FP16 and INT8:
            two trackers that round differently part at doubtful edges, without either being worse.
        loss_of_j_and_f: precision -> how much J&F against the truth may fall, where there is a truth.
    """

    graph_error: Mapping[str, float] = field(default_factory=lambda: {FLOAT32: 1e-3, FLOAT16: 0.05, INT8: 0.15})
    mean_iou: Mapping[str, float] = field(default_factory=lambda: {FLOAT32: 0.999, FLOAT16: 0.98, INT8: 0.97})
    loss_of_j_and_f: float = 0.01


@dataclass(frozen=True, slots=True)
class GraphCheck:
    """One graph on recorded inputs, beside the reference.

    Attributes:
        graph: its name.
        precision: what the manifest says.
        output: the worst of its outputs.
        relative_l2: relative L2 error of that output, mean over samples.
        max_abs: largest difference of any of its numbers.
    """

    graph: str
    precision: str
    output: str
    relative_l2: float
    max_abs: float


@dataclass(frozen=True, slots=True)
class Verification:
    """All steps of the ladder.

    Attributes:
        precision: that was asked for.
        graphs: one check a graph.
        agreement: over the streams.
        graph_reference, stream_reference: what ran the references.
        iou_with_one_graph: graph -> mean IoU when it alone is not the reference's; only where the streams failed.
        failures: one sentence a gate that was missed.
    """

    precision: str
    graph_reference: str
    stream_reference: str
    graphs: list[GraphCheck]
    agreement: Agreement
    iou_with_one_graph: dict[str, float]
    failures: list[str]

    def as_mapping(self) -> dict[str, Any]:
        """For JSON."""
        streams = self.agreement
        return {
            "precision": self.precision,
            "graph_reference": self.graph_reference,
            "stream_reference": self.stream_reference,
            "is_passed": not self.failures,
            "failures": self.failures,
            "graphs": [asdict(check) for check in self.graphs],
            "streams": {
                "things_and_frames": len(streams.iou),
                "with_something_to_see": sum(streams.seen),
                "mean_iou": round(streams.mean_iou, 5),
                "min_iou": round(streams.min_iou, 5),
                "drift_per_1000_frames": round(streams.drift_per_1000, 5),
                "identity_kept": round(streams.identity_kept, 5),
                "loss_of_j_and_f": None if streams.loss_of_j_and_f is None else round(streams.loss_of_j_and_f, 5),
            },
            "mean_iou_with_one_graph": self.iou_with_one_graph,
        }


def check_graphs(
    tested: Mapping[str, Runner],
    reference: Mapping[str, Runner],
    precisions: Mapping[str, str],
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    progress: Callable[[], object] = lambda: None,
) -> list[GraphCheck]:
    """Every graph on its own, on inputs that were recorded while things were tracked."""
    checks = []
    for graph in GRAPH_NAMES:
        errors: dict[str, list[float]] = {}
        largest = 0.0
        for feeds in _spread(samples[graph]):
            expected = {name: np.array(value) for name, value in reference[graph].run(feeds).items()}
            for name, got in tested[graph].run(feeds).items():
                errors.setdefault(name, []).append(relative_error(got, expected[name]))
                largest = max(largest, float(np.abs(got - expected[name]).max()))
            progress()
        worst = max(errors, key=lambda name: float(np.mean(errors[name])))
        checks.append(GraphCheck(graph, precisions[graph], worst, float(np.mean(errors[worst])), largest))
    return checks


def climb(
    tested: Mapping[str, Runner],
    graph_reference: Mapping[str, Runner],
    stream_reference: Mapping[str, Runner],
    make_tracker: Callable[[Mapping[str, Runner]], Tracker],
    *,
    precision: str,
    precisions: Mapping[str, str],
    samples: Mapping[str, Sequence[Mapping[str, Any]]],
    frames: int = DEFAULT_FRAMES,
    gates: Gates | None = None,
    is_quiet: bool = True,
) -> Verification:
    """Climb it.

    Args:
        tested: runners by graph name.
        graph_reference, stream_reference: the same of what they are compared with, which must be FP32.
        make_tracker: a tracker on runners.
        precision: that was asked for: chooses the gates of the streams.
        precisions: got, by graph name.
        samples: recorded inputs by graph name.
        frames: how many the streams have in all.
        gates: see ``Gates``.
        is_quiet: no progress bars.

    Raises:
        ValueError: too few frames.
        IcsegError: an engine failed, or there is nothing to make streams with.
    """
    if frames < MIN_FRAMES:
        raise ValueError(f"verify: expected at least {MIN_FRAMES} frames, got {frames}")
    gates = gates or Gates()
    with tqdm(total=sum(len(_spread(samples[g])) for g in GRAPH_NAMES), desc="graphs", disable=is_quiet) as bar:
        checks = check_graphs(tested, graph_reference, precisions, samples, bar.update)
    with tqdm(total=frames, desc="streams", unit="frame", disable=is_quiet) as bar:
        agreement = compare(make_tracker(tested), make_tracker(stream_reference), simulated_streams(frames), bar.update)
    failures = [
        f"{check.graph}: {check.output} is off by {check.relative_l2:.3g} (relative L2), allowed for "
        f"{check.precision} are {gates.graph_error[check.precision]:g}"
        for check in checks
        if not check.relative_l2 <= gates.graph_error[check.precision]
    ]
    loss = agreement.loss_of_j_and_f
    stream_failures = []
    if not agreement.mean_iou >= gates.mean_iou[precision]:
        stream_failures.append(
            f"the streams: mean IoU with the reference {agreement.mean_iou:.4f}, expected {gates.mean_iou[precision]:g}"
        )
    if loss is not None and not loss <= gates.loss_of_j_and_f:
        stream_failures.append(f"the streams: J&F falls by {loss:.4f}, allowed are {gates.loss_of_j_and_f:g}")
    alone: dict[str, float] = {}
    if stream_failures:
        for graph in GRAPH_NAMES:
            if precisions[graph] == FLOAT32:
                continue
            mixed = make_tracker({**stream_reference, graph: tested[graph]})
            with tqdm(total=frames, desc=f"only {graph}", unit="frame", disable=is_quiet) as bar:
                found = compare(mixed, make_tracker(stream_reference), simulated_streams(frames), bar.update)
            alone[graph] = round(found.mean_iou, 5)
        if alone:
            guilty = min(alone, key=lambda graph: alone[graph])
            stream_failures.append(
                f"{guilty}: it alone takes the mean IoU to {alone[guilty]:.4f}: keep more of its layers in floating "
                "point (export/graph/quantize.py, KEPT), or calibrate on frames of the place where it is used"
            )
    return Verification(
        precision,
        graph_reference[GRAPH_NAMES[0]].backend,
        stream_reference[GRAPH_NAMES[0]].backend,
        checks,
        agreement,
        alone,
        failures + stream_failures,
    )


def _spread(samples: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """At most ``SAMPLES_PER_GRAPH`` of them, from the whole length."""
    step = max(1, -(-len(samples) // SAMPLES_PER_GRAPH))
    return samples[::step]
