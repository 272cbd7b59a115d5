"""The policy without a language model: a detector's things, attribute questions by information gain. Milliseconds.

Turn logic only: what fits the words is decided in ``narrowing.py``, what there is in ``things.py``. Stateless over
dialogues: each call goes through the dialogue's words again; detections are kept per frame, so that a later turn costs
no second look.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from icseg.detector.detector import CloseDetector, Detection, Detector
from icseg.dialogue.actions import Action, Answer, Ask, GiveUp
from icseg.dialogue.candidates.config import CandidatesConfig
from icseg.dialogue.candidates.narrowing import Point, decide
from icseg.dialogue.candidates.target_watch import DetectorWatch
from icseg.dialogue.candidates.things import (
    Candidate,
    View,
    best_view,
    find_candidates,
    label_of,
    link_views,
    point_on,
)
from icseg.dialogue.dialogue import Dialogue
from icseg.dialogue.english.words import Vocabulary
from icseg.dialogue.policy import PolicyOutput
from icseg.errors import Cancelled
from icseg.geometry import clip_box
from icseg.types import Box, Frame


class CandidatesPolicy:
    """Points at the one thing that fits the words, asks when several do. Never guesses between equals.

    *Source:* the protocol of IC-Seg, arXiv 2605.17531; where its policy is a vision-language model, ours is a detector
    and arithmetic. It sees every frame at full size, so that it answers in the frame that shows the target best
    without a keyframe turn.
    """

    name = "candidates"

    def __init__(self, detector: Detector, config: CandidatesConfig | None = None) -> None:
        self.config = config if config is not None else CandidatesConfig()
        self._detector = detector
        self._closely = detector if self.config.looks_closely and isinstance(detector, CloseDetector) else None
        self._vocabulary = Vocabulary(detector.kinds, detector.colours)
        # The frame is kept with its detections: as long as it lives, no other object has its id.
        self._seen: OrderedDict[tuple[int, int, int, bool], tuple[Frame, list[Detection]]] = OrderedDict()

    def next_action(self, dialogue: Dialogue) -> PolicyOutput:
        """Decide the next action; ``timings_ms`` has ``detect`` and ``decide``.

        Raises:
            ValueError: the dialogue has no frames.
            Cancelled: ``dialogue.is_cancelled()`` turned true meanwhile.
        """
        if not dialogue.frames:
            raise ValueError("policy candidates: expected a dialogue with frames, got none")
        timings_ms = {"detect": 0.0, "decide": 0.0}
        started_s = time.perf_counter()
        action = self._decide(dialogue, timings_ms)
        timings_ms["decide"] = (time.perf_counter() - started_s) * 1e3 - timings_ms["detect"]
        return PolicyOutput(action, timings_ms=timings_ms)

    def watch(self, keyframe: Frame, box_image_px: Box) -> DetectorWatch | None:
        """A watch over what is in a box of the keyframe, or None where the detector sees nothing there.

        Raises:
            BackendError, ModelOutputError: the detector failed.
        """
        return DetectorWatch.of(
            lambda frame: self._detector.detect(frame.image), keyframe, box_image_px, self.config.target_watch
        )

    def _decide(self, dialogue: Dialogue, timings_ms: dict[str, float]) -> Action:
        newest = next(reversed(dialogue.frames.values()))
        seen = self._detect(newest, dialogue, timings_ms)
        candidates = find_candidates(seen, newest.hw, self.config.things)
        decision = decide(
            dialogue.command,
            _answers(dialogue),
            candidates,
            self._vocabulary,
            self.config.belief,
            self.config.questions,
        )
        if isinstance(decision, Ask) and _was_refused(dialogue):
            return GiveUp("Several things fit and I have no question left.", decision.thinking)
        if not isinstance(decision, Point):
            return decision
        views = self._views(candidates[decision.index], dialogue, timings_ms)
        view = best_view(views, newest.hw, self.config.things)
        others = self._detect(dialogue.frames[view.frame_id], dialogue, timings_ms)
        return Answer(
            clip_box(view.detection.box_image_px, newest.hw),
            point_on(view.detection, others, newest.hw),
            decision.thinking,
            label_of(candidates[decision.index].detection),
            view.frame_id,
        )

    def _views(self, target: Candidate, dialogue: Dialogue, timings_ms: dict[str, float]) -> list[View]:
        newest_first = list(reversed(dialogue.frames.items()))[: self.config.keyframes]
        frames = [(frame_id, self._detect(frame, dialogue, timings_ms)) for frame_id, frame in newest_first]
        return link_views(target.detection, frames, self.config.things)

    def _detect(self, frame: Frame, dialogue: Dialogue, timings_ms: dict[str, float]) -> list[Detection]:
        if dialogue.is_cancelled():
            raise Cancelled("the dialogue was cancelled")
        # earlier frames only say where the thing was: a glance will do
        closely = self._closely if frame is next(reversed(dialogue.frames.values())) else None
        key = (frame.stamp_ns, frame.index, id(frame), closely is not None)
        # one look-up: another dialogue's thread may drop the entry meanwhile
        if (known := self._seen.get(key)) is not None:
            return known[1]
        started_s = time.perf_counter()
        detections = self._detector.detect(frame.image) if closely is None else closely.detect_closely(frame.image)
        timings_ms["detect"] += (time.perf_counter() - started_s) * 1e3
        self._seen[key] = (frame, detections)
        while len(self._seen) > self.config.cached_frames:
            self._seen.popitem(last=False)
        return detections


def _answers(dialogue: Dialogue) -> list[str]:
    seen = [turn.observation for turn in dialogue.turns if isinstance(turn.action, Ask)]
    return [observation.text for observation in seen if observation is not None and observation.kind == "answer"]


def _was_refused(dialogue: Dialogue) -> bool:
    """The last question was not put to the person: asking again would be refused again."""
    last = dialogue.turns[-1] if dialogue.turns else None
    return last is not None and isinstance(last.action, Ask) and bool(last.fault)
