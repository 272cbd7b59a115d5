"""The nano graphs with valid feeds, and small ONNX graphs for what those do not have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from export.sam2_to_onnx import sample_feeds
from icseg.assets import nano_models
from icseg.inference.manifest import load_manifest
from icseg.tracker.graphs import GRAPH_NAMES, SegmenterFacts, graph_specs
from icseg.types import Array

DETECTOR = "detector"
NANO_GRAPHS = (*GRAPH_NAMES, DETECTOR)


def nano_graph(name: str) -> Path:
    """The .onnx file of one graph that ships."""
    return nano_models() / ("detector" if name == DETECTOR else "segmenter") / f"{name}.onnx"


def nano_feeds(name: str) -> dict[str, Array]:
    if name == DETECTOR:
        side = load_manifest(nano_models() / DETECTOR, kind=DETECTOR).image_size
        return {"image": np.random.default_rng(0).standard_normal((1, 3, side, side)).astype(np.float32)}
    manifest = load_manifest(nano_models() / "segmenter", kind="segmenter")
    facts = SegmenterFacts.from_mapping(manifest.image_size, manifest.facts)
    return sample_feeds(graph_specs(facts)[name], facts)


def run_model(model: onnx.ModelProto, feeds: dict[str, Array], *, is_exact: bool = True) -> dict[str, Array]:
    """Outputs by name; ``is_exact`` as icseg's runner: x86 without VNNI adds products in 16 bits otherwise."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.add_session_config_entry("session.x64quantprecision", str(int(is_exact)))
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), sess_options=options, providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(None, feeds), strict=True))


def make_model(
    nodes: list[onnx.NodeProto],
    weights: dict[str, Array],
    inputs: dict[str, tuple[int | str, ...]],
    outputs: dict[str, tuple[int | str, ...]],
) -> onnx.ModelProto:
    """An FP32 graph of opset 18."""
    inputs_, outputs_ = (
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in values.items()]
        for values in (inputs, outputs)
    )
    initializers = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "small", inputs_, outputs_, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def quantized_model(*, weights_too: bool = True) -> onnx.ModelProto:
    """x (1, 4, 8, 8) -> y: LayerNormalization, then a 3x3 convolution whose factors pass through Q and DQ."""
    random = np.random.default_rng(0)
    nodes = [
        helper.make_node("LayerNormalization", ["x", "gain", "shift"], ["normed"], "norm", axis=-1),
        helper.make_node("QuantizeLinear", ["normed", "scale_x", "zero"], ["qx"], "qx"),
        helper.make_node("DequantizeLinear", ["qx", "scale_x", "zero"], ["dx"], "dx"),
        helper.make_node("Conv", ["dx", "w"], ["y"], "conv", pads=[1, 1, 1, 1]),
    ]
    values = {
        "gain": np.ones(8, np.float32),
        "shift": np.zeros(8, np.float32),
        "scale_x": np.float32(0.03),
        "zero": np.int8(0),
    }
    if weights_too:
        nodes.insert(3, helper.make_node("DequantizeLinear", ["qw", "scale_w", "zeros"], ["w"], "dw", axis=0))
        values |= {
            "qw": random.integers(-127, 128, (6, 4, 3, 3)).astype(np.int8),
            "scale_w": random.uniform(0.001, 0.002, 6).astype(np.float32),
            "zeros": np.zeros(6, np.int8),
        }
    else:
        values["w"] = random.normal(0, 0.1, (6, 4, 3, 3)).astype(np.float32)
    return make_model(
        nodes, {name: np.asarray(value) for name, value in values.items()}, {"x": (1, 4, 8, 8)}, {"y": (1, 6, 8, 8)}
    )
