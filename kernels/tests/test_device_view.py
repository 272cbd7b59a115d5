"""Arrays of others: what both protocols say is read, kept alive and given back as they say."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
from host_gpu import CapsuleArray, HostStream, InterfaceArray

from icseg.mask_ops.cuda.device_view import device_view
from icseg.mask_ops.cuda.dlpack import DeviceKind, DlpackTensor

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.mark.parametrize("is_versioned", [True, False])
@pytest.mark.parametrize("has_strides", [True, False])
@pytest.mark.parametrize("kind", [DeviceKind.CUDA, DeviceKind.CUDA_HOST, DeviceKind.CUDA_MANAGED])
def test_a_capsule(stream: HostStream, is_versioned: bool, has_strides: bool, kind: DeviceKind) -> None:
    array = CapsuleArray(VALUES, kind, is_versioned=is_versioned, has_strides=has_strides)
    view = device_view(array, "x", "", stream)
    assert (view.pointer, view.shape, view.steps) == (VALUES.ctypes.data, (2, 3, 4), VALUES.strides)
    assert (view.type_name, view.item_bytes, view.is_read_only) == ("float32", 4, False)
    assert view.is_contiguous
    assert array.streams == [None if kind == DeviceKind.CUDA_HOST else stream.handle]
    gc.collect()
    assert array.deleted == 0, "the view holds it"
    del view
    gc.collect()
    assert array.deleted == 1


def test_the_default_stream_has_a_number_of_its_own(stream: HostStream) -> None:
    stream.handle = 0
    array = CapsuleArray(VALUES)
    device_view(array, "x", "", stream)
    device_view(InterfaceArray(VALUES, stream=1), "x", "", stream)
    assert array.streams == [1]
    assert not stream.waited


@pytest.mark.parametrize(
    "values", [np.zeros(3, np.bool_), np.zeros(3, np.int64), np.zeros(3, np.uint8), np.zeros(3, np.float16)]
)
def test_types_have_numpys_names(stream: HostStream, values: Any) -> None:
    for array in (CapsuleArray(values), InterfaceArray(values)):
        assert device_view(array, "x", "", stream).type_name == values.dtype.name


def test_read_only(stream: HostStream) -> None:
    values = VALUES.copy()
    values.flags.writeable = False
    assert device_view(CapsuleArray(values), "x", "", stream).is_read_only
    assert device_view(InterfaceArray(values), "x", "", stream).is_read_only


def test_a_later_dlpack_is_refused_and_given_back(stream: HostStream) -> None:
    array = CapsuleArray(VALUES, major=2)
    with pytest.raises(BufferError, match="expected version 1 or older, got 2"):
        device_view(array, "x", "", stream)
    gc.collect()
    assert array.deleted == 1


def test_a_capsule_is_read_once() -> None:
    array = CapsuleArray(VALUES)
    capsule = array.__dlpack__()
    tensor = DlpackTensor(capsule)
    with pytest.raises(TypeError, match="expected an unused capsule"):
        DlpackTensor(capsule)
    with pytest.raises(TypeError, match="expected an unused capsule"):
        DlpackTensor("dltensor")
    assert (tensor.shape, array.deleted) == ((2, 3, 4), 0)


@pytest.mark.parametrize("version", [2, 3])
def test_an_interface(stream: HostStream, version: int) -> None:
    view = device_view(InterfaceArray(VALUES[:, ::2], version=version, stream=5), "x", "", stream)
    assert (view.shape, view.steps) == ((2, 2, 4), VALUES[:, ::2].strides)
    assert not view.is_contiguous
    assert stream.waited == [5]


def test_axes_of_one_element_may_have_any_step(stream: HostStream) -> None:
    values = VALUES[:1]
    assert device_view(InterfaceArray(values, strides=(4, 16, 4)), "x", "", stream).is_contiguous
    assert device_view(InterfaceArray(values[:, :0], strides=(4, 4, 4)), "x", "", stream).is_contiguous


class WithoutTheMethod:
    def __dlpack_device__(self) -> tuple[int, int]:
        raise AssertionError


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (VALUES, TypeError, "x: expected e in a GPU's memory, got an array in the CPU's memory: copy it to the GPU"),
        ([1.0], TypeError, "x: expected e in a GPU's memory, got a list"),
        (WithoutTheMethod(), TypeError, "got a WithoutTheMethod"),
        (CapsuleArray(VALUES, 10), TypeError, "got an array in the memory of DLPack's device type 10"),
        (CapsuleArray(VALUES, index=1), TypeError, "x: expected e on GPU 0, got an array on GPU 1"),
        (InterfaceArray(VALUES, version=1), ValueError, "x: .* of version 2 or 3, got 1"),
        (InterfaceArray(VALUES, mask=VALUES), ValueError, "x: .* a mask of its own"),
        (InterfaceArray(VALUES, stream=0), ValueError, "x: expected a stream of None, 1, 2 or a handle, got 0"),
        (InterfaceArray(VALUES, data=(0, False)), ValueError, r"x: expected an address, got none for float32 \(2, 3"),
        (InterfaceArray(VALUES, data=(2, False)), ValueError, "x: expected elements on multiples of their size"),
        (InterfaceArray(VALUES, strides=(6, 16, 4)), ValueError, "x: expected elements on multiples of their size"),
        (InterfaceArray(VALUES, strides=(16, 4)), ValueError, "x: expected 3 strides, got 2"),
    ],
)
def test_refusal(stream: HostStream, array: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        device_view(array, "x", "e", stream)
