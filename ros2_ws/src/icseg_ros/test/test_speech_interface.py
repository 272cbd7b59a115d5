"""Types by name and fields by path: what is installed is found, everything else is refused without being imported."""

from __future__ import annotations

import sys

import pytest
from icseg_test_msgs.action import STT, TTS
from icseg_test_msgs.msg import LiveSpeech, SoundRequest
from sensor_msgs.msg import RegionOfInterest
from std_msgs.msg import ColorRGBA, Float64MultiArray

from icseg.errors import ConfigError
from icseg_ros.speech.grammar import grammar_of
from icseg_ros.speech.interface import check_constants, check_field, get_field, load, set_field
from icseg_ros.speech.words import MAX_SAID_CHARS, as_tag, in_form, sayable


def test_message_and_action_are_loaded():
    assert load("speech.in.type", "icseg_test_msgs/msg/LiveSpeech") is LiveSpeech
    assert load("speech.out.type", "icseg_test_msgs/action/TTS") is TTS


@pytest.mark.parametrize(
    "name",
    [
        "", "os", "../x", "a.b/msg/C", "std_msgs/msg/__class__", "std_msgs/msg/String/", "std_msgs/srv/String",
        "/msg/String", "std_msgs.msg.String", "std_msgs/msg/String\n", "std_msgs/msg/_string", "Std_msgs/msg/String",
        "std__msgs/msg/String",
        "std_msgs/../os/msg/String", "std_msgs/msg/String; import os", "std_msgs/MSG/String", "ｓtd_msgs/msg/String",
    ],
)  # fmt: skip
def test_names_that_are_none_are_refused(name):
    with pytest.raises(ConfigError, match=r"speech.in.type: expected"):
        load("speech.in.type", name)


def test_a_python_package_that_has_no_interfaces_is_not_imported(tmp_path, monkeypatch):
    package = tmp_path / "icseg_trap"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ConfigError, match=r"icseg_trap has no msg types"):
        load("speech.in.type", "icseg_trap/msg/String")
    assert "icseg_trap" not in sys.modules


@pytest.mark.parametrize("name", ["os/msg/String", "json/msg/String", "this/action/Zen"])
def test_modules_of_python_are_refused(name):
    with pytest.raises(ConfigError, match=r"expected an interface package"):
        load("speech.in.type", name)


def test_missing_package_tells_what_to_install(monkeypatch):
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    with pytest.raises(ConfigError, match=r"sudo apt install ros-jazzy-no-such-msgs"):
        load("speech.out.type", "no_such_msgs/action/TTS")
    monkeypatch.delenv("ROS_DISTRO")
    with pytest.raises(ConfigError, match=r"ros-\$\{ROS_DISTRO\}-no-such-msgs"):
        load("speech.out.type", "no_such_msgs/action/TTS")


def test_missing_type_tells_which_there_are():
    with pytest.raises(ConfigError, match=r"no msg type Speech; it has .*LiveSpeech"):
        load("speech.in.type", "icseg_test_msgs/msg/Speech")


def test_fields_by_dotted_path():
    result = STT.Result()
    check_field("speech.in.text_field", STT.Result, "transcription.text", str)
    check_field("speech.in.confidence_field", LiveSpeech, "confidence", float)
    set_field(result, "transcription.text", "the red one")
    assert get_field(result, "transcription.text") == "the red one"
    assert result.transcription.text == "the red one"


@pytest.mark.parametrize(
    ("message", "path", "kind", "told"),
    [
        (LiveSpeech, "text", str, "no field 'text'; it has confidence, final, header, incremental, locale"),
        (STT.Result, "transcription.words", str, "no field 'words'; it has audio_time, text, transcription_time"),
        (STT.Result, "transcription", str, "expected a text field"),
        (LiveSpeech, "confidence", str, "expected a text field"),
        (LiveSpeech, "final", float, "expected a number field"),
        (LiveSpeech, "final.deeper", str, "no field 'deeper'; it has none"),
        (LiveSpeech, "__class__", str, "no field '__class__'"),
        (LiveSpeech, "header..frame_id", str, "no field ''"),
    ],
)
def test_fields_that_are_not_there_are_refused(message, path, kind, told):
    with pytest.raises(ConfigError, match=told) as error:
        check_field("speech.in.text_field", message, path, kind)
    assert str(error.value).startswith("speech.in.text_field: ")


def test_constants_are_checked_and_applied():
    given = {"grammar_config": {"start_rule": "root", "grammar_penalty": 10}, "prompt": "colours"}
    checked = check_constants("speech.in.constants", STT.Goal, given)
    goal = STT.Goal()
    for path, value in checked.items():
        set_field(goal, path, value)
    assert (goal.grammar_config.start_rule, goal.grammar_config.grammar_penalty, goal.prompt) == (
        "root",
        10.0,
        "colours",
    )


def test_constants_may_be_lists():
    assert check_constants("c", Float64MultiArray, {"data": [1, 2.5]}) == {"data": [1.0, 2.5]}


@pytest.mark.parametrize(
    ("message", "constants", "told"),
    [
        (SoundRequest, {"loudness": 1.0}, "no field 'loudness'; it has arg, arg2, command, reverb, sound, volume"),
        (SoundRequest, {"sound": -200}, "expected -128..127"),
        (SoundRequest, {"sound": 1.5}, "sound of SoundRequest is int8"),
        (SoundRequest, {"sound": True}, "sound of SoundRequest is int8"),
        (SoundRequest, {"volume": "loud"}, "volume of SoundRequest is float"),
        (SoundRequest, {"volume": float("nan")}, "volume of SoundRequest is float"),
        (SoundRequest, {"arg": 1}, "arg of SoundRequest is string"),
        (SoundRequest, {"arg": None}, "arg of SoundRequest is string"),
        (RegionOfInterest, {"do_rectify": 1}, "do_rectify of RegionOfInterest is boolean"),
        (RegionOfInterest, {"width": -1}, "expected 0..4294967295"),
        (LiveSpeech, {"header": 1}, "header of LiveSpeech is std_msgs/Header"),
        (Float64MultiArray, {"data": 1.0}, "expected a list"),
        (Float64MultiArray, {"data": ["a"]}, "sequence<double>"),
        (ColorRGBA, {"r": {"g": 1}}, "no field 'g'"),
    ],
)
def test_constants_that_do_not_fit_are_refused(message, constants, told):
    with pytest.raises(ConfigError, match=told):
        check_constants("speech.out.constants", message, constants)


def test_languages_in_the_forms_of_the_services():
    assert [in_form("de-DE", form) for form in ("tag", "locale", "code")] == ["de-DE", "de_DE", "de"]
    assert [in_form("en", form) for form in ("tag", "locale", "code")] == ["en", "en", "en"]
    assert as_tag("en_GB") == "en-GB"


def test_grammar_of_the_answers():
    assert grammar_of(()) == ""
    assert grammar_of(('the "red" one', "it's", "7", "é")) == (
        'root ::= " "? ([Tt] "he red one" | [Ii] "t\'s" | "7" | [Éé]) [.!?]?\n'
    )


def test_a_report_is_said_without_markup_and_addresses():
    report = (
        "the policy server at http://127.0.0.1:8000/v1/chat/completions answered 502:\n"
        "<html><body><h1>Bad  Gateway</h1></body></html>; start it again"
    )
    assert sayable(report) == ("the policy server at its address answered 502: Bad Gateway ; start it again")


def test_a_long_report_is_said_to_a_word_s_end_and_refers_to_the_log():
    said = sayable("nothing works, " * 100)
    assert said.endswith("nothing works. The log tells the rest.")
    assert len(said) <= MAX_SAID_CHARS + len(". The log tells the rest.")


def test_a_reason_for_people_is_said_as_it_is():
    assert sayable("I see no mug < 2 m away.") == "I see no mug < 2 m away."
