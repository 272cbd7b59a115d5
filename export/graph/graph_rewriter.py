"""A graph in which patterns of operators are found and replaced by others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import onnx
from onnx import numpy_helper

from icseg.types import Array

DOMAIN = "com.microsoft"
"""The domain of ONNX Runtime's own operators."""


def shapes_of(model: onnx.ModelProto) -> dict[str, tuple[int, ...]]:
    """Tensor -> its shape, of a graph of standard operators with static shapes."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    return {
        value.name: tuple(size.dim_value for size in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }


class Rewriter:
    """A graph, who makes and who reads each tensor, and what is to be replaced.

    Attributes:
        graph: its nodes are changed by ``finish`` alone.
        constants: name -> initializer.
        makers: tensor -> its node.
    """

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph = graph
        self.constants = {item.name: item for item in graph.initializer}
        self.makers = {name: node for node in graph.node for name in node.output}
        self._readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
        for node in graph.node:
            for name in node.input:
                self._readers[name].append(node)
        self._outputs = {value.name for value in graph.output}
        self._replaced: dict[str, tuple[onnx.NodeProto, ...]] = {}

    def maker(self, tensor: str, operator: str) -> onnx.NodeProto | None:
        """The node that makes a tensor, if it is of that operator."""
        node = self.makers.get(tensor)
        return node if node is not None and node.op_type == operator else None

    def only_reader(self, node: onnx.NodeProto, operator: str) -> onnx.NodeProto | None:
        """The node that reads another's output, if it alone does and is of that operator."""
        readers = self._readers[node.output[0]]
        is_alone = len(readers) == 1 and node.output[0] not in self._outputs
        return readers[0] if is_alone and readers[0].op_type == operator else None

    def value(self, tensor: str) -> Array | None:
        """The values of a constant; None when the tensor is none."""
        item = self.constants.get(tensor)
        return None if item is None else numpy_helper.to_array(item)

    def constant(self, name: str, value: Array) -> str:
        """Add a constant, unless it is there; returns its name."""
        if name not in self.constants:
            self.constants[name] = self.graph.initializer.add()
            self.constants[name].CopyFrom(numpy_helper.from_array(value, name))
        return name

    def replace(self, last: onnx.NodeProto, *nodes: onnx.NodeProto) -> None:
        """Put nodes, which make the same output, where the last one of a pattern was."""
        self._replaced[last.output[0]] = nodes

    def finish(self) -> None:
        """Replace, and drop what nothing reads any more."""
        nodes = [one for node in self.graph.node for one in self._replaced.get(node.output[0], (node,))]
        kept: list[onnx.NodeProto] = []
        wanted = set(self._outputs)
        for node in reversed(nodes):
            if wanted & set(node.output):
                kept.append(node)
                wanted |= set(node.input)
        _refill(self.graph.node, list(reversed(kept)))
        _refill(self.graph.initializer, [item for item in self.graph.initializer if item.name in wanted])
        del self.graph.value_info[:]


def _refill(field: object, items: Iterable[object]) -> None:
    """Replace a repeated field; its items are copied first, as they may lie in it."""
    copies = []
    for item in items:
        copies.append(type(item)())
        copies[-1].CopyFrom(item)
    del field[:]
    field.extend(copies)
