"""The record of a dialogue, a still, and how goals end: with a scripted policy and tracker, without a node."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from icseg_msgs.action import ClarifySegment
from icseg_msgs.msg import DialogueState

from icseg import events
from icseg.dialogue.actions import Answer, Ask, Choice, GiveUp, SelectKeyframe
from icseg.dialogue.policy_scripted import ScriptedPolicy, Step
from icseg.errors import BackendError
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Frame, Prompt
from icseg_ros.announcer import options_of, state_code
from icseg_ros.goals import Goal, GoalResult
from icseg_ros.logged_session import Talk
from icseg_ros.still import Still, StillOutcome

CODES = ClarifySegment.Result
TARGET = Answer((6.4, 4.8, 19.2, 24.0), (12.8, 14.4), label="blue mug")
CHOICES = (
    Choice((1.0, 2.0, 9.0, 8.0), "red mug", 0.5, (("colour", "red"),), (0,)),
    Choice((20.0, 2.0, 29.0, 8.0), "blue mug", 0.5, (("colour", "blue"),), (1,)),
)
QUESTION = Ask("Red or blue?", ("red", "blue"), choices=CHOICES)


def frame(index: int = 0) -> Frame:
    return Frame(np.zeros((48, 64, 3), np.uint8), index * 33_000_000, index)


def talk_of(*script: Step, tracker: ScriptedTracker | None = None) -> Talk:
    session = Session(ScriptedPolicy(*script), tracker or ScriptedTracker(), executor=InlineExecutor())
    numbers = iter("123456789")
    talk = Talk(session, lambda: next(numbers), "en")
    session.push_frame(frame())
    return talk


def run(talk: Talk, rounds: int = 4) -> list[events.Event]:
    return [event for _ in range(rounds) for event in talk.step()]


def test_a_dialogue_is_written_down() -> None:
    talk = talk_of(QUESTION, SelectKeyframe(0), TARGET)
    ticket = talk.command("the mug", language="de")
    run(talk)
    dialogue = talk.dialogue
    assert (dialogue.id, dialogue.ticket, dialogue.command, dialogue.language) == ("1", ticket, "the mug", "de")
    assert dialogue.question is not None
    assert state_code(talk.state, dialogue) == DialogueState.ASKING
    talk.session.answer("blue", dialogue.question.question_id)
    run(talk)
    assert dialogue.transcript == ["person: the mug", "icseg: Red or blue?", "person: blue"]
    assert (dialogue.turns, dialogue.question, dialogue.label) == (1, None, "blue mug")
    assert state_code(talk.state, dialogue) == DialogueState.TRACKING


def test_a_shown_target_is_a_dialogue_without_words() -> None:
    talk = talk_of()
    ticket = talk.point_at(Prompt((10.0, 10.0, 30.0, 40.0)))
    run(talk)
    assert (talk.dialogue.id, talk.dialogue.ticket, talk.dialogue.command) == ("1", ticket, "")


@pytest.mark.parametrize("step", [GiveUp("I see no mug."), BackendError("the server is gone")])
def test_a_command_that_led_nowhere_is_told_until_the_next(step: Step) -> None:
    talk = talk_of(step, QUESTION)
    talk.command("the mug")
    run(talk)
    assert state_code(talk.state, talk.dialogue) == DialogueState.FAILED
    assert talk.dialogue.reason
    talk.command("the mug")
    run(talk)
    assert (talk.dialogue.id, talk.dialogue.has_failed, talk.dialogue.reason) == ("2", False, "")


def test_options_name_the_things_that_they_leave() -> None:
    talk = talk_of(QUESTION)
    talk.command("the mug")
    run(talk)
    assert talk.dialogue.question is not None
    options = options_of(talk.dialogue.question)
    assert [(option.label, list(option.segment_ids)) for option in options] == [("red", [1]), ("blue", [2])]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Goaled:
    """A goal on a talk, and how it ended."""

    def __init__(self, talk: Talk, *, is_picture: bool = False, max_questions: int | None = None) -> None:
        self.talk, self.is_picture = talk, is_picture
        self.goal = Goal(talk, talk.command("the mug", max_questions=max_questions), None, lambda _: None, lambda: None)

    def run(self, rounds: int = 4) -> GoalResult | None:
        for event in run(self.talk, rounds):
            result = self.goal.result_of(event, None, is_picture=self.is_picture)
            if result is not None:
                return result
        return None


def test_a_goal_ends_with_the_first_live_mask() -> None:
    goaled = Goaled(talk_of(SelectKeyframe(0), TARGET))
    result = goaled.run()
    assert result is not None
    assert result.outcome == CODES.SEGMENTED
    assert (result.dialogue_id, result.label, result.transcript) == ("1", "blue mug", ("person: the mug",))
    assert result.thing is not None
    assert result.thing.mask.any()


@pytest.mark.parametrize(
    ("script", "max_questions", "outcome", "reason"),
    [
        ((GiveUp("I see no mug."),), None, CODES.NOT_FOUND, "I see no mug."),
        ((QUESTION, GiveUp("Several fit.")), 0, CODES.QUESTIONS_SPENT, "Several fit."),
        ((BackendError("the server is gone"),), None, CODES.FAILED, "the server is gone"),
    ],
)
def test_a_goal_ends_without_a_target(
    script: tuple[Step, ...], max_questions: int | None, outcome: int, reason: str
) -> None:
    result = Goaled(talk_of(*script), max_questions=max_questions).run()
    assert result is not None
    assert (result.outcome, result.reason, result.thing) == (outcome, reason, None)


@pytest.mark.parametrize(
    ("interfere", "outcome"),
    [
        (lambda talk: talk.session.say("stop"), CODES.CANCELED),
        (lambda talk: talk.session.say("find the bowl"), CODES.PREEMPTED),
        (lambda talk: talk.point_at(Prompt((10.0, 10.0, 30.0, 40.0))), CODES.PREEMPTED),
    ],
)
def test_a_goal_ends_when_the_person_wants_something_else(interfere: Callable[[Talk], object], outcome: int) -> None:
    goaled = Goaled(talk_of(QUESTION, QUESTION))
    assert goaled.run() is None
    interfere(goaled.talk)
    result = goaled.run()
    assert result is not None
    assert result.outcome == outcome


def test_a_goal_without_a_camera_fails_with_what_to_do() -> None:
    clock = Clock()
    session = Session(ScriptedPolicy(), ScriptedTracker(), executor=InlineExecutor(), clock=clock)
    goaled = Goaled(Talk(session, lambda: "1", "en"))
    assert goaled.run() is None
    clock.now = session.config.camera_timeout_s
    result = goaled.run()
    assert result is not None
    assert (result.outcome, result.dialogue_id) == (CODES.FAILED, "")
    assert "camera" in result.reason


def test_a_lost_target_is_waited_for_in_a_stream_and_not_in_a_picture() -> None:
    def unseen() -> Talk:
        return talk_of(SelectKeyframe(0), TARGET, tracker=ScriptedTracker(lambda _: False))

    assert Goaled(unseen()).run() is None
    result = Goaled(unseen(), is_picture=True).run()
    assert result is not None
    assert result.outcome == CODES.NOT_FOUND


def still_of(
    *script: Step, answers: tuple[str, ...] = (), tracker: ScriptedTracker | None = None
) -> tuple[Still, Clock]:
    clock = Clock()
    still = Still(
        frame(),
        ScriptedPolicy(*script),
        tracker or ScriptedTracker(),
        InlineExecutor(),
        clock,
        timeout_s=5.0,
        answers=answers,
    )  # type: ignore[arg-type]
    return still, clock


def poll(still: Still):
    for _ in range(8):
        if (result := still.poll()) is not None:
            return result
    return None


def test_a_still_answers_with_a_mask() -> None:
    still, _ = still_of(SelectKeyframe(0), TARGET)
    still.command("the blue mug")
    result = poll(still)
    assert (result.outcome, result.labels) == (StillOutcome.OK, ("blue mug",))
    assert result.things[0].mask.any()


def test_a_still_asks_back_with_the_things_it_means() -> None:
    still, _ = still_of(QUESTION)
    still.command("the mug")
    result = poll(still)
    assert result.outcome is StillOutcome.NEEDS_CLARIFICATION
    assert result.labels == ("red mug", "blue mug")
    assert [thing.box_image_px for thing in result.things] == [choice.box_image_px for choice in CHOICES]
    assert result.asked.question == "Red or blue?"


def test_a_still_gives_prepared_answers() -> None:
    still, _ = still_of(QUESTION, SelectKeyframe(0), TARGET, answers=("blue",))
    still.command("the mug")
    assert poll(still).outcome is StillOutcome.OK


def test_a_still_takes_a_prompt_at_once() -> None:
    still, _ = still_of()
    result = still.segment(Prompt((10.0, 10.0, 30.0, 40.0)))
    assert (result.outcome, result.things[0].box_image_px) == (StillOutcome.OK, (10.0, 10.0, 30.0, 40.0))
    result = still.segment(Prompt((100.0, 10.0, 130.0, 40.0)))
    assert result.outcome is StillOutcome.INVALID
    assert "outside the image" in result.reason


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ((GiveUp("I see no mug."),), StillOutcome.NOT_FOUND),
        ((BackendError("the server is gone"),), StillOutcome.FAILED),
    ],
)
def test_a_still_says_why_not(script: tuple[Step, ...], outcome: StillOutcome) -> None:
    still, _ = still_of(*script)
    still.command("the mug")
    result = poll(still)
    assert result.outcome is outcome
    assert result.reason


def test_a_still_of_nothing_and_one_that_takes_too_long() -> None:
    still, _ = still_of(SelectKeyframe(0), TARGET, tracker=ScriptedTracker(lambda _: False))
    still.command("the mug")
    assert poll(still).outcome is StillOutcome.NOT_FOUND
    still, clock = still_of()
    assert poll(still) is None
    clock.now = 5.0
    assert poll(still).outcome is StillOutcome.TIMED_OUT
