"""The nano detector's exported graph: tensor names, shapes, and the facts that fix them.

The one thing that the detector's exporter and the runtime share. It knows no weights, no engine and no algorithm.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from icseg.errors import PlanMismatchError
from icseg.inference.runner import TensorSpec

MANIFEST_KIND = "detector"
GRAPH_NAME = "detector"
STRIDE = 4
"""Pixels of the model's image per cell of the output maps."""

IMAGE = "image"
CENTRE_LOGITS = "centre_logits"
CENTRE_MAX = "centre_max"
BOX_DISTANCES = "box_distances"
KIND_LOGITS = "kind_logits"
COLOUR_LOGITS = "colour_logits"
OUTPUT_NAMES = (CENTRE_LOGITS, CENTRE_MAX, BOX_DISTANCES, KIND_LOGITS, COLOUR_LOGITS)

Specs = dict[str, TensorSpec]


@dataclass(frozen=True, slots=True)
class DetectorFacts:
    """What a detector graph was trained for; stands in the manifest under ``facts``.

    Attributes:
        kinds, colours: the vocabulary, in the order of the logits; no name twice.
        score_threshold: detections below this calibrated score are left out, 0..1.
        score_scale, score_offset: score = sigmoid(scale * centre logit + offset), fitted on held-out scenes.
        kind_temperature, colour_temperature: logits are divided by it before the softmax, fitted likewise.

    Raises:
        PlanMismatchError: a value is outside its range.
    """

    kinds: tuple[str, ...]
    colours: tuple[str, ...]
    score_threshold: float
    score_scale: float
    score_offset: float
    kind_temperature: float
    colour_temperature: float

    def __post_init__(self) -> None:
        for name in ("kinds", "colours"):
            words = getattr(self, name)
            if not words or len(set(words)) != len(words):
                raise PlanMismatchError(f"facts.{name}: expected at least one name, none twice, got {list(words)}")
        if not 0 <= self.score_threshold <= 1:
            raise PlanMismatchError(f"facts.score_threshold: expected 0..1, got {self.score_threshold}")
        for name in ("score_scale", "kind_temperature", "colour_temperature"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise PlanMismatchError(f"facts.{name}: expected a number above 0, got {value}")
        if not math.isfinite(self.score_offset):
            raise PlanMismatchError(f"facts.score_offset: expected a finite number, got {self.score_offset}")

    def as_mapping(self) -> dict[str, Any]:
        """The facts as the manifest holds them."""
        return asdict(self) | {"kinds": list(self.kinds), "colours": list(self.colours)}

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> DetectorFacts:
        """From a manifest's ``facts``.

        Raises:
            PlanMismatchError: a key is missing or unknown, or a value has the wrong type or range.
        """
        names = {field.name for field in fields(cls)}
        if set(values) != names:
            missing, unknown = sorted(names - set(values)), sorted(set(values) - names)
            raise PlanMismatchError(f"manifest facts: missing {missing}, unknown {unknown}")
        for name in ("kinds", "colours"):
            if not isinstance(values[name], list) or not all(isinstance(word, str) for word in values[name]):
                raise PlanMismatchError(f"facts.{name}: expected a list of names, got {values[name]!r}")
        numbers = {name: values[name] for name in names - {"kinds", "colours"}}
        for name, value in numbers.items():
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise PlanMismatchError(f"facts.{name}: expected a number, got {value!r}")
        return cls(kinds=tuple(values["kinds"]), colours=tuple(values["colours"]), **numbers)


def detector_specs(facts: DetectorFacts, image_size: int) -> tuple[Specs, Specs]:
    """Inputs and outputs of the graph; all float32, static, batch 1.

    ``image`` is RGB, squashed to a square and normalised. On the stride-4 map: ``centre_logits`` that a thing's point
    lies in the cell; ``centre_max``, the largest of each 3x3 neighbourhood, so that a peak is where both are equal;
    ``box_distances`` from the cell's centre to left, top, right, bottom in pixels of the model's image; and the logits
    of kind and colour of the thing whose point is there.
    """
    side = image_size // STRIDE
    channels = {
        CENTRE_LOGITS: 1,
        CENTRE_MAX: 1,
        BOX_DISTANCES: 4,
        KIND_LOGITS: len(facts.kinds),
        COLOUR_LOGITS: len(facts.colours),
    }
    outputs = {name: TensorSpec((1, count, side, side), "float32") for name, count in channels.items()}
    return {IMAGE: TensorSpec((1, 3, image_size, image_size), "float32")}, outputs
