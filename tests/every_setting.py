"""A value other than the default for every setting of the runtime, made from the classes."""

from __future__ import annotations

from typing import Any

from icseg.runtime_settings import RuntimeSettings
from icseg.settings import Setting, described

SETTINGS = tuple(described("", RuntimeSettings))


def other_value(item: Setting) -> Any:
    """An allowed value that is not the default."""
    if item.type is bool:
        return not item.default
    if item.choices:
        return next(choice for choice in item.choices if choice != item.default)
    if item.type in (int, float):
        assert item.low is not None
        assert item.high is not None
        nearby = [item.default + 1, item.default - 1, (item.default + item.high) / 2, (item.default + item.low) / 2]
        return next(item.type(value) for value in nearby if item.low <= value <= item.high and value != item.default)
    return "other" if item.type is str else ["other"]


def said_alone(item: Setting, folder: str) -> dict[str, Any]:
    """The setting with another value, and what must be said with it so that the whole is allowed."""
    match item.name:
        case "chat.url":
            return {item.name: "http://127.0.0.1:8123/v1"}
        case "model.engines":
            return {item.name: folder}
        case "model.policy_entry":
            return {item.name: f"{folder}/policy.json"}
        case "chat.repetition_penalty":
            return {item.name: 1.1, "chat.server": "vllm"}
        case "candidates.target_watch.min_fit":
            return {item.name: 0.5}
    return {item.name: other_value(item)}
