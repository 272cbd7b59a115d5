"""Whose turn it is: pure, with a clock that the test moves."""

from __future__ import annotations

import pytest
from speech_fixtures import FakeClock

from icseg.dialogue.english.intent import is_stop
from icseg_ros.speech import Heard, TurnTakingSettings
from icseg_ros.speech.turn_taking import TurnTaking

QUESTION = "The red one or the blue one?"  # 7 words


def turns(clock, min_confidence=0.0, **settings):
    given = {"holdoff_s": 0.8, "words_per_minute": 60.0, "stop_words": ("Halt!", "hör auf"), **settings}
    return TurnTaking(TurnTakingSettings(**given), clock, min_confidence, is_stop)


@pytest.fixture
def clock():
    return FakeClock()


def test_silence_means_the_person_speaks(clock):
    verdict = turns(clock).hears(Heard("the red one"))
    assert verdict.is_accepted
    assert not verdict.interrupts
    assert not verdict.is_stop


def test_own_voice_and_its_echo_are_ignored(clock):
    speaker = turns(clock)
    speaker.speaking_began(QUESTION)
    clock.now += 1000.0
    assert speaker.is_speaking
    assert speaker.hears(Heard("the red one")).reason == "the robot is speaking"
    speaker.speaking_ended()
    assert not speaker.is_speaking
    assert speaker.is_deaf
    assert "within 0.8 s" in speaker.hears(Heard("the blue one")).reason
    clock.now += 0.79
    assert not speaker.hears(Heard("the blue one")).is_accepted
    clock.now += 0.02
    assert not speaker.is_deaf
    assert speaker.hears(Heard("the blue one")).is_accepted


def test_no_holdoff(clock):
    speaker = turns(clock, holdoff_s=0.0)
    speaker.speaking_began(QUESTION)
    speaker.speaking_ended()
    assert speaker.hears(Heard("the red one")).is_accepted


def test_ending_twice_does_not_prolong_the_holdoff(clock):
    speaker = turns(clock)
    speaker.speaking_began(QUESTION)
    speaker.speaking_ended()
    clock.now += 0.7
    speaker.speaking_ended()
    clock.now += 0.2
    assert not speaker.is_deaf


def test_a_topic_is_estimated_by_its_words(clock):
    speaker = turns(clock)
    assert speaker.estimate_s(QUESTION) == pytest.approx(7.3)
    speaker.speaking_began(QUESTION, is_end_told=False)
    clock.now += 7.2
    assert speaker.is_speaking
    clock.now += 0.2
    assert not speaker.is_speaking
    assert not speaker.hears(Heard("the red one")).is_accepted
    clock.now += 0.8
    assert speaker.hears(Heard("the red one")).is_accepted


def test_topics_say_one_thing_after_the_other(clock):
    speaker = turns(clock)
    speaker.speaking_began("one two", is_end_told=False)
    speaker.speaking_began("three", is_end_told=False)
    clock.now += 3.5
    assert speaker.is_speaking
    clock.now += 0.2
    assert not speaker.is_speaking


def test_a_topic_that_was_silenced(clock):
    speaker = turns(clock)
    speaker.speaking_began(QUESTION, is_end_told=False)
    clock.now += 1.0
    speaker.speaking_ended()
    assert not speaker.is_speaking
    clock.now += 0.9
    assert not speaker.is_deaf


def test_what_the_speech_service_says_counts(clock):
    speaker = turns(clock)
    speaker.robot_speaking(True)
    assert not speaker.hears(Heard("the red one")).is_accepted
    clock.now += 30.0
    assert speaker.is_speaking
    speaker.robot_speaking(False)
    assert not speaker.is_speaking
    assert speaker.is_deaf
    clock.now += 0.9
    assert speaker.hears(Heard("the red one")).is_accepted


def test_the_service_ends_an_estimate_that_was_too_long(clock):
    speaker = turns(clock)
    speaker.speaking_began(QUESTION, is_end_told=False)
    clock.now += 0.5
    speaker.robot_speaking(True)
    clock.now += 2.0
    speaker.robot_speaking(False)
    clock.now += 0.9
    assert speaker.hears(Heard("the red one")).is_accepted


def test_a_first_false_does_not_end_an_estimate(clock):
    speaker = turns(clock)
    speaker.speaking_began(QUESTION, is_end_told=False)
    speaker.robot_speaking(False)
    assert speaker.is_speaking


def test_a_service_that_died_speaking_is_not_believed_for_ever(clock):
    speaker = turns(clock)
    speaker.robot_speaking(True)
    clock.now += 61.0
    assert speaker.hears(Heard("the red one")).is_accepted


@pytest.mark.parametrize("text", ["stop", "Stop!", "never mind", "HALT", "hör auf."])
@pytest.mark.parametrize("phase", ["silent", "speaking", "holdoff"])
def test_stop_words_are_always_accepted(clock, text, phase):
    speaker = turns(clock, min_confidence=0.5)
    if phase != "silent":
        speaker.speaking_began(QUESTION)
    if phase == "holdoff":
        speaker.speaking_ended()
    verdict = speaker.hears(Heard(text, confidence=0.5))
    assert verdict.is_accepted
    assert verdict.interrupts == (phase == "speaking")
    assert verdict.is_stop == (text.lower().startswith("h"))


def test_a_stop_word_that_is_not_sure_enough(clock):
    assert not turns(clock, min_confidence=0.5).hears(Heard("stop", confidence=0.49)).is_accepted


def test_more_than_a_stop_word_is_none(clock):
    speaker = turns(clock)
    speaker.speaking_began(QUESTION)
    assert not speaker.hears(Heard("halt the red one")).is_accepted


@pytest.mark.parametrize(
    ("confidence", "is_accepted"), [(None, True), (0.61, True), (0.6, True), (0.59, False), (0.0, False)]
)
def test_confidence(clock, confidence, is_accepted):
    verdict = turns(clock, min_confidence=0.6).hears(Heard("the red one", confidence))
    assert verdict.is_accepted == is_accepted
    assert is_accepted or "below 0.60" in verdict.reason


@pytest.mark.parametrize("text", ["", "  ", "...", "?!"])
def test_no_words(clock, text):
    assert turns(clock).hears(Heard(text)).reason == "no words"


def test_partials_are_never_answers_and_interrupt_only_with_barge_in(clock):
    for barge_in in (False, True):
        speaker = turns(clock, barge_in=barge_in)
        silent = speaker.hears(Heard("the re", is_partial=True))
        assert (silent.is_accepted, silent.interrupts) == (False, False)
        speaker.speaking_began(QUESTION)
        speaking = speaker.hears(Heard("the re", is_partial=True))
        assert (speaking.is_accepted, speaking.interrupts) == (False, barge_in)


def test_barge_in_needs_no_confidence_of_a_partial(clock):
    speaker = turns(clock, min_confidence=0.9, barge_in=True)
    speaker.speaking_began(QUESTION)
    assert speaker.hears(Heard("the re", confidence=0.0, is_partial=True)).interrupts


def test_barge_in_accepts_what_follows_in_the_holdoff(clock):
    speaker = turns(clock, barge_in=True)
    speaker.speaking_began(QUESTION)
    assert speaker.hears(Heard("the", is_partial=True)).interrupts
    speaker.speaking_ended()
    clock.now += 0.1
    final = speaker.hears(Heard("the red one"))
    assert final.is_accepted
    assert not final.interrupts


def test_barge_in_by_a_final(clock):
    speaker = turns(clock, barge_in=True)
    speaker.speaking_began(QUESTION)
    verdict = speaker.hears(Heard("the red one"))
    assert verdict.is_accepted
    assert verdict.interrupts
