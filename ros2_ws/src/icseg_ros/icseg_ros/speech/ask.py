"""A voice that asks: an action that says the question, listens, and has the answer as its result (PAL's Ask skill)."""

from __future__ import annotations

import json
from typing import Any

from icseg_ros.speech.call import ActionCaller, Ended, Outcome
from icseg_ros.speech.form import Form
from icseg_ros.speech.interface import get_field, set_field
from icseg_ros.speech.settings import SpeechOutSettings
from icseg_ros.speech.voice import ActionVoice, VoiceEvents, told_error
from icseg_ros.speech.words import Utterance

_GROUP = "speech.out"
_ANSWER = "answer"
_STOP = "stop"


class AskVoice:
    """Asks by an action whose result is the answer; what is no question goes to another action, if there is one.

    Args:
        caller: calls the asking action.
        form: the form of its goal.
        settings: whose fields were checked.
        statements: says what is no question; None = only ~/say does.
        events: whom to tell.
    """

    def __init__(
        self,
        caller: ActionCaller,
        form: Form,
        settings: SpeechOutSettings,
        statements: ActionVoice | None,
        events: VoiceEvents,
    ) -> None:
        self._caller, self._form, self._settings = caller, form, settings
        self._statements, self._events = statements, events

    def say(self, utterance: Utterance, estimate_s: float) -> None:
        """Send the goal. It may take as long as the words and ``answer_s``."""
        if not utterance.expects_answer:
            self._caller.cancel()
            if self._statements is not None:
                self._statements.say(utterance, estimate_s)
            return
        if self._statements is not None:
            self._statements.hush()
        goal = self._form.filled(utterance)
        set_field(goal, self._settings.answers_schema_field, answers_schema(utterance.options))
        self._caller.call(
            goal,
            2.0 * estimate_s + self._settings.answer_s,
            lambda: self._events.on_began(utterance.text, False),
            lambda ended: self._ended(ended, utterance),
        )

    def hush(self) -> bool:
        """Cancel the question."""
        self._caller.cancel()
        if self._statements is not None:
            self._statements.hush()
        return True

    def tick(self) -> bool:
        """Watch the goals."""
        is_stating = self._statements is not None and self._statements.tick()
        return self._caller.tick() or is_stating

    def close(self) -> None:
        """Cancel the goals and let the clients go."""
        self._caller.close()
        if self._statements is not None:
            self._statements.close()

    def _ended(self, ended: Ended, utterance: Utterance) -> None:
        is_over = ended.outcome in (Outcome.SUCCEEDED, Outcome.FAILED)
        error = told_error(ended, self._settings.error_field, self._caller.server) if is_over else ""
        self._events.on_ended(ended.outcome in (Outcome.SUCCEEDED, Outcome.EXPIRED) and not error)
        if not error and ended.outcome is Outcome.SUCCEEDED:
            try:
                answer = read_answer(get_field(ended.result, self._settings.answers_field))
            except ValueError as problem:
                error = f"{self._caller.server} answered something else: {problem}"
            else:
                if answer:
                    self._events.on_answer(answer, utterance.language)
        if error:
            self._events.on_error(f"{_GROUP}: {error}")


def answers_schema(options: tuple[str, ...]) -> str:
    """JSON schema of the answer: one of the options or "stop"; any text for an open question."""
    answer: dict[str, Any] = {"type": "string"}
    if options:
        answer["enum"] = [*dict.fromkeys((*options, _STOP))]
    return json.dumps({_ANSWER: answer})


def read_answer(text: str) -> str:
    """The answer in the JSON object that fits ``answers_schema``; empty when the person gave none.

    Raises:
        ValueError: it is something else.
    """
    try:
        answers = json.loads(text) if text.strip() else {}
    except ValueError as error:
        raise ValueError(f"expected a JSON object, got {text!r}") from error
    answer = answers.get(_ANSWER, "") if isinstance(answers, dict) else None
    if not isinstance(answer, str):
        raise ValueError(f'expected {{"{_ANSWER}": "..."}}, got {text!r}')
    return answer.strip()
