"""Q/DQ graphs: the right layers, the right values, nothing else changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from export.difference import relative_error
from export.graph.graph_file import halve_exact_weights, widen_weights
from export.graph.layers import find_layers, name_layers
from export.graph.quantize import activations, collect, layers_to_quantize, quantize
from icseg.assets import nano_models
from icseg.tracker.graphs import GRAPH_NAMES, IMAGE_ENCODER, MEMORY_ATTENTION
from icseg.types import Array
from tests.export.graph.small_graphs import run_model

RANDOM = np.random.default_rng(3)
INT8_ERROR = 0.02
"""Relative L2: 127 levels of a normal distribution that reaches to 4 sigma give about 0.01 a layer."""


def constant(name: str, *shape: int) -> onnx.TensorProto:
    return numpy_helper.from_array(RANDOM.standard_normal(shape).astype(np.float32), name)


def small_model() -> onnx.ModelProto:
    """x -> conv -> two linears on the same input -> their product with each other's transpose."""
    nodes = [
        helper.make_node("Conv", ["x", "body.conv.weight", "body.conv.bias"], ["c"], "n0"),
        helper.make_node("Reshape", ["c", "shape"], ["r"], "n1"),
        helper.make_node("MatMul", ["r", "val_1"], ["m1"], "n2"),
        helper.make_node("Add", ["m1", "body.query.bias"], ["q"], "n3"),
        helper.make_node("Gemm", ["r", "body.key.weight", "body.key.bias"], ["k"], "n4", transB=1),
        helper.make_node("Transpose", ["k"], ["kt"], "n5", perm=[1, 0]),
        helper.make_node("MatMul", ["q", "kt"], ["y"], "n6"),
    ]
    constants = [
        constant("body.conv.weight", 4, 3, 1, 1),
        constant("body.conv.bias", 4),
        numpy_helper.from_array(np.array([16, 4], np.int64), "shape"),
        constant("val_1", 4, 8),
        constant("body.query.bias", 8),
        constant("body.key.weight", 8, 4),
        constant("body.key.bias", 8),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "small",
        [value("x", TensorProto.FLOAT, [1, 3, 4, 4])],
        [value("y", TensorProto.FLOAT, [16, 16])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    name_layers(model.graph)
    return model


def run(model: onnx.ModelProto, feeds: dict[str, Array]) -> Array:
    return next(iter(run_model(model, feeds).values()))


def samples(count: int) -> list[dict[str, Array]]:
    return [{"x": RANDOM.standard_normal((1, 3, 4, 4)).astype(np.float32)} for _ in range(count)]


def test_layers_get_the_names_of_their_modules() -> None:
    model = small_model()
    assert [layer.name for layer in find_layers(model.graph)] == ["body.conv", "body.query", "body.key"]
    assert [layer.out_axis for layer in find_layers(model.graph)] == [0, 1, 0]


def test_weights_used_twice_keep_distinct_names() -> None:
    model = small_model()
    twin = onnx.NodeProto()
    twin.CopyFrom(model.graph.node[4])
    twin.output[0] = "k2"
    model.graph.node.append(twin)
    name_layers(model.graph)
    assert [layer.name for layer in find_layers(model.graph)] == ["body.conv", "body.query", "body.key", "body.key#2"]


def test_quantized_and_true_values_are_close() -> None:
    model, layers = small_model(), ["body.conv", "body.query", "body.key"]
    inputs = activations(model.graph, layers)
    assert inputs == {"body.conv": "x", "body.query": "r", "body.key": "r"}
    histograms = collect(model, set(inputs.values()), samples(20))
    quantized = quantize(model, {name: found.threshold("max") for name, found in histograms.items()}, layers)
    operators = [node.op_type for node in quantized.graph.node]
    assert operators.count("QuantizeLinear") == 2  # query and key share theirs
    assert operators.count("DequantizeLinear") == 2 + 3
    int8 = {item.name for item in quantized.graph.initializer if item.data_type == TensorProto.INT8 and item.dims}
    assert {"body.conv.weight_int8", "val_1_int8", "body.key.weight_int8"} <= int8
    assert "val_1" not in {item.name for item in quantized.graph.initializer}
    biases = [item for item in quantized.graph.initializer if item.name.endswith(".bias")]
    assert [item.data_type for item in biases] == [TensorProto.FLOAT] * 3
    (feeds,) = samples(1)
    error = relative_error(run(quantized, feeds), run(model, feeds))
    assert 1e-6 < error < INT8_ERROR * 3


def test_layers_that_are_not_named_stay_as_they_are() -> None:
    model = small_model()
    quantized = quantize(model, {"x": 4.0}, ["body.conv"])
    assert [node.op_type for node in quantized.graph.node].count("DequantizeLinear") == 2
    assert "val_1" in {item.name for item in quantized.graph.initializer}


def test_what_is_missing_is_named() -> None:
    model = small_model()
    with pytest.raises(ValueError, match=r"no layers \['body.tail'\]"):
        quantize(model, {"x": 1.0}, ["body.conv", "body.tail"])
    with pytest.raises(ValueError, match=r"no threshold for the inputs of \['body.query'\]"):
        quantize(model, {"x": 1.0}, ["body.conv", "body.query"])
    with pytest.raises(ValueError, match="at least one sample"):
        collect(model, {"x"}, [])
    with pytest.raises(ValueError, match="expected one of image_encoder"):
        layers_to_quantize("detector", model.graph)


@pytest.mark.parametrize("name", GRAPH_NAMES)
def test_halved_weights_are_widened_without_loss(name: str, tmp_path: Path) -> None:
    model = onnx.load(nano_models() / "segmenter" / f"{name}.onnx")
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    widen_weights(wide)
    assert not any(item.data_type == TensorProto.FLOAT16 for item in wide.graph.initializer)
    halve_exact_weights(wide)
    assert wide.ByteSize() == model.ByteSize()


def test_every_layer_of_the_nano_encoder_and_attention_has_a_name_and_most_become_int8() -> None:
    for name, least in ((IMAGE_ENCODER, 35), (MEMORY_ATTENTION, 18)):
        model = onnx.load(nano_models() / "segmenter" / f"{name}.onnx")
        widen_weights(model)
        names = [layer.name for layer in find_layers(model.graph)]
        assert len(set(names)) == len(names)
        assert not any(one.startswith(("node_", "val_")) for one in names)
        chosen = layers_to_quantize(name, model.graph)
        assert least <= len(chosen) < len(names)
