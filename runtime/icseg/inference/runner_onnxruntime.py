"""ONNX Runtime behind the Runner seam. The only file that knows its API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from icseg.errors import BackendError, PlanMismatchError
from icseg.inference.runner import TensorSpec, check_feeds
from icseg.types import Array

CPU_PROVIDER = "CPUExecutionProvider"

_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int8)": "int8",
    "tensor(uint8)": "uint8",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
    "tensor(bool)": "bool",
}

_ENGINE_ERRORS = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoSuchFile,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
    ort_errors.EPFail,
)


class OnnxRuntimeRunner:
    """One ONNX graph with static shapes, loaded once.

    Args:
        path: the .onnx file.
        providers: execution providers, most wanted first. Each must be installed: nothing falls back silently. An
            operator that the first cannot run goes to the next, as ONNX Runtime does it.
        threads: threads within one operator on the CPU; 0 lets ONNX Runtime decide.

    Raises:
        ValueError: no provider is named, or threads is negative.
        BackendError: a provider is not available, or the file is not a graph that the engine can load.
        PlanMismatchError: an input or output has a dynamic shape or a dtype that icseg does not use.
    """

    def __init__(self, path: Path, *, providers: Sequence[str] = (CPU_PROVIDER,), threads: int = 0) -> None:
        if not providers or threads < 0:
            raise ValueError(f"expected at least one provider and threads >= 0, got {list(providers)} and {threads}")
        available = ort.get_available_providers()
        if missing := [name for name in providers if name not in available]:
            raise BackendError(f"ONNX Runtime has no provider {missing}; this installation has {available}")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # spinning threads take a core each between frames; a camera leaves them idle most of the time
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # without VNNI, x86 adds two products of uint8 and int8 in 16 bits, which saturate; exact and slower instead
        options.add_session_config_entry("session.x64quantprecision", "1")
        try:
            self._session = ort.InferenceSession(str(path), sess_options=options, providers=list(providers))
        except _ENGINE_ERRORS as error:
            raise BackendError(f"{path}: ONNX Runtime cannot load it: {error}") from error
        active = self._session.get_providers()
        if active[0] != providers[0]:
            raise BackendError(f"{path}: asked for {providers[0]}, but ONNX Runtime would run on {active[0]}")
        self._name = path.name
        self._backend = f"onnxruntime/{active[0]}"
        self._inputs = {value.name: self._spec(value, path) for value in self._session.get_inputs()}
        self._outputs = {value.name: self._spec(value, path) for value in self._session.get_outputs()}
        self._output_names = list(self._outputs)

    @staticmethod
    def _spec(value: ort.NodeArg, path: Path) -> TensorSpec:
        if value.type not in _DTYPES or not all(isinstance(size, int) for size in value.shape):
            raise PlanMismatchError(
                f"{path}: tensor {value.name}: expected a static shape and one of {sorted(_DTYPES.values())}, "
                f"got {value.type} {value.shape}; export it again with static shapes"
            )
        return TensorSpec(tuple(value.shape), _DTYPES[value.type])

    @property
    def backend(self) -> str:
        """``onnxruntime/`` and the provider that runs."""
        return self._backend

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """Name -> spec of every input."""
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """Name -> spec of every output."""
        return self._outputs

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """Run the graph once; the outputs are the caller's.

        Raises:
            ValueError: a feed is missing, unknown, or of the wrong shape or dtype.
            BackendError: the engine failed.
        """
        check_feeds(feeds, self._inputs, self._name)
        try:
            values = self._session.run(self._output_names, dict(feeds))
        except _ENGINE_ERRORS as error:
            raise BackendError(f"{self._name}: ONNX Runtime failed: {error}") from error
        return dict(zip(self._output_names, values, strict=True))
