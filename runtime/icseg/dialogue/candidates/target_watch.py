"""Is the mask still on the thing that was meant? A detector's answer; a prompt where the thing is, if it is not.

A tracker that drifts onto a neighbour, or wakes up on the wrong one after an occlusion, is sure of itself; kind and
colour of what lies under the mask are evidence from elsewhere. Identity is not guessed: among twins the
appearance tells nothing, so that only the one that the mask already touches is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from icseg.detector.detector import Detection
from icseg.dialogue.candidates.things import colour_likeness, likeness, point_on
from icseg.dialogue.policy import Mistaken
from icseg.errors import ConfigError
from icseg.geometry import box_iou
from icseg.settings import check, setting
from icseg.types import Box, Frame, Prompt


@dataclass(frozen=True, slots=True)
class TargetWatchConfig:
    """What counts as the target, and as a mask that is on it.

    Raises:
        ConfigError: a value is of the wrong type or out of range, or ``min_fit`` is below ``min_touch``.
    """

    min_score: float = setting(0.5, "detections with a lower score are not believed", low=0, high=1)
    min_likeness: float = setting(
        0.4, "shared probability of kind and colour from which a detection may be the target", low=0, high=1
    )
    min_return_likeness: float = setting(
        0.7,
        "the same for a detection away from the mask, which must also be seen there twice running",
        low=0,
        high=1,
    )
    min_touch: float = setting(
        0.25, "IoU of the mask's box with the target's from which the mask is on it at all", low=0, high=1
    )
    min_fit: float = setting(0.75, "IoU of the two boxes from which the mask needs no correction", low=0, high=1)
    min_mistake: float = setting(
        0.5, "IoU of the mask's box with another thing's from which the mask is on that", low=0, high=1
    )
    max_colour_likeness: float = setting(
        0.1, "shared probability of colour up to which a thing is surely another", low=0, high=1
    )

    def __post_init__(self) -> None:
        check("candidates.target_watch", self)
        if self.min_fit < self.min_touch:
            raise ConfigError(
                f"candidates.target_watch.min_fit: expected at least min_touch {self.min_touch}, got {self.min_fit}"
            )


class DetectorWatch:
    """Knows one target again by kind and colour. Serves the following of one target: remembers the last sighting.

    Args:
        detect: the detections in a frame.
        target: how the target looks.
        is_unique: nothing else looked like it where it was pointed at, so that it may be found by that alone.
        config: see ``TargetWatchConfig``.
    """

    def __init__(
        self,
        detect: Callable[[Frame], Sequence[Detection]],
        target: Detection,
        *,
        is_unique: bool,
        config: TargetWatchConfig,
    ) -> None:
        self._detect, self._target, self._is_unique, self._config = detect, target, is_unique, config
        self._sighting: Box | None = None

    @classmethod
    def of(
        cls,
        detect: Callable[[Frame], Sequence[Detection]],
        keyframe: Frame,
        box_image_px: Box,
        config: TargetWatchConfig,
    ) -> DetectorWatch | None:
        """A watch over what is in a box of the keyframe, or None where the detector sees nothing there."""
        seen = [d for d in detect(keyframe) if d.score >= config.min_score]
        target = max(seen, key=lambda d: box_iou(d.box_image_px, box_image_px), default=None)
        if target is None or box_iou(target.box_image_px, box_image_px) < config.min_fit:
            return None
        alike = [d for d in seen if likeness(d, target) >= config.min_likeness]
        return cls(detect, target, is_unique=alike == [target], config=config)

    def look(self, frame: Frame, box_image_px: Box | None) -> Prompt | Mistaken | None:
        """Judge a mask.

        Args:
            frame: the image that the mask belongs to.
            box_image_px: of the mask; None when the target is lost.

        Returns:
            A prompt in this frame where the target is; ``Mistaken`` when the mask is on a thing of another colour and
            the target is not known to be anywhere; None when the mask is right, or nothing better is known.
        """
        config = self._config
        seen = [d for d in self._detect(frame) if d.score >= config.min_score]
        alike = [d for d in seen if likeness(d, self._target) >= config.min_likeness]
        sighting, self._sighting = self._sighting, None
        if box_image_px is not None:
            touched = [d for d in alike if box_iou(d.box_image_px, box_image_px) >= config.min_touch]
            if touched:
                target = max(touched, key=lambda d: likeness(d, self._target) * box_iou(d.box_image_px, box_image_px))
                if box_iou(target.box_image_px, box_image_px) >= config.min_fit:
                    return None
                return _prompt(target, seen, frame)
        if self._is_unique and len(alike) == 1 and likeness(alike[0], self._target) >= config.min_return_likeness:
            self._sighting = alike[0].box_image_px
            if sighting is not None and box_iou(sighting, self._sighting) >= config.min_touch:
                return _prompt(alike[0], seen, frame)
        return self._mistake(seen, box_image_px) if box_image_px is not None else None

    def _mistake(self, seen: Sequence[Detection], box_image_px: Box) -> Mistaken | None:
        under = max(seen, key=lambda d: box_iou(d.box_image_px, box_image_px), default=None)
        if under is None or box_iou(under.box_image_px, box_image_px) < self._config.min_mistake:
            return None
        if colour_likeness(under, self._target) > self._config.max_colour_likeness:
            return None
        return Mistaken(f"the {under.colour} {under.kind}")


def _prompt(target: Detection, others: Sequence[Detection], frame: Frame) -> Prompt:
    return Prompt(target.box_image_px, (point_on(target, others, frame.hw),), (1,))
