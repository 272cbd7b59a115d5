"""What came in since the last step, in order. The one part of a session that other threads touch."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from icseg.types import Frame, Prompt


class Meaning(Enum):
    """What words may be taken as."""

    ANYTHING = "a command, or the answer while a question waits"
    COMMAND = "a command, whatever waits"
    ANSWER = "the answer to a question, and nothing else"


@dataclass(frozen=True, slots=True)
class Words:
    """What a person said or typed.

    Attributes:
        text: the words.
        ticket: their number.
        meaning: what they may be taken as; "stop" is always heard.
        question_id: an answer's question; None for the one that waits.
        max_questions: of the dialogue that a command begins; None for the session's.
    """

    text: str
    ticket: int
    meaning: Meaning = Meaning.ANYTHING
    question_id: int | None = None
    max_questions: int | None = None


@dataclass(frozen=True, slots=True)
class PointedAt:
    """The target itself, as a person pointed at it in the newest frame."""

    prompt: Prompt
    ticket: int


Item = Frame | Words | PointedAt


class Inbox:
    """Frames, words and prompts, each with the time it came. Bounded in frames: the oldest waiting frame goes first.

    Args:
        max_frames: at most this many frames wait.
        clock: seconds.
    """

    def __init__(self, max_frames: int, clock: Callable[[], float]) -> None:
        self._max_frames, self._clock = max_frames, clock
        self._items: deque[tuple[float, Item]] = deque()
        self._frames = self._dropped = 0
        self._lock = threading.Lock()

    def put(self, item: Item) -> None:
        """Append; returns at once."""
        with self._lock:
            self._items.append((self._clock(), item))
            if not isinstance(item, Frame):
                return
            self._frames += 1
            if self._frames > self._max_frames:
                self._items.remove(next(entry for entry in self._items if isinstance(entry[1], Frame)))
                self._frames -= 1
                self._dropped += 1

    def drain(self) -> tuple[list[tuple[float, Item]], int]:
        """Everything that waits, oldest first, and how many frames were dropped since the last call."""
        with self._lock:
            items, dropped = list(self._items), self._dropped
            self._items.clear()
            self._frames = self._dropped = 0
            return items, dropped
