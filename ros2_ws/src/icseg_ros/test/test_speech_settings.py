"""Speech settings refuse what cannot work, with the parameter's name."""

from __future__ import annotations

import pytest

from icseg.errors import ConfigError
from icseg_ros.settings import described
from icseg_ros.speech import GROUPS, SpeechInSettings, SpeechOutSettings, TurnTakingSettings

LIVE = {"type": "hri_msgs/msg/LiveSpeech", "topic": "/voice", "text_field": "final"}
STT = {"type": "whisper_msgs/action/STT", "kind": "action", "topic": "/listen", "text_field": "transcription.text"}
TTS = {"kind": "action", "type": "tts_msgs/action/TTS", "name": "/tts", "text_field": "input"}
ASK = {
    "kind": "ask_action", "type": "communication_skills/action/Ask", "name": "/skill/ask", "text_field": "question",
    "answers_schema_field": "answers_schema", "answers_field": "answers",
}  # fmt: skip


def test_defaults_need_no_speech_package():
    assert not SpeechInSettings().is_on
    assert not SpeechOutSettings().has_adapter
    assert TurnTakingSettings().holdoff_s == 0.8


def test_every_parameter_has_a_meaning_and_every_number_a_range():
    names = []
    for group, settings in GROUPS.items():
        for parameter in described(group, settings):
            names.append(parameter.name)
            assert parameter.meaning
            assert parameter.type not in (int, float) or parameter.range
    assert len(names) == len(set(names))
    assert "speech.in.type" in names
    assert "speech.out.name" in names
    assert "speech.holdoff_s" in names


@pytest.mark.parametrize(
    "given",
    [LIVE, {**LIVE, "topics": ("/a", "/b")}, STT, {**STT, "constants": '{"prompt": "x"}', "grammar_field": "g"}],
)
def test_input_that_works(given):
    assert SpeechInSettings(**given).is_on


def test_topics_of_several_voices_are_listened_to_once_each():
    assert SpeechInSettings(**{**LIVE, "topics": ("/b", "/voice")}).names == ("/voice", "/b")


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"text_field": ""}, "speech.in.text_field"),
        ({"topic": ""}, "speech.in.topic"),
        ({"topic": "/no spaces"}, "speech.in.topic"),
        ({"type": "hri_msgs/action/LiveSpeech"}, "speech.in.type"),
        ({"min_confidence": 0.5}, "speech.in.min_confidence"),
        ({"min_confidence": 1.5}, "speech.in.min_confidence"),
        ({"grammar_field": "grammar"}, "speech.in.grammar_field"),
        ({"constants": '{"prompt": ""}'}, "speech.in.constants"),
        ({"kind": "service"}, "speech.in.kind"),
    ],
)
def test_topic_input_is_refused(change, parameter):
    with pytest.raises(ConfigError, match=parameter):
        SpeechInSettings(**{**LIVE, **change})


@pytest.mark.parametrize(
    ("change", "parameter"),
    [
        ({"partial_field": "so_far"}, "speech.in.partial_field"),
        ({"topics": ("/b",)}, "speech.in.topics"),
        ({"constants": "[1]"}, "speech.in.constants"),
        ({"constants": "{"}, "speech.in.constants"),
        ({"listen_s": 0.0}, "speech.in.listen_s"),
    ],
)
def test_action_input_is_refused(change, parameter):
    with pytest.raises(ConfigError, match=parameter):
        SpeechInSettings(**{**STT, **change})


@pytest.mark.parametrize(
    "given",
    [
        TTS,
        ASK,
        {**TTS, "kind": "none"},
        {"kind": "none"},
        {"kind": "topic", "type": "std_msgs/msg/String", "name": "/speak", "text_field": "data"},
    ],
)
def test_output_that_works(given):
    SpeechOutSettings(**given)


@pytest.mark.parametrize(
    ("given", "parameter"),
    [
        ({"kind": "topic", "name": "/speak"}, "speech.out.type"),
        ({"kind": "action"}, "speech.out.type"),
        ({**TTS, "type": "tts_msgs/msg/TTS"}, "speech.out.type"),
        ({**TTS, "name": ""}, "speech.out.name"),
        ({**TTS, "name": "2/x"}, "speech.out.name"),
        ({**TTS, "text_field": ""}, "speech.out.text_field"),
        ({**TTS, "constants": "volume: 1"}, "speech.out.constants"),
        ({**TTS, "stop_constants": '{"command": 0}'}, "speech.out.stop_constants"),
        ({**TTS, "language_form": "iso"}, "speech.out.language_form"),
        ({**ASK, "answers_field": ""}, "speech.out.answers_field"),
        ({**ASK, "answers_schema_field": ""}, "speech.out.answers_schema_field"),
        ({**ASK, "statement_type": "communication_skills/action/Say"}, "speech.out.statement_name"),
        ({**ASK, "answer_s": 1000.0}, "speech.out.answer_s"),
    ],
)
def test_output_is_refused(given, parameter):
    with pytest.raises(ConfigError, match=parameter):
        SpeechOutSettings(**given)


@pytest.mark.parametrize(
    "change",
    [
        {"holdoff_s": -0.1},
        {"holdoff_s": 5.1},
        {"words_per_minute": 10.0},
        {"timeout_s": 0.1},
        {"timeout_s": 61.0},
        {"stop_words": ("halt", " ")},
        {"robot_speaking_topic": "not a name"},
        {"barge_in": "yes"},
    ],
)
def test_turn_taking_is_refused(change):
    with pytest.raises(ConfigError, match=rf"speech.{next(iter(change))}"):
        TurnTakingSettings(**change)
