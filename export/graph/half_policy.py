"""What stays in FP32 when a graph is made FP16, and why. The rewriting itself is ``half_graph.py``.

Sources: measurements of SAM 2 and ViT exports by others (FP16 prompts that choose another mask, LayerNorms that
overflow), and our own errors of every graph against FP32 (``tests/export/graph/test_half_graph.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from icseg.detector.graph import CENTRE_LOGITS, CENTRE_MAX, GRAPH_NAME
from icseg.tracker.graphs import MASK_DECODER, MEMORY_ENCODER


@dataclass(frozen=True, slots=True)
class HalfPolicy:
    """What one graph keeps in FP32, each with its reason.

    Attributes:
        operators: operator -> reason.
        upstream_of: operator -> reason; all that leads to its inputs stays too.
        outputs: graph output -> reason; what leads to these outputs and to no other stays.
    """

    operators: dict[str, str]
    upstream_of: dict[str, str]
    outputs: dict[str, str] = field(default_factory=dict)


_COMPARISON = "a threshold decides, so it compares what FP32 compares"
_ANGLE = "an angle of many turns has no digits left in FP16"
_OPERATORS = {
    "LayerNormalization": "the sum of squares passes 65504",
    "InstanceNormalization": "the sum of squares passes 65504",
    "ReduceMean": "a long sum loses its last digits",
    "ReduceSum": "a long sum loses its last digits",
    "Softmax": "a sum over thousands of keys",
    "Exp": "passes 65504 above 11",
    "Log": "small arguments have few digits",
    "Sigmoid": "near 1 FP16 has steps of 0.0005",
    "Sin": _ANGLE,
    "Cos": _ANGLE,
    "Greater": _COMPARISON,
    "GreaterOrEqual": _COMPARISON,
    "Less": _COMPARISON,
    "LessOrEqual": _COMPARISON,
    "Equal": _COMPARISON,
    "Cast": "comes from, or goes to, another type than a float",
    "ConstantOfShape": "its type is an attribute",
}
DEFAULT_POLICY = HalfPolicy(_OPERATORS, {"Sin": _ANGLE, "Cos": _ANGLE})

_SCORES = "scores a few hundredths apart choose the mask"
_POLICIES = {
    MASK_DECODER: HalfPolicy(
        _OPERATORS,
        DEFAULT_POLICY.upstream_of,
        {
            "iou_scores": _SCORES,
            "object_score": "its sign says whether the object is in view",
            "object_pointers": "they are remembered: an error comes back with every later frame",
        },
    ),
    MEMORY_ENCODER: HalfPolicy(
        _OPERATORS | {"Resize": "the sign of an upsampled logit is the mask that is remembered"},
        DEFAULT_POLICY.upstream_of,
    ),
    GRAPH_NAME: HalfPolicy(
        _OPERATORS,
        DEFAULT_POLICY.upstream_of,
        {
            CENTRE_LOGITS: "rounding makes neighbours equal, and equal neighbours are two peaks",
            CENTRE_MAX: "rounding makes neighbours equal, and equal neighbours are two peaks",
        },
    ),
}


def half_policy(graph: str) -> HalfPolicy:
    """The policy of one of icseg's graphs by name; what holds for every network where the name is another."""
    return _POLICIES.get(graph, DEFAULT_POLICY)
