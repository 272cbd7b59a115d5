"""Stills that are worked on at once: bounded, each told once, with doubles for the models. Without a node."""

from __future__ import annotations

import pytest
from sessions import QUESTION, TARGET, Clock, frame
from std_msgs.msg import Header

from icseg.dialogue.actions import SelectKeyframe
from icseg.dialogue.policy_scripted import ScriptedPolicy, Step
from icseg.errors import BackendError
from icseg.session.executor import InlineExecutor
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Prompt
from icseg_ros.still import StillOutcome, StillResult
from icseg_ros.stills import MAX_STILLS, StillRequest, Stills

OWN = frame(7), Header(frame_id="own")
NEWEST = frame(3), Header(frame_id="newest")
BOX = Prompt((10.0, 10.0, 30.0, 40.0))


class Told:
    """Stills on scripted models, and what their askers were told."""

    def __init__(self, *script: Step, tracker: ScriptedTracker | None = None) -> None:
        self.clock, self.told = Clock(), list[tuple[StillOutcome, str, str]]()
        tracker = tracker or ScriptedTracker()
        self.stills = Stills(ScriptedPolicy(*script), tracker, InlineExecutor(), self.clock)  # type: ignore[arg-type]

    def begin(self, request: StillRequest, *, has_newest: bool = True) -> None:
        self.stills.begin(request, NEWEST if has_newest else None, self._tell)

    def _tell(self, result: StillResult, header: Header) -> None:
        self.told.append((result.outcome, result.reason, header.frame_id))


@pytest.mark.parametrize(("picture", "source"), [(OWN, "own"), (None, "newest")])
def test_a_prompt_is_answered_at_once_with_the_header_of_its_picture(picture: object, source: str) -> None:
    told = Told()
    told.begin(StillRequest(picture, BOX, (), 5.0))  # type: ignore[arg-type]
    assert told.told == [(StillOutcome.OK, "", source)]


def test_without_any_image_that_is_told() -> None:
    told = Told()
    told.begin(StillRequest(None, BOX, (), 5.0), has_newest=False)
    assert told.told == [(StillOutcome.NO_IMAGE, "no image came yet: check the camera", "")]


def test_words_are_answered_when_the_policy_has_decided() -> None:
    told = Told(QUESTION, SelectKeyframe(7), TARGET)
    told.begin(StillRequest(OWN, "the mug", ("blue",), 5.0))
    assert told.told == []
    for _ in range(8):
        told.stills.step()
    assert told.told == [(StillOutcome.OK, "", "own")]


def test_more_than_can_be_worked_on_are_refused_until_some_are_done() -> None:
    told = Told()
    for _ in range(MAX_STILLS + 1):
        told.begin(StillRequest(OWN, "the mug", (), 5.0))
    assert [outcome for outcome, _, _ in told.told] == [StillOutcome.FAILED]
    assert "too many" in told.told[0][1]
    told.clock.now = 5.0
    told.stills.step()
    assert len(told.told) == MAX_STILLS + 1
    told.begin(StillRequest(OWN, BOX, (), 5.0))
    assert told.told[-1][0] is StillOutcome.OK


def test_an_engine_that_fails_costs_one_request() -> None:
    def broken(stamp_ns: int) -> bool:
        raise BackendError("the engine is gone")

    told = Told(tracker=ScriptedTracker(broken))
    told.begin(StillRequest(OWN, BOX, (), 5.0))
    assert told.told == [(StillOutcome.FAILED, "the engine is gone", "own")]


def test_all_are_told_when_the_node_ends() -> None:
    told = Told(QUESTION)
    told.begin(StillRequest(OWN, "the mug", (), 5.0))
    told.stills.close("the node was deactivated")
    told.stills.step()
    assert told.told == [(StillOutcome.FAILED, "the node was deactivated", "own")]


def test_what_breaks_one_still_ends_that_one_only() -> None:
    def broken(stamp_ns: int) -> bool:
        raise KeyError("mask")

    told = Told(QUESTION, tracker=ScriptedTracker(broken))
    told.begin(StillRequest(OWN, BOX, (), 5.0))
    told.begin(StillRequest(OWN, "the mug", (), 5.0))
    for _ in range(4):
        told.stills.step()
    assert told.told == [(StillOutcome.FAILED, "unexpected KeyError: 'mask'", "own")] * 2
