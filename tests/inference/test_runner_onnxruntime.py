"""ONNX Runtime behind the seam: what it refuses, and in which words."""

# ruff: noqa: E402  (imports follow the check that the export extra is installed)
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from icseg.errors import BackendError, PlanMismatchError
from icseg.inference.runner import TensorSpec
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from icseg.inference.runner_scripted import ScriptedRunner


def write_doubling_graph(path: Path, shape: tuple[int | str, ...] = (2, 3)) -> Path:
    """y = x + x."""
    tensors = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in ("x", "y")]
    node = onnx.helper.make_node("Add", ["x", "x"], ["y"])
    graph = onnx.helper.make_graph([node], "doubling", tensors[:1], tensors[1:])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=8)
    onnx.save(model, path)
    return path


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write_doubling_graph(tmp_path / "doubling.onnx")


def test_runs_and_says_what_it_is(graph: Path) -> None:
    runner = OnnxRuntimeRunner(graph, threads=1)
    assert runner.backend == "onnxruntime/CPUExecutionProvider"
    assert runner.inputs == {"x": TensorSpec((2, 3), "float32")}
    assert runner.outputs == {"y": TensorSpec((2, 3), "float32")}
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.testing.assert_array_equal(runner.run({"x": x})["y"], 2 * x)
    np.testing.assert_array_equal(runner.run({"x": x[:, ::-1]})["y"], 2 * x[:, ::-1])


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({}, r"doubling.onnx: missing inputs \['x'\], unknown inputs \[\]"),
        ({"x": np.zeros((2, 3), np.float32), "z": np.zeros(1)}, r"unknown inputs \['z'\]"),
        ({"x": np.zeros((3, 2), np.float32)}, r"input x: expected float32 \(2, 3\), got float32 \(3, 2\)"),
        ({"x": np.zeros((2, 3))}, r"input x: expected float32 \(2, 3\), got float64 \(2, 3\)"),
    ],
)
def test_wrong_feeds_are_named(graph: Path, feeds: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OnnxRuntimeRunner(graph, threads=1).run(feeds)


def test_a_provider_that_is_not_there_is_no_silent_fallback(graph: Path) -> None:
    with pytest.raises(
        BackendError, match=r"no provider \['MadeUpExecutionProvider'\]; this installation has \['.*CPU"
    ):
        OnnxRuntimeRunner(graph, providers=("MadeUpExecutionProvider", "CPUExecutionProvider"))
    with pytest.raises(ValueError, match="at least one provider"):
        OnnxRuntimeRunner(graph, providers=())


def test_files_that_are_no_graph_are_named(tmp_path: Path) -> None:
    path = tmp_path / "noise.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(BackendError, match=r"noise.onnx: ONNX Runtime cannot load it"):
        OnnxRuntimeRunner(path)
    with pytest.raises(BackendError, match=r"absent.onnx: ONNX Runtime cannot load it"):
        OnnxRuntimeRunner(tmp_path / "absent.onnx")


def test_dynamic_shapes_are_refused(tmp_path: Path) -> None:
    path = write_doubling_graph(tmp_path / "dynamic.onnx", ("batch", 3))
    with pytest.raises(
        PlanMismatchError, match=r"tensor x: expected a static shape .* \['batch', 3\]; export it again"
    ):
        OnnxRuntimeRunner(path)


def test_a_script_keeps_to_its_specs() -> None:
    spec = {"x": TensorSpec((1,), "float32")}
    runner = ScriptedRunner(spec, spec, lambda feeds: {"x": np.zeros(2, np.float32)}, "script")
    with pytest.raises(ValueError, match=r"script: input x: expected float32 \(1,\), got float64"):
        runner.run({"x": np.zeros(1)})
    with pytest.raises(ValueError, match="script outputs: input x"):
        runner.run({"x": np.zeros(1, np.float32)})
