"""How words are put into a message or a goal: which fields of which class. Knows no interface's names by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from icseg_ros.speech.interface import check_constants, check_field, set_field
from icseg_ros.speech.settings import SpeechOutSettings, parse_constants
from icseg_ros.speech.words import Utterance, in_form

_GROUP = "speech.out"


@dataclass(frozen=True)
class Form:
    """How words are put into a message or a goal: its class and which fields are filled.

    Raises:
        ConfigError: by ``checked``: a field is not there or of another type.
    """

    message: Any
    text_field: str
    language_field: str
    language_form: str
    constants: dict[str, Any]

    @classmethod
    def checked(cls, message: Any, settings: SpeechOutSettings) -> Form:
        """The form that ``speech.out`` describes, every field checked against ``message``."""
        check_field(f"{_GROUP}.text_field", message, settings.text_field, str)
        if settings.language_field:
            check_field(f"{_GROUP}.language_field", message, settings.language_field, str)
        given = parse_constants(f"{_GROUP}.constants", settings.constants)
        constants = check_constants(f"{_GROUP}.constants", message, given)
        return cls(message, settings.text_field, settings.language_field, settings.language_form, constants)

    def filled(self, utterance: Utterance) -> Any:
        """A new message or goal with the words of an utterance."""
        filled = self.message()
        for path, value in self.constants.items():
            set_field(filled, path, value)
        set_field(filled, self.text_field, utterance.text)
        if self.language_field and utterance.language:
            set_field(filled, self.language_field, in_form(utterance.language, self.language_form))
        return filled
