"""What people and programs are told of the dialogue: the topics of a node, and a double for the speech."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from rclpy.node import Node
from sessions import QUESTION, TARGET, happened, run, session_of
from std_msgs.msg import Header

from icseg import events
from icseg.dialogue.actions import GiveUp, SelectKeyframe
from icseg_ros.announcer import Announcer
from icseg_ros.logged_session import LoggedSession
from icseg_ros.speech.words import Utterance


class Mouth:
    """A speech interface that keeps what it was to say."""

    def __init__(self) -> None:
        self.said: list[Utterance] = []
        self.hushed, self.is_listening = 0, False

    def say(self, utterance: Utterance) -> None:
        self.said.append(utterance)

    def hush(self) -> None:
        self.hushed += 1


@pytest.fixture
def mouth() -> Mouth:
    return Mouth()


@pytest.fixture
def announcer(make_node: Callable[..., Node], mouth: Mouth) -> Iterator[Announcer]:
    own = Announcer(make_node("clarify_segment"), mouth, answer_timeout_s=20.0)  # type: ignore[arg-type]
    yield own
    own.close()


def tell(announcer: Announcer, logged: LoggedSession, **differently: Any) -> None:
    for event in run(logged):
        announcer.take(happened(logged, event, **differently))


def asked(announcer: Announcer) -> LoggedSession:
    logged = session_of(QUESTION, SelectKeyframe(0), TARGET)
    logged.command("the mug", language="de")
    tell(announcer, logged, header=Header(frame_id="optical"))
    return logged


def test_a_question_is_put_and_said_and_taken_back_when_it_is_answered(announcer: Announcer, mouth: Mouth) -> None:
    logged = asked(announcer)
    waiting = announcer.waiting
    assert (waiting.text, waiting.dialogue_id, waiting.question_id) == ("Red or blue?", "1", 1)
    assert (waiting.language, waiting.header.frame_id, waiting.is_repeat) == ("de", "optical", False)
    assert mouth.said == [Utterance("Red or blue?", "de", ("red", "blue"), True, 1)]
    assert mouth.hushed == 0
    logged.session.say("blue")
    tell(announcer, logged)
    assert (announcer.waiting.text, announcer.waiting.question_id) == ("", 1)
    assert mouth.hushed == 1


def test_events_of_a_session_that_nobody_talks_to_leave_the_question(announcer: Announcer) -> None:
    asked(announcer)
    stream = session_of()
    stream.session.say("stop")
    tell(announcer, stream, is_addressed=False)
    assert announcer.waiting.text == "Red or blue?"


def test_a_dialogue_that_led_nowhere_is_said_in_its_language(announcer: Announcer, mouth: Mouth) -> None:
    logged = session_of(GiveUp("I see no mug."))
    logged.command("the mug", language="de")
    tell(announcer, logged)
    assert mouth.said == [Utterance("I see no mug.", "de")]


def test_refused_words_are_said_unless_their_giver_is_told(announcer: Announcer, mouth: Mouth) -> None:
    logged = session_of()
    logged.session.answer("blue")
    (event,) = logged.step()
    announcer.take(happened(logged, event, has_reply=True))
    assert mouth.said == []
    announcer.take(happened(logged, event))
    ((words, language),) = ((one.text, one.language) for one in mouth.said)
    assert "no question waits" in words
    assert language == "en"


def test_a_refused_image_is_not_said(announcer: Announcer, mouth: Mouth) -> None:
    logged = asked(announcer)
    announcer.take(happened(logged, events.Rejected(0, "stamps go back", ticket=logged.dialogue.ticket)))
    assert len(mouth.said) == 1


def test_the_state_is_published_when_it_changes(announcer: Announcer, mouth: Mouth) -> None:
    logged = session_of(QUESTION)
    assert announcer.report(logged, None, is_enabled=True)
    assert announcer.state.name == "idle"
    assert not announcer.report(logged, Header(frame_id="a new image"), is_enabled=True)
    mouth.is_listening = True
    assert announcer.report(logged, None, is_enabled=True)
    assert announcer.state.name == "listening"
    logged.command("the mug")
    run(logged)
    assert announcer.report(logged, Header(frame_id="optical"), is_enabled=True)
    assert (announcer.state.name, announcer.state.turns, announcer.state.command) == ("asking", 1, "the mug")
    assert announcer.state.header.frame_id == "optical"
    assert announcer.report(logged, None, is_enabled=False)
    assert announcer.state.name == "inactive"
