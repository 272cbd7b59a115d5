"""A TensorRT plan behind the Runner seam, for ``tensorrt`` and TensorRT for RTX alike.

Buffers are allocated once; copies and the engine's work are captured as one CUDA graph at load and launched as a whole.
Tested against doubles of TensorRT and CUDA that move real bytes; not run on hardware.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from icseg.errors import BackendError, PlanMismatchError
from icseg.inference.cuda_stream import CudaStream
from icseg.inference.manifest import ModelFile
from icseg.inference.runner import TensorSpec, check_feeds
from icseg.inference.tensorrt_module import load_tensorrt, make_logger
from icseg.types import Array


class TensorRtRunner:
    """One plan, loaded once.

    Args:
        path: of the plan.
        entry: what the manifest says of it: engine, version and compute capability.
        rebuild_hint: what an error tells the user to do.
        use_cuda_graph: capture the work once and launch it as a whole, which saves the host's time of each launch.

    Raises:
        PlanMismatchError: the plan is for another TensorRT or another GPU, or has a dynamic shape or a type that icseg
            does not use.
        BackendError: TensorRT, cuda-python, the driver or a GPU is missing, or the plan cannot be loaded; says what to
            do.
    """

    def __init__(self, path: Path, entry: ModelFile, *, rebuild_hint: str, use_cuda_graph: bool = True) -> None:
        self._name = path.name
        self._errors: deque[str] = deque(maxlen=2)
        trt = load_tensorrt(entry.engine)
        if trt.__version__ != entry.engine_version:
            raise PlanMismatchError(
                f"{path}: built by {entry.engine} {entry.engine_version}, which no other version loads; "
                f"this machine has {trt.__version__}; {rebuild_hint}"
            )
        self._stream = CudaStream()
        capability = self._stream.compute_capability
        if capability != entry.compute_capability:
            raise PlanMismatchError(
                f"{path}: built for a GPU of compute capability {entry.compute_capability}, this one has {capability}; "
                f"{rebuild_hint}"
            )
        self._backend = f"{entry.engine}/{entry.engine_version}/{capability}"
        # of the errors only: a logger that held this runner would keep it for good, since TensorRT holds the logger
        self._logger = make_logger(trt, partial(_keep_error, self._errors))
        self._runtime = trt.Runtime(self._logger)
        self._engine = self._made(self._runtime.deserialize_cuda_engine(path.read_bytes()), "cannot load the plan")
        self._inputs, self._outputs = self._specs(trt, path, rebuild_hint)
        self._context = self._made(self._engine.create_execution_context(), "cannot make an execution context")
        specs = self._inputs | self._outputs
        self._buffers = {
            name: self._stream.allocate(int(np.prod(spec.shape, dtype=np.int64)) * np.dtype(spec.dtype).itemsize)
            for name, spec in specs.items()
        }
        self._host = {
            name: self._buffers[name].host.view(spec.dtype).reshape(spec.shape) for name, spec in specs.items()
        }
        for name, buffer in self._buffers.items():
            self._made(self._context.set_tensor_address(name, buffer.pointer) or None, f"refuses a buffer for {name}")
        self._launch = self._work
        if use_cuda_graph:
            for name in self._inputs:
                self._host[name].fill(0)
            # what an engine does only once, on its first run, must not be in the capture
            self._work()
            self._stream.synchronize()
            self._launch = self._stream.capture(self._work)

    def _made(self, value: Any, fault: str) -> Any:
        """TensorRT gives None, and the reason to its logger."""
        if value is None:
            reason = "; ".join(self._errors) or "no reason given"
            raise BackendError(f"{self._name}: TensorRT {fault}: {reason}")
        return value

    def _specs(self, trt: Any, path: Path, hint: str) -> tuple[dict[str, TensorSpec], dict[str, TensorSpec]]:
        dtypes = {trt.float32: "float32", trt.float16: "float16", trt.int8: "int8", trt.uint8: "uint8"}
        dtypes |= {trt.int32: "int32", trt.int64: "int64", trt.bool: "bool"}
        inputs: dict[str, TensorSpec] = {}
        outputs: dict[str, TensorSpec] = {}
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            shape, dtype = tuple(self._engine.get_tensor_shape(name)), self._engine.get_tensor_dtype(name)
            if -1 in shape or dtype not in dtypes:
                raise PlanMismatchError(
                    f"{path}: tensor {name}: expected a static shape and one of {sorted(dtypes.values())}, "
                    f"got {dtype} {shape}; {hint}"
                )
            is_input = self._engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT
            (inputs if is_input else outputs)[name] = TensorSpec(shape, dtypes[dtype])
        return inputs, outputs

    @property
    def backend(self) -> str:
        """Engine, its version and the GPU's compute capability, e.g. ``tensorrt/10.3.0/8.7``."""
        return self._backend

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """Name -> spec of every input."""
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """Name -> spec of every output."""
        return self._outputs

    def _work(self) -> None:
        for name in self._inputs:
            self._stream.upload(self._buffers[name])
        self._made(self._context.execute_async_v3(self._stream.handle) or None, "failed to run")
        for name in self._outputs:
            self._stream.download(self._buffers[name])

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """Run the plan once. The outputs are views of this runner's memory: the next run overwrites them.

        Raises:
            ValueError: a feed is missing, unknown, or of the wrong shape or dtype.
            BackendError: TensorRT or CUDA failed.
        """
        check_feeds(feeds, self._inputs, self._name)
        for name, value in feeds.items():
            np.copyto(self._host[name], value)
        self._launch()
        self._stream.synchronize()
        return {name: self._host[name] for name in self._outputs}


def _keep_error(errors: deque[str], severity: str, message: str) -> None:
    if severity in ("ERROR", "INTERNAL_ERROR"):
        errors.append(message)
