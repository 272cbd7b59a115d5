"""A GBNF grammar of the answers that a question offers, for recognizers that take one (whisper.cpp)."""

from __future__ import annotations

from icseg_ros.speech.words import plain

START_RULE = "root"
"""Name of the start rule."""


def grammar_of(answers: tuple[str, ...]) -> str:
    """GBNF whose ``root`` is one of the answers, capital letter and full stop or not; empty when there are none."""
    words = [text for answer in answers if (text := plain(answer))]
    alternatives = " | ".join(dict.fromkeys(_alternative(text) for text in words))
    return f'{START_RULE} ::= " "? ({alternatives}) [.!?]?\n' if alternatives else ""


def _alternative(text: str) -> str:
    first, rest = text[0], text[1:]
    head = f"[{first.upper()}{first}]" if first.upper() != first and len(first.upper()) == 1 else f'"{first}"'
    return f'{head} "{rest}"' if rest else head
