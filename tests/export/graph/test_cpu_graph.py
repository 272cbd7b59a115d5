"""The spelling for ONNX Runtime's CPU: the operators that it should have, the values that it must not change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.difference import relative_error
from export.graph.cpu_attention import join_attention
from export.graph.cpu_graph import spell_for_cpu
from export.graph.graph_file import widen_weights
from export.graph.graph_rewriter import DOMAIN, Rewriter, shapes_of
from export.graph.layers import find_layers, name_layers
from export.graph.quantize import activations, collect, layers_to_quantize, quantize
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from icseg.tracker.graphs import GRAPH_NAMES, IMAGE_ENCODER, MASK_DECODER, MEMORY_ATTENTION
from tests.export.graph.small_graphs import make_model, nano_feeds, nano_graph, run_model

RANDOM = np.random.default_rng(5)
ORDER_OF_SUMS = 2e-6
"""Relative L2 of a graph of some ten layers in FP32."""
ONE_LEVEL = 0.01
"""Relative L2 between two INT8 spellings of a deep graph: FP32 between its layers rounds differently, so that a value
half way between two levels falls to either; as far as INT8 itself is from FP32, and no farther."""


def linears(*, bias: bool = True) -> onnx.ModelProto:
    """x -> two linears on the same input, the first with a Relu and a third one after it."""
    nodes = [
        helper.make_node("MatMul", ["x", "a.weight"], ["a"], "n0"),
        helper.make_node("Add", ["a", "a.bias"], ["ab"], "n1"),
        helper.make_node("Relu", ["ab"], ["r"], "n2"),
        helper.make_node("MatMul", ["r", "b.weight"], ["b"], "n3"),
        helper.make_node("MatMul", ["x", "c.weight"], ["c"], "n4"),
        helper.make_node("Add", ["b", "c"], ["y"], "n5"),
    ]
    weights = {
        "a.weight": RANDOM.standard_normal((12, 40)),
        "b.weight": RANDOM.standard_normal((40, 8)),
        "c.weight": RANDOM.standard_normal((12, 8)),
        "a.bias": RANDOM.standard_normal(40),
    }
    if not bias:
        nodes[1] = helper.make_node("Identity", ["a"], ["ab"], "n1")
        del weights["a.bias"]
    values = {name: value.astype(np.float32) for name, value in weights.items()}
    model = make_model(nodes, values, {"x": (2, 9, 12)}, {"y": (2, 9, 8)})
    name_layers(model.graph)
    return model


def quantized_linears(*, bias: bool = True) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    model, feeds = linears(bias=bias), {"x": RANDOM.standard_normal((2, 9, 12)).astype(np.float32)}
    layers = layers_to_quantize(IMAGE_ENCODER, model.graph, for_cpu=True)
    assert len(layers) == 3
    histograms = collect(model, set(activations(model.graph, layers).values()), [feeds], threads=1)
    return quantize(model, {name: found.threshold("max") for name, found in histograms.items()}, layers), feeds


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize("bias", [True, False])
def test_integer_products_give_the_numbers_of_the_pairs(bias: bool) -> None:
    pairs, feeds = quantized_linears(bias=bias)
    before = pairs.SerializeToString(deterministic=True)
    spelled = spell_for_cpu(pairs)
    assert pairs.SerializeToString(deterministic=True) == before
    assert operators(spelled).count("MatMulIntegerToFloat") == 3
    assert operators(spelled).count("QuantizeLinear") == 2
    assert not {"DequantizeLinear", "MatMul"} & set(operators(spelled))
    assert operators(spelled).count("Add") == 1  # of two products: no bias
    expected, got = run_model(pairs, feeds)["y"], run_model(spelled, feeds)["y"]
    assert relative_error(got, expected) < ORDER_OF_SUMS


def test_uint8_and_int8_levels_are_the_same_number() -> None:
    pairs, feeds = quantized_linears()
    spelled = spell_for_cpu(pairs)
    zeros = [item for item in spelled.graph.initializer if item.data_type == TensorProto.UINT8]
    assert [onnx.numpy_helper.to_array(zero).item() for zero in zeros] == [128, 128]
    signed = onnx.ModelProto()
    signed.CopyFrom(spelled)
    for item in signed.graph.initializer:
        if item.data_type == TensorProto.UINT8:
            item.CopyFrom(onnx.numpy_helper.from_array(np.array(0, np.int8), item.name))
    # ONNX Runtime makes uint8 of the weights to be exact, and has no product of those with int8
    assert np.array_equal(run_model(signed, feeds, is_exact=False)["y"], run_model(spelled, feeds)["y"])


def test_the_largest_levels_do_not_saturate(tmp_path: Path) -> None:
    """255 times 127, twice, is more than 16 bits hold; x86 without VNNI adds them there unless it is told not to."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], "n0")]
    model = make_model(nodes, {"w": np.ones((64, 8), np.float32)}, {"x": (4, 64)}, {"y": (4, 8)})
    name_layers(model.graph)
    pairs = quantize(model, {"x": 2.0}, [layer.name for layer in find_layers(model.graph)])
    onnx.save(spell_for_cpu(pairs), tmp_path / "largest.onnx")
    got = OnnxRuntimeRunner(tmp_path / "largest.onnx", threads=1).run({"x": np.full((4, 64), 2, np.float32)})["y"]
    assert np.allclose(got, 128, rtol=1e-5)


def gelu(half: float) -> onnx.ModelProto:
    nodes = [
        helper.make_node("Div", ["x", "root"], ["d"]),
        helper.make_node("Erf", ["d"], ["e"]),
        helper.make_node("Add", ["e", "one"], ["p"]),
        helper.make_node("Mul", ["half", "p"], ["h"]),
        helper.make_node("Mul", ["x", "h"], ["y"]),
    ]
    constants = {"root": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(half)}
    return make_model(nodes, {k: np.asarray(v) for k, v in constants.items()}, {"x": (3, 50)}, {"y": (3, 50)})


def test_gelus_are_joined_and_what_only_looks_like_one_is_not() -> None:
    feeds = {"x": RANDOM.standard_normal((3, 50)).astype(np.float32) * 3}
    for half, expected in ((0.5, ["Gelu"]), (0.4, ["Div", "Erf", "Add", "Mul", "Mul"])):
        model = gelu(half)
        spelled = spell_for_cpu(model)
        assert operators(spelled) == expected
        assert relative_error(run_model(spelled, feeds)["y"], run_model(model, feeds)["y"]) < ORDER_OF_SUMS


@pytest.mark.parametrize("name", GRAPH_NAMES)
def test_every_nano_graph_keeps_its_values(name: str) -> None:
    model, feeds = onnx.load(nano_graph(name)), nano_feeds(name)
    spelled = spell_for_cpu(model)
    got, expected = run_model(spelled, feeds), run_model(model, feeds)
    assert {key: relative_error(got[key], value) for key, value in expected.items()} == pytest.approx(
        dict.fromkeys(expected, 0), abs=ORDER_OF_SUMS
    )
    if name == IMAGE_ENCODER:
        assert operators(spelled).count("Gelu") == operators(spelled).count("MultiHeadAttention") == 8
        assert "Erf" not in operators(spelled)


def test_attention_over_masked_memory_in_blocks_keeps_its_values() -> None:
    model, feeds = onnx.load(nano_graph(MEMORY_ATTENTION)), nano_feeds(MEMORY_ATTENTION)
    assert 0 < np.count_nonzero(feeds["memory_mask"]) < feeds["memory_mask"].size
    widen_weights(model)
    expected = run_model(model, feeds)
    graph = Rewriter(model.graph)
    join_attention(graph, shapes_of(model), min_scores=0)
    graph.finish()
    model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    assert operators(model).count("MultiHeadAttention") == 4
    assert "Softmax" not in operators(model)
    for key, value in run_model(model, feeds).items():
        assert relative_error(value, expected[key]) < ORDER_OF_SUMS
    assert "MultiHeadAttention" not in operators(spell_for_cpu(onnx.load(nano_graph(MEMORY_ATTENTION))))


def test_attention_of_another_layout_is_left_alone() -> None:
    """The decoder has some with a mask of its prompt's tokens, and some without."""
    model = onnx.load(nano_graph(MASK_DECODER))
    spelled = spell_for_cpu(model)
    assert operators(model).count("Softmax") == 7
    assert operators(spelled).count("MultiHeadAttention") == 3
    assert operators(spelled).count("Softmax") == 4


@pytest.mark.parametrize("name", [IMAGE_ENCODER, MEMORY_ATTENTION])
def test_every_int8_layer_of_the_nano_graphs_is_an_integer_product(name: str) -> None:
    model, feeds = onnx.load(nano_graph(name)), nano_feeds(name)
    widen_weights(model)
    layers = layers_to_quantize(name, model.graph, for_cpu=True)
    histograms = collect(model, set(activations(model.graph, layers).values()), [feeds], threads=1)
    pairs = quantize(model, {key: found.threshold("max") for key, found in histograms.items()}, layers)
    spelled = spell_for_cpu(pairs)
    assert operators(spelled).count("MatMulIntegerToFloat") == len(layers) > 18
    assert "DequantizeLinear" not in operators(spelled)
    assert {node.domain for node in spelled.graph.node if node.op_type == "MatMulIntegerToFloat"} == {DOMAIN}
    got, expected = run_model(spelled, feeds), run_model(pairs, feeds)
    for key, value in expected.items():
        assert relative_error(got[key], value) < ONE_LEVEL
