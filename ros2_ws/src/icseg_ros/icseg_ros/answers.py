"""Answers that were handed over and whose fate is not known yet."""

from __future__ import annotations

from collections.abc import Callable

from icseg import events
from icseg_ros.logged_session import Talk

Reply = Callable[[bool, str], None]
"""Whether it was accepted, and why not."""


class Answers:
    """For one thread; each reply is called once."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[Talk, int], Reply] = {}

    def __contains__(self, key: tuple[Talk, int]) -> bool:
        return key in self._waiting

    def give(self, talk: Talk, text: str, question_id: int | None, reply: Reply) -> None:
        """Hand an answer to a talk; ``question_id`` is the session's own number, None = whichever waits."""
        self._waiting[talk, talk.session.answer(text, question_id)] = reply

    def resolve(self, talk: Talk, event: events.Event) -> None:
        """An event may tell what became of one."""
        match event:
            case events.Answered() | events.Stopped():
                outcome = True, ""
            case events.Rejected():
                outcome = False, event.error
            case _:
                return
        if (reply := self._waiting.pop((talk, event.ticket), None)) is not None:
            reply(*outcome)

    def refuse(self, why: str) -> None:
        """All of them."""
        while self._waiting:
            self._waiting.popitem()[1](False, why)
