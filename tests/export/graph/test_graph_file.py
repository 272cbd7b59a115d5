"""Halving weights changes no value: only exactly representable ones are touched."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from export.graph.graph_file import halve_exact_weights


def graph(weights: np.ndarray) -> onnx.ModelProto:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, weights.shape[0]])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, weights.shape[1]])]
    body = helper.make_graph(nodes, "g", inputs, outputs, [numpy_helper.from_array(weights, "w")])
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def test_rounded_weights_are_halved_and_compute_the_same() -> None:
    random = np.random.default_rng(0)
    weights = random.normal(size=(64, 64)).astype(np.float16).astype(np.float32)
    model, x = graph(weights), random.normal(size=(1, 64)).astype(np.float32)
    before, size = run(model, x), model.ByteSize()
    assert halve_exact_weights(model) == 1
    onnx.checker.check_model(model)
    assert model.ByteSize() < 0.6 * size
    assert np.array_equal(run(model, x), before)


def test_full_precision_weights_and_small_ones_stay() -> None:
    exact = np.ones((4, 4), np.float32)
    inexact = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    huge = np.full((64, 64), 1e6, np.float32)
    for weights in (exact, inexact, huge):
        assert halve_exact_weights(graph(weights)) == 0
