"""The turn loop: what it executes, what it refuses, where it stops, and that it never loses a turn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from icseg.dialogue.actions import Answer, Ask, GiveUp, SelectKeyframe
from icseg.dialogue.agent import Agent, Target
from icseg.dialogue.config import DialogueConfig
from icseg.dialogue.dialogue import MAX_INTERACTIONS, MAX_QUESTIONS, Dialogue
from icseg.dialogue.policy import PolicyOutput, ReplyFault
from icseg.dialogue.policy_scripted import ScriptedPolicy, Step
from icseg.errors import BackendError, Cancelled, ConfigError, ModelOutputError
from icseg.types import Box, Frame, Point

ANSWER = Answer((100.25, 100.5, 300.75, 300.125), (200.5, 150.25))
SECONDS = 10**9


def make_dialogue(ids: tuple[int, ...] = (0, 12, 24), hw: tuple[int, int] = (400, 1000)) -> Dialogue:
    frames = {id_: Frame(np.full((*hw, 3), id_, np.uint8), stamp_ns=id_ * SECONDS, index=id_) for id_ in ids}
    return Dialogue("the mug", frames)


def make_agent(*steps: Step, **bounds: int) -> tuple[Agent, ScriptedPolicy]:
    policy = ScriptedPolicy(*steps)
    return Agent(policy, DialogueConfig(**bounds)), policy


def kinds(dialogue: Dialogue) -> list[str]:
    return [turn.observation.kind if turn.observation else "none" for turn in dialogue.turns]


def test_question_keyframe_answer_gives_the_target_in_pixels() -> None:
    agent, policy = make_agent(Ask("Is it red?"), SelectKeyframe(12), ANSWER)
    dialogue = make_dialogue()
    asked = agent.advance(dialogue)
    assert asked == Ask("Is it red?")
    assert len(policy.history) == 1
    agent.reply(dialogue, "  no, blue ")
    target = agent.advance(dialogue)
    assert isinstance(target, Target)
    assert target.keyframe is dialogue.frames[12]
    assert target.box_image_px == ANSWER.box_image_px
    assert target.point_image_px == ANSWER.point_image_px
    assert kinds(dialogue) == ["answer", "keyframe", "none"]
    assert dialogue.turns[0].observation is not None
    assert dialogue.turns[0].observation.text == "no, blue"
    assert dialogue.keyframe_id == 12


def test_an_answer_that_names_its_frame_needs_no_keyframe_turn() -> None:
    """To the last pixel: what a detector sees in a 4K frame is no multiple of a thousandth of it."""
    box, point = (1001.5, 703.25, 1033.75, 741.0), (1017.0, 720.5)
    agent, policy = make_agent(Answer(box, point, label="red mug", frame_id=12))
    dialogue = make_dialogue(hw=(2160, 3840))
    target = agent.advance(dialogue)
    assert isinstance(target, Target)
    assert target.keyframe is dialogue.frames[12]
    assert (target.box_image_px, target.point_image_px, target.label) == (box, point, "red mug")
    assert kinds(dialogue) == ["none"]
    assert dialogue.turns[0].action == Answer(box, point, frame_id=12)
    assert dialogue.keyframe_id is None
    assert len(policy.history) == 1


def test_an_answer_may_name_another_frame_than_the_keyframe() -> None:
    agent, _ = make_agent(SelectKeyframe(0), replace(ANSWER, frame_id=24))
    dialogue = make_dialogue()
    target = agent.advance(dialogue)
    assert isinstance(target, Target)
    assert target.keyframe is dialogue.frames[24]


@pytest.mark.parametrize("frame_id", [99, np.int64(99)])
def test_an_answer_in_a_frame_that_was_not_shown_is_told_and_the_dialogue_goes_on(frame_id: int) -> None:
    agent, _ = make_agent(replace(ANSWER, frame_id=frame_id), replace(ANSWER, frame_id=0))
    dialogue = make_dialogue()
    target = agent.advance(dialogue)
    assert isinstance(target, Target)
    assert target.keyframe is dialogue.frames[0]
    assert kinds(dialogue) == ["error", "none"]
    assert dialogue.turns[0].fault == "Frame index not in [0, 12, 24]."


def test_an_unknown_frame_is_told_and_the_dialogue_goes_on() -> None:
    agent, policy = make_agent(SelectKeyframe(99), SelectKeyframe(24), ANSWER)
    dialogue = make_dialogue()
    assert isinstance(agent.advance(dialogue), Target)
    assert kinds(dialogue) == ["error", "keyframe", "none"]
    seen = policy.history[1].last_observation
    assert seen is not None
    assert seen.text == "Frame index not in [0, 12, 24]."


def test_an_answer_before_the_keyframe_is_refused() -> None:
    agent, _ = make_agent(ANSWER, SelectKeyframe(0), ANSWER)
    dialogue = make_dialogue()
    assert isinstance(agent.advance(dialogue), Target)
    assert kinds(dialogue) == ["error", "keyframe", "none"]
    assert "keyframe first" in dialogue.turns[0].fault


def test_the_last_keyframe_counts() -> None:
    agent, _ = make_agent(SelectKeyframe(0), SelectKeyframe(24), ANSWER)
    dialogue = make_dialogue()
    target = agent.advance(dialogue)
    assert isinstance(target, Target)
    assert target.keyframe is dialogue.frames[24]


def test_faults_keep_the_models_words_and_are_tried_again() -> None:
    unread = ReplyFault("no <call> in it", "I see a red mug.", {"total": 7.0}, {"tokens": 20.0})
    agent, policy = make_agent(unread, SelectKeyframe(12), ANSWER)
    dialogue = make_dialogue()
    assert isinstance(agent.advance(dialogue), Target)
    fault = dialogue.turns[0]
    assert fault.action is None
    assert fault.reply_text == "I see a red mug."
    assert fault.fault == "no <call> in it"
    assert (fault.timings_ms, fault.rates_per_s) == ({"total": 7.0}, {"tokens": 20.0})
    assert fault.observation is not None
    assert fault.observation.text.startswith("Invalid reply: no <call>")
    assert [shown.turn_count for shown in policy.history] == [0, 1, 2]


@pytest.mark.parametrize("max_faults", [0, 1, 2])
def test_too_many_faults_give_up_and_say_why(max_faults: int) -> None:
    agent, policy = make_agent(*[ModelOutputError("gibberish")] * 5, max_faults=max_faults)
    dialogue = make_dialogue()
    result = agent.advance(dialogue)
    assert isinstance(result, GiveUp)
    assert "gibberish" in result.reason
    assert len(policy.history) == max_faults + 1
    assert kinds(dialogue) == ["error"] * max_faults + ["none"]


@pytest.mark.parametrize(
    ("box", "point"),
    [
        ((-0.5, 0, 10, 10), (5, 5)),
        ((0, -0.5, 10, 10), (5, 5)),
        ((0, 0, 1000.5, 10), (5, 5)),
        ((0, 0, 10, 400.5), (5, 5)),
        ((10, 0, 10, 10), (5, 5)),
        ((0, 10, 10, 10), (5, 5)),
        ((10, 0, 5, 10), (5, 5)),
        ((0, 0, float("nan"), 10), (5, 5)),
        ((0, 0, 10, 10), (1000, 5)),
        ((0, 0, 10, 10), (5, 400)),
        ((0, 0, 10, 10), (-0.5, 5)),
        ((0, 0, 10, 10), (5, float("nan"))),
    ],
)
@pytest.mark.parametrize("frame_id", [None, 0])
def test_an_answer_outside_the_picture_from_any_policy_is_a_fault(box: Box, point: Point, frame_id: int | None) -> None:
    said = PolicyOutput(Answer(box, point, frame_id=frame_id), "there", {"total": 3.0}, {"tokens": 9.0})
    agent, _ = make_agent(SelectKeyframe(0), said, ANSWER)
    dialogue = make_dialogue()
    assert isinstance(agent.advance(dialogue), Target)
    fault = dialogue.turns[1]
    assert fault.action is None
    assert "inside the picture of 1000x400 pixels" in fault.fault
    assert (fault.reply_text, fault.timings_ms, fault.rates_per_s) == ("there", {"total": 3.0}, {"tokens": 9.0})
    assert fault.observation is not None
    assert fault.observation.text.startswith("Invalid reply: the ")


def test_an_answer_may_fill_the_picture() -> None:
    agent, _ = make_agent(SelectKeyframe(0), Answer((0, 0, 1000, 400), (999.5, 399.5)))
    target = agent.advance(make_dialogue())
    assert isinstance(target, Target)
    assert target.box_image_px == (0, 0, 1000, 400)
    assert target.point_image_px == (999.5, 399.5)


def test_a_turn_keeps_what_the_policy_measured() -> None:
    measured = PolicyOutput(SelectKeyframe(0), "<keyframe> 0", {"total": 12.0}, {"tokens": 30.0})
    agent, _ = make_agent(measured, ANSWER)
    dialogue = make_dialogue()
    agent.advance(dialogue)
    turn = dialogue.turns[0]
    assert (turn.reply_text, turn.timings_ms, turn.rates_per_s) == ("<keyframe> 0", {"total": 12.0}, {"tokens": 30.0})


def ask_all(agent: Agent, dialogue: Dialogue, count: int) -> None:
    for number in range(count):
        assert isinstance(agent.advance(dialogue), Ask)
        agent.reply(dialogue, f"answer {number}")


def test_five_questions_leave_room_for_the_keyframe() -> None:
    agent, _ = make_agent(*[Ask("?")] * MAX_QUESTIONS, SelectKeyframe(0), ANSWER)
    dialogue = make_dialogue()
    ask_all(agent, dialogue, MAX_QUESTIONS)
    assert isinstance(agent.advance(dialogue), Target)
    assert len(dialogue.turns) == MAX_INTERACTIONS + 1


def test_a_question_too_many_is_told_once_then_it_gives_up() -> None:
    agent, policy = make_agent(*[Ask("?")] * (MAX_QUESTIONS + 2), ANSWER)
    dialogue = make_dialogue()
    ask_all(agent, dialogue, MAX_QUESTIONS)
    result = agent.advance(dialogue)
    assert isinstance(result, GiveUp)
    assert "questions" in result.reason
    assert kinds(dialogue) == ["answer"] * MAX_QUESTIONS + ["error", "none"]
    assert policy.remaining == 1


def test_the_model_may_still_choose_a_frame_after_a_question_too_many() -> None:
    agent, _ = make_agent(Ask("?"), Ask("?"), SelectKeyframe(0), ANSWER, max_questions=1)
    dialogue = make_dialogue()
    ask_all(agent, dialogue, 1)
    assert isinstance(agent.advance(dialogue), Target)


def test_the_last_interaction_is_kept_for_the_keyframe() -> None:
    agent, _ = make_agent(Ask("?"), SelectKeyframe(0), SelectKeyframe(12), ANSWER, max_interactions=1)
    dialogue = make_dialogue()
    target = agent.advance(dialogue)
    assert isinstance(target, Target)
    assert target.keyframe is dialogue.frames[0]
    assert kinds(dialogue) == ["error", "keyframe", "error", "none"]


def test_a_policy_that_never_answers_is_stopped() -> None:
    agent, policy = make_agent(*[SelectKeyframe(0)] * 50)
    dialogue = make_dialogue()
    assert isinstance(agent.advance(dialogue), GiveUp)
    assert len(policy.history) == MAX_INTERACTIONS + DialogueConfig().max_faults + 1


def test_giving_up_is_a_turn_and_passes_on_the_reason() -> None:
    agent, _ = make_agent(GiveUp("there is no mug"))
    dialogue = make_dialogue()
    result = agent.advance(dialogue)
    assert result == GiveUp("there is no mug")
    assert dialogue.turns[-1].action is result


def test_a_broken_backend_is_raised_and_leaves_the_dialogue_as_it_was() -> None:
    agent, _ = make_agent(BackendError("server gone"), SelectKeyframe(0), ANSWER)
    dialogue = make_dialogue()
    with pytest.raises(BackendError, match="server gone"):
        agent.advance(dialogue)
    assert dialogue.turns == []
    assert isinstance(agent.advance(dialogue), Target)


def test_cancelling_stops_before_the_next_policy_call() -> None:
    agent, policy = make_agent(SelectKeyframe(0), ANSWER)
    dialogue = make_dialogue()
    dialogue.is_cancelled = lambda: len(dialogue.turns) == 1
    with pytest.raises(Cancelled):
        agent.advance(dialogue)
    assert len(policy.history) == 1


def test_calls_out_of_order_are_errors() -> None:
    agent, _ = make_agent(Ask("?"), GiveUp("nothing there"))
    dialogue = make_dialogue()
    with pytest.raises(ValueError, match="question that waits"):
        agent.reply(dialogue, "red")
    agent.advance(dialogue)
    with pytest.raises(ValueError, match="finished last turn"):
        agent.advance(dialogue)
    with pytest.raises(ValueError, match="blank"):
        agent.reply(dialogue, "  ")
    agent.reply(dialogue, "red")
    with pytest.raises(ValueError, match="question that waits"):
        agent.reply(dialogue, "blue")
    assert agent.advance(dialogue) == GiveUp("nothing there")
    with pytest.raises(ValueError, match="finished last turn"):
        agent.advance(dialogue)
    with pytest.raises(ValueError, match="at least one frame"):
        agent.advance(Dialogue("the mug", {}))


def test_a_question_that_was_refused_takes_no_reply() -> None:
    agent, _ = make_agent(Ask("?"), Ask("?"), max_questions=0)
    dialogue = make_dialogue()
    assert isinstance(agent.advance(dialogue), GiveUp)
    with pytest.raises(ValueError, match="question that waits"):
        agent.reply(dialogue, "red")


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_interactions", 0), ("max_questions", -1), ("max_faults", 101), ("max_faults", True), ("max_faults", 1.5)],
)
def test_config_names_field_value_and_range(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=rf"session\.dialogue\.{name}: expected an integer \d\.\.100, got {value}"):
        DialogueConfig(**{name: value})
