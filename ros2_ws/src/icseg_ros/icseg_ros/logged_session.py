"""One session and the log of its present dialogue: number, words, questions, how it ended. Knows no ROS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from icseg import events
from icseg.session.events import State
from icseg.session.session import Session
from icseg.types import Frame, Prompt


@dataclass(slots=True)
class DialogueLog:
    """What was said about one command.

    Attributes:
        id: the dialogue's number, unique in this node's life; empty before the first.
        ticket: the ticket of the command or box that began it; 0 before the first.
        command: the person's words; empty when a box was shown.
        language: IETF tag of the questions.
        turns: questions that were put.
        transcript: who said what.
        question: the one that waits, or None.
        question_number: the number of the latest question, as people and programs are told it; a repeat keeps it.
        label: what the policy calls the target.
        reason: why it ended without a target, or what is missing.
        has_failed: it ended without a target.
    """

    id: str = ""
    ticket: int = 0
    command: str = ""
    language: str = ""
    turns: int = 0
    transcript: list[str] = field(default_factory=list)
    question: events.Asked | None = None
    question_number: int = 0
    label: str = ""
    reason: str = ""
    has_failed: bool = False


class LoggedSession:
    """A session, driven by one thread, and the log of its dialogue.

    Args:
        session: a new one.
        dialogue_numbers: gives each dialogue the next number.
        question_numbers: gives each question the next number.
        language: IETF tag of the questions, unless the command brings its own.
    """

    def __init__(
        self, session: Session, dialogue_numbers: Iterator[int], question_numbers: Iterator[int], language: str
    ) -> None:
        self.session = session
        self.dialogue = DialogueLog()
        self._dialogue_numbers, self._question_numbers = dialogue_numbers, question_numbers
        self._language = language
        self._languages: dict[int, str] = {}

    @property
    def state(self) -> State:
        """The session's state."""
        return self.session.state

    @property
    def language(self) -> str:
        """IETF tag in which people are spoken to: the dialogue's, or before the first one that of the settings."""
        return self.dialogue.language or self._language

    def command(self, text: str, *, max_questions: int | None = None, language: str = "") -> int:
        """A command, whatever waits; returns its ticket.

        Raises:
            ConfigError: ``max_questions`` is out of range.
        """
        ticket = self.session.command(text, max_questions=max_questions)
        if language:
            self._languages[ticket] = language
        return ticket

    def point_at(self, prompt: Prompt) -> int:
        """A target that was shown; returns its ticket."""
        return self.session.point_at(prompt)

    def step(self) -> list[events.Event]:
        """What happened, after it was written down."""
        new = self.session.step()
        for event in new:
            self._note(event)
        return new

    def frame_of(self, event: events.Event) -> Frame | None:
        """The image that an event is about; None when it is not kept any more, or there was none."""
        if isinstance(event, events.Asked):
            return self.session.question_frame  # the dialogue keeps it longer than the stream does
        return self.session.frame_at(event.stamp_ns)

    def keeps(self, frame: Frame) -> bool:
        """Whether this very image is one of those that are kept of the stream."""
        return self.session.frame_at(frame.stamp_ns) is frame

    def close(self) -> None:
        """Cancel everything."""
        self.session.close()

    def _note(self, event: events.Event) -> None:
        match event:
            case events.Thinking():
                self._begin(event.ticket, event.command)
            case events.Asked():
                self.dialogue.question = event
                if not event.is_repeat:
                    self.dialogue.turns += 1
                    self.dialogue.question_number = next(self._question_numbers)
                    self._write("icseg", event.question)
            case events.Answered():
                self.dialogue.question = None
                self._write("person", event.text)
            case events.Targeted():
                if event.ticket != self.dialogue.ticket:
                    self._begin(event.ticket, "")
                self.dialogue.question, self.dialogue.label = None, event.label
            case events.GaveUp():
                self._end(event.reason)
                self._write("icseg", event.reason)
            case events.Failed():
                self._end(event.error)
            case events.Stopped():
                self.dialogue.question = None
                self._write("person", "stop")
            case events.Degraded():
                self.dialogue.reason = event.error

    def _begin(self, ticket: int, command: str) -> None:
        language = self._languages.pop(ticket, self._language)
        self._languages = {later: tag for later, tag in self._languages.items() if later > ticket}
        self.dialogue = DialogueLog(str(next(self._dialogue_numbers)), ticket, command, language)
        if command:
            self._write("person", command)

    def _end(self, reason: str) -> None:
        self.dialogue.question, self.dialogue.reason, self.dialogue.has_failed = None, reason, True

    def _write(self, who: str, words: str) -> None:
        self.dialogue.transcript.append(f"{who}: {words}")
