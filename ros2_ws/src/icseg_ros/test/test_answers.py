"""Answers of programs: which are handed over, and what their givers are told. Without a node."""

from __future__ import annotations

from itertools import count

import pytest
from sessions import QUESTION, happened, run, session_of

from icseg.dialogue.actions import Ask
from icseg_ros.answers import Answers, GivenAnswer
from icseg_ros.logged_session import LoggedSession


class Replies:
    """Keeps what a giver is told."""

    def __init__(self) -> None:
        self.told: list[tuple[bool, str]] = []

    def __call__(self, is_accepted: bool, why: str) -> None:
        self.told.append((is_accepted, why))


def asked(question: Ask = QUESTION) -> LoggedSession:
    logged = session_of(question)
    logged.command("the mug")
    run(logged)
    assert logged.dialogue.question is not None
    return logged


def step(answers: Answers, logged: LoggedSession) -> None:
    for event in logged.step():
        answers.take(happened(logged, event))


@pytest.mark.parametrize(
    "given",
    [GivenAnswer("blue"), GivenAnswer("", 1), GivenAnswer("blue", dialogue_id="1", question_number=1)],
)
def test_an_answer_to_the_question_that_waits_is_accepted_once(given: GivenAnswer) -> None:
    answers, logged, reply = Answers(), asked(), Replies()
    answers.answer(logged, given, reply)
    assert reply.told == []
    step(answers, logged)
    assert reply.told == [(True, "")]
    assert "person: blue" in logged.dialogue.transcript
    answers.refuse("too late")
    assert len(reply.told) == 1


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (GivenAnswer("blue", question_number=7), "question 1 of dialogue 1 waits, not 7 of ''"),
        (GivenAnswer("blue", dialogue_id="9"), "question 1 of dialogue 1 waits, not 0 of '9'"),
        (GivenAnswer("", 2), "option: expected 0..1, got 2"),
    ],
)
def test_an_answer_to_something_else_is_refused_at_once(given: GivenAnswer, why: str) -> None:
    answers, logged, reply = Answers(), asked(), Replies()
    answers.answer(logged, given, reply)
    assert reply.told == [(False, why)]
    assert logged.dialogue.question is not None


def test_an_answer_without_a_question_and_an_option_of_an_open_one() -> None:
    answers, reply = Answers(), Replies()
    answers.answer(session_of(), GivenAnswer("blue"), reply)
    answers.answer(asked(Ask("Which one?")), GivenAnswer("", 0), reply)
    assert [why for _, why in reply.told] == [
        "no question waits",
        "the question offers no options: answer it in words",
    ]


def test_words_that_come_too_late_are_refused_by_the_session() -> None:
    answers, logged, reply = Answers(), session_of(), Replies()
    answers.give(logged, "blue", None, reply)
    (event,) = logged.step()
    assert answers.awaits(logged, event.ticket)
    answers.take(happened(logged, event))
    ((is_accepted, why),) = reply.told
    assert not is_accepted
    assert "no question waits" in why
    assert not answers.awaits(logged, event.ticket)


def test_stop_counts_as_an_answer_that_was_taken() -> None:
    answers, logged, reply = Answers(), asked(), Replies()
    answers.answer(logged, GivenAnswer("stop"), reply)
    step(answers, logged)
    assert reply.told == [(True, "")]


def test_those_that_wait_are_refused_when_all_ends() -> None:
    answers, reply = Answers(), Replies()
    for _ in range(2):
        answers.give(asked(), "blue", None, reply)
    answers.refuse("the node was reset")
    assert reply.told == [(False, "the node was reset")] * 2


def test_two_sessions_that_ask_have_numbers_of_their_own() -> None:
    """The stream may ask while the question about a goal's picture waits: both can still be answered by number."""
    questions, dialogues = count(1), count(1)
    first, second = (LoggedSession(session_of(QUESTION).session, dialogues, questions, "en") for _ in range(2))
    for logged in (first, second):
        logged.command("the mug")
        run(logged)
    assert (first.dialogue.question_number, second.dialogue.question_number) == (1, 2)
    answers, reply = Answers(), Replies()
    answers.answer(first, GivenAnswer("blue", dialogue_id="1", question_number=1), reply)
    step(answers, first)
    assert reply.told == [(True, "")]


def test_the_answers_to_one_session_can_be_refused_alone() -> None:
    answers, (one, other), replies = Answers(), (asked(), asked()), (Replies(), Replies())
    for logged, reply in zip((one, other), replies, strict=True):
        answers.give(logged, "blue", None, reply)
    answers.refuse("the picture is gone", one)
    assert [reply.told for reply in replies] == [[(False, "the picture is gone")], []]
    step(answers, other)
    assert replies[1].told == [(True, "")]
