"""What is heard reaches the dialogue: not the robot's own voice, nothing unsure, nothing half said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from icseg_test_msgs.action import STT, TTS
from icseg_test_msgs.msg import LiveSpeech
from speech_fixtures import FakeServer, robot_and_speaker

from icseg.errors import ConfigError
from icseg_ros.speech import (
    Level,
    SpeechInSettings,
    SpeechOutSettings,
    SpeechSettings,
    TurnTakingSettings,
    Utterance,
)  # fmt: skip

VOICE = SpeechInSettings(
    type="icseg_test_msgs/msg/LiveSpeech", topic="/voice", text_field="final", partial_field="incremental",
    confidence_field="confidence", language_field="locale", min_confidence=0.5,
)  # fmt: skip
LISTEN = SpeechInSettings(
    type="icseg_test_msgs/action/STT", kind="action", topic="/listen", text_field="transcription.text",
    prompt_field="prompt", listen_s=10.0,
)  # fmt: skip
OUT = SpeechOutSettings(kind="action", type="icseg_test_msgs/action/TTS", name="/tts", text_field="input")
TURNS = TurnTakingSettings(holdoff_s=0.5, timeout_s=2.0, words_per_minute=60.0, stop_words=("halt",))
QUESTION = Utterance("The red one or the blue one?", "en", ("the red one", "the blue one"), True, 1)


def holding(robot):
    return FakeServer(robot, TTS, "/tts", holds=True)


def listener(**how):
    return lambda robot: FakeServer(robot, STT, "/listen", **how)


def sure(text):
    return LiveSpeech(final=text, confidence=0.9)


def test_own_voice_and_echo_are_ignored_then_the_person_is_heard():
    with robot_and_speaker(SpeechSettings(VOICE, OUT, TURNS), holding) as (tts, speaker):
        voice = speaker.publisher(LiveSpeech, "/voice")
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        voice.publish(sure("the red one or the blue one"))
        speaker.spin_until(lambda: speaker.speech.status.ignored == 1)
        tts.release()
        speaker.spin_until(lambda: not speaker.speech.status.is_speaking)
        speaker.clock.now += 0.4
        voice.publish(sure("blue one"))
        speaker.spin_until(lambda: speaker.speech.status.ignored == 2)
        speaker.clock.now += 0.2
        voice.publish(sure("the red one"))
        speaker.spin_until(lambda: bool(speaker.heard))
        assert [heard.text for heard in speaker.heard] == ["the red one"]
        assert not tts.canceled


def test_a_topic_output_is_half_duplex_by_its_length():
    with robot_and_speaker(SpeechSettings(VOICE, SpeechOutSettings(), TURNS)) as (_, speaker):
        voice = speaker.publisher(LiveSpeech, "/voice")
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        voice.publish(sure("the red one"))
        speaker.spin_until(lambda: speaker.speech.status.ignored == 1)
        speaker.clock.now += 7.9
        voice.publish(sure("the red one"))
        speaker.spin_until(lambda: bool(speaker.heard))


def test_barge_in_silences_the_robot_and_the_final_words_count():
    turns = replace(TURNS, barge_in=True)
    with robot_and_speaker(SpeechSettings(VOICE, OUT, turns), holding) as (tts, speaker):
        voice = speaker.publisher(LiveSpeech, "/voice")
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        voice.publish(LiveSpeech(incremental="the re"))
        speaker.spin_until(lambda: len(tts.canceled) == 1)
        speaker.spin_until(lambda: not speaker.speech.status.is_speaking)
        assert not speaker.heard
        voice.publish(sure("the red one"))
        speaker.spin_until(lambda: bool(speaker.heard))
        assert [heard.text for heard in speaker.heard] == ["the red one"]
        assert not speaker.errors


@pytest.mark.parametrize(("text", "is_stop"), [("Halt!", True), ("stop", False)])
def test_stop_words_count_while_the_robot_speaks_and_silence_it(text, is_stop):
    with robot_and_speaker(SpeechSettings(VOICE, OUT, TURNS), holding) as (tts, speaker):
        voice = speaker.publisher(LiveSpeech, "/voice")
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        voice.publish(sure(text))
        speaker.spin_until(lambda: bool(speaker.heard))
        assert (speaker.heard[0].text, speaker.heard[0].is_stop) == (text, is_stop)
        speaker.spin_until(lambda: len(tts.canceled) == 1)


def test_unsure_and_half_said_words_are_never_answers():
    with robot_and_speaker(SpeechSettings(VOICE, SpeechOutSettings(kind="none"), TURNS)) as (_, speaker):
        voice = speaker.publisher(LiveSpeech, "/voice")
        voice.publish(LiveSpeech(final="the rat gun", confidence=0.49))
        voice.publish(LiveSpeech(incremental="the", confidence=0.9))
        voice.publish(LiveSpeech())
        voice.publish(LiveSpeech(incremental="the red", final="the red one", confidence=0.5, locale="de_DE"))
        speaker.spin_until(lambda: bool(speaker.heard))
        assert [(h.text, h.confidence, h.language, h.is_partial) for h in speaker.heard] == [
            ("the red one", 0.5, "de-DE", False)
        ]
        assert speaker.speech.status.ignored == 1


def test_several_voices():
    voices = replace(VOICE, topics=("/another_voice",))
    with robot_and_speaker(SpeechSettings(voices, SpeechOutSettings(), TURNS)) as (_, speaker):
        for topic in ("/voice", "/another_voice"):
            speaker.publisher(LiveSpeech, topic).publish(sure(f"by {topic}"))
        speaker.spin_until(lambda: len(speaker.heard) == 2)
        assert {heard.text for heard in speaker.heard} == {"by /voice", "by /another_voice"}


def test_listening_on_demand_for_a_command():
    heard = {"transcription.text": "the mug"}
    settings = SpeechSettings(LISTEN, SpeechOutSettings(), TURNS)
    with robot_and_speaker(settings, listener(result=heard)) as (stt, speaker):
        speaker.speech.listen()
        speaker.spin_until(lambda: bool(speaker.heard))
        assert [h.text for h in speaker.heard] == ["the mug"]
        assert stt.goals == [STT.Goal()]


def test_listening_for_an_answer_gives_the_recognizer_the_options():
    with robot_and_speaker(SpeechSettings(LISTEN, SpeechOutSettings(), TURNS), listener(holds=True)) as (stt, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.clock.now += 7.9
        speaker.spin_until(lambda: bool(stt.goals))
        assert stt.goals[0].prompt == "the red one, the blue one, stop, cancel, never mind, halt"


def test_nothing_heard_is_tried_again_a_few_times():
    with robot_and_speaker(SpeechSettings(LISTEN, SpeechOutSettings(), TURNS), listener()) as (stt, speaker):
        speaker.speech.listen()
        speaker.spin_until(lambda: len(stt.goals) == 3)
        speaker.spin_for_ticks()
        assert len(stt.goals) == 3
        assert not speaker.heard
        assert not speaker.errors


def test_listening_to_silence_ends_without_an_error():
    with robot_and_speaker(SpeechSettings(LISTEN, SpeechOutSettings(), TURNS), listener(holds=True)) as (stt, speaker):
        speaker.speech.listen()
        speaker.spin_until(lambda: bool(stt.goals))
        speaker.spin_for_ticks(2)
        speaker.clock.now += 10.1
        speaker.spin_until(lambda: len(stt.canceled) == 1)
        speaker.spin_for_ticks(2)
        assert not speaker.errors


def test_hush_ends_listening_and_what_is_heard_then_is_dropped():
    with robot_and_speaker(SpeechSettings(LISTEN, SpeechOutSettings(), TURNS), listener(holds=True)) as (stt, speaker):
        speaker.speech.listen()
        speaker.spin_until(lambda: bool(stt.goals))
        speaker.speech.hush()
        speaker.spin_until(lambda: len(stt.canceled) == 1)
        speaker.spin_for_ticks(2)
        assert not speaker.heard


def test_hush_before_listening_began():
    with robot_and_speaker(SpeechSettings(LISTEN, SpeechOutSettings(), TURNS), listener()) as (stt, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.speech.hush()
        speaker.clock.now += 10.0
        speaker.spin_for_ticks()
        assert not stt.goals


def test_a_recognizer_that_is_not_there():
    with robot_and_speaker(SpeechSettings(LISTEN, SpeechOutSettings(), TURNS)) as (_, speaker):
        speaker.speech.listen()
        speaker.spin_for_ticks(2)
        speaker.clock.now += 2.1
        speaker.spin_until(lambda: bool(speaker.errors))
        assert "speech.in: the action server /listen (icseg_test_msgs/action/STT) is not there" in speaker.errors[0]
        assert speaker.speech.status.level is Level.WARN


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (SpeechSettings(replace(VOICE, text_field="words")), "speech.in.text_field: LiveSpeech has no field 'words'"),
        (SpeechSettings(replace(VOICE, partial_field="header")), "speech.in.partial_field: expected a text field"),
        (SpeechSettings(replace(LISTEN, prompt_field="hint")), "speech.in.prompt_field: STT Goal has no field 'hint'"),
        (
            SpeechSettings(replace(LISTEN, constants='{"prompt": 1}')),
            "speech.in.constants: prompt of STT Goal is string",
        ),
        (SpeechSettings(output=replace(OUT, text_field="text")), "speech.out.text_field: TTS Goal has no field 'text'"),
        (SpeechSettings(output=replace(OUT, error_field="error")), "speech.out.error_field: TTS Result has no field"),
    ],
)
def test_wrong_fields_are_refused_when_it_is_configured(settings, told):
    with pytest.raises(ConfigError, match=told), robot_and_speaker(settings):
        pass
