"""The spelling of a graph for ONNX Runtime on a CPU: the same numbers, from operators that its CPU kernels are fast at.

The exported graphs are made of standard operators, which every engine reads and fuses for itself. ONNX Runtime on a CPU
leaves some of them apart when it loads a graph, so they are joined here, into operators of its own domain. TensorRT
refuses those: its graphs are not spelled like this. Nothing here decides what is quantized.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from export.graph.cpu_attention import join_attention
from export.graph.graph_file import halve_exact_weights, widen_weights
from export.graph.graph_rewriter import DOMAIN, Rewriter, shapes_of

UINT8_ZERO = 128
"""An int8 level plus 128 is a uint8 level with this zero point: the same number. x86 multiplies uint8 with int8 in one
instruction and int8 with int8 in several, so ONNX Runtime is several times slower with int8 activations there."""


def spell_for_cpu(model: onnx.ModelProto) -> onnx.ModelProto:
    """Join what ONNX Runtime's CPU provider leaves apart.

    Args:
        model: exported, in FP32 or with the Q/DQ pairs of ``quantize``; not changed.

    Returns:
        A graph with the same inputs, outputs and, but for the order of sums, the same values.
    """
    out = onnx.ModelProto()
    out.CopyFrom(model)
    widen_weights(out)
    graph = Rewriter(out.graph)
    join_attention(graph, shapes_of(out))
    join_integer_products(graph)
    join_gelus(graph)
    graph.finish()
    halve_exact_weights(out)
    if DOMAIN not in {one.domain for one in out.opset_import}:
        out.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    onnx.checker.check_model(out)
    return out


def join_integer_products(graph: Rewriter) -> None:
    """Quantized Linear layers: DequantizeLinear twice, MatMul and the Add of a bias become one integer product.

    ONNX Runtime would make a Gemm of MatMul and Add before it looks for Q/DQ pairs, and has no integer Gemm with a
    floating-point bias: it then runs the layer in FP32, and the pairs on top of it.
    """
    for node in graph.graph.node:
        if node.op_type != "MatMul":
            continue
        pairs = [graph.maker(name, "DequantizeLinear") for name in node.input]
        if pairs[0] is None or pairs[1] is None:
            continue
        (levels, scale, zero), (weight, weight_scale, weight_zero) = pairs[0].input, pairs[1].input
        operands = [levels, weight, scale, weight_scale, zero, weight_zero]
        last = graph.only_reader(node, "Add")
        biases = [] if last is None else [name for name in last.input if name in graph.constants]
        if last is not None and biases and len(graph.constants[biases[0]].dims) == 1:
            operands.append(biases[0])
        else:
            last = node
        graph.replace(last, _node("MatMulIntegerToFloat", operands, last, node.name))
    for node in graph.graph.node:
        if node.op_type == "QuantizeLinear":
            zero = graph.constants[node.input[2]]
            if zero.data_type == onnx.TensorProto.INT8:
                zero.CopyFrom(numpy_helper.from_array(np.array(UINT8_ZERO, np.uint8), zero.name))


def join_gelus(graph: Rewriter) -> None:
    """x * (0.5 * (1 + erf(x / sqrt(2)))), as torch exports it; ONNX Runtime looks for another order of factors."""
    for node in graph.graph.node:
        source = graph.maker(node.input[0], "Div") if node.op_type == "Erf" else None
        if source is None:
            continue
        plus_one = graph.only_reader(node, "Add")
        half = plus_one and graph.only_reader(plus_one, "Mul")
        last = half and graph.only_reader(half, "Mul")
        if not plus_one or not half or not last:
            continue
        x = source.input[0]
        is_gelu = x in last.input and all(
            _has_factor(graph, one, value) for one, value in ((source, np.sqrt(2)), (plus_one, 1), (half, 0.5))
        )
        if is_gelu:
            graph.replace(last, _node("Gelu", [x], last, f"{last.name}_gelu"))


def _has_factor(graph: Rewriter, node: onnx.NodeProto, expected: float) -> bool:
    values = [value for name in node.input if (value := graph.value(name)) is not None]
    return any(value.size == 1 and np.isclose(value.item(), expected, rtol=1e-6) for value in values)


def _node(operator: str, operands: list[str], last: onnx.NodeProto, name: str) -> onnx.NodeProto:
    return helper.make_node(operator, operands, list(last.output), name, domain=DOMAIN)
