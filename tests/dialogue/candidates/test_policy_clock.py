"""The candidates policy's clock and cache, and which turns of a dialogue it hears."""

from __future__ import annotations

import numpy as np
import pytest

from icseg.detector.detector import Detection
from icseg.dialogue.actions import Ask, GiveUp, SelectKeyframe
from icseg.dialogue.candidates.config import CandidatesConfig
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.dialogue.dialogue import Dialogue, Observation, Turn
from icseg.types import Box, Frame, ImageU8


def seen(box: Box, *, red: float = 1.0) -> Detection:
    return Detection(box, 1.0, {"mug": 1.0}, {"red": red, "blue": 1 - red})


class SlowDetector:
    """Says the same of every image, after 40 ms of a clock that the test made."""

    kinds, colours = ("mug",), ("red", "blue")

    def __init__(self, *detections: Detection) -> None:
        self.now_s, self.count, self.detections = 0.0, 0, list(detections)

    def clock(self) -> float:
        """One more millisecond each time that it is asked."""
        self.now_s += 0.001
        return self.now_s

    def detect(self, image: ImageU8) -> list[Detection]:
        self.count += 1
        self.now_s += 0.040
        return self.detections


def frames_of(count: int) -> dict[int, Frame]:
    return {index: Frame(np.zeros((48, 64, 3), np.uint8), index * 1000, index) for index in range(count)}


def test_what_the_detector_took_is_not_counted_as_deciding(monkeypatch: pytest.MonkeyPatch) -> None:
    detector = SlowDetector(seen((5.0, 5.0, 20.0, 20.0)))
    monkeypatch.setattr("icseg.dialogue.candidates.policy.time.perf_counter", detector.clock)
    output = CandidatesPolicy(detector, CandidatesConfig(keyframes=2)).next_action(Dialogue("the mug", frames_of(3)))
    # two looks of 40 ms and a tick each; and the ticks of the two clocks around
    assert output.timings_ms == {"detect": pytest.approx(82), "decide": pytest.approx(3)}


def test_looks_are_kept_for_as_many_frames_as_may_be() -> None:
    detector = SlowDetector(seen((5.0, 5.0, 20.0, 20.0)))
    policy = CandidatesPolicy(detector, CandidatesConfig(keyframes=1, cached_frames=2))
    first, second, third = (Dialogue("the mug", {index: frame}) for index, frame in frames_of(3).items())
    for dialogue in (first, second, first, second):
        policy.next_action(dialogue)
    assert detector.count == 2
    policy.next_action(third)  # the oldest goes
    policy.next_action(second)
    assert detector.count == 3
    policy.next_action(first)
    assert detector.count == 4


def test_only_answers_of_the_person_are_heard_and_a_refused_question_ends_it() -> None:
    mugs = seen((5.0, 5.0, 20.0, 20.0)), seen((40.0, 5.0, 55.0, 20.0), red=0.0)
    policy = CandidatesPolicy(SlowDetector(*mugs))
    dialogue = Dialogue("the mug", frames_of(1))
    ask = policy.next_action(dialogue).action
    assert isinstance(ask, Ask)
    dialogue.turns.append(Turn(ask, observation=Observation("answer", "not the red one")))
    dialogue.turns.append(Turn(SelectKeyframe(9), fault="no such frame", observation=Observation("error", "red")))
    assert not isinstance(policy.next_action(dialogue).action, Ask | GiveUp)
    refused = Dialogue("the mug", frames_of(1))
    refused.turns.append(Turn(ask, fault="No questions.", observation=Observation("error", "the blue one")))
    gave_up = policy.next_action(refused).action
    assert isinstance(gave_up, GiveUp)
    assert gave_up.reason == "Several things fit and I have no question left."
    refused.turns[-1] = Turn(ask, observation=None)
    assert isinstance(policy.next_action(refused).action, Ask)
