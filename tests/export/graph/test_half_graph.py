"""FP32 graphs made FP16: the error is rounding, what the policy keeps is FP32, and nothing is rounded in between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from export.difference import relative_error
from export.graph.half_graph import main, read_graph, to_half
from export.graph.half_policy import DEFAULT_POLICY, HalfPolicy, half_policy
from icseg.errors import PlanMismatchError
from tests.export.graph.small_graphs import NANO_GRAPHS, make_model, nano_feeds, nano_graph, quantized_model, run_model

TOLERANCE = 2e-3
"""Relative L2 error against FP32. FP16 rounds to 0.0005; a chain of layers measures 5e-5 to 9e-4, and onnxruntime's
converter with the same nodes kept 2.3e-3, because it rounds between them."""
NO_CAST = {"Cast": "another type"}


def types_of(model: onnx.ModelProto) -> dict[str, int]:
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {item.name: item.data_type for item in graph.initializer}


@pytest.mark.parametrize("name", NANO_GRAPHS)
def test_nano_graphs_lose_only_rounding(name: str) -> None:
    source, feeds = onnx.load(nano_graph(name)), nano_feeds(name)
    before = source.SerializeToString()
    made = to_half(source, half_policy(name))
    assert source.SerializeToString() == before
    expected, got = run_model(source, feeds), run_model(made.model, feeds)
    assert {key: value.dtype for key, value in got.items()} == {key: value.dtype for key, value in expected.items()}
    errors = {key: relative_error(got[key], expected[key]) for key in expected}
    assert 0 < max(errors.values()) < TOLERANCE, errors
    assert max(np.abs(got[key] - expected[key]).max() / np.abs(expected[key]).max() for key in expected) < 5 * TOLERANCE

    types, policy = types_of(made.model), half_policy(name)
    products = [node for node in made.model.graph.node if node.op_type in ("Conv", "MatMul", "Gemm", "ConvTranspose")]
    half = [node for node in products if types[node.output[0]] == TensorProto.FLOAT16]
    assert len(half) > 0.8 * len(products)
    for node in made.model.graph.node:
        if node.op_type in policy.operators and node.op_type != "Cast":
            assert types[node.input[0]] in (TensorProto.FLOAT, TensorProto.INT32), node.name


def test_positional_angles_and_scores_are_never_rounded() -> None:
    """Between the coordinates and the sine, and between the last norm and the scores, no tensor is FP16."""
    model = to_half(onnx.load(nano_graph("mask_decoder")), half_policy("mask_decoder")).model
    types = types_of(model)
    makers = {name: node for node in model.graph.node for name in node.output}

    def upstream(tensor: str, until: str) -> list[onnx.NodeProto]:
        node = makers.get(tensor)
        if node is None or node.op_type == until:
            return []
        return [node, *(found for name in node.input for found in upstream(name, until))]

    (sine,) = [node for node in model.graph.node if node.op_type == "Sin"]
    chains = [upstream(sine.input[0], "")] + [
        upstream(name, "LayerNormalization") for name in ("iou_scores", "object_score")
    ]
    for chain in chains:
        assert len(chain) >= 5
        assert TensorProto.FLOAT16 not in {
            types[name] for node in chain for name in (*node.input, *node.output) if name
        }


def test_the_converted_graph_says_why_nodes_stay() -> None:
    made = to_half(onnx.load(nano_graph("detector")), half_policy("detector"))
    assert made.kept["rounding makes neighbours equal, and equal neighbours are two peaks"] >= 1
    assert made.half + sum(made.kept.values()) <= len(made.model.graph.node)


def test_a_constant_that_fp16_cannot_say_keeps_its_node() -> None:
    nodes = [
        helper.make_node("Mul", ["x", "large"], ["a"], "large_one"),
        helper.make_node("Div", ["a", "large"], ["b"], "large_two"),
        helper.make_node("Add", ["b", "tiny"], ["c"], "tiny_one"),
        helper.make_node("Mul", ["c", "two"], ["y"], "plain"),
    ]
    weights = {"large": np.float32(1e6), "tiny": np.float32(1e-9), "two": np.float32(2)}
    source = make_model(nodes, {key: np.asarray(value) for key, value in weights.items()}, {"x": (4,)}, {"y": (4,)})
    made = to_half(source, DEFAULT_POLICY)
    assert made.kept == {"a constant passes 65504": 2, "a constant is smaller than FP16 can say": 1}
    assert made.half == 1
    casts = [node for node in made.model.graph.node if node.op_type == "Cast"]
    assert len(casts) == 2, "one before the FP16 node and one after it"
    x = np.linspace(1, 2, 4, dtype=np.float32)
    np.testing.assert_allclose(run_model(made.model, {"x": x})["y"], 2 * x, rtol=1e-3)


def test_an_output_that_is_also_read_inside() -> None:
    nodes = [
        helper.make_node("Add", ["x", "x"], ["a"], "half"),
        helper.make_node("Mul", ["a", "a"], ["b"], "half_too"),
        helper.make_node("Softmax", ["a"], ["c"], "kept"),
    ]
    source = make_model(nodes, {}, {"x": (4,)}, {"a": (4,), "b": (4,), "c": (4,)})
    model = to_half(source, DEFAULT_POLICY).model
    x = np.linspace(0, 1, 4, dtype=np.float32)
    got, expected = run_model(model, {"x": x}), run_model(source, {"x": x})
    for key, value in expected.items():
        np.testing.assert_allclose(got[key], value, atol=2e-3)


def test_quantized_graphs_dequantize_to_fp16() -> None:
    source = quantized_model()
    made = to_half(source, DEFAULT_POLICY)
    types = types_of(made.model)
    by_name = {node.name: node for node in made.model.graph.node}
    assert types[by_name["conv"].output[0]] == TensorProto.FLOAT16
    # no cast stands between a factor and its dequantization, which is what makes the product INT8
    assert list(by_name["conv"].input) == [by_name["dx"].output[0], by_name["dw"].output[0]]
    assert types[by_name["qx"].input[0]] == TensorProto.FLOAT
    x = np.random.default_rng(1).standard_normal((1, 4, 8, 8)).astype(np.float32)
    assert relative_error(run_model(made.model, {"x": x})["y"], run_model(source, {"x": x})["y"]) < TOLERANCE


def test_graphs_that_cannot_be_converted() -> None:
    half = to_half(quantized_model(), HalfPolicy(NO_CAST, {})).model
    with pytest.raises(ValueError, match="already computes in FP16"):
        to_half(half, DEFAULT_POLICY)
    branch = helper.make_graph([], "branch", [], [])
    node = helper.make_node("If", ["x"], ["y"], "choice", then_branch=branch, else_branch=branch)
    with pytest.raises(ValueError, match="node choice: expected a graph without subgraphs, got If"):
        to_half(make_model([node], {}, {"x": (1,)}, {"y": (1,)}), DEFAULT_POLICY)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "half.onnx"
    assert main([str(nano_graph("memory_encoder")), str(out)]) == 0
    text = capsys.readouterr().out
    assert "nodes compute in FP16" in text
    assert "1 stay FP32: the sign of an upsampled logit is the mask that is remembered" in text
    assert TensorProto.FLOAT16 in types_of(read_graph(out)).values()
    (tmp_path / "noise.onnx").write_bytes(b"no graph")
    with pytest.raises(SystemExit):
        main([str(tmp_path / "noise.onnx"), str(out)])
    assert "noise.onnx: expected an ONNX graph, got something else" in capsys.readouterr().err
    (tmp_path / "noise.onnx").write_bytes(b"")
    with pytest.raises(PlanMismatchError, match="holds no node"):
        read_graph(tmp_path / "noise.onnx")
