"""A GPU for tests: memory of the host behind the seams of ``icseg.mask_ops.cuda``, as the emulated library takes it."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from icseg.mask_ops.cuda import dlpack
from icseg.mask_ops.cuda.dlpack import DeviceKind
from icseg.types import Array

HANDLE = 77


class HostMemory:
    """A block; filled with something unlikely, since what comes out must have been written."""

    def __init__(self, size: int) -> None:
        self._bytes = np.full(size, 0x5A, np.uint8)
        self.pointer = int(self._bytes.ctypes.data)


class HostStream:
    """A stream that does everything at once.

    Attributes:
        allocations: sizes asked for.
        waited: streams that this one was to wait for.
        reads: copies to the host.
    """

    handle = HANDLE
    device = 0

    def __init__(self) -> None:
        self.allocations: list[int] = []
        self.waited: list[int] = []
        self.reads = 0

    def allocate_device(self, size: int) -> HostMemory:
        self.allocations.append(size)
        return HostMemory(size)

    def wait_for(self, stream: int) -> None:
        self.waited.append(stream)

    def write(self, pointer: int, values: Array) -> None:
        ctypes.memmove(pointer, values.ctypes.data, values.nbytes)

    def read(self, values: Array, pointer: int) -> None:
        self.reads += 1
        ctypes.memmove(values.ctypes.data, pointer, values.nbytes)

    def copy_rows(self, to: int, to_step: int, source: int, source_step: int, row_bytes: int, rows: int) -> None:
        for row in range(rows):
            ctypes.memmove(to + row * to_step, source + row * source_step, row_bytes)


class InterfaceArray:
    """What Numba's arrays show of themselves; ``changes`` replace parts of it."""

    def __init__(self, values: Array, **changes: Any) -> None:
        self.values = values
        contiguous = values.flags.c_contiguous
        self.__cuda_array_interface__ = {
            "shape": values.shape,
            "typestr": values.dtype.str,
            "data": (values.ctypes.data if values.size else 0, not values.flags.writeable),
            "strides": None if contiguous else values.strides,
            "version": 3,
            **changes,
        }


_new_capsule = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)(
    ("PyCapsule_New", ctypes.pythonapi)
)
_CODES = {"i": 0, "u": 1, "f": 2, "b": 6}
_lent: dict[int, CapsuleArray] = {}
"""By address: what a capsule leads to lives until its deleter is called, whoever else forgets it."""


class CapsuleArray:
    """What PyTorch's and CuPy's arrays show of themselves, in capsules with a version and without.

    Attributes:
        streams: that capsules were asked for.
        deleted: how often a deleter was called.
    """

    def __init__(
        self,
        values: Array,
        kind: int = DeviceKind.CUDA,
        *,
        index: int = 0,
        is_versioned: bool = True,
        major: int = 1,
        has_strides: bool = True,
    ) -> None:
        self.values = values
        self.streams: list[int | None] = []
        self.deleted = 0
        self._place = (int(kind), index)
        self._is_versioned, self._major = is_versioned, major
        self._shape = (ctypes.c_int64 * values.ndim)(*values.shape)
        steps = [step // values.itemsize for step in values.strides]
        self._steps = (ctypes.c_int64 * values.ndim)(*steps) if has_strides else None
        self._deleter = dlpack._Deleter(self._delete)
        self._managed: Any = None

    def _delete(self, address: int) -> None:
        assert _lent.pop(address) is self
        self.deleted += 1

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._place

    def __dlpack__(self, *, stream: int | None = None, **options: Any) -> Any:
        if options and not self._is_versioned:
            raise TypeError("__dlpack__() got an unexpected keyword argument 'max_version'")
        self.streams.append(stream)
        self._managed = dlpack._ManagedVersioned() if self._is_versioned else dlpack._Managed()
        if self._is_versioned:
            self._managed.major = self._major
            self._managed.flags = 0 if self.values.flags.writeable else dlpack._READ_ONLY_FLAG
        self._managed.deleter = ctypes.cast(self._deleter, ctypes.c_void_p).value
        tensor = self._managed.tensor
        # an offset, so that it is not forgotten
        tensor.data, tensor.byte_offset = self.values.ctypes.data - 8, 8
        tensor.device.kind, tensor.device.index = self._place
        tensor.ndim = self.values.ndim
        tensor.type.code, tensor.type.lanes = _CODES[self.values.dtype.kind], 1
        tensor.type.bits = 8 * self.values.itemsize
        tensor.shape = ctypes.cast(self._shape, ctypes.POINTER(ctypes.c_int64))
        if self._steps is not None:
            tensor.strides = ctypes.cast(self._steps, ctypes.POINTER(ctypes.c_int64))
        name = dlpack._VERSIONED if self._is_versioned else dlpack._NAME
        address = ctypes.addressof(self._managed)
        _lent[address] = self
        return _new_capsule(address, name, None)
