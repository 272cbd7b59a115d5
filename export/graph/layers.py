"""The Linear and Conv layers of an ONNX graph under their names in the model: what quantization chooses from.

torch's exporter folds the transpose of a Linear's weight and so forgets its name; the bias that is added afterwards
still has it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from onnx import numpy_helper

from icseg.types import Array

LAYER_OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


@dataclass(frozen=True, slots=True, eq=False)
class Layer:
    """One operator with constant weights.

    Attributes:
        node: in the graph; its name is the layer's.
        weight: name of the initializer.
        out_axis: axis of the weight that counts output channels.
    """

    node: onnx.NodeProto
    weight: str
    out_axis: int

    @property
    def name(self) -> str:
        """As in the model, e.g. ``vision_encoder.backbone.blocks.0.attn.qkv``."""
        return str(self.node.name)


def find_layers(graph: onnx.GraphProto) -> Iterator[Layer]:
    """Every layer in order; products of two activations are none."""
    constants = {initializer.name for initializer in graph.initializer}
    for node in graph.node:
        if node.op_type in LAYER_OPERATORS and node.input[1] in constants:
            yield Layer(node, node.input[1], _out_axis(node))


def weights_of(graph: onnx.GraphProto) -> dict[str, Array]:
    """Initializer name -> its values, for the layers of a graph."""
    wanted = {layer.weight for layer in find_layers(graph)}
    return {item.name: numpy_helper.to_array(item) for item in graph.initializer if item.name in wanted}


def name_layers(graph: onnx.GraphProto) -> None:
    """Name each layer's node after the module that its bias, or else its weight, belongs to, in place."""
    constants = {initializer.name for initializer in graph.initializer}
    adds = {name: node for node in graph.node if node.op_type == "Add" for name in node.input}
    taken: set[str] = set()
    for layer in list(find_layers(graph)):
        name = layer.weight
        follower = adds.get(layer.node.output[0])
        if layer.node.op_type == "MatMul" and follower is not None:
            name = next((one for one in follower.input if one in constants and one.endswith(".bias")), name)
        name = name.removesuffix(".bias").removesuffix(".weight")
        count = 1
        while name in taken:  # weights that are used twice
            count += 1
            name = f"{name.rsplit('#', 1)[0]}#{count}"
        taken.add(name)
        layer.node.name = name


def _out_axis(node: onnx.NodeProto) -> int:
    match node.op_type:
        case "Conv":
            return 0
        case "ConvTranspose":
            return 1
        case "Gemm":
            is_transposed = any(attribute.name == "transB" and attribute.i for attribute in node.attribute)
            return 0 if is_transposed else 1
    return 1
