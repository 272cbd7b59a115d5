"""Answers that programs gave and whose fate is not known yet: whoever gave one is told once what became of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from icseg import events
from icseg_ros.happened import Happened
from icseg_ros.logged_session import LoggedSession

Reply = Callable[[bool, str], None]
"""Whether it was accepted, and why not."""


@dataclass(frozen=True, slots=True)
class GivenAnswer:
    """An answer, and which question it is for.

    Attributes:
        text: in words; empty = the option counts.
        option: number of one of the answers that the question offers, from 0.
        dialogue_id: empty = whichever dialogue goes on.
        question_number: 0 = whichever question waits.
    """

    text: str
    option: int = 0
    dialogue_id: str = ""
    question_number: int = 0


class Answers:
    """For the worker's thread; each reply is called once."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[LoggedSession, int], Reply] = {}

    def awaits(self, logged: LoggedSession, ticket: int) -> bool:
        """Whether the words with this ticket were an answer whose giver waits for a reply."""
        return (logged, ticket) in self._waiting

    def give(self, logged: LoggedSession, text: str, question_id: int | None, reply: Reply) -> None:
        """Hand words over as an answer; ``question_id`` is the session's own number, None = whichever waits."""
        self._waiting[logged, logged.session.answer(text, question_id)] = reply

    def answer(self, logged: LoggedSession, given: GivenAnswer, reply: Reply) -> None:
        """Hand an answer over, unless it is for another question or names an option that is not there."""
        dialogue = logged.dialogue
        asked = dialogue.question
        if asked is None:
            reply(False, "no question waits")
        elif given.dialogue_id not in ("", dialogue.id) or given.question_number not in (0, dialogue.question_number):
            reply(
                False,
                f"question {dialogue.question_number} of dialogue {dialogue.id} waits, "
                f"not {given.question_number} of {given.dialogue_id!r}",
            )
        elif not given.text and given.option >= len(asked.options):
            reply(
                False,
                f"option: expected 0..{len(asked.options) - 1}, got {given.option}"
                if asked.options
                else "the question offers no options: answer it in words",
            )
        else:
            self.give(logged, given.text or asked.options[given.option], asked.question_id, reply)

    def take(self, happened: Happened) -> None:
        """Reply to the answer that the event came of."""
        match happened.event:
            case events.Answered() | events.Stopped():
                outcome = True, ""
            case events.Rejected(error=error):
                outcome = False, error
            case _:
                return
        if (reply := self._waiting.pop((happened.logged, happened.event.ticket), None)) is not None:
            reply(*outcome)

    def refuse(self, why: str, logged: LoggedSession | None = None) -> None:
        """Refuse all that wait; with a session only those that were given to it."""
        for key in [key for key in self._waiting if logged in (None, key[0])]:
            self._waiting.pop(key)(False, why)
