"""What every exported graph goes through: named layers, nothing of the building machine, no byte more than it needs."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
import transformers
from onnx import TensorProto, helper, numpy_helper

from export.graph.layers import name_layers

MIN_ELEMENTS = 256
"""Smaller tensors are not worth a node to halve them."""


def tool_versions() -> dict[str, str]:
    """What a graph was made with, for its manifest."""
    modules = {"torch": torch, "transformers": transformers, "onnx": onnx, "onnxruntime": onnxruntime}
    return {"python": platform.python_version(), **{name: module.__version__ for name, module in modules.items()}}


def tidy(path: Path) -> onnx.GraphProto:
    """Name the layers, halve the bytes of weights that lose nothing by it, and drop the exporter's stack traces.

    The traces stand in every node and hold the paths of the building machine.
    """
    model = onnx.load(path)
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        del item.metadata_props[:]
        item.doc_string = ""
    name_layers(graph)
    halve_exact_weights(model)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return graph


def halve_exact_weights(model: onnx.ModelProto) -> int:
    """Turn FP32 initializers that FP16 represents exactly into FP16 ones followed by a Cast, in place.

    The values do not change, and engines fold the Cast when they load the graph: arithmetic stays FP32.

    Returns:
        How many initializers were halved.
    """
    casts = []
    for initializer in model.graph.initializer:
        if initializer.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(initializer)
        with np.errstate(over="ignore"):
            half = values.astype(np.float16)
        if values.size < MIN_ELEMENTS or not np.array_equal(half.astype(np.float32), values):
            continue
        name = initializer.name
        initializer.CopyFrom(numpy_helper.from_array(half, f"{name}_fp16"))
        casts.append(helper.make_node("Cast", [f"{name}_fp16"], [name], f"{name}_to_fp32", to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    return len(casts)


def widen_weights(model: onnx.ModelProto) -> None:
    """Undo ``halve_exact_weights``, in place: every weight is one FP32 initializer again."""
    constants = {initializer.name: initializer for initializer in model.graph.initializer}
    kept = []
    for node in model.graph.node:
        half = constants.get(node.input[0]) if node.op_type == "Cast" else None
        if half is None or half.data_type != TensorProto.FLOAT16:
            kept.append(node)
            continue
        half.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(half).astype(np.float32), node.output[0]))
    del model.graph.node[:]
    model.graph.node.extend(kept)
