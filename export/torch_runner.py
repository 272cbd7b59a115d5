"""PyTorch behind the Runner seam: the reference that engines are measured against. Never part of the runtime."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from icseg.inference.runner import TensorSpec, check_feeds
from icseg.tracker.graphs import GraphSpec
from icseg.types import Array


class TorchRunner:
    """One of the exporter's modules, in FP32 on the CPU.

    Args:
        module: takes the graph's inputs in their order, gives its outputs in theirs.
        spec: inputs and outputs of the graph.
        name: for errors.
    """

    backend = "torch/cpu"

    def __init__(self, module: nn.Module, spec: GraphSpec, name: str) -> None:
        self._module, self._spec, self._name = module.eval(), spec, name

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """Name -> spec of every input."""
        return self._spec.inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """Name -> spec of every output."""
        return self._spec.outputs

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """Run the module once; the outputs are the caller's.

        Raises:
            ValueError: a feed is missing, unknown, or of the wrong shape or dtype.
        """
        check_feeds(feeds, self._spec.inputs, self._name)
        with torch.no_grad():
            values = self._module(*(torch.from_numpy(feeds[name]) for name in self._spec.inputs))
        values = values if isinstance(values, tuple) else (values,)
        return {name: value.numpy() for name, value in zip(self._spec.outputs, values, strict=True)}
