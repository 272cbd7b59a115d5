"""Memory of a CUDA device and one stream of work on it, over cuda-python. It knows no engine and no tensor.

The device is the first that CUDA shows; CUDA_VISIBLE_DEVICES chooses another. Everything is freed when the last
reference goes.
"""

from __future__ import annotations

import importlib
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from icseg.errors import BackendError
from icseg.inference.device_memory import DeviceStream
from icseg.types import Array

DEVICE = 0


class _Cuda:
    """The CUDA runtime's functions, with errors raised instead of returned."""

    def __init__(self) -> None:
        try:
            self.api = importlib.import_module("cuda.bindings.runtime")
        except ImportError as error:
            raise BackendError(
                f"cuda-python cannot be loaded ({error}); pip install 'icseg[cuda]', with the cuda-bindings of the "
                "machine's CUDA: 12.x for JetPack 6, 13.x for JetPack 7"
            ) from error

    def call(self, name: str, *arguments: Any) -> Any:
        """Call one function; returns what it gives besides the error code."""
        code, *values = getattr(self.api, name)(*arguments)
        if code != self.api.cudaError_t.cudaSuccess:
            errors = self.api.cudaError_t
            text = f"{name} failed: {self.api.cudaGetErrorString(code)[1].decode()} ({code.name})"
            if code in (errors.cudaErrorNoDevice, errors.cudaErrorInsufficientDriver, errors.cudaErrorInvalidDevice):
                text += "; a plan needs an NVIDIA GPU and its driver: use the ONNX engines on this machine"
            if code == errors.cudaErrorMemoryAllocation:
                text += "; free GPU memory, or build for a lower resolution"
            raise BackendError(text)
        return values[0] if values else None

    def freed_with(self, owner: object, function: str, handle: Any) -> None:
        """Free a handle when its owner goes. At the interpreter's end the driver frees everything by itself."""
        weakref.finalize(owner, getattr(self.api, function), handle).atexit = False


class CudaMemory:
    """Device memory; free again when the last reference goes.

    Attributes:
        pointer: its address.
    """

    def __init__(self, cuda: _Cuda, size: int) -> None:
        self.pointer = int(cuda.call("cudaMalloc", size))
        cuda.freed_with(self, "cudaFree", self.pointer)


class DeviceBuffer:
    """Device memory and the page-locked host memory that it is filled from or read into.

    Attributes:
        pointer: address of the device memory.
        host: (bytes,) uint8 view of the host memory; a view of it keeps the memory alive.
    """

    def __init__(self, cuda: _Cuda, size: int) -> None:
        self._memory = CudaMemory(cuda, size)
        self.pointer = self._memory.pointer
        self.host = np.asarray(_PinnedMemory(cuda, size))


class _PinnedMemory:
    """Page-locked host memory as numpy sees it: an array over it holds this object."""

    def __init__(self, cuda: _Cuda, size: int) -> None:
        pointer = int(cuda.call("cudaMallocHost", size))
        cuda.freed_with(self, "cudaFreeHost", pointer)
        self.__array_interface__ = {"data": (pointer, False), "shape": (size,), "typestr": "|u1", "version": 3}


class CudaStream(DeviceStream):
    """One stream of the first device: memory, copies, work of others, and captures of both.

    Args:
        handle: of a stream that is there already, as ``torch.cuda.current_stream().cuda_stream`` or
            ``cupy.cuda.Stream.ptr`` is; whoever made it keeps it meanwhile. None: a new one.

    Raises:
        BackendError: cuda-python, the driver or a GPU is missing; says what to do. Every method raises it where CUDA
            reports an error.
    """

    def __init__(self, handle: int | None = None) -> None:
        self._cuda = _Cuda()
        self._cuda.call("cudaSetDevice", DEVICE)
        attributes = self._cuda.api.cudaDeviceAttr
        major, minor = (
            self._cuda.call("cudaDeviceGetAttribute", attribute, DEVICE)
            for attribute in (
                attributes.cudaDevAttrComputeCapabilityMajor,
                attributes.cudaDevAttrComputeCapabilityMinor,
            )
        )
        self.compute_capability = f"{major}.{minor}"
        if handle is None:
            # an ordinary stream would wait for work on the default stream
            stream = self._cuda.call("cudaStreamCreateWithFlags", self._cuda.api.cudaStreamNonBlocking)
            self._cuda.freed_with(self, "cudaStreamDestroy", stream)
        self._stream = stream if handle is None else handle

    @property
    def handle(self) -> int:
        """The cudaStream_t, for an engine to work on."""
        return int(self._stream)

    @property
    def device(self) -> int:
        """The GPU's number as CUDA counts."""
        return DEVICE

    def allocate_device(self, size: int) -> CudaMemory:
        """``size`` bytes of device memory, not initialised. Freeing them waits for the device."""
        return CudaMemory(self._cuda, size)

    def allocate(self, size: int) -> DeviceBuffer:
        """Device and host memory of ``size`` bytes, not initialised on the device."""
        return DeviceBuffer(self._cuda, size)

    def upload(self, buffer: DeviceBuffer) -> None:
        """Copy a buffer's host memory to the device, after the work before it."""
        kind = self._cuda.api.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(buffer.pointer, _address(buffer.host), buffer.host.nbytes, kind)

    def download(self, buffer: DeviceBuffer) -> None:
        """Copy a buffer's device memory to the host, after the work before it; wait with ``synchronize``."""
        kind = self._cuda.api.cudaMemcpyKind.cudaMemcpyDeviceToHost
        self._copy(_address(buffer.host), buffer.pointer, buffer.host.nbytes, kind)

    def _copy(self, to: int, source: int, size: int, kind: Any) -> None:
        self._cuda.call("cudaMemcpyAsync", to, source, size, kind, self._stream)

    def write(self, pointer: int, values: Array) -> None:
        """Copy a C-contiguous array to the device, after the work before it. It must stay as it is until then."""
        kind = self._cuda.api.cudaMemcpyKind.cudaMemcpyHostToDevice
        self._copy(pointer, _address(values), values.nbytes, kind)

    def read(self, values: Array, pointer: int) -> None:
        """Fill a C-contiguous array from the device, after the work before it; waits until that is done."""
        self._copy(_address(values), pointer, values.nbytes, self._cuda.api.cudaMemcpyKind.cudaMemcpyDeviceToHost)
        self.synchronize()

    def copy_rows(self, to: int, to_step: int, source: int, source_step: int, row_bytes: int, rows: int) -> None:
        """Copy rows within the device's memory, after the work before it. Steps are bytes from one row to the next."""
        # of either kind: a page-locked frame is the host's memory, which the device reaches too
        kind = self._cuda.api.cudaMemcpyKind.cudaMemcpyDefault
        self._cuda.call("cudaMemcpy2DAsync", to, to_step, source, source_step, row_bytes, rows, kind, self._stream)

    def wait_for(self, stream: int) -> None:
        """Let later work of this stream wait for the work that another one has now; the host does not wait."""
        event = self._cuda.call("cudaEventCreateWithFlags", self._cuda.api.cudaEventDisableTiming)
        try:
            self._cuda.call("cudaEventRecord", event, stream)
            self._cuda.call("cudaStreamWaitEvent", self._stream, event, 0)
        finally:
            # it is kept by CUDA for as long as work waits for it
            self._cuda.api.cudaEventDestroy(event)

    def synchronize(self) -> None:
        """Wait until all work is done."""
        self._cuda.call("cudaStreamSynchronize", self._stream)

    def capture(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture what ``work`` puts on this stream, as a CUDA graph.

        Returns:
            A function that puts the whole capture on this stream, on the same addresses.
        """
        mode = self._cuda.api.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._cuda.call("cudaStreamBeginCapture", self._stream, mode)
        try:
            work()
        except BaseException:
            # the stream takes no other work before the capture ends; that it is broken is the error already raised
            self._cuda.api.cudaStreamEndCapture(self._stream)
            raise
        return _Capture(self._cuda, self._cuda.call("cudaStreamEndCapture", self._stream), self._stream)


class _Capture:
    """An instantiated CUDA graph; calling it launches it."""

    def __init__(self, cuda: _Cuda, graph: Any, stream: Any) -> None:
        self._cuda, self._stream = cuda, stream
        try:
            self._executable = cuda.call("cudaGraphInstantiate", graph, 0)
        finally:
            cuda.api.cudaGraphDestroy(graph)
        cuda.freed_with(self, "cudaGraphExecDestroy", self._executable)

    def __call__(self) -> None:
        self._cuda.call("cudaGraphLaunch", self._executable, self._stream)


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
