"""TensorRT's Python module, whichever is there: ``tensorrt`` (Jetson, servers) or TensorRT for RTX (PCs). One API.

Nothing is imported before it is asked for, and nothing falls back: a plan names the engine that loads it.
"""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from icseg.errors import BackendError
from icseg.inference.manifest import TENSORRT, TENSORRT_RTX

_MODULES = {TENSORRT: ("tensorrt",), TENSORRT_RTX: ("tensorrt_rtx", "tensorrt_rtx_bindings")}
"""The SDK's wheel first; the bindings alone find no libraries, which then come from ``_LIBRARY_PACKAGE``."""
_LIBRARY_PACKAGE = "onnxruntime_ep_nv_tensorrt_rtx"
_LIBRARIES = ("libcudart.so.*", "libtensorrt_rtx.so.*", "libtensorrt_onnxparser_rtx.so.*")
"""In the order in which they need each other."""
_INSTALL = {
    TENSORRT: "on a Jetson it comes with JetPack (apt install python3-libnvinfer; a virtual environment needs "
    "--system-site-packages), elsewhere: pip install tensorrt",
    TENSORRT_RTX: "pip install 'icseg[tensorrt]' on x86_64 Linux, or the wheel of the TensorRT for RTX SDK",
}


def load_tensorrt(engine: str) -> ModuleType:
    """Import the Python module of an engine, with the libraries it needs.

    Args:
        engine: ``tensorrt`` or ``tensorrt_rtx``.

    Raises:
        ValueError: another engine.
        BackendError: it is not installed, or its libraries cannot be loaded; says what to install.
    """
    if engine not in _MODULES:
        raise ValueError(f"expected one of {sorted(_MODULES)}, got {engine!r}")
    faults = []
    for name in _MODULES[engine]:
        try:
            if name == "tensorrt_rtx_bindings":
                _load_libraries()
            return importlib.import_module(name)
        except (ImportError, OSError) as error:
            faults.append(f"{name}: {error}")
    raise BackendError(f"{engine} cannot be loaded ({'; '.join(faults)}); {_INSTALL[engine]}")


def find_tensorrt() -> tuple[str, ModuleType]:
    """The engine that this machine has, ``tensorrt`` before ``tensorrt_rtx``, and its module.

    Raises:
        BackendError: neither can be loaded; says what is wrong with each.
    """
    faults = []
    for engine in _MODULES:
        try:
            return engine, load_tensorrt(engine)
        except BackendError as error:
            faults.append(str(error))
    raise BackendError("no TensorRT here: " + ". ".join(faults))


def make_logger(trt: ModuleType, keep: Callable[[str, str], None]) -> Any:
    """The logger that TensorRT's objects want.

    Args:
        trt: the module.
        keep: called with severity (``ERROR``, ``WARNING``, ``INFO``, ``VERBOSE`` ...) and message; from any thread.
    """

    class Logger(trt.ILogger):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()

        def log(self, severity: Any, message: str) -> None:
            keep(severity.name, message)

    return Logger()


def _load_libraries() -> None:
    """Make the symbols of the libraries global, so that the bindings find them without a search path."""
    spec = importlib.util.find_spec(_LIBRARY_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for pattern in _LIBRARIES:
            for path in sorted(Path(folder).glob(pattern)):
                ctypes.CDLL(str(path), ctypes.RTLD_GLOBAL)
