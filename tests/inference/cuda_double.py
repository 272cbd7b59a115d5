"""The part of cuda-python that icseg calls, on host memory: work waits in the stream until somebody synchronizes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

STREAM = 77
FOREIGN_STREAM = 88
"""One that somebody else made."""


class Error(IntEnum):
    cudaSuccess = 0
    cudaErrorMemoryAllocation = 2
    cudaErrorInsufficientDriver = 35
    cudaErrorNoDevice = 100
    cudaErrorInvalidDevice = 101
    cudaErrorStreamCaptureInvalidated = 901


class CudaDouble:
    """Stands for the module ``cuda.bindings.runtime``.

    Attributes:
        calls: names of the functions called, in order.
        faults: function -> the error that it gives instead of working.
        live: address -> memory that was allocated and not freed.
        events: what was recorded and waited for, in order: verb, event, stream.
    """

    cudaError_t = Error
    cudaStreamNonBlocking = 1
    cudaEventDisableTiming = 2
    cudaMemcpyKind = SimpleNamespace(
        cudaMemcpyHostToDevice="to device", cudaMemcpyDeviceToHost="to host", cudaMemcpyDefault="any"
    )
    cudaStreamCaptureMode = SimpleNamespace(cudaStreamCaptureModeThreadLocal="thread local")
    cudaDeviceAttr = SimpleNamespace(
        cudaDevAttrComputeCapabilityMajor="major", cudaDevAttrComputeCapabilityMinor="minor"
    )

    def __init__(self, capability: tuple[int, int] = (8, 7)) -> None:
        self.calls: list[str] = []
        self.faults: dict[str, Error] = {}
        self.live: dict[int, Any] = {}
        self.handles: list[str] = []
        self.events: list[tuple[str, str, int]] = []
        self.is_capturing = False
        self._capability = dict(zip(("major", "minor"), capability, strict=True))
        self._queue: list[Callable[[], None]] = []
        self._captured: list[Callable[[], None]] = []

    def __getattribute__(self, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if not name.startswith("cuda") or not callable(value) or isinstance(value, type):
            return value

        def function(*arguments: Any) -> tuple[Any, ...]:
            self.calls.append(name)
            if name in self.faults:
                return (self.faults[name], None)
            result = value(*arguments)
            return (Error.cudaSuccess,) if result is None else (Error.cudaSuccess, result)

        return function

    def enqueue(self, work: Callable[[], None]) -> None:
        """Work on the stream: done on synchronizing, or kept by the capture."""
        (self._captured if self.is_capturing else self._queue).append(work)

    def _allocate(self, size: int) -> int:
        memory = ctypes.create_string_buffer(b"\xab" * size, size)
        self.live[ctypes.addressof(memory)] = memory
        return ctypes.addressof(memory)

    def cudaGetErrorString(self, code: Error) -> bytes:
        return f"text of {int(code)}".encode()

    def cudaSetDevice(self, device: int) -> None:
        assert device == 0

    def cudaDeviceGetAttribute(self, attribute: str, device: int) -> int:
        return self._capability[attribute]

    def cudaStreamCreateWithFlags(self, flags: int) -> int:
        assert flags == self.cudaStreamNonBlocking
        self.handles.append("stream")
        return STREAM

    def cudaStreamDestroy(self, stream: int) -> None:
        self.handles.remove("stream")

    def cudaMalloc(self, size: int) -> int:
        return self._allocate(size)

    def cudaMallocHost(self, size: int) -> int:
        return self._allocate(size)

    def cudaFree(self, pointer: int) -> None:
        del self.live[pointer]

    def cudaFreeHost(self, pointer: int) -> None:
        del self.live[pointer]

    def cudaMemcpyAsync(self, to: int, source: int, size: int, kind: str, stream: int) -> None:
        assert stream in (STREAM, FOREIGN_STREAM)
        assert kind in ("to device", "to host")
        device, host = (to, source) if kind == "to device" else (source, to)
        assert self._is_live(device, size)
        assert host not in self.live or size == ctypes.sizeof(self.live[host])
        self.enqueue(lambda: ctypes.memmove(to, source, size))

    def _is_live(self, pointer: int, size: int) -> bool:
        """All of it is in one piece of memory that was allocated."""
        return any(
            start <= pointer and pointer + size <= start + ctypes.sizeof(memory) for start, memory in self.live.items()
        )

    def cudaMemcpy2DAsync(
        self, to: int, to_step: int, source: int, source_step: int, width: int, height: int, kind: str, stream: int
    ) -> None:
        assert stream in (STREAM, FOREIGN_STREAM)
        assert kind == "any"
        assert width <= min(to_step, source_step)
        assert self._is_live(to, (height - 1) * to_step + width)
        for row in range(height):
            self.enqueue(
                lambda row=row: ctypes.memmove(to + row * to_step, source + row * source_step, width)  # type: ignore[misc]
            )

    def cudaEventCreateWithFlags(self, flags: int) -> str:
        assert flags == self.cudaEventDisableTiming
        self.handles.append("event")
        return "event"

    def cudaEventRecord(self, event: str, stream: int) -> None:
        self.events.append(("record", event, stream))

    def cudaStreamWaitEvent(self, stream: int, event: str, flags: int) -> None:
        assert flags == 0
        self.events.append(("wait", event, stream))

    def cudaEventDestroy(self, event: str) -> None:
        self.handles.remove(event)

    def cudaStreamSynchronize(self, stream: int) -> None:
        assert not self.is_capturing, "synchronizing breaks a capture"
        work, self._queue = self._queue, []
        for step in work:
            step()

    def cudaStreamBeginCapture(self, stream: int, mode: str) -> None:
        assert not self._queue, "the stream is still at work"
        self.is_capturing, self._captured = True, []

    def cudaStreamEndCapture(self, stream: int) -> list[Callable[[], None]]:
        self.is_capturing = False
        return self._captured

    def cudaGraphInstantiate(self, graph: list[Callable[[], None]], flags: int) -> list[Callable[[], None]]:
        self.handles.append("executable")
        return list(graph)

    def cudaGraphDestroy(self, graph: list[Callable[[], None]]) -> None:
        graph.clear()

    def cudaGraphExecDestroy(self, executable: list[Callable[[], None]]) -> None:
        self.handles.remove("executable")

    def cudaGraphLaunch(self, executable: list[Callable[[], None]], stream: int) -> None:
        self._queue.extend(executable)
