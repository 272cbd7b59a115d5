"""A stream, its memory and copies, on a double of CUDA that moves real bytes."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from cuda_double import FOREIGN_STREAM, STREAM, CudaDouble, Error

from icseg.errors import BackendError
from icseg.inference.cuda_stream import CudaStream
from icseg.inference.device_memory import DeviceArray, DevicePool


def test_bytes_go_to_the_device_and_back(cuda: CudaDouble) -> None:
    stream = CudaStream()
    memory = stream.allocate_device(100)
    given, got = np.arange(40, dtype=np.uint8), np.zeros(30, np.uint8)
    stream.write(memory.pointer + 8, given)
    assert "cudaStreamSynchronize" not in cuda.calls
    stream.read(got, memory.pointer + 10)
    np.testing.assert_array_equal(got, np.arange(2, 32))
    del memory
    gc.collect()
    assert not cuda.live


def test_rows_are_copied_within_the_device(cuda: CudaDouble) -> None:
    stream = CudaStream()
    source, to = stream.allocate_device(40), stream.allocate_device(12)
    stream.write(source.pointer, np.arange(40, dtype=np.uint8))
    stream.copy_rows(to.pointer, 4, source.pointer + 1, 10, 3, 3)
    got = np.zeros(11, np.uint8)
    stream.read(got, to.pointer)
    np.testing.assert_array_equal(got[[0, 1, 2, 4, 5, 6, 8, 9, 10]], [1, 2, 3, 11, 12, 13, 21, 22, 23])


def test_another_stream_is_waited_for_by_the_device_alone(cuda: CudaDouble) -> None:
    CudaStream().wait_for(5)
    assert cuda.events == [("record", "event", 5), ("wait", "event", STREAM)]
    assert "event" not in cuda.handles
    assert "cudaStreamSynchronize" not in cuda.calls


def test_what_cannot_be_waited_for_leaves_no_event(cuda: CudaDouble) -> None:
    cuda.faults["cudaEventRecord"] = Error.cudaErrorInvalidDevice
    with pytest.raises(BackendError, match="cudaEventRecord failed"):
        CudaStream().wait_for(5)
    assert "event" not in cuda.handles


@pytest.mark.parametrize("handle", [FOREIGN_STREAM, 0])
def test_a_stream_that_is_there_is_worked_on_and_left_alone(cuda: CudaDouble, handle: int) -> None:
    stream = CudaStream(handle)
    assert (stream.handle, stream.device) == (handle, 0)
    assert "cudaStreamCreateWithFlags" not in cuda.calls
    del stream
    gc.collect()
    assert "cudaStreamDestroy" not in cuda.calls


def test_a_pool_uses_memory_again_and_gives_it_back(cuda: CudaDouble) -> None:
    pool = DevicePool(CudaStream())
    small, large = pool.take(0), pool.take(5000)
    assert sorted(memory._length_ for memory in map(type, cuda.live.values())) == [512, 5120]
    pointers = small.pointer, large.pointer
    del small, large
    again = pool.take(4700), pool.take(100)
    assert (again[1].pointer, again[0].pointer) == pointers
    much_less = pool.take(1000)
    assert much_less.pointer not in pointers
    del again, much_less
    del pool
    gc.collect()
    assert not cuda.live


def test_an_array_outlives_its_pool(cuda: CudaDouble) -> None:
    stream = CudaStream()
    pool = DevicePool(stream)
    lease = pool.take(12)
    array = DeviceArray(stream, lease.pointer, (3,), np.int32, lease)
    stream.write(array.pointer, np.array([1, 2, 3], np.int32))
    del pool, lease
    gc.collect()
    assert array.to_host().tolist() == [1, 2, 3]
    del array
    gc.collect()
    assert not cuda.live
