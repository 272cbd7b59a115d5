"""Makes the voice that ``speech.out`` describes. Every name is checked before anything is created."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node

from icseg_ros.speech.ask import AskVoice
from icseg_ros.speech.call import ActionCaller
from icseg_ros.speech.form import Form
from icseg_ros.speech.interface import check_field, load
from icseg_ros.speech.mailbox import Mailbox
from icseg_ros.speech.settings import SpeechOutSettings
from icseg_ros.speech.voice import ActionVoice, TopicVoice, Voice, VoiceEvents

_GROUP = "speech.out"


def create_voice(
    node: Node,
    mailbox: Mailbox,
    settings: SpeechOutSettings,
    timeout_s: float,
    clock: Callable[[], float],
    events: VoiceEvents,
) -> Voice | None:
    """The voice that ``speech.out`` describes; None = only ~/say.

    Raises:
        ConfigError: a type is not installed or lacks a field.
    """
    if not settings.has_adapter:
        return None
    if settings.kind == "topic":
        return TopicVoice(node, settings, events)
    action = load(f"{_GROUP}.type", settings.type)
    form = Form.checked(action.Goal, settings)
    if settings.error_field:
        check_field(f"{_GROUP}.error_field", action.Result, settings.error_field, str)
    stating = None
    if settings.kind == "ask_action":
        check_field(f"{_GROUP}.answers_schema_field", action.Goal, settings.answers_schema_field, str)
        check_field(f"{_GROUP}.answers_field", action.Result, settings.answers_field, str)
        if settings.has_statements:
            stating = load(f"{_GROUP}.statement_type", settings.statement_type)
            check_field(f"{_GROUP}.statement_text_field", stating.Goal, settings.statement_text_field, str)
    # only now, when nothing is wrong any more, are there clients
    caller = ActionCaller(node, mailbox, action, settings.name, settings.type, timeout_s, clock)
    if settings.kind == "action":
        return ActionVoice(caller, form, settings.error_field, timeout_s, events)
    statements = None
    if stating is not None:
        name, type_name = settings.statement_name, settings.statement_type
        client = ActionCaller(node, mailbox, stating, name, type_name, timeout_s, clock)
        plain_form = Form(stating.Goal, settings.statement_text_field, "", settings.language_form, {})
        statements = ActionVoice(client, plain_form, "", timeout_s, events)
    return AskVoice(caller, form, settings, statements, events)
