"""An FP32 ONNX graph made FP16, except for what a policy keeps; inputs and outputs of the graph stay FP32.

    python -m export.graph.half_graph mask_decoder.onnx mask_decoder.fp16.onnx

A strongly typed TensorRT network computes in the types of its ONNX graph, so this is where FP16 is decided. A cast
stands only where two neighbours differ: a chain that stays FP32 is never rounded in between. onnxruntime's converter
casts around each kept operator singly, which rounds a positional angle before its sine; benchmarks/bench_half.py
compares the two.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import NodeProto, TensorProto, helper, numpy_helper

from export.atomic_file import write_atomically
from export.graph.half_policy import HalfPolicy, half_policy
from icseg.errors import PlanMismatchError
from icseg.types import Array

FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16
_SUFFIX = {FLOAT: "fp32", HALF: "fp16"}
_MOVING = frozenset({"Concat", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Neg", "Pad", "QuantizeLinear"})
_MOVING |= {"Relu", "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze"}
"""Move or select values and round nothing: they take the type that comes."""
_FLOAT_INPUTS = {"Resize": (1, 2)}
"""Inputs that the operator's definition wants in FP32 whatever the data is."""
_LARGEST = float(np.finfo(np.float16).max)
_QUANTIZE_OPSET = 19
"""The first one whose QuantizeLinear and DequantizeLinear take FP16."""


@dataclass(frozen=True, slots=True)
class HalfGraph:
    """A converted graph and what became of its floating-point nodes.

    Attributes:
        model: the new graph.
        half: number of nodes that compute in FP16.
        kept: reason -> number of nodes that stay FP32.
    """

    model: onnx.ModelProto
    half: int
    kept: dict[str, int]


def read_graph(path: Path) -> onnx.ModelProto:
    """Read an .onnx file.

    Raises:
        PlanMismatchError: it is no ONNX graph.
        OSError: it cannot be read.
    """
    try:
        model = onnx.load(path)
    except DecodeError as error:
        raise PlanMismatchError(
            f"{path}: expected an ONNX graph, got something else or a part of one: {error}"
        ) from None
    if not model.graph.node:
        raise PlanMismatchError(f"{path}: expected an ONNX graph, got a file that holds no node")
    return model


def computes_in_half(model: onnx.ModelProto) -> bool:
    """Whether a graph has FP16 tensors besides weights that are stored so and cast to FP32.

    Raises:
        ValueError: the graph holds subgraphs.
    """
    return HALF in _plain(model)[1].values()


def _plain(source: onnx.ModelProto) -> tuple[onnx.ModelProto, dict[str, int]]:
    """A copy with all weights as initializers in their own type, and the type of every tensor."""
    model = onnx.ModelProto()
    model.CopyFrom(source)
    inline_constants(model.graph)
    return model, _tensor_types(model)


def to_half(source: onnx.ModelProto, policy: HalfPolicy) -> HalfGraph:
    """Convert a graph; ``source`` is not changed.

    Args:
        source: FP32, static or dynamic shapes, no subgraphs. Weights may be stored as FP16 with a Cast to FP32 behind.
        policy: what stays FP32.

    Raises:
        ValueError: the graph holds subgraphs, or already computes in FP16.
    """
    model, types = _plain(source)
    if HALF in types.values():
        raise ValueError("expected an FP32 graph, got one that already computes in FP16")
    reasons = kept_nodes(model.graph, policy)
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node):
        for opset in model.opset_import:
            if opset.domain == "":
                opset.version = max(opset.version, _QUANTIZE_OPSET)
    writer = _Writer(model, types)
    half = 0
    for index, node in enumerate(model.graph.node):
        if not any(types.get(name) == FLOAT for name in (*node.input, *node.output)):
            writer.copy(node)
            continue
        if index not in reasons and (reason := writer.reason_to_keep(node)):
            reasons[index] = reason
        wanted = FLOAT if index in reasons else writer.type_of(node)
        half += wanted == HALF
        writer.write(node, wanted)
    writer.finish()
    onnx.checker.check_model(model, full_check=True)
    return HalfGraph(model, half, dict(Counter(reasons.values())))


def inline_constants(graph: onnx.GraphProto) -> None:
    """Constants become initializers, and weights that are stored as FP16 become FP32 ones without their Cast; in place.

    Raises:
        ValueError: the graph holds subgraphs.
    """
    stored = {item.name: item for item in graph.initializer}
    nodes = []
    for node in graph.node:
        if any(attribute.type in (attribute.GRAPH, attribute.GRAPHS) for attribute in node.attribute):
            raise ValueError(f"node {node.name}: expected a graph without subgraphs, got {node.op_type}")
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            tensor = node.attribute[0].t
            tensor.name = node.output[0]
            graph.initializer.append(tensor)
        elif node.op_type == "Cast" and node.input[0] in stored and _casts_to(node) == FLOAT:
            values = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        else:
            nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input} | {value.name for value in graph.output}
    initializers = [item for item in graph.initializer if item.name in used]
    del graph.initializer[:]
    graph.initializer.extend(initializers)


def _casts_to(node: NodeProto) -> int:
    return next(attribute.i for attribute in node.attribute if attribute.name == "to")


def _tensor_types(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {item.name: item.data_type for item in graph.initializer}


def kept_nodes(graph: onnx.GraphProto, policy: HalfPolicy) -> dict[int, str]:
    """Node index -> why the policy keeps it in FP32."""
    nodes = list(graph.node)
    kept = {
        index: policy.operators[node.op_type] for index, node in enumerate(nodes) if node.op_type in policy.operators
    }
    for operator, reason in policy.upstream_of.items():
        wanted = {name for node in nodes if node.op_type == operator for name in node.input}
        for index in _upstream(nodes, wanted):
            kept.setdefault(index, reason)
    others = _upstream(nodes, {value.name for value in graph.output} - policy.outputs.keys())
    for output, reason in policy.outputs.items():
        for index in _upstream(nodes, {output}) - others:
            kept.setdefault(index, reason)
    return kept


def _upstream(nodes: Sequence[NodeProto], tensors: set[str]) -> set[int]:
    """Indices of all nodes that lead to these tensors; the nodes are in topological order, as ONNX wants them."""
    wanted, found = set(tensors), set()
    for index in range(len(nodes) - 1, -1, -1):
        if wanted.intersection(nodes[index].output):
            found.add(index)
            wanted.update(nodes[index].input)
    return found


class _Writer:
    """Writes nodes anew, with a cast wherever a tensor is wanted in the type it does not have yet."""

    def __init__(self, model: onnx.ModelProto, types: dict[str, int]) -> None:
        self._model = model
        self._types = types
        self._nodes: list[NodeProto] = []
        self._weights = {item.name: item for item in model.graph.initializer}
        self._new_weights: dict[str, TensorProto] = {}
        self._outputs = {value.name for value in model.graph.output}
        self._names = {value.name: {FLOAT: value.name} for value in model.graph.input}

    def reason_to_keep(self, node: NodeProto) -> str | None:
        """Why a node that the policy would convert cannot be, by its constants."""
        for name in node.input:
            if name not in self._weights or self._types[name] != FLOAT:
                continue
            values = numpy_helper.to_array(self._weights[name])
            if values.size and float(np.abs(values).max()) > _LARGEST:
                return "a constant passes 65504"
            if (values.size == 1 or node.op_type == "DequantizeLinear") and _vanishes(values):
                return "a constant is smaller than FP16 can say"
        return None

    def type_of(self, node: NodeProto) -> int:
        """FP16; where values are only moved, the type that comes."""
        if node.op_type not in _MOVING:
            return HALF
        data = [name for name in node.input if self._types.get(name) == FLOAT and name not in self._weights]
        return HALF if not data or any(HALF in self._names[name] for name in data) else FLOAT

    def copy(self, node: NodeProto) -> None:
        """A node that has nothing to do with floats."""
        self._nodes.append(node)

    def write(self, node: NodeProto, wanted: int) -> None:
        """A node whose float inputs and outputs are to have this type."""
        fixed = _FLOAT_INPUTS.get(node.op_type, ())
        for position, name in enumerate(node.input):
            if name and self._types[name] == FLOAT:
                node.input[position] = self._as(name, FLOAT if position in fixed else wanted)
        outputs = list(node.output)
        for position, name in enumerate(outputs):
            if self._types.get(name) != FLOAT:
                continue
            if wanted == HALF and name in self._outputs:
                node.output[position] = f"{name}_{_SUFFIX[HALF]}"
            self._names[name] = {wanted: node.output[position]}
        self._nodes.append(node)
        for name in outputs:
            if wanted == HALF and name in self._outputs and self._types[name] == FLOAT:
                self._as(name, FLOAT)

    def _as(self, name: str, wanted: int) -> str:
        """The name of a tensor in a type; a weight is stored in it, anything else is cast once."""
        if name in self._weights:
            return self._weight(name, wanted)
        names = self._names[name]
        if wanted not in names:
            (given,) = names.values()
            target = name if wanted == FLOAT and name in self._outputs else f"{name}_{_SUFFIX[wanted]}"
            self._nodes.append(helper.make_node("Cast", [given], [target], f"{target}_cast", to=wanted))
            names[wanted] = target
        return names[wanted]

    def _weight(self, name: str, wanted: int) -> str:
        if wanted == FLOAT:
            return name
        half = f"{name}_{_SUFFIX[HALF]}"
        if half not in self._new_weights:
            values = numpy_helper.to_array(self._weights[name]).astype(np.float16)
            self._new_weights[half] = numpy_helper.from_array(values, half)
        return half

    def finish(self) -> None:
        """Put the new nodes and weights into the model, without those that nothing uses."""
        graph = self._model.graph
        used = {name for node in self._nodes for name in node.input} | self._outputs
        weights = [item for item in (*graph.initializer, *self._new_weights.values()) if item.name in used]
        nodes = list(self._nodes)
        for part, values in ((graph.node, nodes), (graph.initializer, weights), (graph.value_info, [])):
            kept = [type(value).FromString(value.SerializeToString()) for value in values]
            del part[:]
            part.extend(kept)


def _vanishes(values: Array) -> bool:
    return bool(np.any((values != 0) & (values.astype(np.float16) == 0)))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("graph", type=Path, help="FP32 .onnx file")
    parser.add_argument("out", type=Path, help="where the FP16 graph goes")
    parser.add_argument("--policy", help="the graph whose table of what stays FP32 is used; default: the file's name")
    options = parser.parse_args(argv)
    try:
        made = to_half(read_graph(options.graph), half_policy(options.policy or options.graph.stem))
        write_atomically(options.out, made.model.SerializeToString())
    except (PlanMismatchError, OSError, ValueError) as error:
        parser.error(str(error))
    print(f"{made.half} nodes compute in FP16")
    for reason, count in sorted(made.kept.items(), key=lambda item: -item[1]):
        print(f"{count:6} stay FP32: {reason}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
