"""The record of a dialogue, a still, and how goals end: with a scripted policy and tracker, without a node."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from icseg_msgs.action import ClarifySegment
from icseg_msgs.msg import DialogueState
from sessions import CHOICES, QUESTION, TARGET, Clock, frame, run, session_of

from icseg.dialogue.actions import GiveUp, SelectKeyframe
from icseg.dialogue.policy_scripted import ScriptedPolicy, Step
from icseg.errors import BackendError
from icseg.session.executor import InlineExecutor
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Prompt
from icseg_ros.announcer import options_of, state_code
from icseg_ros.goals import Goal, GoalResult
from icseg_ros.logged_session import LoggedSession
from icseg_ros.still import Still, StillOutcome

CODES = ClarifySegment.Result


def test_a_dialogue_is_written_down() -> None:
    logged = session_of(QUESTION, SelectKeyframe(0), TARGET)
    ticket = logged.command("the mug", language="de")
    run(logged)
    dialogue = logged.dialogue
    assert (dialogue.id, dialogue.ticket, dialogue.command, dialogue.language) == ("1", ticket, "the mug", "de")
    assert dialogue.question is not None
    assert state_code(logged.state, dialogue) == DialogueState.ASKING
    logged.session.answer("blue", dialogue.question.question_id)
    run(logged)
    assert dialogue.transcript == ["person: the mug", "icseg: Red or blue?", "person: blue"]
    assert (dialogue.turns, dialogue.question, dialogue.label) == (1, None, "blue mug")
    assert state_code(logged.state, dialogue) == DialogueState.TRACKING


def test_a_shown_target_is_a_dialogue_without_words() -> None:
    logged = session_of()
    ticket = logged.point_at(Prompt((10.0, 10.0, 30.0, 40.0)))
    run(logged)
    assert (logged.dialogue.id, logged.dialogue.ticket, logged.dialogue.command) == ("1", ticket, "")


@pytest.mark.parametrize("step", [GiveUp("I see no mug."), BackendError("the server is gone")])
def test_a_command_that_led_nowhere_is_told_until_the_next(step: Step) -> None:
    logged = session_of(step, QUESTION)
    logged.command("the mug")
    run(logged)
    assert state_code(logged.state, logged.dialogue) == DialogueState.FAILED
    assert logged.dialogue.reason
    logged.command("the mug")
    run(logged)
    assert (logged.dialogue.id, logged.dialogue.has_failed, logged.dialogue.reason) == ("2", False, "")


def test_options_name_the_things_that_they_leave() -> None:
    logged = session_of(QUESTION)
    logged.command("the mug")
    run(logged)
    assert logged.dialogue.question is not None
    options = options_of(logged.dialogue.question)
    assert [(option.label, list(option.segment_ids)) for option in options] == [("red", [1]), ("blue", [2])]


class Goaled:
    """A goal of a session, and how it ended."""

    def __init__(self, logged: LoggedSession, *, is_picture: bool = False, max_questions: int | None = None) -> None:
        self.logged, self.is_picture = logged, is_picture
        self.goal = Goal(
            logged, logged.command("the mug", max_questions=max_questions), None, lambda _: None, lambda: None
        )

    def run(self, rounds: int = 4) -> GoalResult | None:
        for event in run(self.logged, rounds):
            result = self.goal.result_of(event, None, is_picture=self.is_picture)
            if result is not None:
                return result
        return None


def test_a_goal_ends_with_the_first_live_mask() -> None:
    goaled = Goaled(session_of(SelectKeyframe(0), TARGET))
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
    result = Goaled(session_of(*script), max_questions=max_questions).run()
    assert result is not None
    assert (result.outcome, result.reason, result.thing) == (outcome, reason, None)


@pytest.mark.parametrize(
    ("interfere", "outcome"),
    [
        (lambda logged: logged.session.say("stop"), CODES.CANCELED),
        (lambda logged: logged.session.say("find the bowl"), CODES.PREEMPTED),
        (lambda logged: logged.point_at(Prompt((10.0, 10.0, 30.0, 40.0))), CODES.PREEMPTED),
    ],
)
def test_a_goal_ends_when_the_person_wants_something_else(
    interfere: Callable[[LoggedSession], object], outcome: int
) -> None:
    goaled = Goaled(session_of(QUESTION, QUESTION))
    assert goaled.run() is None
    interfere(goaled.logged)
    result = goaled.run()
    assert result is not None
    assert result.outcome == outcome


def test_a_goal_without_a_camera_fails_with_what_to_do() -> None:
    clock = Clock()
    logged = session_of(clock=clock, has_image=False)
    goaled = Goaled(logged)
    assert goaled.run() is None
    clock.now = logged.session.config.camera_timeout_s
    result = goaled.run()
    assert result is not None
    assert (result.outcome, result.dialogue_id) == (CODES.FAILED, "")
    assert "camera" in result.reason


def test_a_lost_target_is_waited_for_in_a_stream_and_not_in_a_picture() -> None:
    def unseen() -> LoggedSession:
        return session_of(SelectKeyframe(0), TARGET, tracker=ScriptedTracker(lambda _: False))

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
