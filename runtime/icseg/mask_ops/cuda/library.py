"""The C interface of libicseg_cuda, through ctypes: which functions there are, and errors raised instead of returned.

Source: kernels/include/icseg/cuda.h. It knows no array.
"""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from icseg.errors import BackendError

LIBRARY = "libicseg_cuda.so"
INVALID = -1
"""ICSEG_INVALID of cuda.h."""
BUILD_HINT = (
    "build it where a CUDA toolkit is (nvcc on PATH, or CUDACXX set): pip install . -Ccmake.define.ICSEG_CUDA=ON, or "
    "cmake -DICSEG_CUDA=ON and give the library's path"
)

_int, _i64, _f32, _f64, _step = ctypes.c_int, ctypes.c_int64, ctypes.c_float, ctypes.c_double, ctypes.c_ssize_t
_gpu = _stream = ctypes.c_void_p
_doubles, _floats, _ints = ctypes.POINTER(_f64), ctypes.POINTER(_f32), ctypes.POINTER(_int)
_MASKS = (_gpu, _int, _int, _int)  # words or bytes, count, height, width

_WORKSPACES: dict[str, tuple[Any, ...]] = {
    "icseg_clean_logits_workspace": (_int, _int, _int, _i64, _i64),
    "icseg_upsample_threshold_workspace": (_int,),
    "icseg_mask_statistics_workspace": (_int,),
    "icseg_connected_components_workspace": (_int, _int, _int),
    "icseg_distance_peak_workspace": (_int, _int, _int),
    "icseg_mask_iou_matrix_workspace": (_int, _int),
    "icseg_mask_nms_workspace": (_int,),
    "icseg_rle_encode_workspace": (_int, _int, _int),
    "icseg_rle_decode_workspace": (_int, _int),
    "icseg_contours_workspace": (_int, _int, _int),
}
_OPERATIONS: dict[str, tuple[Any, ...]] = {
    "icseg_clean_logits": (*_MASKS, _f32, _i64, _f32, _i64, _f32, _gpu, _gpu, _stream),
    "icseg_clean_logits_half": (*_MASKS, _f32, _i64, _f32, _i64, _f32, _gpu, _gpu, _stream),
    "icseg_upsample_threshold": (*_MASKS, _int, _int, _doubles, _f32, _f32, _int, _gpu, _gpu, _gpu, _stream),
    "icseg_upsample_threshold_half": (*_MASKS, _int, _int, _doubles, _f32, _f32, _int, _gpu, _gpu, _gpu, _stream),
    "icseg_mask_statistics": (*_MASKS, _gpu, _gpu, _stream),
    "icseg_connected_components": (*_MASKS, _int, _int, _gpu, _gpu, _gpu, _gpu, _stream),
    "icseg_largest_component": (_gpu, _gpu, _gpu, _int, _int, _int, _int, _gpu, _gpu, _stream),
    "icseg_distance_peak": (*_MASKS, _gpu, _gpu, _stream),
    "icseg_mask_iou_matrix": (_gpu, _int, _gpu, _int, _int, _int, _gpu, _gpu, _stream),
    "icseg_mask_nms": (_gpu, _gpu, _int, _int, _int, _f64, _gpu, _gpu, _gpu, _stream),
    "icseg_rle_encode": (*_MASKS, _int, _int, _gpu, _gpu, _gpu, _stream),
    "icseg_rle_decode": (_gpu, _gpu, _int, _int, _int, _int, _int, _gpu, _gpu, _gpu, _stream),
    "icseg_contours": (*_MASKS, _int, _gpu, _gpu, _gpu, _gpu, _stream),
    "icseg_preprocess": (_gpu, _int, _int, _step, _int, _int, _int, _ints, _floats, _floats, _int, _gpu, _stream),
    "icseg_overlay": (_gpu, _int, _int, _step, _gpu, _int, _gpu, _stream),
    "icseg_pack_masks": (*_MASKS, _gpu, _stream),
    "icseg_unpack_masks": (*_MASKS, _gpu, _stream),
}

_CHECKS = {
    2: "out of memory: free some of the GPU's",
    9: "a launch that this GPU does not take: the arguments are too large for it",
    35: "there is no NVIDIA driver, or it is older than the CUDA that the library was built with",
    98: "the library has no code for this GPU: build it with the GPU's architecture in CMAKE_CUDA_ARCHITECTURES",
    100: "there is no GPU",
    209: "the library has no code for this GPU: build it with the GPU's architecture in CMAKE_CUDA_ARCHITECTURES",
    700: "an address that the GPU does not reach: check that every array given was alive, and on this GPU",
    719: "a kernel failed: check that every array given was alive, and as large as it said",
}
"""What to look at, by cudaError_t. An error may be of work that this library did not put on the stream."""


def beside_the_package() -> Path:
    """Where CMake installs it: with the compiled extension, which is elsewhere than the sources in an editable install.

    Raises:
        BackendError: the package was not installed.
    """
    spec = importlib.util.find_spec("icseg._native")
    if spec is None or spec.origin is None:
        raise BackendError(f"icseg is not installed, so there is no {LIBRARY} beside it; {BUILD_HINT}")
    return Path(spec.origin).parent / LIBRARY


class CudaLibrary:
    """One library, loaded.

    Args:
        path: of it. Nothing else is looked for.

    Raises:
        BackendError: it is missing, cannot be loaded, or lacks a function; says what to do.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise BackendError(f"{path}: there is no such library; {BUILD_HINT}")
        try:
            # a path with a slash: a bare name would be looked for in the system's folders
            self._library = ctypes.CDLL(str(path.resolve()))
        except OSError as error:
            raise BackendError(f"{path} cannot be loaded ({error}); {BUILD_HINT}") from error
        for names, result in ((_WORKSPACES, ctypes.c_size_t), (_OPERATIONS, ctypes.c_int)):
            for name, arguments in names.items():
                try:
                    function = getattr(self._library, name)
                except AttributeError as error:
                    raise BackendError(f"{path} has no {name}: it is of another version; {BUILD_HINT}") from error
                function.argtypes, function.restype = arguments, result

    def workspace_bytes(self, operation: str, *arguments: int) -> int:
        """What an operation needs for itself, of GPU memory."""
        return int(getattr(self._library, f"{operation}_workspace")(*_plain(arguments)))

    def call(self, operation: str, *arguments: Any) -> None:
        """Put an operation's work on a stream.

        Raises:
            ValueError: the library finds the arguments out of range.
            BackendError: CUDA reports an error, of this work or of some before it.
        """
        status = getattr(self._library, operation)(*_plain(arguments))
        if status == INVALID:
            raise ValueError(
                f"{operation}: arguments out of its range; see kernels/include/icseg/cuda.h for what it takes"
            )
        if status != 0:
            check = _CHECKS.get(status, "see cudaError_t in CUDA's manual")
            raise BackendError(f"{operation} failed: CUDA error {status}: {check}")


def _plain(arguments: tuple[Any, ...]) -> list[Any]:
    """ctypes takes no numbers of numpy's."""
    return [argument.item() if isinstance(argument, np.generic) else argument for argument in arguments]
