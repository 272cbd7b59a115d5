"""Each preset as it ships, against types with the same field names: only the types' names are exchanged."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from icseg_test_msgs.action import STT, TTS, Ask, AudioTTS, Say
from icseg_test_msgs.msg import LiveSpeech, SoundRequest
from rclpy.node import Node
from speech_fixtures import FakeServer, Side, robot_and_speaker

from icseg.errors import ConfigError
from icseg_ros.settings import declare, described, read
from icseg_ros.speech import GROUPS, SpeechSettings, Utterance

PRESETS = Path(__file__).parents[1] / "config" / "speech"
LOOK_ALIKES = {
    "hri_msgs/msg/LiveSpeech": "icseg_test_msgs/msg/LiveSpeech",
    "sound_play/msg/SoundRequest": "icseg_test_msgs/msg/SoundRequest",
    "tts_msgs/action/TTS": "icseg_test_msgs/action/TTS",
    "audio_common_msgs/action/TTS": "icseg_test_msgs/action/AudioTTS",
    "whisper_msgs/action/STT": "icseg_test_msgs/action/STT",
    "communication_skills/action/Ask": "icseg_test_msgs/action/Ask",
    "communication_skills/action/Say": "icseg_test_msgs/action/Say",
    "": "",
}
QUESTION = Utterance("The red one or the blue one?", "de-DE", ("the red one", "the blue one"), True, 3)


def preset(name: str) -> SpeechSettings:
    """The preset's settings with the look-alikes' types."""
    settings = shipped(name)
    into, out = settings.input, settings.output
    return replace(
        settings,
        input=replace(into, type=LOOK_ALIKES[into.type]),
        output=replace(out, type=LOOK_ALIKES[out.type], statement_type=LOOK_ALIKES[out.statement_type]),
    )


def shipped(name: str) -> SpeechSettings:
    """The preset's settings as a node reads them."""
    side = Side("clarify_segment", ("--ros-args", "--params-file", str(PRESETS / f"{name}.yaml")))
    try:
        return SpeechSettings(*(read_group(side.node, group) for group in GROUPS))
    finally:
        side.close()


def read_group(node: Node, group: str):
    declare(node, group, GROUPS[group])
    return read(node, group, GROUPS[group])


def test_every_preset_is_tested_and_sets_only_speech_parameters():
    known = {parameter.name for group, settings in GROUPS.items() for parameter in described(group, settings)}
    names = {path.stem for path in PRESETS.glob("*.yaml")}
    assert names == {"plain", "ros4hri", "pal_ask", "mgonzs13", "sound_play"}
    for name in names:
        given = yaml.safe_load((PRESETS / f"{name}.yaml").read_text())
        assert set(given["/**"]["ros__parameters"]) <= known
        assert list(given) == ["/**"]


def test_plain_says_on_the_topic_only():
    with robot_and_speaker(preset("plain")) as (_, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.robot.said == [QUESTION.text])
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        assert speaker.speech.status.spoken == 1
        assert speaker.speech.status.message == "speaks on ~/say, hears no voice"


def test_ros4hri_speaks_and_hears():
    with robot_and_speaker(preset("ros4hri"), lambda robot: FakeServer(robot, TTS, "/tts_engine/tts")) as (
        server,
        speaker,
    ):
        voice = speaker.publisher(LiveSpeech, "/humans/voices/anonymous_speaker/speech")
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.spoken == 1)
        assert server.goals == [TTS.Goal(input=QUESTION.text, locale="de_DE")]
        assert speaker.robot.said == [QUESTION.text]
        speaker.clock.now += 10.0
        voice.publish(LiveSpeech(incremental="the re"))
        voice.publish(LiveSpeech(final="the red one", confidence=0.75, locale="en_GB"))
        speaker.spin_until(lambda: bool(speaker.heard))
        assert [(h.text, h.confidence, h.language, h.is_partial) for h in speaker.heard] == [
            ("the red one", 0.75, "en-GB", False)
        ]


def test_pal_ask_asks_and_hears_the_answer():
    def play(robot):
        answers = {"answers": json.dumps({"answer": "the blue one"})}
        return FakeServer(robot, Ask, "/skill/ask", result=answers), FakeServer(robot, Say, "/skill/say")

    with robot_and_speaker(preset("pal_ask"), play) as ((ask, say), speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: bool(speaker.heard))
        assert [(h.text, h.language) for h in speaker.heard] == [("the blue one", "de-DE")]
        assert ask.goals[0].question == QUESTION.text
        schema = json.loads(ask.goals[0].answers_schema)
        assert schema == {"answer": {"type": "string", "enum": ["the red one", "the blue one", "stop"]}}
        speaker.speech.say(Utterance("I lost it."))
        speaker.spin_until(lambda: speaker.speech.status.spoken == 2)
        assert [goal.input for goal in say.goals] == ["I lost it."]
        assert len(ask.goals) == 1
        speaker.spin_until(lambda: speaker.robot.said == [QUESTION.text, "I lost it."])


def test_mgonzs13_listens_after_it_has_asked():
    def play(robot):
        heard = {"transcription.text": " The blue one."}
        return (
            FakeServer(robot, AudioTTS, "/say", holds=True),
            FakeServer(robot, STT, "/whisper/listen", result=heard),
        )

    with robot_and_speaker(preset("mgonzs13"), play) as ((say, listen), speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        assert say.goals == [AudioTTS.Goal(text=QUESTION.text, language="de", volume=1.0, rate=1.0)]
        speaker.spin_for_ticks()
        assert not listen.goals
        say.release()
        speaker.spin_until(lambda: not speaker.speech.status.is_speaking)
        speaker.spin_for_ticks()
        assert not listen.goals  # the hold-off is not over: the clock stands
        speaker.clock.now += 1.0
        speaker.spin_until(lambda: bool(speaker.heard))
        assert [h.text for h in speaker.heard] == ["The blue one."]
        config = listen.goals[0].grammar_config
        assert (config.start_rule, config.grammar_penalty) == ("root", 10.0)
        assert config.grammar.startswith('root ::= " "? ([Tt] "he red one" | [Tt] "he blue one" | [Ss] "top" | ')
        speaker.spin_for_ticks()
        assert len(listen.goals) == 1


def test_sound_play_speaks_and_is_silenced():
    with robot_and_speaker(preset("sound_play"), lambda robot: robot.subscribe(SoundRequest, "/robotsound")) as (
        got,
        speaker,
    ):
        speaker.spin_until(lambda: speaker.robot.node.count_publishers("/robotsound") > 0)
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: len(got) == 1)
        assert got[0] == SoundRequest(sound=-3, command=1, volume=1.0, arg=QUESTION.text)
        assert speaker.speech.status.is_speaking
        speaker.speech.hush()
        speaker.spin_until(lambda: len(got) == 2)
        assert got[1] == SoundRequest(sound=-1, command=0)
        speaker.spin_until(lambda: not speaker.speech.status.is_speaking)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("ros4hri", "tts_msgs"),
        ("pal_ask", "communication_skills"),
        ("mgonzs13", "audio_common_msgs"),
        ("sound_play", "sound_play"),
    ],
)
def test_without_its_packages_a_preset_tells_what_to_install(name, package, monkeypatch):
    if find_spec(package) is not None:
        pytest.skip(f"{package} is installed")
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    apt = f"ros-jazzy-{package.replace('_', '-')}"
    with (
        pytest.raises(ConfigError, match=rf"speech.out.type: .* not installed: .*{apt}"),
        robot_and_speaker(shipped(name)),
    ):
        pass
