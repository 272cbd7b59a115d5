"""Store weights in half the bytes where nothing is lost: the models that ship are trained, rounded, then exported."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MIN_ELEMENTS = 256
"""Smaller tensors are not worth a node."""


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
