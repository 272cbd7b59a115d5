"""The ``speech.*`` parameters and what must hold between them. Knows no interface package.

Whether a type exists and has the fields that are named here is found out when the node is configured
(``interface.py``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_topic_name import validate_topic_name

from icseg.errors import ConfigError
from icseg_ros.settings import check, setting
from icseg_ros.speech.interface import split_type

_FORMS = ("tag", "locale", "code")


@dataclass(frozen=True)
class SpeechInSettings:
    """Where words come from, beside the topics ``command`` and ``answer``, which are always there.

    Raises:
        ConfigError: a value is out of range, or does not go with another one.
    """

    type: str = setting("", 'message or action type of the recognizer ("hri_msgs/msg/LiveSpeech"); empty = none')
    kind: str = setting(
        "topic", "topic = it speaks up by itself; action = it listens when asked to", choices=("topic", "action")
    )
    topic: str = setting("", "name of the topic or of the action; empty = `topics` says it")
    topics: tuple[str, ...] = setting((), "names of several topics, one per voice; empty = only `topic`")
    text_field: str = setting(
        "", 'field with the final words; dots go deeper ("transcription.text"); of an action\'s result'
    )
    partial_field: str = setting("", "field with the words so far, while the person speaks; empty = there is none")
    confidence_field: str = setting("", "field with the confidence, 0..1; empty = there is none")
    language_field: str = setting("", "field with the language of the words; empty = there is none")
    min_confidence: float = setting(0.0, "final words below this confidence are ignored; 0 = none", low=0.0, high=1.0)
    constants: str = setting("", "JSON object of goal fields that never change; empty = none")
    grammar_field: str = setting("", "goal field for a GBNF grammar of the answers offered; empty = there is none")
    prompt_field: str = setting("", "goal field for the answers offered as a plain text; empty = there is none")
    listen_s: float = setting(20.0, "seconds that one listening goal may wait for words", low=1.0, high=300.0)

    def __post_init__(self) -> None:
        check("speech.in", self)
        if not self.is_on:
            return
        _check_type("speech.in", self.type, "msg" if self.kind == "topic" else "action")
        _needs("speech.in", self, "text_field")
        if not self.names:
            raise ConfigError(f"speech.in.topic: expected a name for speech.in.type {self.type}, got nothing")
        for name in self.names:
            _check_name("speech.in.topic", name)
        if self.kind == "action" and len(self.names) > 1:
            raise ConfigError(f"speech.in.topics: an action has one name, in speech.in.topic; got {list(self.names)}")
        of_other_kind = ("partial_field",) if self.kind == "action" else ("constants", "grammar_field", "prompt_field")
        for name in of_other_kind:
            if getattr(self, name):
                raise ConfigError(f"speech.in.{name}: does not go with speech.in.kind {self.kind}; leave it empty")
        if self.min_confidence > 0 and not self.confidence_field:
            raise ConfigError(
                "speech.in.min_confidence: has no effect without speech.in.confidence_field; name it, or set this to 0"
            )
        parse_constants("speech.in.constants", self.constants)

    @property
    def is_on(self) -> bool:
        """Whether there is a recognizer."""
        return bool(self.type)

    @property
    def names(self) -> tuple[str, ...]:
        """All topics, or the action."""
        return tuple(dict.fromkeys((*((self.topic,) if self.topic else ()), *self.topics)))


@dataclass(frozen=True)
class SpeechOutSettings:
    """What says the robot's words, beside the topic ``~/say``, which always carries them.

    Raises:
        ConfigError: a value is out of range, or does not go with another one.
    """

    kind: str = setting(
        "topic",
        "topic; action = text to speech; ask_action = asks and gives the answer back; none = nothing speaks",
        choices=("topic", "action", "ask_action", "none"),
    )
    type: str = setting("", 'message or action type ("tts_msgs/action/TTS"); empty with kind topic = ~/say is spoken')
    name: str = setting("", "name of the topic or of the action")
    text_field: str = setting("", "field for the words; dots go deeper; of an action's goal")
    language_field: str = setting("", "field for the language; empty = there is none")
    language_form: str = setting("tag", "how it is written: tag = de-DE, locale = de_DE, code = de", choices=_FORMS)
    constants: str = setting("", "JSON object of fields that never change; empty = none")
    stop_constants: str = setting("", "JSON object of the fields of a message that silences a topic; empty = none does")
    error_field: str = setting("", "result field with what went wrong, empty when nothing did; empty = there is none")
    answers_schema_field: str = setting("", "goal field of ask_action for the JSON schema of the answer")
    answers_field: str = setting("", "result field of ask_action with the answer as a JSON object")
    answer_s: float = setting(30.0, "seconds that an ask_action may wait for the answer", low=1.0, high=300.0)
    statement_type: str = setting("", "action type for what is no question, with ask_action; empty = only ~/say")
    statement_name: str = setting("", "name of that action")
    statement_text_field: str = setting("", "its goal field for the words")

    def __post_init__(self) -> None:
        check("speech.out", self)
        parse_constants("speech.out.constants", self.constants)
        parse_constants("speech.out.stop_constants", self.stop_constants)
        if not self.has_adapter and self.kind in ("topic", "none"):
            if self.kind == "topic" and self.name:
                raise ConfigError(f"speech.out.type: expected the type of {self.name}, got nothing")
            return
        _check_type("speech.out", self.type, "msg" if self.kind == "topic" else "action")
        _needs("speech.out", self, "name")
        _check_name("speech.out.name", self.name)
        _needs("speech.out", self, "text_field")
        if self.kind != "topic" and self.stop_constants:
            raise ConfigError(
                f"speech.out.stop_constants: only for kind topic, and kind is {self.kind}; an action is cancelled"
            )
        if self.kind == "ask_action":
            _needs("speech.out", self, "answers_schema_field")
            _needs("speech.out", self, "answers_field")
        if self.has_statements:
            _check_type("speech.out", self.statement_type, "action", "statement_type")
            _needs("speech.out", self, "statement_name")
            _check_name("speech.out.statement_name", self.statement_name)
            _needs("speech.out", self, "statement_text_field")

    @property
    def has_adapter(self) -> bool:
        """Whether something beside ~/say is spoken to. ``kind`` none switches it off, whatever else is set."""
        return self.kind != "none" and (bool(self.type) or self.kind != "topic")

    @property
    def has_statements(self) -> bool:
        """Whether what is no question has an action of its own."""
        return self.kind == "ask_action" and bool(self.statement_type)


@dataclass(frozen=True)
class TurnTakingSettings:
    """Who may speak when.

    Raises:
        ConfigError: a value is out of range.
    """

    holdoff_s: float = setting(
        0.8, "seconds after the robot spoke in which words are taken for its echo", low=0.0, high=5.0
    )
    barge_in: bool = setting(
        False,
        "a person may interrupt the robot; only with a microphone that does not hear the robot (echo cancellation)",
    )
    words_per_minute: float = setting(
        150.0, "how fast the robot speaks, to estimate when a topic's words are over", low=40.0, high=400.0
    )
    robot_speaking_topic: str = setting("", "std_msgs/Bool that is true while the robot speaks; empty = none")
    timeout_s: float = setting(5.0, "seconds to wait for a speech service that does not react", low=0.5, high=60.0)
    stop_words: tuple[str, ...] = setting((), 'words that end everything, beside the runtime\'s own ("stop", "cancel")')

    def __post_init__(self) -> None:
        check("speech", self)
        if self.robot_speaking_topic:
            _check_name("speech.robot_speaking_topic", self.robot_speaking_topic)
        if any(not word.strip() for word in self.stop_words):
            raise ConfigError(f"speech.stop_words: expected words, got an empty text in {list(self.stop_words)}")


GROUPS: dict[str, type] = {"speech.in": SpeechInSettings, "speech.out": SpeechOutSettings, "speech": TurnTakingSettings}
"""Parameter group -> its settings: what the node declares and reads."""


@dataclass(frozen=True)
class SpeechSettings:
    """The three groups together."""

    input: SpeechInSettings = field(default_factory=SpeechInSettings)
    output: SpeechOutSettings = field(default_factory=SpeechOutSettings)
    turns: TurnTakingSettings = field(default_factory=TurnTakingSettings)


def parse_constants(parameter: str, text: str) -> dict[str, Any]:
    """A JSON object of fields; empty text = no fields.

    Raises:
        ConfigError: it is something else.
    """
    if not text.strip():
        return {}
    try:
        constants = json.loads(text)
    except ValueError as error:
        raise ConfigError(
            f'{parameter}: expected a JSON object like {{"volume": 1.0}}, got {text!r} ({error})'
        ) from error
    if not isinstance(constants, dict):
        raise ConfigError(f'{parameter}: expected a JSON object like {{"volume": 1.0}}, got {text!r}')
    return constants


def _needs(group: str, settings: object, name: str) -> None:
    if not getattr(settings, name):
        raise ConfigError(f"{group}.{name}: expected a name, got nothing; {group}.type {settings.type} needs it")  # type: ignore[attr-defined]


def _check_type(group: str, type_name: str, kind: str, name: str = "type") -> None:
    if not type_name:
        raise ConfigError(f"{group}.{name}: expected a type like {_EXAMPLES[kind]}, got nothing")
    _, got, _ = split_type(f"{group}.{name}", type_name)
    if got != kind:
        raise ConfigError(f"{group}.{name}: {group}.kind needs a type like {_EXAMPLES[kind]}, got {type_name}")


def _check_name(parameter: str, name: str) -> None:
    try:
        validate_topic_name(name)
    except InvalidTopicNameException as error:
        raise ConfigError(
            f"{parameter}: expected a ROS name like /humans/voices/anonymous_speaker/speech, got {name!r}"
        ) from error


_EXAMPLES = {"msg": '"std_msgs/msg/String"', "action": '"tts_msgs/action/TTS"'}
