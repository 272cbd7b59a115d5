"""A runner whose answers come from a function: for tests and rehearsals without a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from icseg.inference.runner import TensorSpec, check_feeds
from icseg.types import Array


class ScriptedRunner:
    """Answers feeds with a function and remembers how often it ran.

    As an engine may, it overwrites the outputs of a run in the next one, and more: what was kept of them without a copy
    is worth nothing then, NaN or the least integer, so that whoever keeps it sees that.

    Args:
        inputs, outputs: name -> spec, as a graph would have.
        answer: feeds -> outputs; must give every output with its spec.
        name: for error texts.
    """

    backend = "scripted"

    def __init__(
        self,
        inputs: Mapping[str, TensorSpec],
        outputs: Mapping[str, TensorSpec],
        answer: Callable[[Mapping[str, Array]], Mapping[str, Array]],
        name: str = "scripted",
    ) -> None:
        self.inputs = dict(inputs)
        self.outputs = dict(outputs)
        self.run_count = 0
        self._answer = answer
        self._outputs: dict[str, Array] = {}
        self._name = name

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """Check the feeds as a real runner does, and answer; the outputs of the run before are spoilt.

        Raises:
            ValueError: a feed, or an output of the script, does not have its spec.
        """
        check_feeds(feeds, self.inputs, self._name)
        self.run_count += 1
        outputs = dict(self._answer(feeds))
        check_feeds(outputs, self.outputs, f"{self._name} outputs")
        for values in self._outputs.values():
            _spoil(values)
        self._outputs = {name: np.array(values) for name, values in outputs.items()}
        return dict(self._outputs)


def _spoil(values: Array) -> None:
    """Fill an array with what no model says."""
    match values.dtype.kind:
        case "f":
            values.fill(np.nan)
        case "i" | "u":
            values.fill(np.iinfo(values.dtype).min)
        case _:
            np.logical_not(values, out=values)
