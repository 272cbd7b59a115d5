"""When to look whether the mask is still on the target: now and then, and more often while that is in doubt."""

from __future__ import annotations

import time
from dataclasses import dataclass

from icseg.config import SessionConfig
from icseg.dialogue.policy import TargetWatch
from icseg.types import Frame, ObjectResult, Prompt


@dataclass(frozen=True, slots=True)
class Look:
    """What came of a look: the prompt that corrects the mask, if it needs one, and the milliseconds it took."""

    prompt: Prompt | None
    spent_ms: float


class Recheck:
    """A watch and its clock, which is the stream's.

    Args:
        watch: who looks.
        stamp_ns: of the keyframe, in which the target was seen.
        config: ``recheck_s``, ``recheck_doubt_s``, ``recheck_below_iou``.
    """

    def __init__(self, watch: TargetWatch, stamp_ns: int, config: SessionConfig) -> None:
        self._watch, self._looked_ns, self._config = watch, stamp_ns, config

    def look(self, frame: Frame, found: ObjectResult) -> Look | None:
        """Look, if it is time to; None if it is not.

        Raises:
            IcsegError: the model behind the watch failed.
        """
        is_doubtful = found.is_lost or found.iou_score < self._config.recheck_below_iou
        interval_s = self._config.recheck_doubt_s if is_doubtful else self._config.recheck_s
        if frame.stamp_ns - self._looked_ns < interval_s * 1e9:
            return None
        self._looked_ns = frame.stamp_ns
        begin = time.perf_counter()
        prompt = self._watch.look(frame, found.box_image_px)
        return Look(prompt, (time.perf_counter() - begin) * 1e3)
