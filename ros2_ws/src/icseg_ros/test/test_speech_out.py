"""Speech services that are absent, reject, hang or die: told once, and the dialogue goes on."""

from __future__ import annotations

import pytest
from icseg_test_msgs.action import STT, TTS
from speech_fixtures import FakeServer, Robot, robot_and_speaker
from std_msgs.msg import Bool, String

from icseg_ros.speech import (
    Level,
    Speech,
    SpeechInSettings,
    SpeechOutSettings,
    SpeechSettings,
    TurnTakingSettings,
    Utterance,
)  # fmt: skip

TURNS = TurnTakingSettings(holdoff_s=0.5, timeout_s=2.0, words_per_minute=60.0)
OUT = SpeechOutSettings(
    kind="action", type="icseg_test_msgs/action/TTS", name="/tts", text_field="input", error_field="error_msg"
)
SPEAKS = SpeechSettings(output=OUT, turns=TURNS)
QUESTION = Utterance("The red one or the blue one?", "en", ("the red one", "the blue one"), True, 1)


def server(**how):
    return lambda robot: FakeServer(robot, TTS, "/tts", **how)


def test_absent_server_is_told_once_and_tried_again():
    with robot_and_speaker(SPEAKS) as (_, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: bool(speaker.robot.said))
        speaker.spin_for_ticks(2)
        assert not speaker.errors  # it may still be starting
        speaker.clock.now += 2.1
        speaker.spin_until(lambda: bool(speaker.errors))
        assert "the action server /tts (icseg_test_msgs/action/TTS) is not there; start it" in speaker.errors[0]
        assert speaker.speech.status.level is Level.WARN
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.errors == 2)
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.errors == 3)
        assert speaker.speech.status.level is Level.ERROR
        assert len(speaker.errors) == 1
        assert not speaker.speech.status.is_speaking
        late = FakeServer(speaker.robot, TTS, "/tts")
        speaker.spin_until(lambda: spoken_after_another_try(speaker))
        assert late.goals[-1].input == QUESTION.text
        status = speaker.speech.status
        assert (status.level, status.message) == (Level.OK, "speaks on /tts, hears no voice")


def spoken_after_another_try(speaker):
    speaker.speech.say(QUESTION)
    speaker.spin_for_ticks(2)
    return speaker.speech.status.spoken > 0


def test_rejected():
    with robot_and_speaker(SPEAKS, server(accepts=False)) as (tts, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: bool(speaker.errors))
        assert "/tts (icseg_test_msgs/action/TTS) rejected the goal" in speaker.errors[0]
        tts.accepts = True
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.spoken == 1)
        assert speaker.speech.status.level is Level.OK
        assert speaker.robot.said == [QUESTION.text] * 2


@pytest.mark.parametrize("aborts", [False, True])
def test_what_the_service_says_is_told(aborts):
    with robot_and_speaker(SPEAKS, server(result={"error_msg": "no voice for en"}, aborts=aborts)) as (_, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: bool(speaker.errors))
        assert "no voice for en" in speaker.errors[0]
        assert speaker.speech.status.spoken == 0
        assert not speaker.speech.status.is_speaking


def test_hung_speech_is_cancelled_when_its_time_is_over():
    with robot_and_speaker(SPEAKS, server(holds=True)) as (tts, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.clock.now += 2 * 7.3 + 2.0 - 0.1
        speaker.spin_for_ticks(3)
        assert speaker.speech.status.is_speaking
        speaker.clock.now += 0.2
        speaker.spin_until(lambda: bool(speaker.errors))
        assert len(tts.canceled) == 1
        assert "did not end in time and was cancelled" in speaker.errors[0]
        assert not speaker.speech.status.is_speaking


def test_hung_speech_that_cannot_be_cancelled():
    with robot_and_speaker(SPEAKS, server(holds=True, cancels=False)) as (tts, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.clock.now += 17.0
        speaker.spin_for_ticks(2)
        speaker.clock.now += 2.1
        speaker.spin_until(lambda: bool(speaker.errors))
        assert "hangs" in speaker.errors[0]
        assert not speaker.speech.status.is_speaking
        speaker.speech.say(Utterance("Again?"))
        speaker.spin_until(lambda: len(tts.goals) == 2)


def test_hung_speech_is_told_when_the_next_utterance_takes_its_place():
    with robot_and_speaker(SPEAKS, server(holds=True, ignores=True)) as (tts, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.speech.say(Utterance("Again?"))
        speaker.spin_for_ticks(2)
        speaker.clock.now += 2.1
        speaker.spin_until(lambda: bool(speaker.errors))
        assert "hangs: it did not end when it was cancelled" in speaker.errors[0]
        speaker.spin_until(lambda: len(tts.goals) == 2)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)


def test_a_goal_that_is_taken_too_late_is_cancelled():
    with robot_and_speaker(SPEAKS, server(hesitates=True, holds=True)) as (tts, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: len(tts.goals) == 1)
        speaker.clock.now += 2.1
        speaker.spin_until(lambda: bool(speaker.errors))
        assert "said nothing to the goal for 2 s" in speaker.errors[0]
        tts.decide()
        speaker.spin_until(lambda: len(tts.canceled) == 1)
        assert not speaker.speech.status.is_speaking
        assert speaker.speech.status.errors == 1


def test_server_that_dies_in_the_middle():
    dying = Robot()
    try:
        tts = FakeServer(dying, TTS, "/tts", holds=True)
        with robot_and_speaker(SPEAKS) as (_, speaker):
            speaker.speech.say(QUESTION)
            speaker.spin_until(lambda: speaker.speech.status.is_speaking)
            assert len(tts.goals) == 1
            dying.close()
            speaker.spin_until(lambda: bool(speaker.errors))
            assert "went away in the middle" in speaker.errors[0]
            assert not speaker.speech.status.is_speaking
    finally:
        dying.close()


def test_hush_cancels():
    with robot_and_speaker(SPEAKS, server(holds=True)) as (tts, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.speech.hush()
        speaker.spin_until(lambda: not speaker.speech.status.is_speaking)
        assert [goal.input for goal in tts.canceled] == [QUESTION.text]
        assert not speaker.errors


def test_hush_at_once_cancels_too():
    with robot_and_speaker(SPEAKS, server(holds=True)) as (tts, speaker):
        speaker.speech.say(QUESTION)
        speaker.speech.hush()
        speaker.spin_until(lambda: len(tts.canceled) == len(tts.goals) > 0 or speaker.speech.status.errors > 0)
        speaker.spin_for_ticks(2)
        assert not speaker.speech.status.is_speaking
        assert not speaker.errors


def test_speech_that_cannot_be_cancelled_goes_on_to_its_end():
    with robot_and_speaker(SPEAKS, server(holds=True, cancels=False)) as (tts, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.speech.hush()
        speaker.spin_for_ticks(2)
        speaker.clock.now += 3.0
        speaker.spin_for_ticks(2)
        assert speaker.speech.status.is_speaking
        tts.release()
        speaker.spin_until(lambda: not speaker.speech.status.is_speaking)
        assert not speaker.errors


def test_hush_in_silence_sends_nothing():
    stops = SpeechOutSettings(
        kind="topic", type="std_msgs/msg/String", name="/speak", text_field="data", stop_constants='{"data": "!"}'
    )

    def play(robot):
        return robot.subscribe(String, "/speak")

    with robot_and_speaker(SpeechSettings(output=stops, turns=TURNS), play) as (got, speaker):
        (speak,) = (item for item in speaker.node.publishers if item.topic_name == "/speak")
        speaker.spin_until(lambda: speak.get_subscription_count() > 0)
        speaker.speech.hush()
        speaker.speech.say(Utterance("Hello."))
        speaker.speech.hush()
        speaker.speech.hush()
        speaker.spin_until(lambda: len(got) == 2)
        speaker.spin_for_ticks(2)
        assert [message.data for message in got] == ["Hello.", "!"]


def test_the_next_utterance_takes_the_place_of_the_last():
    with robot_and_speaker(SPEAKS, server(holds=True)) as (tts, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.speech.say(Utterance("I give up."))
        speaker.spin_until(lambda: len(tts.goals) == 2)
        assert [goal.input for goal in tts.canceled] == [QUESTION.text]
        tts.release()
        speaker.spin_until(lambda: speaker.speech.status.spoken == 1)
        assert not speaker.errors
        assert speaker.robot.said == [QUESTION.text, "I give up."]


def test_saying_never_waits_and_close_while_speaking_cancels():
    with robot_and_speaker(SPEAKS, server(holds=True)) as (tts, speaker):
        for count in range(50):
            speaker.speech.say(Utterance(f"number {count}"))  # nothing spins: it only may return
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.spin_until(lambda: tts.goals[-1].input == "number 49")
        speaker.speech.close()
        speaker.spin_until(lambda: len(tts.canceled) == len(tts.goals))
        speaker.speech.close()
        speaker.speech.say(QUESTION)
        speaker.speech.hush()
        speaker.speech.listen()
        speaker.spin_for_ticks(2)
        assert not speaker.errors


def test_speech_may_be_made_anew_on_the_same_node():
    with robot_and_speaker(SPEAKS, server()) as (tts, speaker):
        for count in (1, 2, 3):
            speaker.speech.say(QUESTION)
            speaker.spin_until(lambda: speaker.speech.status.spoken == 1)
            assert len(tts.goals) == count
            speaker.speech.close()
            speaker.speech = Speech(speaker.node, SPEAKS, speaker.heard.append, speaker.errors.append)
        assert not speaker.errors


def test_close_after_the_context_was_shut_down():
    with robot_and_speaker(SPEAKS, server(holds=True)) as (_, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaker.context.shutdown()
        speaker.speech.close()


def test_close_from_a_callback():
    with robot_and_speaker(SPEAKS, server(accepts=False)) as (_, speaker):
        speaker.on_error = lambda error: (speaker.speech.close(), speaker.errors.append(error))
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: bool(speaker.errors))
        speaker.spin_for_ticks(2)
        assert len(speaker.errors) == 1


def test_a_callback_that_fails_does_not_stop_speech():
    with robot_and_speaker(SPEAKS, server(accepts=False)) as (tts, speaker):
        speaker.on_error = {}.__getitem__
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.errors == 1)
        tts.accepts = True
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.speech.status.spoken == 1)


def test_a_silent_robot_still_publishes():
    silent = SpeechSettings(output=SpeechOutSettings(kind="none"), turns=TURNS)
    with robot_and_speaker(silent) as (_, speaker):
        speaker.speech.say(QUESTION)
        speaker.spin_until(lambda: speaker.robot.said == [QUESTION.text])
        speaker.spin_for_ticks(1)
        assert not speaker.speech.status.is_speaking
        assert speaker.speech.status.message == "nothing speaks, hears no voice"


def test_the_service_says_when_it_speaks():
    told = SpeechSettings(turns=TurnTakingSettings(robot_speaking_topic="/is_speaking"))
    with robot_and_speaker(told) as (_, speaker):
        speaking = speaker.publisher(Bool, "/is_speaking")
        speaking.publish(Bool(data=True))
        speaker.spin_until(lambda: speaker.speech.status.is_speaking)
        speaking.publish(Bool(data=False))
        speaker.spin_until(lambda: not speaker.speech.status.is_speaking)


def test_listening_ends_when_the_robot_speaks_again():
    hears = SpeechInSettings(
        type="icseg_test_msgs/action/STT", kind="action", topic="/listen", text_field="transcription.text"
    )
    settings = SpeechSettings(hears, OUT, TURNS)

    def play(robot):
        return FakeServer(robot, TTS, "/tts"), FakeServer(robot, STT, "/listen", holds=True)

    with robot_and_speaker(settings, play) as ((tts, stt), speaker):
        speaker.speech.listen()
        speaker.spin_until(lambda: len(stt.goals) == 1)
        speaker.speech.say(Utterance("Hello."))
        speaker.spin_until(lambda: len(stt.canceled) == 1)
        speaker.spin_until(lambda: len(tts.goals) == 1)
        assert not speaker.errors
