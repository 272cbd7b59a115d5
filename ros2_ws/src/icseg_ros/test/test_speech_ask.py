"""A speech service that asks, listens and brings the answer back as the result of one action."""

from __future__ import annotations

import pytest
from icseg_test_msgs.action import STT, Ask
from speech_fixtures import FakeServer, robot_and_speaker

from icseg_ros.speech import SpeechInSettings, SpeechOutSettings, SpeechSettings, TurnTakingSettings, Utterance

TURNS = TurnTakingSettings(holdoff_s=0.5, timeout_s=2.0, words_per_minute=60.0)
ASKS = SpeechSettings(
    output=SpeechOutSettings(
        kind="ask_action", type="icseg_test_msgs/action/Ask", name="/ask", text_field="question",
        answers_schema_field="answers_schema", answers_field="answers", error_field="result.error_msg",
    ),
    turns=TURNS,
)  # fmt: skip
QUESTION = Utterance("The red one or the blue one?", "en", ("the red one", "the blue one"), True, 1)


def asker(**how):
    return lambda robot: FakeServer(robot, Ask, "/ask", **how)


def test_an_answer_that_comes_after_hush_is_dropped():
    how = {"holds": True, "cancels": False, "result": {"answers": '{"answer": "the red one"}'}}
    with robot_and_speaker(ASKS, asker(**how)) as (ask, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.speech.hush()
        speaker.spin_for_ticks(2)
        ask.release()
        speaker.spin_until(lambda: not speaker.speech.status.is_speaking)
        speaker.spin_for_ticks(2)
        assert not speaker.heard


@pytest.mark.parametrize("answers", ["", "{}", '{"answer": ""}'])
def test_asking_without_an_answer(answers):
    with robot_and_speaker(ASKS, asker(result={"answers": answers})) as (_, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.spoken == 1)
        speaker.spin_for_ticks(2)
        assert not speaker.heard
        assert not speaker.errors


@pytest.mark.parametrize("answers", ["the red one", "[1]", '{"answer": 3}'])
def test_asking_with_an_answer_that_is_none(answers):
    with robot_and_speaker(ASKS, asker(result={"answers": answers})) as (_, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: bool(speaker.errors))
        assert "answered something else" in speaker.errors[0]
        assert not speaker.heard


def test_asking_is_cancelled_when_the_answer_came_otherwise():
    with robot_and_speaker(ASKS, asker(holds=True)) as (ask, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.clock.now += 7.4  # said, and now it listens
        assert not speaker.speech.status.is_speaking
        speaker.speech.hush()
        speaker.spin_until(lambda: len(ask.canceled) == 1)
        speaker.spin_for_ticks(2)
        assert not speaker.errors
        assert not speaker.heard


def test_who_asks_listens_so_nobody_else_does():
    hears = SpeechInSettings(
        type="icseg_test_msgs/action/STT", kind="action", topic="/listen", text_field="transcription.text"
    )

    def play(robot):
        return FakeServer(robot, Ask, "/ask"), FakeServer(robot, STT, "/listen")

    with robot_and_speaker(SpeechSettings(hears, ASKS.output, TURNS), play) as ((_, stt), speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.spoken == 1)
        speaker.clock.now += 10.0
        speaker.spin_for_ticks()
        assert not stt.goals


def test_asking_that_nobody_answers_ends_without_an_error():
    with robot_and_speaker(ASKS, asker(holds=True)) as (ask, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.clock.now += 2 * 7.3 + 30.1
        speaker.spin_until(lambda: len(ask.canceled) == 1)
        speaker.spin_for_ticks(2)
        assert not speaker.errors


def test_a_statement_without_an_action_goes_to_the_topic_and_ends_the_question():
    with robot_and_speaker(ASKS, asker(holds=True)) as (ask, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.speech.say(Utterance("I give up."))
        speaker.spin_until(lambda: len(ask.canceled) == 1)
        assert speaker.robot.said == [QUESTION.text, "I give up."]
