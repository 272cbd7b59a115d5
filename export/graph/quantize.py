"""INT8 for Linear and Conv layers, as explicit QuantizeLinear and DequantizeLinear nodes: one graph for every engine.

Symmetric on both sides, one scale per output channel of a weight and one per activation tensor; biases stay floating
point, because TensorRT's parser refuses INT32 ones. Products of two activations, norms, softmax and sums are never
touched. What else stays in floating point is a table, with the reason beside each line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

from export.graph.histogram import MIN_THRESHOLD, Histogram
from export.graph.layers import find_layers, weights_of
from icseg.tracker.graphs import IMAGE_ENCODER, MASK_DECODER, MEMORY_ATTENTION, MEMORY_ENCODER
from icseg.types import Array

HIGHEST = 127
"""The highest INT8 level. Symmetric: -128 is not used."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Layers that stay in floating point: a pattern of their names, and why."""

    pattern: str
    reason: str


KEPT: Mapping[str, tuple[Kept, ...]] = {
    IMAGE_ENCODER: (
        Kept("*.patch_embed.projection", "three input channels: nothing to win, and everything passes through it"),
        Kept("conv_s*", "its output goes to the mask decoder as it is, where it draws the outline"),
    ),
    MEMORY_ATTENTION: (Kept("pointer_position*", "a position of a few tokens, not a feature"),),
    MEMORY_ENCODER: (Kept("*", "writes the state that every later frame reads: its errors add up"),),
    MASK_DECODER: (Kept("*", "decodes the frames with prompts, where scores 0.01 apart choose the mask"),),
}

CPU_OPERATORS: Mapping[str, str] = {
    "MatMul": "ONNX Runtime's CPU provider has an integer product with a floating-point result for these layers alone; "
    "a convolution or a Gemm between Q/DQ pairs stays FP32 there, and the pairs cost time on top of it"
}
"""Operators that become INT8 in a graph for ONNX Runtime on a CPU, and why no others."""


def layers_to_quantize(graph_name: str, graph: onnx.GraphProto, *, for_cpu: bool = False) -> list[str]:
    """Names of the layers that become INT8.

    Args:
        graph_name: one of the segmenter's graphs.
        graph: exported.
        for_cpu: the graph is for ONNX Runtime on a CPU: ``CPU_OPERATORS`` alone.

    Raises:
        ValueError: not one of the segmenter's graphs.
    """
    if graph_name not in KEPT:
        raise ValueError(f"quantize: expected one of {', '.join(KEPT)}, got {graph_name!r}")
    patterns = [kept.pattern for kept in KEPT[graph_name]]
    layers = [layer for layer in find_layers(graph) if not for_cpu or layer.node.op_type in CPU_OPERATORS]
    names = [layer.name for layer in layers]
    return [name for name in names if not any(fnmatchcase(name, pattern) for pattern in patterns)]


def activations(graph: onnx.GraphProto, layers: Collection[str]) -> dict[str, str]:
    """Layer name -> the tensor that goes into it."""
    return {layer.name: str(layer.node.input[0]) for layer in find_layers(graph) if layer.name in layers}


def collect(
    model: onnx.ModelProto, tensors: Collection[str], samples: Iterable[Mapping[str, Array]], *, threads: int = 0
) -> dict[str, Histogram]:
    """Run a graph over recorded inputs and count how large some of its tensors are.

    Args:
        model: in FP32.
        tensors: names of activations; graph inputs are allowed.
        samples: inputs of the graph, by name.
        threads: how many ONNX Runtime uses; 0 lets it decide.

    Raises:
        ValueError: there is no sample, or a value is not finite.
    """
    watched = onnx.ModelProto()
    watched.CopyFrom(model)
    known = {value.name for value in (*watched.graph.input, *watched.graph.output)}
    inner = sorted(set(tensors) - known)
    watched.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in inner)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(watched.SerializeToString(), options, providers=["CPUExecutionProvider"])
    outputs = [value.name for value in session.get_outputs() if value.name in set(tensors)]
    histograms = {name: Histogram() for name in tensors}
    count = 0
    for feeds in samples:
        count += 1
        values = dict(zip(outputs, session.run(outputs, dict(feeds)), strict=True))
        for name, histogram in histograms.items():
            histogram.add(values[name] if name in values else feeds[name])
    if count == 0:
        raise ValueError("calibration: expected at least one sample, got none")
    return histograms


def quantize(model: onnx.ModelProto, thresholds: Mapping[str, float], layers: Collection[str]) -> onnx.ModelProto:
    """Put Q/DQ pairs before some layers of a graph.

    Args:
        model: in FP32, its layers named (``name_layers``), its weights FP32 (``widen_weights``); not changed.
        thresholds: activation tensor -> absolute value that becomes 127.
        layers: names of the layers.

    Returns:
        The quantized graph.

    Raises:
        ValueError: a layer is not in the graph, or its input has no threshold.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    graph = out.graph
    found = {layer.name: layer for layer in find_layers(graph) if layer.name in layers}
    if missing := sorted(set(layers) - set(found)):
        raise ValueError(f"quantize: no layers {missing} in the graph")
    if unknown := sorted(name for name, tensor in activations(graph, layers).items() if tensor not in thresholds):
        raise ValueError(f"quantize: no threshold for the inputs of {unknown}")
    values = weights_of(graph)
    before: dict[str, list[onnx.NodeProto]] = {}
    constants: dict[str, onnx.TensorProto] = {}
    made: set[str] = set()  # layers may share their input, or their weight
    for layer in found.values():
        source, pairs = str(layer.node.input[0]), before.setdefault(layer.name, [])
        if source not in made:
            scale = np.float32(max(thresholds[source], MIN_THRESHOLD) / HIGHEST)
            pairs.extend(_activation_pair(source, scale, constants))
        if layer.weight not in made:
            pairs.append(_weight_node(layer.weight, values[layer.weight], layer.out_axis, constants))
        made |= {source, layer.weight}
        layer.node.input[0], layer.node.input[1] = f"{source}_dq", f"{layer.weight}_dq"
    still_used = {name for node in graph.node for name in node.input}
    initializers = [item for item in graph.initializer if item.name in still_used] + list(constants.values())
    nodes = [one for node in graph.node for one in (*before.get(node.name, ()), node)]
    del graph.initializer[:], graph.node[:]
    graph.initializer.extend(initializers)
    graph.node.extend(nodes)
    onnx.checker.check_model(out)
    return out


def _activation_pair(
    tensor: str, scale: np.float32, constants: dict[str, onnx.TensorProto]
) -> tuple[onnx.NodeProto, onnx.NodeProto]:
    names = [f"{tensor}_scale", f"{tensor}_zero"]
    constants[names[0]] = numpy_helper.from_array(np.array(scale), names[0])
    constants[names[1]] = numpy_helper.from_array(np.array(0, np.int8), names[1])
    return (
        helper.make_node("QuantizeLinear", [tensor, *names], [f"{tensor}_q"], f"{tensor}_quantize"),
        helper.make_node("DequantizeLinear", [f"{tensor}_q", *names], [f"{tensor}_dq"], f"{tensor}_dequantize"),
    )


def _weight_node(name: str, weight: Array, out_axis: int, constants: dict[str, onnx.TensorProto]) -> onnx.NodeProto:
    others = tuple(axis for axis in range(weight.ndim) if axis != out_axis)
    scale = np.maximum(np.abs(weight).max(axis=others), MIN_THRESHOLD).astype(np.float32) / np.float32(HIGHEST)
    shape = [-1 if axis == out_axis else 1 for axis in range(weight.ndim)]
    levels = np.clip(np.round(weight / scale.reshape(shape)), -HIGHEST, HIGHEST).astype(np.int8)
    names = [f"{name}_int8", f"{name}_scale", f"{name}_zero"]
    for key, value in zip(names, (levels, scale, np.zeros(scale.shape, np.int8)), strict=True):
        constants[key] = numpy_helper.from_array(value, key)
    return helper.make_node("DequantizeLinear", names, [f"{name}_dq"], f"{name}_dequantize", axis=out_axis)
