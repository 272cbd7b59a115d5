"""Whether words are meant for the session itself: stop, a new command, or neither (then they are an answer)."""

from __future__ import annotations

import re

_STOP = frozenset(
    ("stop", "cancel", "abort", "halt", "quit", "stop it", "stop tracking", "stop that", "forget it", "never mind")
)
_COMMAND_VERBS = (
    "segment", "track", "find", "follow", "select", "pick up", "pick", "grab", "take", "show me", "look for", "look at"
)  # fmt: skip
_POLITE = re.compile(r"^(please|now|ok|okay|can you|could you|would you|i want you to)\s+")


def _plain(text: str) -> str:
    words = re.sub(r"[^\w\s']", " ", text.lower())
    words = " ".join(words.replace("nevermind", "never mind").split())
    words = words.removesuffix(" please")
    while (shorter := _POLITE.sub("", words)) != words:
        words = shorter
    return words


def is_stop(text: str) -> bool:
    """True for words that end whatever goes on: "stop", "cancel", "never mind" and the like, and nothing longer."""
    return _plain(text) in _STOP


def is_command(text: str) -> bool:
    """True for words that can only be a new command, even while a question waits: they start with a verb of search.

    "Pick one", "take the red one" answer a question; so a verb followed by a reference to the question's own things
    ("one", "it", "that") is no new command.
    """
    words = _plain(text)
    verb = next((verb for verb in _COMMAND_VERBS if words.startswith(verb + " ")), None)
    if verb is None:
        return False
    return not re.search(r"\b(one|it|that|any|either|whichever)\b", words.removeprefix(verb))
