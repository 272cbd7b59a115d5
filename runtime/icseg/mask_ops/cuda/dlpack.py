"""DLPack's tensors in capsules, read through ctypes. It knows no GPU and no library of arrays.

*Source:* dlpack.h of the DLPack project, version 1 and the form before it, which has no version.
"""

from __future__ import annotations

import ctypes
import weakref
from enum import IntEnum
from typing import Any

MAX_VERSION = (1, 0)
"""Major and minor, of what is understood."""

_NAME, _USED = b"dltensor", b"used_dltensor"
_VERSIONED, _VERSIONED_USED = b"dltensor_versioned", b"used_dltensor_versioned"
_READ_ONLY_FLAG = 1
_TYPE_NAMES = {0: "int", 1: "uint", 2: "float", 4: "bfloat", 5: "complex"}
_BOOL_CODE = 6


class DeviceKind(IntEnum):
    """Where a tensor lives, of the places that matter here."""

    CPU = 1
    CUDA = 2
    CUDA_HOST = 3
    CUDA_MANAGED = 13


class _Device(ctypes.Structure):
    _fields_ = (("kind", ctypes.c_int32), ("index", ctypes.c_int32))


class _Type(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16))


class _Tensor(ctypes.Structure):
    _fields_ = (
        ("data", ctypes.c_void_p),
        ("device", _Device),
        ("ndim", ctypes.c_int32),
        ("type", _Type),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    )


class _Managed(ctypes.Structure):
    _fields_ = (("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p))


class _ManagedVersioned(ctypes.Structure):
    _fields_ = (
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", _Tensor),
    )


# prototypes of our own: the functions of ctypes.pythonapi are shared with whoever else sets their types
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
_get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)
_set_name = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_SetName", ctypes.pythonapi))
_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class DlpackTensor:
    """What a capsule held. The producer's memory is given back when this goes.

    Args:
        capsule: of ``__dlpack__``; it cannot be read again.

    Attributes:
        pointer: address of the first element.
        shape: of the tensor.
        strides: in elements, or None where rows follow each other without gaps.
        type_name: as numpy calls it, or a description of a type that numpy does not have.
        item_bytes: of one element.
        is_read_only: the producer says so; only versioned capsules can.

    Raises:
        TypeError: not a capsule of DLPack, or one that was read before.
        BufferError: of a later major version.
    """

    def __init__(self, capsule: Any) -> None:
        managed, deleter, address = _taken(capsule)
        if deleter:
            # at the interpreter's end the process gives all memory back, and the producer may be gone already
            weakref.finalize(self, _Deleter(deleter), address).atexit = False
        self.is_read_only = False
        if isinstance(managed, _ManagedVersioned):
            if managed.major > MAX_VERSION[0]:
                raise BufferError(f"DLPack: expected version {MAX_VERSION[0]} or older, got {managed.major}")
            self.is_read_only = bool(managed.flags & _READ_ONLY_FLAG)
        tensor = managed.tensor
        self.pointer = int(tensor.data or 0) + int(tensor.byte_offset)
        self.shape = tuple(int(side) for side in tensor.shape[: tensor.ndim])
        self.strides = tuple(int(step) for step in tensor.strides[: tensor.ndim]) if tensor.strides else None
        self.type_name = _name_of(tensor.type)
        self.item_bytes = int(tensor.type.bits) * int(tensor.type.lanes) // 8


def _taken(capsule: Any) -> tuple[Any, int, int]:
    """The capsule's structure, the address of its deleter (0: none), and its own; the capsule is marked as used."""
    for name, used, kind in ((_VERSIONED, _VERSIONED_USED, _ManagedVersioned), (_NAME, _USED, _Managed)):
        if _is_valid(capsule, name):
            address = _get_pointer(capsule, name)
            managed = kind.from_address(address)
            # from here on the deleter is for us to call, not for the capsule
            _set_name(capsule, used)
            return managed, int(managed.deleter or 0), address
    raise TypeError(f"DLPack: expected an unused capsule, got {capsule!r}")


def _name_of(kind: _Type) -> str:
    if kind.lanes == 1 and kind.code in _TYPE_NAMES:
        return f"{_TYPE_NAMES[kind.code]}{kind.bits}"
    if kind.lanes == 1 and kind.code == _BOOL_CODE and kind.bits == 8:
        return "bool"
    return f"another type of {kind.bits * kind.lanes} bits"
