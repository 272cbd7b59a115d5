"""Asks the policy now and then whether the mask is still on the target. Knows when to ask, and waits for no answer.

A look of a detector may take longer than many frames do. It runs in an executor, beside the tracking; what comes of it
is about the frame that was looked at, which by then is in the past.
"""

from __future__ import annotations

import time
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import TypeVar

from icseg.dialogue.policy import Mismatch, TargetWatch, WatchingPolicy
from icseg.errors import IcsegError
from icseg.geometry import box_iou
from icseg.session.config import FollowingConfig
from icseg.session.executor import submitted
from icseg.types import Box, Frame, ObjectResult, Prompt

_T = TypeVar("_T")
MIN_IOU_TO_KEEP_MEMORIES = 0.5
"""When the IoU of the mask's box and the target's is lower, what was remembered since the last prompt is let go too."""


@dataclass(frozen=True, slots=True, eq=False)
class CheckOutcome:
    """What came of comparing one mask with its target.

    Attributes:
        frame: that was looked at.
        correction: where the target is instead, or what the mask is on instead; None when the mask is right.
        is_far_off: the target is known, and the mask was elsewhere, or far larger or smaller.
        spent_ms: what the look took.
    """

    frame: Frame
    correction: Prompt | Mismatch | None
    is_far_off: bool
    spent_ms: float


class WatchFailed(Exception):  # a turn of events, not an error: the target is followed unchecked
    """The policy cannot know its target again, or not any more; the text is for the person.

    Attributes:
        stamp_ns: the stamp of the frame that it looked at.
    """

    def __init__(self, text: str, stamp_ns: int) -> None:
        super().__init__(text)
        self.stamp_ns = stamp_ns


class Recheck:
    """One target's watch, its clock, which is the stream's, and the one look that may be under way.

    Making the watch is a look as well. Until it is made, nothing is checked.

    Args:
        policy: makes the watch.
        executor: where it looks.
        config: ``recheck_s``, ``recheck_doubt_s``, ``recheck_below_iou``.
        keyframe: in which the target was seen.
        box_image_px: the target's box there.
    """

    def __init__(
        self,
        policy: WatchingPolicy,
        executor: Executor,
        config: FollowingConfig,
        keyframe: Frame,
        box_image_px: Box,
    ) -> None:
        self._executor, self._config = executor, config
        self._watch: TargetWatch | None = None
        self._making: Future[TargetWatch | None] | None = submitted(executor, policy.watch, keyframe, box_image_px)
        self._check: Future[CheckOutcome] | None = None
        self._is_of_lost = False  # the mask that is being checked shows nothing
        self._looked_ns = keyframe.stamp_ns
        self._was_wrong = self._was_mistaken = False

    @property
    def is_under_way(self) -> bool:
        """A mask is being checked."""
        return self._check is not None

    @property
    def is_mistrustful(self) -> bool:
        """The tracker took another thing for the target, and no mask was found right since: none is to be believed.

        What took the tracker in once will do so again.
        """
        return self._was_mistaken

    def begin(self, frame: Frame, found: ObjectResult) -> bool:
        """Start to check this frame's mask, if it is time to; whether it was started."""
        if self._watch is None or self._check is not None or not self._is_due(frame, found):
            return False
        self._looked_ns, self._is_of_lost = frame.stamp_ns, found.is_lost
        self._check = submitted(self._executor, _check, self._watch, frame, found.box_image_px)
        return True

    def poll(self) -> CheckOutcome | None:
        """What came of a check, once; None while there is nothing to say.

        Raises:
            WatchFailed: the watch broke, or could not be made. Do not ask again.
        """
        if self._making is not None and self._making.done():
            making, self._making = self._making, None
            self._watch = _result(making, "the mask is not checked against the target", self._looked_ns)
        if self._check is None or not self._check.done():
            return None
        check, self._check = self._check, None
        outcome = _result(check, "the mask is no longer checked against the target", self._looked_ns)
        self._was_wrong = outcome.correction is not None
        if self._was_wrong or not self._is_of_lost:
            self._was_mistaken = isinstance(outcome.correction, Mismatch)
        return outcome

    def cancel(self) -> None:
        """Give up a look that has not begun; one that has runs to its end, and nobody waits for it."""
        for job in (self._making, self._check):
            if job is not None:
                job.cancel()

    def _is_due(self, frame: Frame, found: ObjectResult) -> bool:
        if self._was_mistaken and not found.is_lost:
            return True
        is_doubtful = self._was_wrong or found.is_lost or found.iou_score < self._config.recheck_below_iou
        interval_s = self._config.recheck_doubt_s if is_doubtful else self._config.recheck_s
        return frame.stamp_ns - self._looked_ns >= interval_s * 1e9


def _check(watch: TargetWatch, frame: Frame, box_image_px: Box | None) -> CheckOutcome:
    begin = time.perf_counter()
    correction = watch.check(frame, box_image_px)
    return CheckOutcome(frame, correction, _is_far_off(correction, box_image_px), (time.perf_counter() - begin) * 1e3)


def _is_far_off(correction: Prompt | Mismatch | None, box_image_px: Box | None) -> bool:
    target = correction.box_image_px if isinstance(correction, Prompt) else None
    if box_image_px is None or target is None:
        return False
    return box_iou(box_image_px, target) < MIN_IOU_TO_KEEP_MEMORIES


def _result(job: Future[_T], what: str, stamp_ns: int) -> _T:
    try:
        return job.result()
    except IcsegError as error:
        raise WatchFailed(f"{what}: {error}", stamp_ns) from error
    except Exception as error:  # the policy's seam: tracking goes on whatever breaks here
        raise WatchFailed(f"{what}: unexpected {type(error).__name__}: {error}", stamp_ns) from error
