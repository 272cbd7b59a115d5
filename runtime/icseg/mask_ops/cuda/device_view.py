"""Anybody's array in GPU memory as pointer, shape and type, without a copy; everything else is refused by name.

``__dlpack__`` comes first, ``__cuda_array_interface__`` second: only the former says which GPU the memory is of. Both
let the stream that is to read wait for the one that wrote.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from icseg.inference.device_memory import LEGACY_STREAM, DeviceStream
from icseg.mask_ops.cuda.dlpack import MAX_VERSION, DeviceKind, DlpackTensor

INTERFACE_VERSIONS = (2, 3)
_REACHABLE = (DeviceKind.CUDA, DeviceKind.CUDA_MANAGED, DeviceKind.CUDA_HOST)


@dataclass(frozen=True, slots=True, eq=False)
class DeviceView:
    """An array of somebody else's.

    Attributes:
        pointer: address of the first element; 0 may stand for no elements.
        shape: of the array.
        steps: bytes from one element to the next on each axis.
        type_name: as numpy calls it.
        item_bytes: of one element.
        is_read_only: the owner does not want it written to.
        owner: holds the memory.
    """

    pointer: int
    shape: tuple[int, ...]
    steps: tuple[int, ...]
    type_name: str
    item_bytes: int
    is_read_only: bool
    owner: object

    def __str__(self) -> str:
        return f"{self.type_name} {self.shape}"

    @property
    def is_contiguous(self) -> bool:
        """Rows follow each other without gaps; axes of one element, and arrays of none, have no say."""
        return 0 in self.shape or all(
            step == whole
            for side, step, whole in zip(self.shape, self.steps, whole_steps(self.shape, self.item_bytes), strict=True)
            if side > 1
        )


def whole_steps(shape: tuple[int, ...], item_bytes: int) -> tuple[int, ...]:
    """Bytes from one element to the next on each axis of an array without gaps."""
    steps = [item_bytes]
    for side in shape[:0:-1]:
        steps.append(steps[-1] * side)
    return tuple(reversed(steps)) if shape else ()


def device_view(value: Any, name: str, expected: str, stream: DeviceStream) -> DeviceView:
    """The array, of any type and shape, once ``stream`` waits for whoever wrote it.

    Args:
        value: with ``__dlpack__`` and ``__dlpack_device__``, or ``__cuda_array_interface__`` of version 2 or 3.
        name: of the argument, for errors.
        expected: of it, as "float32 (N, h, w)".
        stream: what will work on it.

    Raises:
        TypeError: not an array, or not in memory that this GPU reaches.
        ValueError: what the array says of itself cannot be.
    """
    if hasattr(value, "__dlpack__") and hasattr(value, "__dlpack_device__"):
        view = _of_dlpack(value, name, expected, stream)
    elif (interface := getattr(value, "__cuda_array_interface__", None)) is not None:
        view = _of_interface(value, interface, name, stream)
    else:
        raise TypeError(f"{name}: expected {expected} in a GPU's memory, got a {type(value).__name__}")
    if view.pointer == 0 and 0 not in view.shape:
        raise ValueError(f"{name}: expected an address, got none for {view}")
    if view.pointer % max(view.item_bytes, 1) or any(step % max(view.item_bytes, 1) for step in view.steps):
        raise ValueError(f"{name}: expected elements on multiples of their size, got {view} at {view.pointer:#x}")
    return view


def contiguous_view(
    value: Any,
    name: str,
    expected: str,
    types: tuple[str, ...],
    dimensions: tuple[int, ...],
    stream: DeviceStream,
    *,
    is_output: bool = False,
) -> DeviceView:
    """The array with its type, number of dimensions and order checked.

    Args:
        value, name, expected, stream: as ``device_view`` takes them.
        types: any of these.
        dimensions: as many as any of these.
        is_output: it is to be written to.

    Raises:
        TypeError: not such an array, or of another type.
        ValueError: another number of dimensions, gaps, another order, or it is read-only and should be written to.
    """
    view = device_view(value, name, expected, stream)
    refusal = f"{name}: expected {expected}, got {view}"
    if view.type_name not in types:
        raise TypeError(refusal)
    if len(view.shape) not in dimensions:
        raise ValueError(refusal)
    if not view.is_contiguous:
        raise ValueError(f"{refusal} with gaps or in another order: pass a contiguous copy of it")
    if is_output and view.is_read_only:
        raise ValueError(f"{refusal} that is read-only: pass one that may be written to")
    return view


def _of_dlpack(value: Any, name: str, expected: str, stream: DeviceStream) -> DeviceView:
    kind, index = value.__dlpack_device__()
    if kind not in _REACHABLE:
        place = "the CPU's memory" if kind == DeviceKind.CPU else f"the memory of DLPack's device type {int(kind)}"
        raise TypeError(f"{name}: expected {expected} in a GPU's memory, got an array in {place}: copy it to the GPU")
    if kind != DeviceKind.CUDA_HOST and index != stream.device:
        raise TypeError(f"{name}: expected {expected} on GPU {stream.device}, got an array on GPU {index}")
    # page-locked memory is the host's, which has no streams
    reader = None if kind == DeviceKind.CUDA_HOST else (stream.handle or LEGACY_STREAM)
    try:
        capsule = value.__dlpack__(stream=reader, max_version=MAX_VERSION)
    except TypeError:  # from before versions
        capsule = value.__dlpack__(stream=reader)
    tensor = DlpackTensor(capsule)
    item = tensor.item_bytes
    steps = whole_steps(tensor.shape, item) if tensor.strides is None else tuple(item * s for s in tensor.strides)
    return DeviceView(tensor.pointer, tensor.shape, steps, tensor.type_name, item, tensor.is_read_only, tensor)


def _of_interface(value: Any, interface: dict[str, Any], name: str, stream: DeviceStream) -> DeviceView:
    if interface.get("version") not in INTERFACE_VERSIONS:
        raise ValueError(
            f"{name}: expected __cuda_array_interface__ of version {' or '.join(map(str, INTERFACE_VERSIONS))}, "
            f"got {interface.get('version')}"
        )
    if interface.get("mask") is not None:
        raise ValueError(f"{name}: expected every element to count, got an array with a mask of its own")
    dtype = np.dtype(interface["typestr"])
    shape = tuple(int(side) for side in interface["shape"])
    strides = interface.get("strides")
    steps = whole_steps(shape, dtype.itemsize) if strides is None else tuple(int(step) for step in strides)
    if len(steps) != len(shape):
        raise ValueError(f"{name}: expected {len(shape)} strides, got {len(steps)}")
    pointer, is_read_only = interface["data"]
    writer = interface.get("stream")
    if writer == 0:
        raise ValueError(f"{name}: expected a stream of None, 1, 2 or a handle, got 0, which says nothing")
    if writer is not None and writer != (stream.handle or LEGACY_STREAM):
        stream.wait_for(int(writer))
    type_name = dtype.name if dtype.isnative else f"{dtype.name} of the other byte order"
    return DeviceView(int(pointer or 0), shape, steps, type_name, dtype.itemsize, bool(is_read_only), value)
