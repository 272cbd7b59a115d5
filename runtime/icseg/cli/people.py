"""Who speaks: a person at the terminal, a list of prepared answers, or the simulated user of the simulated table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from icseg.session.events import Asked


class Person(Protocol):
    """Answers questions."""

    def answer(self, asked: Asked) -> str | None:
        """Words, or None for no answer (the dialogue then ends)."""
        ...


class TerminalPerson:
    """Reads a line per question. End of input is "stop"."""

    def answer(self, asked: Asked) -> str | None:
        """Ask at the terminal."""
        try:
            return input(f"icseg: {asked.question}\n> ").strip() or None
        except EOFError:
            return "stop"


class PreparedPerson:
    """Gives prepared answers in order, then none."""

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = list(answers)

    def answer(self, asked: Asked) -> str | None:
        """The next prepared answer."""
        return self._answers.pop(0) if self._answers else None
