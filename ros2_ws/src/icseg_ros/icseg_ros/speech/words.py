"""What is said and heard, whatever interface carries it. Knows nothing of ROS."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import IntEnum

MAX_SAID_CHARS = 200
"""Characters of a report that are said: some fifteen seconds."""


@dataclass(frozen=True)
class Heard:
    """Words of a person.

    Attributes:
        text: the words; never empty when handed on.
        confidence: 0..1 of the recognizer; None = it does not say.
        language: IETF tag ("en-GB"); empty = not known.
        is_partial: the person is still speaking and the words may change.
        is_stop: one of ``speech.stop_words``: whatever goes on is to end. The session knows its own stop words besides.
    """

    text: str
    confidence: float | None = None
    language: str = ""
    is_partial: bool = False
    is_stop: bool = False


@dataclass(frozen=True)
class Utterance:
    """Words of the robot.

    Attributes:
        text: to be said.
        language: IETF tag ("en", "de-DE"); empty = the speech service's own.
        options: the answers that a question offers; empty for an open question or a statement.
        expects_answer: it is a question.
        question_id: the question's number; 0 = none. Only carried along.
    """

    text: str
    language: str = ""
    options: tuple[str, ...] = ()
    expects_answer: bool = False
    question_id: int = 0


class Level(IntEnum):
    """How well it goes, as ``/diagnostics`` says it."""

    OK = 0
    WARN = 1
    ERROR = 2


@dataclass(frozen=True)
class SpeechStatus:
    """How the speech interfaces are doing.

    Attributes:
        level: WARN = the last try failed; ERROR = several in a row did.
        message: what is wrong and what to do; how things are otherwise.
        is_speaking: the robot speaks, as far as is known.
        is_listening: it was asked to listen, and did not hear anything yet; only with ``speech.in.kind`` action.
        heard: words that were handed on.
        ignored: words that were not: the robot spoke, low confidence.
        spoken: utterances that were said to the end or handed to a topic.
        errors: of speech services.
    """

    level: Level
    message: str
    is_speaking: bool
    is_listening: bool
    heard: int
    ignored: int
    spoken: int
    errors: int


def plain(text: str) -> str:
    """Words for comparing: lower case, without punctuation, single spaces."""
    return " ".join(re.sub(r"[^\w\s']", " ", text.lower()).split())


def sayable(report: str) -> str:
    """What of a report a robot says aloud: no markup, no addresses, one line, at most ``MAX_SAID_CHARS`` long.

    An error may quote what a server answered: a page of HTML is for the log.
    """
    without_markup = re.sub(r"<[^<>]*>", " ", report)
    words = " ".join(re.sub(r"\b\w+://\S+", "its address", without_markup).split())
    if len(words) <= MAX_SAID_CHARS:
        return words
    return words[:MAX_SAID_CHARS].rsplit(" ", 1)[0].rstrip(" ,;:.") + ". The log tells the rest."


def in_form(language: str, form: str) -> str:
    """A language as a speech service writes it.

    Args:
        language: IETF tag ("en", "de-DE").
        form: ``tag`` ("de-DE"), ``locale`` ("de_DE") or ``code`` ("de").
    """
    parts = language.replace("_", "-").split("-")
    if form == "code":
        return parts[0].lower()
    return ("_" if form == "locale" else "-").join(parts)


def as_tag(language: str) -> str:
    """An IETF tag of what a speech service wrote ("en_GB" and "en-GB" are "en-GB")."""
    return language.strip().replace("_", "-")
