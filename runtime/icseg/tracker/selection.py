"""Which of the decoder's four masks is the answer, and what an absent object's mask is. Pure numpy.

Source: ``_use_multimask``, ``_dynamic_multimask_via_stability`` and ``_single_frame_forward`` of transformers'
Sam2VideoModel, repeated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icseg.tracker.graphs import SegmenterFacts
from icseg.types import Array, Logits

NO_OBJECT_LOGIT = -1024.0
"""Every mask logit of an object that is not visible; the value is SAM 2's own."""


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """The chosen mask of one object in one frame.

    Attributes:
        mask_logits: (1, 1, h, w) float32, all ``NO_OBJECT_LOGIT`` when the object is not visible.
        object_pointer: (C,) float32.
        object_score: logit of being visible.
        iou_score: the model's estimate for the chosen mask, 0..1.
    """

    mask_logits: Logits
    object_pointer: Logits
    object_score: float
    iou_score: float

    @property
    def is_visible(self) -> bool:
        """The object score is above 0."""
        return self.object_score > 0


def uses_multimask(facts: SegmenterFacts, *, is_prompted: bool, point_count: int) -> bool:
    """Whether the best of masks 1..3 answers, instead of mask 0. A box counts as two points; tracking has none."""
    is_on = facts.multimask_for_prompts if is_prompted else facts.multimask_for_tracking
    return is_on and facts.multimask_min_points <= point_count <= facts.multimask_max_points


def stability_score(mask_logits: Array, delta: float) -> float:
    """Area above +delta over area above -delta, 1 when the latter is empty: does the mask hang on the threshold?"""
    inner, outer = int((mask_logits > delta).sum()), int((mask_logits > -delta).sum())
    return inner / outer if outer else 1.0


def select_mask(
    facts: SegmenterFacts,
    mask_logits: Array,
    iou_scores: Array,
    object_pointers: Array,
    object_score: Array,
    *,
    is_multimask: bool,
) -> Selection:
    """Choose one mask from the decoder's outputs.

    Args:
        facts: for the stability rule.
        mask_logits: (1, 4, h, w) float32.
        iou_scores: (1, 4) float32.
        object_pointers: (1, 4, C) float32, already replaced by the no-object pointer where the object is absent.
        object_score: (1, 1) float32.
        is_multimask: from ``uses_multimask``.

    Returns:
        Arrays of its own: nothing aliases the decoder's outputs.
    """
    best = 1 + int(np.argmax(iou_scores[0, 1:]))
    mask_token = pointer_token = 0
    if is_multimask:
        mask_token = pointer_token = best
    elif facts.stability_fallback:
        is_stable = stability_score(mask_logits[0, 0], facts.stability_delta) >= facts.stability_threshold
        # the pointer stays with token 0 even where the mask does not: so does the source
        mask_token = 0 if is_stable else best
    score = float(object_score[0, 0])
    logits = mask_logits[:, mask_token : mask_token + 1].copy()
    if score <= 0:
        logits[:] = NO_OBJECT_LOGIT
    return Selection(logits, object_pointers[0, pointer_token].copy(), score, float(iou_scores[0, mask_token]))
