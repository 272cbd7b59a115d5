"""GPU memory that is used again in the order of one stream, and arrays in it. It knows no operation.

What the stream is, and where memory comes from, is the caller's: ``icseg.inference.cuda_stream.CudaStream``, or
anything else that has its methods.
"""

from __future__ import annotations

import weakref
from collections import defaultdict, deque
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from icseg.types import Array

GRAIN_BYTES = 512
"""The smallest block."""
STEPS_PER_DOUBLING = 4
"""Sizes of blocks: at most a quarter is wasted, and a round of work finds again exactly what the round before took."""
LEGACY_STREAM = 1
"""What both protocols for arrays call the default stream, whose handle is 0."""


class DeviceMemory(Protocol):
    """Memory that a GPU can reach; free again when the last reference goes."""

    @property
    def pointer(self) -> int:
        """Address, aligned to 16 bytes or more."""
        ...


class DeviceStream(Protocol):
    """One stream of one GPU: what the mask operations need of a CUDA runtime."""

    @property
    def handle(self) -> int:
        """The cudaStream_t; 0 is the default stream."""
        ...

    @property
    def device(self) -> int:
        """The GPU's number as CUDA counts."""
        ...

    def allocate_device(self, size: int) -> DeviceMemory:
        """``size`` bytes, at least one, not initialised."""
        ...

    def wait_for(self, stream: int) -> None:
        """Let later work of this stream wait for the work that another one has now; the host does not wait."""
        ...

    def write(self, pointer: int, values: Array) -> None:
        """Copy a C-contiguous array to the GPU, after the work before it. It must stay as it is until then."""
        ...

    def read(self, values: Array, pointer: int) -> None:
        """Fill a C-contiguous array from the GPU's memory, after the work before it; waits until that is done."""
        ...

    def copy_rows(self, to: int, to_step: int, source: int, source_step: int, row_bytes: int, rows: int) -> None:
        """Copy rows within the GPU's memory, after the work before it. Steps are bytes from one row to the next."""
        ...


class Lease:
    """A block while somebody uses it. Who gets it next works on the same stream, so later."""

    def __init__(self, pool: DevicePool, size: int, memory: DeviceMemory) -> None:
        self.pointer = memory.pointer
        weakref.finalize(self, pool.returned.append, (size, memory)).atexit = False


class DevicePool:
    """Blocks of one stream's device memory: allocated when none of the size is free, kept for the next.

    A block comes back when its lease goes, while work on it may still wait in the stream; that is in order for work on
    the same stream only.
    """

    def __init__(self, stream: DeviceStream) -> None:
        self._stream = stream
        self._free: defaultdict[int, list[DeviceMemory]] = defaultdict(list)
        # leases go wherever the garbage collector runs, in the middle of `take` too: no lock here, appending is atomic
        self.returned: deque[tuple[int, DeviceMemory]] = deque()

    def take(self, size: int) -> Lease:
        """At least ``size`` bytes, not initialised.

        Raises:
            BackendError: there is no more memory.
        """
        step = max(GRAIN_BYTES, (1 << size.bit_length()) // (2 * STEPS_PER_DOUBLING))
        size = max(-(-size // step), 1) * step
        self._collect()
        memory = self._free[size].pop() if self._free[size] else self._stream.allocate_device(size)
        return Lease(self, size, memory)

    def release_unused(self) -> None:
        """Give the blocks that nobody uses back to the stream's allocator."""
        self._collect()
        self._free.clear()

    def _collect(self) -> None:
        while self.returned:
            size, memory = self.returned.popleft()
            self._free[size].append(memory)


class DeviceArray:
    """A C-contiguous array in GPU memory, of work that may still wait in the stream. CuPy, PyTorch and Numba take it
    without a copy through ``__cuda_array_interface__``.

    Args:
        owner: what holds the memory.
        is_read_only: the owner does not want it written to.

    Attributes:
        stream: that writes it.
        pointer: address of the first element.
        shape: of the array.
        dtype: of its elements.
    """

    def __init__(
        self,
        stream: DeviceStream,
        pointer: int,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        owner: object,
        *,
        is_read_only: bool = False,
    ) -> None:
        self.pointer = pointer
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.stream = stream
        self._owner = owner
        self._is_read_only = is_read_only

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        size = int(np.prod(self.shape, dtype=np.int64))
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self.pointer if size else 0, self._is_read_only),
            "strides": None,
            "version": 3,
            "stream": self.stream.handle or LEGACY_STREAM,
        }

    def to_host(self) -> npt.NDArray[Any]:
        """A copy in the CPU's memory; waits for the stream."""
        return self._read(self.pointer, self.shape)

    def head_to_host(self, index: int, count: int) -> npt.NDArray[Any]:
        """A copy of ``array[index, :count]`` alone; waits for the stream."""
        row = int(np.prod(self.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        return self._read(self.pointer + index * row, (count, *self.shape[2:]))

    def _read(self, pointer: int, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        values = np.empty(shape, self.dtype)
        if values.size:
            self.stream.read(values, pointer)
        return values
