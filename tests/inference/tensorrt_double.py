"""The part of TensorRT's runtime that icseg calls, over the double of CUDA: a plan that computes with numpy."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

import numpy as np
from cuda_double import STREAM, CudaDouble

from icseg.inference.runner import TensorSpec
from icseg.types import Array

PLAN = b"a plan"


class Severity(Enum):
    ERROR = 1
    WARNING = 2


class ILogger:
    def __init__(self) -> None:
        """As the real one, which must be called by those derived from it."""


class TensorRtDouble:
    """Stands for the module ``tensorrt``.

    Attributes:
        fault: the method that refuses to work, if any; the reason goes to the logger.
        dtypes: tensor -> what the engine says of its type instead of the truth.
    """

    __version__ = "10.3.0"
    float32, float16, int8, uint8, int32, int64, bool = (f"DataType.{name}" for name in "ABCDEFG")
    ILogger = ILogger

    class TensorIOMode(Enum):
        INPUT = 1
        OUTPUT = 2

    def __init__(
        self,
        cuda: CudaDouble,
        inputs: Mapping[str, TensorSpec],
        outputs: Mapping[str, TensorSpec],
        answer: Callable[[Mapping[str, Array]], Mapping[str, Array]],
    ) -> None:
        self.cuda, self.inputs, self.outputs, self.answer = cuda, dict(inputs), dict(outputs), answer
        self.fault = ""
        self.dtypes: dict[str, str] = {}
        self.calls: list[str] = []

    def Runtime(self, logger: Any) -> Runtime:
        return Runtime(self, logger)


class Runtime:
    def __init__(self, trt: TensorRtDouble, logger: Any) -> None:
        self._trt, self._logger = trt, logger

    def works(self, method: str) -> bool:
        self._trt.calls.append(method)
        if self._trt.fault != method:
            return True
        self._logger.log(Severity.WARNING, "not this one")
        self._logger.log(Severity.ERROR, f"{method} did not work")
        return False

    def deserialize_cuda_engine(self, plan: bytes) -> Engine | None:
        assert plan == PLAN
        return Engine(self._trt, self) if self.works("deserialize_cuda_engine") else None


class Engine:
    def __init__(self, trt: TensorRtDouble, runtime: Runtime) -> None:
        self._trt, self._runtime = trt, runtime
        self._specs = trt.inputs | trt.outputs
        self.num_io_tensors = len(self._specs)

    def get_tensor_name(self, index: int) -> str:
        return list(self._specs)[index]

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._specs[name].shape

    def get_tensor_dtype(self, name: str) -> str:
        return self._trt.dtypes.get(name) or getattr(self._trt, self._specs[name].dtype)

    def get_tensor_mode(self, name: str) -> TensorRtDouble.TensorIOMode:
        mode = self._trt.TensorIOMode
        return mode.INPUT if name in self._trt.inputs else mode.OUTPUT

    def create_execution_context(self) -> Context | None:
        return Context(self._trt, self._runtime) if self._runtime.works("create_execution_context") else None


class Context:
    def __init__(self, trt: TensorRtDouble, runtime: Runtime) -> None:
        self._trt, self._runtime = trt, runtime
        self._addresses: dict[str, int] = {}
        self._has_run = False

    def set_tensor_address(self, name: str, pointer: int) -> bool:
        self._addresses[name] = pointer
        return self._runtime.works("set_tensor_address")

    def execute_async_v3(self, stream: int) -> bool:
        assert stream == STREAM
        assert self._has_run or not self._trt.cuda.is_capturing, "the first run does what cannot be captured"
        self._has_run = True
        if not self._runtime.works("execute_async_v3"):
            return False
        self._trt.cuda.enqueue(self._compute)
        return True

    def _compute(self) -> None:
        tensors = {name: self._tensor(name, spec) for name, spec in (self._trt.inputs | self._trt.outputs).items()}
        for name, value in self._trt.answer({name: tensors[name] for name in self._trt.inputs}).items():
            tensors[name][...] = value

    def _tensor(self, name: str, spec: TensorSpec) -> Array:
        dtype = np.dtype(spec.dtype)
        size = int(np.prod(spec.shape)) * dtype.itemsize
        memory = (ctypes.c_char * size).from_address(self._addresses[name])
        return np.frombuffer(memory, dtype).reshape(spec.shape)
