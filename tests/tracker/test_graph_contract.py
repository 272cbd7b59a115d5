"""The contract with the exporter: SAM 2.1's own sizes, and which facts no graph can have."""

from __future__ import annotations

from dataclasses import replace

import pytest
from scripted_graphs import FACTS

from icseg.errors import PlanMismatchError
from icseg.tracker import graphs
from icseg.tracker.graphs import SegmenterFacts, graph_specs

SAM21 = replace(FACTS, image_size=1024, hidden_width=256, memory_width=64, prompt_tokens=8)


def shapes(specs: dict[str, object]) -> dict[str, tuple[int, ...]]:
    return {name: spec.shape for name, spec in specs.items()}  # type: ignore[attr-defined]


def test_tensors_have_the_sizes_that_sam2_gives_them_at_1024_pixels() -> None:
    specs = graph_specs(SAM21)
    assert (SAM21.feature_side, SAM21.logits_side) == (64, 256)
    encoder = specs[graphs.IMAGE_ENCODER]
    assert shapes(encoder.inputs) == {"image": (1, 3, 1024, 1024)}
    assert shapes(encoder.outputs) == {
        "vision_features": (1, 256, 64, 64),
        "high_res_s0": (1, 32, 256, 256),
        "high_res_s1": (1, 64, 128, 128),
    }
    decoder = specs[graphs.MASK_DECODER]
    assert shapes(decoder.inputs) == {
        "conditioned_features": (1, 256, 64, 64),
        "lacks_memory": (1,),
        "high_res_s0": (1, 32, 256, 256),
        "high_res_s1": (1, 64, 128, 128),
        "point_coords": (1, 8, 2),
        "point_labels": (1, 8),
        "mask_input": (1, 1, 256, 256),
        "has_mask_input": (1,),
    }
    assert shapes(decoder.outputs) == {
        "mask_logits": (1, 4, 256, 256),
        "iou_scores": (1, 4),
        "object_pointers": (1, 4, 256),
        "object_score": (1, 1),
    }
    attention = specs[graphs.MEMORY_ATTENTION]
    assert shapes(attention.inputs) == {
        "vision_features": (1, 256, 64, 64),
        "memory_features": (7, 64, 64, 64),
        "memory_temporal_index": (7,),
        "memory_mask": (7,),
        "object_pointers": (16, 256),
        "pointer_offsets": (16,),
        "pointer_mask": (16,),
    }
    assert shapes(attention.outputs) == {"conditioned_features": (1, 256, 64, 64)}
    memory = specs[graphs.MEMORY_ENCODER]
    assert shapes(memory.inputs) == {
        "vision_features": (1, 256, 64, 64),
        "mask_logits": (1, 1, 256, 256),
        "object_score": (1, 1),
        "binarize": (1,),
    }
    assert shapes(memory.outputs) == {"memory_features": (1, 64, 64, 64)}
    assert {decoder.inputs["point_labels"].dtype, attention.inputs["memory_temporal_index"].dtype} == {"int32"}


def test_labels_of_prompt_tokens_are_those_that_sam_was_trained_with() -> None:
    assert (graphs.LABEL_NEGATIVE, graphs.LABEL_POSITIVE) == (0, 1)
    assert (graphs.LABEL_BOX_TOP_LEFT, graphs.LABEL_BOX_BOTTOM_RIGHT) == (2, 3)
    assert (graphs.LABEL_NOT_A_POINT, graphs.LABEL_PADDING) == (-1, -10)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("memory_slots", 2),
        ("pointer_slots", 2),
        ("temporal_codes", 2),
        ("pointer_span", 2),
        ("prompt_tokens", 4),
        ("image_size", 16),
        ("memory_width", 1),
    ],
)
def test_facts_have_a_least_value(name: str, least: int) -> None:
    assert getattr(replace(FACTS, **{name: least}), name) == least
    below = 0 if name == "image_size" else least - 1
    with pytest.raises(PlanMismatchError, match=rf"facts\.{name}: expected at least {least}, got {below}"):
        replace(FACTS, **{name: below})


def test_sides_and_widths_divide() -> None:
    with pytest.raises(PlanMismatchError, match="expected a multiple of 16, got 40"):
        replace(FACTS, image_size=40)
    with pytest.raises(PlanMismatchError, match="expected a divisor of hidden_width 8, got 3"):
        replace(FACTS, memory_width=3)
    with pytest.raises(PlanMismatchError, match="hidden_width: expected at least 1"):
        replace(FACTS, hidden_width=0)


def test_facts_come_back_from_a_manifest_and_wrong_ones_do_not() -> None:
    told = FACTS.as_mapping()
    assert "image_size" not in told
    assert SegmenterFacts.from_mapping(32, told) == FACTS
    whole = SegmenterFacts.from_mapping(32, {**told, "stability_delta": 1})
    assert isinstance(whole.stability_delta, float)
    for wrong, message in (
        ({**told, "stability_delta": True}, "facts.stability_delta: expected float, got True"),
        ({**told, "memory_slots": 7.0}, "facts.memory_slots: expected int, got 7.0"),
        ({**told, "memory_slots": True}, "facts.memory_slots: expected int, got True"),
        ({**told, "multimask_for_prompts": 1}, "facts.multimask_for_prompts: expected bool, got 1"),
        ({**told, "colour": 1}, r"missing \[\], unknown \['colour'\]"),
        ({name: value for name, value in told.items() if name != "memory_slots"}, r"missing \['memory_slots'\]"),
    ):
        with pytest.raises(PlanMismatchError, match=message):
            SegmenterFacts.from_mapping(32, wrong)
