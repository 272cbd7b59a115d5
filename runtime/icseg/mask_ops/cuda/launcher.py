"""What every operation on the GPU needs: the library, a stream, memory, and arguments that were looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from icseg.inference.device_memory import DeviceArray, DevicePool, DeviceStream, Lease
from icseg.mask_ops.bit_masks import WORD_BITS
from icseg.mask_ops.cuda.device_results import DeviceBitMasks
from icseg.mask_ops.cuda.device_view import DeviceView, contiguous_view
from icseg.mask_ops.cuda.library import CudaLibrary, beside_the_package
from icseg.mask_ops.cuda.overlay_styles import OverlayStyles
from icseg.mask_ops.cuda.ranges import check_batch


class Launcher:
    """One library on one stream; see ``CudaMaskOps``."""

    def __init__(self, stream: DeviceStream, library: Path | None = None) -> None:
        self._library = CudaLibrary(beside_the_package() if library is None else library)
        self._stream = stream
        self._pool = DevicePool(stream)
        self._styles = OverlayStyles(stream, self._pool)

    def release_unused(self) -> None:
        """Give memory that no result holds back; it is kept for later operations otherwise."""
        self._pool.release_unused()

    def _run(self, operation: str, *arguments: Any) -> None:
        self._library.call(operation, *arguments, self._stream.handle)

    def _new(self, shape: tuple[int, ...], dtype: npt.DTypeLike) -> DeviceArray:
        lease = self._pool.take(int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize)
        return DeviceArray(self._stream, lease.pointer, tuple(map(int, shape)), dtype, lease)

    def _workspace(self, operation: str, *arguments: int) -> Lease:
        return self._pool.take(self._library.workspace_bytes(operation, *arguments))

    def _array_of(self, view: DeviceView, dtype: npt.DTypeLike) -> DeviceArray:
        return DeviceArray(self._stream, view.pointer, view.shape, dtype, view, is_read_only=view.is_read_only)

    def _given(self, out: Any, expected: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> DeviceArray:
        view = contiguous_view(out, "out", expected, (dtype.name,), (len(shape),), self._stream, is_output=True)
        if view.shape != shape:
            raise ValueError(f"out: expected {expected}, got {view}")
        return self._array_of(view, dtype)

    def _uploaded(self, values: npt.NDArray[Any]) -> DeviceArray:
        lease = self._pool.take(values.nbytes)
        if values.size:
            self._stream.write(lease.pointer, values)
        # the copy may still read the values
        return DeviceArray(self._stream, lease.pointer, values.shape, values.dtype, (lease, values))

    def _wait_for(self, array: DeviceArray) -> None:
        """For results of these operations, which may be of another stream's."""
        if array.stream.handle != self._stream.handle:
            self._stream.wait_for(array.stream.handle)

    def _bits(self, masks: Any, name: str = "masks") -> DeviceBitMasks:
        if isinstance(masks, DeviceBitMasks):
            self._wait_for(masks.words)
            return masks
        view = contiguous_view(masks, name, "bool (N, H, W)", ("bool",), (2, 3), self._stream)
        shape = view.shape if len(view.shape) == 3 else (1, *view.shape)
        check_batch(name, shape)
        words = self._new((*shape[:2], row_words(shape[2])), np.uint32)
        self._run("icseg_pack_masks", view.pointer, *shape, words.pointer)
        return DeviceBitMasks(words, shape[2])

    def unpack_masks(self, masks: DeviceBitMasks) -> DeviceArray:
        """(N, H, W) bool."""
        bits = self._bits(masks)
        out = self._new((len(bits), *bits.hw), np.bool_)
        self._run("icseg_unpack_masks", *batch_of(bits), out.pointer)
        return out


def row_words(width: int) -> int:
    """Words of a row of bits."""
    return -(-width // WORD_BITS)


def batch_of(bits: DeviceBitMasks) -> tuple[int, int, int, int]:
    """What the C interface calls words, count, height and width."""
    return bits.words.pointer, len(bits), *bits.hw
