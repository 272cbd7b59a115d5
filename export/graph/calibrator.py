"""Which calibrator suits a graph: each is tried, and judged on samples that it has not seen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
import onnxruntime as ort

from export.difference import relative_error
from export.graph.histogram import METHODS, Method
from export.graph.quantize import activations, collect, quantize
from icseg.types import Array

MAX_JUDGED = 6
"""Samples that calibrators are judged on; each is run once for every calibrator."""


@dataclass(frozen=True, slots=True, eq=False)
class Choice:
    """What was chosen for one graph.

    Attributes:
        method: the one of the least error.
        errors: method -> relative L2 error of the graph's worst output, mean over samples that were held out.
        thresholds: activation tensor -> absolute value that becomes 127.
        model: the quantized graph.
    """

    method: Method
    errors: dict[Method, float]
    thresholds: dict[str, float]
    model: onnx.ModelProto


def choose(
    model: onnx.ModelProto,
    layers: Collection[str],
    samples: Sequence[Mapping[str, Array]],
    *,
    methods: Sequence[Method] = METHODS,
    threads: int = 0,
    progress: Callable[[], object] = lambda: None,
) -> Choice:
    """Calibrate with every method on one half of the samples, judge on the other, keep the best.

    Args:
        model: in FP32, weights widened.
        layers: names of those that become INT8.
        samples: inputs of the graph, at least two.
        methods: those to try.
        threads: how many ONNX Runtime uses; 0 lets it decide.
        progress: called after each method, and once before the first.

    Raises:
        ValueError: fewer than two samples, or a value that is not finite.
    """
    if len(samples) < 2:
        raise ValueError(f"calibration: expected at least two samples, got {len(samples)}")
    fitted, held_out = samples[::2], samples[1::2]
    judged = held_out[:: max(1, -(-len(held_out) // MAX_JUDGED))]
    histograms = collect(model, set(activations(model.graph, layers).values()), fitted, threads=threads)
    progress()
    expected = outputs_of(model, judged, threads)
    best: Choice | None = None
    errors: dict[Method, float] = {}
    for method in methods:
        thresholds = {name: histogram.threshold(method) for name, histogram in histograms.items()}
        quantized = quantize(model, thresholds, layers)
        errors[method] = worst_error(outputs_of(quantized, judged, threads), expected)
        if best is None or errors[method] < errors[best.method]:
            best = Choice(method, errors, thresholds, quantized)
        progress()
    assert best is not None
    return best


def outputs_of(
    model: onnx.ModelProto, samples: Sequence[Mapping[str, Array]], threads: int = 0
) -> list[dict[str, Array]]:
    """A graph's outputs, by name, for every sample."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    # as the runner that is to run it: what x86 without VNNI makes of INT8 otherwise, nobody will see
    options.add_session_config_entry("session.x64quantprecision", "1")
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [value.name for value in session.get_outputs()]
    return [dict(zip(names, session.run(names, dict(feeds)), strict=True)) for feeds in samples]


def worst_error(got: Sequence[Mapping[str, Array]], expected: Sequence[Mapping[str, Array]]) -> float:
    """Relative L2 error of the worst output, mean over samples."""
    names = expected[0].keys()
    means = [
        float(np.mean([relative_error(a[name], b[name]) for a, b in zip(got, expected, strict=True)])) for name in names
    ]
    return max(means)
