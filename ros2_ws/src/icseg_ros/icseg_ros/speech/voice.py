"""What the robot speaks with: a topic or a text to speech action.

Knows the fields that the settings name, and nothing of whose turn it is. Belongs to the mailbox.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from rclpy.node import Node

from icseg_ros.speech.call import ActionCaller, Ended, Outcome
from icseg_ros.speech.form import Form
from icseg_ros.speech.interface import check_constants, get_field, load, set_field
from icseg_ros.speech.settings import SpeechOutSettings, parse_constants
from icseg_ros.speech.words import Utterance

_GROUP = "speech.out"
_QUEUE_DEPTH = 10


@dataclass(frozen=True)
class VoiceEvents:
    """Whom a voice tells what.

    Attributes:
        on_began: text; True = ``on_ended`` follows when it was said, False = nobody will tell.
        on_ended: it is quiet; True = everything was said.
        on_answer: the person's answer, by a voice that asks; the language of the question.
        on_error: what went wrong and what to do.
    """

    on_began: Callable[[str, bool], None]
    on_ended: Callable[[bool], None]
    on_answer: Callable[[str, str], None]
    on_error: Callable[[str], None]


class Voice(Protocol):
    """Speaks."""

    def say(self, utterance: Utterance, estimate_s: float) -> None:
        """Begin to say it, instead of what is still being said; ``estimate_s`` is how long it takes, in seconds."""

    def hush(self) -> bool:
        """Be silent. Returns False when this voice cannot be."""

    def tick(self) -> bool:
        """Watch deadlines; returns whether there are any."""

    def close(self) -> None:
        """Be silent and let everything go."""


class TopicVoice:
    """Publishes the words; when they are over is not known.

    Raises:
        ConfigError: the type is not installed or lacks a field.
    """

    def __init__(self, node: Node, settings: SpeechOutSettings, events: VoiceEvents) -> None:
        message = load(f"{_GROUP}.type", settings.type)
        self._form = Form.checked(message, settings)
        given = parse_constants(f"{_GROUP}.stop_constants", settings.stop_constants)
        self._stop_fields = check_constants(f"{_GROUP}.stop_constants", message, given)
        self._node, self._events = node, events
        self._publisher = node.create_publisher(message, settings.name, _QUEUE_DEPTH)

    def say(self, utterance: Utterance, estimate_s: float) -> None:
        """Publish it; what was said before is said first."""
        self._publisher.publish(self._form.filled(utterance))
        self._events.on_began(utterance.text, False)

    def hush(self) -> bool:
        """Publish ``stop_constants``. Returns False without them."""
        if not self._stop_fields:
            return False
        stop = self._form.message()
        for path, value in self._stop_fields.items():
            set_field(stop, path, value)
        self._publisher.publish(stop)
        self._events.on_ended(False)
        return True

    def tick(self) -> bool:
        """Nothing to watch."""
        return False

    def close(self) -> None:
        """Let the publisher go."""
        self._node.destroy_publisher(self._publisher)


class ActionVoice:
    """Text to speech by an action.

    Args:
        caller: calls the action.
        form: the form of its goal.
        error_field: result field with what went wrong; empty = there is none.
        timeout_s: seconds that it may take beyond the words.
        events: whom to tell.
    """

    def __init__(
        self, caller: ActionCaller, form: Form, error_field: str, timeout_s: float, events: VoiceEvents
    ) -> None:
        self._caller, self._form, self._events = caller, form, events
        self._error_field, self._timeout_s = error_field, timeout_s

    def say(self, utterance: Utterance, estimate_s: float) -> None:
        """Send the goal. It may run twice as long as estimated, for slow voices."""
        limit_s = 2.0 * estimate_s + self._timeout_s
        self._caller.call(
            self._form.filled(utterance), limit_s, lambda: self._events.on_began(utterance.text, True), self._ended
        )

    def hush(self) -> bool:
        """Cancel the goal."""
        self._caller.cancel()
        return True

    def tick(self) -> bool:
        """Watch the goal."""
        return self._caller.tick()

    def close(self) -> None:
        """Cancel the goal and let the client go."""
        self._caller.close()

    def _ended(self, ended: Ended) -> None:
        error = ended.error
        if ended.outcome is Outcome.EXPIRED:
            error = f"{self._caller.server} did not end in time and was cancelled; see its log"
        elif ended.outcome is not Outcome.CANCELED:
            error = told_error(ended, self._error_field, self._caller.server)
        self._events.on_ended(ended.outcome is Outcome.SUCCEEDED and not error)
        if error:
            self._events.on_error(f"{_GROUP}: {error}")


def told_error(ended: Ended, error_field: str, server: str) -> str:
    """What went wrong by a result that is there and by the call; empty when nothing did."""
    told = str(get_field(ended.result, error_field)).strip() if error_field and ended.result is not None else ""
    if not told:
        return ended.error
    return f"{ended.error}: {told}" if ended.error else f"{server}: {told}"
