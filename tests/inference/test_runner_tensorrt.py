"""A plan behind the seam, on doubles of TensorRT and CUDA that move real bytes: order, copies, capture, faults."""

from __future__ import annotations

import gc
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cuda_double import CudaDouble, Error
from tensorrt_double import PLAN, TensorRtDouble

from icseg.errors import BackendError, PlanMismatchError
from icseg.inference import tensorrt_module
from icseg.inference.manifest import ModelFile
from icseg.inference.runner import TensorSpec
from icseg.inference.runner_tensorrt import TensorRtRunner
from icseg.inference.tensorrt_module import find_tensorrt, load_tensorrt

INPUTS = {"x": TensorSpec((2, 3), "float32"), "k": TensorSpec((1,), "int32")}
OUTPUTS = {"y": TensorSpec((2, 3), "float32"), "n": TensorSpec((), "float32")}
ENTRY = ModelFile("a.plan", "", "tensorrt", "float16", "10.3.0", "8.7")
X = np.arange(6, dtype=np.float32).reshape(2, 3)
K = np.array([3], np.int32)


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch, cuda: CudaDouble) -> TensorRtDouble:
    def answer(feeds: Any) -> Any:
        return {"y": feeds["x"] * feeds["k"], "n": feeds["x"].sum()}

    double = TensorRtDouble(cuda, INPUTS, OUTPUTS, answer)
    monkeypatch.setitem(sys.modules, "tensorrt", double)
    return double


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    (tmp_path / "a.plan").write_bytes(PLAN)
    return tmp_path / "a.plan"


def load(plan: Path, **changes: Any) -> TensorRtRunner:
    use_cuda_graph = changes.pop("use_cuda_graph", True)
    return TensorRtRunner(plan, replace(ENTRY, **changes), rebuild_hint="rebuild it", use_cuda_graph=use_cuda_graph)


@pytest.mark.parametrize("use_cuda_graph", [True, False])
def test_runs_and_says_what_it_is(trt: TensorRtDouble, plan: Path, use_cuda_graph: bool) -> None:
    runner = load(plan, use_cuda_graph=use_cuda_graph)
    assert runner.backend == "tensorrt/10.3.0/8.7"
    assert (runner.inputs, runner.outputs) == (INPUTS, OUTPUTS)
    for factor in (1, 2):
        outputs = runner.run({"x": factor * X, "k": K})
        np.testing.assert_array_equal(outputs["y"], factor * X * 3)
        assert outputs["n"] == factor * X.sum()
    transposed = np.ascontiguousarray(X.reshape(3, 2)).T
    np.testing.assert_array_equal(runner.run({"x": transposed, "k": K})["y"], transposed * 3)


def test_the_order_of_calls_with_a_capture(trt: TensorRtDouble, cuda: CudaDouble, plan: Path) -> None:
    runner = load(plan)
    copies = ["cudaMemcpyAsync"] * 4
    assert cuda.calls == [
        "cudaSetDevice",
        "cudaDeviceGetAttribute",
        "cudaDeviceGetAttribute",
        "cudaStreamCreateWithFlags",
        *["cudaMalloc", "cudaMallocHost"] * 4,
        *copies,
        "cudaStreamSynchronize",
        "cudaStreamBeginCapture",
        *copies,
        "cudaStreamEndCapture",
        "cudaGraphInstantiate",
        "cudaGraphDestroy",
    ]
    assert trt.calls == [
        "deserialize_cuda_engine",
        "create_execution_context",
        *["set_tensor_address"] * 4,
        *["execute_async_v3"] * 2,
    ]
    cuda.calls.clear()
    for _ in range(2):
        runner.run({"x": X, "k": K})
    assert cuda.calls == ["cudaGraphLaunch", "cudaStreamSynchronize"] * 2
    assert trt.calls[-1] == "execute_async_v3"
    assert trt.calls.count("execute_async_v3") == 2


def test_the_order_of_calls_without_one(trt: TensorRtDouble, cuda: CudaDouble, plan: Path) -> None:
    runner = load(plan, use_cuda_graph=False)
    assert "execute_async_v3" not in trt.calls
    cuda.calls.clear()
    runner.run({"x": X, "k": K})
    assert cuda.calls == [*["cudaMemcpyAsync"] * 4, "cudaStreamSynchronize"]


def test_memory_goes_with_the_runner_but_not_before_its_outputs(
    trt: TensorRtDouble, cuda: CudaDouble, plan: Path
) -> None:
    runner = load(plan)
    assert len(cuda.live) == 8
    assert cuda.handles == ["stream", "executable"]
    kept = runner.run({"x": X, "k": K})["y"]
    del runner
    gc.collect()
    assert not cuda.handles
    assert len(cuda.live) == 1, "the host memory of the output that is kept"
    np.testing.assert_array_equal(kept, X * 3)
    del kept
    gc.collect()
    assert not cuda.live


@pytest.mark.parametrize(
    ("feeds", "message"),
    [
        ({"x": X}, r"a.plan: missing inputs \['k'\], unknown inputs \[\]"),
        ({"x": X.T, "k": K}, r"a.plan: input x: expected float32 \(2, 3\), got float32 \(3, 2\)"),
        ({"x": X, "k": K.astype(np.int64)}, r"input k: expected int32 \(1,\), got int64 \(1,\)"),
    ],
)
def test_wrong_feeds_are_named(trt: TensorRtDouble, plan: Path, feeds: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(plan).run(feeds)


def test_a_plan_of_another_version_is_not_loaded(trt: TensorRtDouble, cuda: CudaDouble, plan: Path) -> None:
    with pytest.raises(PlanMismatchError) as caught:
        load(plan, engine_version="10.7.0")
    assert str(caught.value) == (
        f"{plan}: built by tensorrt 10.7.0, which no other version loads; this machine has 10.3.0; rebuild it"
    )
    assert not cuda.calls
    assert not trt.calls


def test_a_plan_for_another_gpu_is_not_loaded(trt: TensorRtDouble, cuda: CudaDouble, plan: Path) -> None:
    with pytest.raises(PlanMismatchError, match=r"for a GPU of compute capability 8\.6, this one has 8\.7; rebuild"):
        load(plan, compute_capability="8.6")
    assert not trt.calls
    gc.collect()
    assert not cuda.handles


def test_tensors_that_icseg_does_not_use(trt: TensorRtDouble, plan: Path) -> None:
    trt.dtypes["x"] = "DataType.BF16"
    with pytest.raises(PlanMismatchError, match=r"tensor x: expected a static shape and .*, got DataType.BF16 \(2,"):
        load(plan)
    trt.dtypes.clear()
    trt.inputs["x"] = TensorSpec((-1, 3), "float32")
    with pytest.raises(PlanMismatchError, match=r"tensor x: expected a static shape .* \(-1, 3\); rebuild it"):
        load(plan)


@pytest.mark.parametrize(
    ("method", "text"),
    [
        ("deserialize_cuda_engine", "cannot load the plan"),
        ("create_execution_context", "cannot make an execution context"),
        ("set_tensor_address", "refuses a buffer for x"),
        ("execute_async_v3", "failed to run"),
    ],
)
def test_what_tensorrt_refuses_is_an_error_with_its_reason(
    trt: TensorRtDouble, plan: Path, method: str, text: str
) -> None:
    trt.fault = method
    with pytest.raises(BackendError, match=rf"^a\.plan: TensorRT {text}: {method} did not work$"):
        load(plan)


def test_a_run_that_fails(trt: TensorRtDouble, plan: Path) -> None:
    runner = load(plan, use_cuda_graph=False)
    trt.fault = "execute_async_v3"
    with pytest.raises(BackendError, match=r"failed to run: execute_async_v3 did not work"):
        runner.run({"x": X, "k": K})


def test_a_capture_that_fails_ends_and_is_an_error(trt: TensorRtDouble, cuda: CudaDouble, plan: Path) -> None:
    real = cuda.cudaStreamBeginCapture

    def begin(*arguments: Any) -> Any:
        trt.fault = "execute_async_v3"
        return real(*arguments)

    object.__setattr__(cuda, "cudaStreamBeginCapture", begin)
    with pytest.raises(BackendError, match="failed to run"):
        load(plan)
    assert not cuda.is_capturing
    trt.fault = ""
    object.__setattr__(cuda, "cudaStreamBeginCapture", real)
    cuda.faults["cudaStreamEndCapture"] = Error.cudaErrorStreamCaptureInvalidated
    with pytest.raises(BackendError, match=r"cudaStreamEndCapture failed: text of 901"):
        load(plan)


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (
            "cudaSetDevice",
            Error.cudaErrorNoDevice,
            "cudaErrorNoDevice.; a plan needs an NVIDIA GPU and its driver",
        ),
        ("cudaSetDevice", Error.cudaErrorInsufficientDriver, "a plan needs an NVIDIA GPU and its driver"),
        (
            "cudaMalloc",
            Error.cudaErrorMemoryAllocation,
            "text of 2 .*; free GPU memory, or build for a lower",
        ),
        ("cudaStreamSynchronize", Error.cudaErrorInvalidDevice, "cudaStreamSynchronize failed: text of 101"),
    ],
)
def test_errors_of_cuda(
    trt: TensorRtDouble, cuda: CudaDouble, plan: Path, function: str, error: Error, message: str
) -> None:
    cuda.faults[function] = error
    with pytest.raises(BackendError, match=message):
        load(plan)


def test_no_cuda_python(trt: TensorRtDouble, plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cuda.bindings.runtime", None)
    with pytest.raises(BackendError, match=r"cuda-python cannot be loaded .*pip install 'icseg\[cuda\]'"):
        load(plan)


def test_no_tensorrt(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackendError, match=r"^tensorrt cannot be loaded .*on a Jetson it comes with JetPack"):
        load(plan)
    with pytest.raises(BackendError, match=r"^tensorrt_rtx cannot be loaded .*pip install 'icseg\[tensorrt\]'"):
        load(plan, engine="tensorrt_rtx")
    with pytest.raises(BackendError, match=r"^no TensorRT here: tensorrt cannot .*\. tensorrt_rtx cannot be loaded"):
        find_tensorrt()
    with pytest.raises(ValueError, match=r"expected one of \['tensorrt', 'tensorrt_rtx'\], got 'onnxruntime'"):
        load_tensorrt("onnxruntime")


def test_libraries_that_cannot_be_loaded_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "broken_libraries"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "libtensorrt_rtx.so.1").write_bytes(b"no library")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(tensorrt_module, "_LIBRARY_PACKAGE", "broken_libraries")
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    with pytest.raises(BackendError, match=r"tensorrt_rtx_bindings: .*libtensorrt_rtx\.so\.1"):
        load_tensorrt("tensorrt_rtx")


def test_tensorrt_comes_before_tensorrt_rtx(trt: TensorRtDouble) -> None:
    assert find_tensorrt() == ("tensorrt", trt)


@pytest.mark.skipif(importlib.util.find_spec("cuda") is None, reason="cuda-python is not installed")
def test_the_double_of_cuda_has_the_names_of_the_real_one() -> None:
    from cuda.bindings import runtime

    for name in (name for name in vars(CudaDouble) if name.startswith("cuda")):
        assert hasattr(runtime, name), name
        if name in ("cudaMemcpyKind", "cudaStreamCaptureMode", "cudaDeviceAttr"):
            assert all(hasattr(getattr(runtime, name), member) for member in vars(getattr(CudaDouble, name)))
    for error in Error:
        assert getattr(runtime.cudaError_t, error.name) == error


@pytest.mark.skipif(importlib.util.find_spec("tensorrt_rtx_bindings") is None, reason="TensorRT-RTX is not installed")
def test_the_double_of_tensorrt_has_the_names_of_the_real_one() -> None:
    real = load_tensorrt("tensorrt_rtx")
    names = ("float32", "float16", "int8", "uint8", "int32", "int64", "bool", "ILogger", "Runtime", "TensorIOMode")
    assert all(hasattr(real, name) for name in names)
    used = {
        "Runtime": ("deserialize_cuda_engine",),
        "ICudaEngine": ("num_io_tensors", "get_tensor_name", "get_tensor_shape", "get_tensor_dtype"),
        "IExecutionContext": ("set_tensor_address", "execute_async_v3"),
        "TensorIOMode": ("INPUT", "OUTPUT"),
        "ILogger": ("log", "ERROR", "INTERNAL_ERROR"),
    }
    for owner, members in used.items():
        assert all(hasattr(getattr(real, owner), member) for member in members), owner
    assert all(hasattr(real.ICudaEngine, name) for name in ("get_tensor_mode", "create_execution_context"))
