"""What the robot hears with: topics that speak up by themselves, or an action that listens when asked to.

Knows the fields that the settings name, and nothing of whose turn it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node

from icseg_ros.speech.call import ActionCaller, Ended, Outcome
from icseg_ros.speech.grammar import grammar_of
from icseg_ros.speech.interface import check_constants, check_field, get_field, load, set_field
from icseg_ros.speech.mailbox import Mailbox
from icseg_ros.speech.settings import SpeechInSettings, parse_constants
from icseg_ros.speech.words import Heard, as_tag

_GROUP = "speech.in"
_QUEUE_DEPTH = 10


class TopicEar:
    """Subscribes to every voice.

    Args:
        node: that subscribes.
        settings: of kind topic.
        group: the subscriptions' callback group.
        on_heard: called in any thread.

    Raises:
        ConfigError: the type is not installed or lacks a field.
    """

    def __init__(
        self, node: Node, settings: SpeechInSettings, group: CallbackGroup | None, on_heard: Callable[[Heard], None]
    ) -> None:
        message = load(f"{_GROUP}.type", settings.type)
        _check_words(settings, message)
        if settings.partial_field:
            check_field(f"{_GROUP}.partial_field", message, settings.partial_field, str)
        self._node, self._settings, self._on_heard = node, settings, on_heard
        self._subscriptions = [
            node.create_subscription(message, topic, self._take, _QUEUE_DEPTH, callback_group=group)
            for topic in settings.names
        ]

    def close(self) -> None:
        """Let the subscriptions go."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)

    def _take(self, message: Any) -> None:
        heard = _words(self._settings, message)
        if not heard.text and self._settings.partial_field:
            partial = str(get_field(message, self._settings.partial_field)).strip()
            heard = Heard(partial, heard.confidence, heard.language, is_partial=True)
        if heard.text:
            self._on_heard(heard)


class ListeningEar:
    """Listens by an action, one goal at a time. Belongs to the mailbox.

    Args:
        node, mailbox, timeout_s, clock: for the action's client.
        settings: of kind action.
        on_heard: what was heard; its text is empty when nothing was.
        on_error: what went wrong and what to do.

    Raises:
        ConfigError: the type is not installed or lacks a field.
    """

    def __init__(
        self,
        node: Node,
        mailbox: Mailbox,
        settings: SpeechInSettings,
        timeout_s: float,
        clock: Callable[[], float],
        on_heard: Callable[[Heard], None],
        on_error: Callable[[str], None],
    ) -> None:
        action = load(f"{_GROUP}.type", settings.type)
        _check_words(settings, action.Result)
        for name in ("grammar_field", "prompt_field"):
            if getattr(settings, name):
                check_field(f"{_GROUP}.{name}", action.Goal, getattr(settings, name), str)
        given = parse_constants(f"{_GROUP}.constants", settings.constants)
        self._constants = check_constants(f"{_GROUP}.constants", action.Goal, given)
        self._goal, self._settings = action.Goal, settings
        self._on_heard, self._on_error = on_heard, on_error
        self._caller = ActionCaller(node, mailbox, action, settings.names[0], settings.type, timeout_s, clock)

    @property
    def is_listening(self) -> bool:
        """Whether a goal is under way."""
        return self._caller.is_busy

    def listen(self, answers: tuple[str, ...], limit_s: float) -> None:
        """Begin to listen.

        Args:
            answers: what is likely to be said; empty = anything.
            limit_s: seconds to wait for words.
        """
        goal = self._goal()
        for path, value in self._constants.items():
            set_field(goal, path, value)
        if answers and self._settings.grammar_field:
            set_field(goal, self._settings.grammar_field, grammar_of(answers))
        if answers and self._settings.prompt_field:
            set_field(goal, self._settings.prompt_field, ", ".join(answers))
        self._caller.call(goal, limit_s, lambda: None, self._ended)

    def cancel(self) -> None:
        """Listen no more; what is heard all the same is dropped."""
        self._caller.cancel()

    def tick(self) -> bool:
        """Watch the goal; returns whether there is one."""
        return self._caller.tick()

    def close(self) -> None:
        """Cancel the goal and let the client go."""
        self._caller.close()

    def _ended(self, ended: Ended) -> None:
        if ended.outcome is Outcome.FAILED:
            self._on_error(f"{_GROUP}: {ended.error}")
        elif ended.outcome is Outcome.SUCCEEDED:
            self._on_heard(_words(self._settings, ended.result))


def _check_words(settings: SpeechInSettings, message: Any) -> None:
    check_field(f"{_GROUP}.text_field", message, settings.text_field, str)
    if settings.confidence_field:
        check_field(f"{_GROUP}.confidence_field", message, settings.confidence_field, float)
    if settings.language_field:
        check_field(f"{_GROUP}.language_field", message, settings.language_field, str)


def _words(settings: SpeechInSettings, message: Any) -> Heard:
    text = str(get_field(message, settings.text_field)).strip()
    confidence = float(get_field(message, settings.confidence_field)) if settings.confidence_field else math.nan
    language = as_tag(get_field(message, settings.language_field)) if settings.language_field else ""
    return Heard(text, None if math.isnan(confidence) else confidence, language)
