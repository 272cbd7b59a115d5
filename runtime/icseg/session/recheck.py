"""When to look whether the mask is still on the target: now and then, more often in doubt, always after a mistake."""

from __future__ import annotations

import time
from dataclasses import dataclass

from icseg.dialogue.policy import Mistaken, TargetWatch
from icseg.geometry import box_iou
from icseg.session.config import FollowingConfig
from icseg.types import Frame, ObjectResult, Prompt

FAR_OFF_IOU = 0.5
"""Of a mask's box and the target's, below which what was remembered since the last prompt is doubted too."""


@dataclass(frozen=True, slots=True)
class Look:
    """What came of a look.

    Attributes:
        verdict: None when there is nothing to object to.
        is_far_off: the mask was elsewhere, or far larger or smaller than the target.
        spent_ms: what the look took.
    """

    verdict: Prompt | Mistaken | None
    is_far_off: bool
    spent_ms: float


class Recheck:
    """A watch and its clock, which is the stream's.

    Args:
        watch: who looks.
        stamp_ns: of the keyframe, in which the target was seen.
        config: ``recheck_s``, ``recheck_doubt_s``, ``recheck_below_iou``.
    """

    def __init__(self, watch: TargetWatch, stamp_ns: int, config: FollowingConfig) -> None:
        self._watch, self._looked_ns, self._config = watch, stamp_ns, config
        self._was_wrong = self._was_mistaken = False

    def look(self, frame: Frame, found: ObjectResult) -> Look | None:
        """Look, if it is time to; None if it is not.

        Raises:
            IcsegError: the model behind the watch failed.
        """
        is_doubtful = self._was_wrong or found.is_lost or found.iou_score < self._config.recheck_below_iou
        interval_s = self._config.recheck_doubt_s if is_doubtful else self._config.recheck_s
        # what took the tracker in once will do so again: until a mask is found right, none is believed unseen
        must_look = self._was_mistaken and not found.is_lost
        if not must_look and frame.stamp_ns - self._looked_ns < interval_s * 1e9:
            return None
        self._looked_ns = frame.stamp_ns
        begin = time.perf_counter()
        verdict = self._watch.look(frame, found.box_image_px)
        self._was_wrong = verdict is not None
        if self._was_wrong or not found.is_lost:
            self._was_mistaken = isinstance(verdict, Mistaken)
        return Look(verdict, _is_far_off(verdict, found), (time.perf_counter() - begin) * 1e3)


def _is_far_off(verdict: Prompt | Mistaken | None, found: ObjectResult) -> bool:
    if not isinstance(verdict, Prompt):
        return verdict is not None
    boxes = found.box_image_px, verdict.box_image_px
    return boxes[0] is not None and boxes[1] is not None and box_iou(boxes[0], boxes[1]) < FAR_OFF_IOU
