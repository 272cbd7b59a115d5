"""The seam between icseg and any inference engine: one verb over named arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from icseg.types import Array


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """Static shape and numpy dtype name of one input or output."""

    shape: tuple[int, ...]
    dtype: str

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


class Runner(Protocol):
    """One loaded graph."""

    @property
    def backend(self) -> str:
        """Which engine really runs, e.g. ``onnxruntime/CPUExecutionProvider``."""
        ...

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """Name -> spec of every input."""
        ...

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """Name -> spec of every output."""
        ...

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """Run the graph once. Outputs are valid until the next run of this runner: copy what you keep.

        Raises:
            ValueError: a feed is missing, unknown, or of the wrong shape or dtype (names it, expected and got).
            BackendError: the engine failed.
        """
        ...


def check_feeds(feeds: Mapping[str, Array], specs: Mapping[str, TensorSpec], graph: str) -> None:
    """Every runner's first step: compare feeds with the graph's inputs.

    Raises:
        ValueError: a feed is missing, unknown, or of the wrong shape or dtype.
    """
    if feeds.keys() != specs.keys():
        missing, unknown = sorted(specs.keys() - feeds.keys()), sorted(feeds.keys() - specs.keys())
        raise ValueError(f"{graph}: missing inputs {missing}, unknown inputs {unknown}")
    for name, spec in specs.items():
        got = TensorSpec(tuple(feeds[name].shape), feeds[name].dtype.name)
        if got != spec:
            raise ValueError(f"{graph}: input {name}: expected {spec}, got {got}")
