"""The four exported graphs of SAM 2's video model: tensor names, shapes, dtypes, and the facts that fix them.

This is the only thing that the exporter and the runtime share. It knows no weights, no engine and no algorithm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from icseg.errors import PlanMismatchError
from icseg.inference.runner import TensorSpec

IMAGE_ENCODER = "image_encoder"
MASK_DECODER = "mask_decoder"
MEMORY_ATTENTION = "memory_attention"
MEMORY_ENCODER = "memory_encoder"
GRAPH_NAMES = (IMAGE_ENCODER, MASK_DECODER, MEMORY_ATTENTION, MEMORY_ENCODER)

LABEL_NEGATIVE, LABEL_POSITIVE, LABEL_BOX_TOP_LEFT, LABEL_BOX_BOTTOM_RIGHT = 0, 1, 2, 3
LABEL_NOT_A_POINT = -1
LABEL_PADDING = -10
"""A prompt token with this label is masked: it changes nothing, bit for bit."""

MASKED = -30000.0
"""Added to the attention score of a key that does not exist. Finite, because -inf minus -inf is NaN; representable in
FP16; and exp(-30000 + anything an attention scores) is exactly 0."""

STRIDE = 16
MASK_TOKENS = 4
"""Token 0 answers clear prompts, tokens 1..3 are the alternatives for ambiguous ones."""
FIXED_TOKENS = 3
"""Prompt tokens besides the points: two box corners and the closing not-a-point token."""


@dataclass(frozen=True, slots=True)
class GraphSpec:
    """Inputs and outputs of one graph, by tensor name."""

    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


@dataclass(frozen=True, slots=True)
class SegmenterFacts:
    """What a set of segmenter graphs was built for; stands in the manifest under ``facts``.

    Attributes:
        image_size: side of the square input image in pixels, a multiple of 16.
        hidden_width: channels of the vision features and object pointers (C).
        memory_width: channels of the memory features (Cm); divides hidden_width.
        memory_slots: frames that memory attention can look at (K).
        pointer_slots: object pointers that memory attention can look at.
        temporal_codes: number of learned temporal codes of memories; the last is for conditioning frames.
        pointer_span: pointers of frames this many frames old, or older, are not looked at unless conditioning.
        prompt_tokens: prompt tokens of the mask decoder: points, two box corners and one closing token.
        multimask_for_prompts, multimask_for_tracking: whether the best of masks 1..3 is taken instead of mask 0.
        multimask_min_points, multimask_max_points: only if the prompt has this many points; a box counts as two.
        stability_fallback: take the best of masks 1..3 where mask 0 is unstable.
        stability_delta, stability_threshold: what unstable means, see ``selection.stability_score``.

    Raises:
        PlanMismatchError: a value is outside its range.
    """

    image_size: int
    hidden_width: int
    memory_width: int
    memory_slots: int
    pointer_slots: int
    temporal_codes: int
    pointer_span: int
    prompt_tokens: int
    multimask_for_prompts: bool
    multimask_for_tracking: bool
    multimask_min_points: int
    multimask_max_points: int
    stability_fallback: bool
    stability_delta: float
    stability_threshold: float

    def __post_init__(self) -> None:
        lowest = {"memory_slots": 2, "pointer_slots": 2, "temporal_codes": 2, "pointer_span": 2}
        lowest |= {"prompt_tokens": FIXED_TOKENS + 1, "image_size": STRIDE, "hidden_width": 1, "memory_width": 1}
        for name, low in lowest.items():
            if getattr(self, name) < low:
                raise PlanMismatchError(f"facts.{name}: expected at least {low}, got {getattr(self, name)}")
        if self.image_size % STRIDE:
            raise PlanMismatchError(f"facts.image_size: expected a multiple of {STRIDE}, got {self.image_size}")
        if self.hidden_width % self.memory_width:
            raise PlanMismatchError(
                f"facts.memory_width: expected a divisor of hidden_width {self.hidden_width}, got {self.memory_width}"
            )

    @property
    def feature_side(self) -> int:
        """Side of the stride-16 feature map."""
        return self.image_size // STRIDE

    @property
    def logits_side(self) -> int:
        """Side of the stride-4 mask logits."""
        return self.image_size // STRIDE * 4

    def as_mapping(self) -> dict[str, Any]:
        """For the manifest, which holds the image size itself."""
        return {name: value for name, value in asdict(self).items() if name != "image_size"}

    @classmethod
    def from_mapping(cls, image_size: int, facts: Mapping[str, Any]) -> SegmenterFacts:
        """From a manifest's image size and ``facts``.

        Raises:
            PlanMismatchError: a key is missing or unknown, or a value has the wrong type or range.
        """
        kinds = {field.name: {"int": int, "bool": bool, "float": float}[str(field.type)] for field in fields(cls)}
        facts = {**facts, "image_size": image_size}
        if set(facts) != set(kinds):
            missing, unknown = sorted(set(kinds) - set(facts)), sorted(set(facts) - set(kinds))
            raise PlanMismatchError(f"manifest facts: missing {missing}, unknown {unknown}")
        for name, kind in kinds.items():
            value = facts[name]
            is_right = isinstance(value, bool) == (kind is bool) and isinstance(value, (kind, int))
            if not is_right:
                raise PlanMismatchError(f"facts.{name}: expected {kind.__name__}, got {value!r}")
        return cls(**{name: kinds[name](value) for name, value in facts.items()})


def _f32(*shape: int) -> TensorSpec:
    return TensorSpec(shape, "float32")


def graph_specs(facts: SegmenterFacts) -> dict[str, GraphSpec]:
    """Specs of the four graphs for these facts, by graph name.

    ``vision_features`` are taken before the no-memory embedding is added; the mask decoder adds it where
    ``lacks_memory`` is 1, that is, where they come straight from the image encoder. Every mask and flag is a number, so
    that no graph holds a branch. All shapes are static, batch 1.
    """
    side, logits, width, memory = facts.feature_side, facts.logits_side, facts.hidden_width, facts.memory_width
    slots, pointers, tokens = facts.memory_slots, facts.pointer_slots, facts.prompt_tokens
    features = {"vision_features": _f32(1, width, side, side)}
    high_res = {
        "high_res_s0": _f32(1, width // 8, logits, logits),
        "high_res_s1": _f32(1, width // 4, logits // 2, logits // 2),
    }
    return {
        IMAGE_ENCODER: GraphSpec(
            {"image": _f32(1, 3, facts.image_size, facts.image_size)},
            features | high_res,
        ),
        MASK_DECODER: GraphSpec(
            {"conditioned_features": _f32(1, width, side, side), "lacks_memory": _f32(1)}
            | high_res
            | {
                "point_coords": _f32(1, tokens, 2),
                "point_labels": TensorSpec((1, tokens), "int32"),
                "mask_input": _f32(1, 1, logits, logits),
                "has_mask_input": _f32(1),
            },
            {
                "mask_logits": _f32(1, MASK_TOKENS, logits, logits),
                "iou_scores": _f32(1, MASK_TOKENS),
                "object_pointers": _f32(1, MASK_TOKENS, width),
                "object_score": _f32(1, 1),
            },
        ),
        MEMORY_ATTENTION: GraphSpec(
            features
            | {
                "memory_features": _f32(slots, memory, side, side),
                "memory_temporal_index": TensorSpec((slots,), "int32"),
                "memory_mask": _f32(slots),
                "object_pointers": _f32(pointers, width),
                "pointer_offsets": _f32(pointers),
                "pointer_mask": _f32(pointers),
            },
            {"conditioned_features": _f32(1, width, side, side)},
        ),
        MEMORY_ENCODER: GraphSpec(
            features
            | {
                "mask_logits": _f32(1, 1, logits, logits),
                "object_score": _f32(1, 1),
                "binarize": _f32(1),
            },
            {"memory_features": _f32(1, memory, side, side)},
        ),
    }
