"""Every parameter of the node: which settings of the runtime and of the node's parts stand in which group.

The table of ``docs/ros2.md`` and ``config/clarify_segment.yaml`` are made of it; a test compares them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields, make_dataclass

from rclpy.node import Node

from icseg.dialogue.chat.policy import ChatConfig
from icseg.models import ModelSettings
from icseg.session.config import SessionConfig
from icseg.settings import Setting, check, described, setting
from icseg.tracker.state import TrackerConfig
from icseg_ros.camera import CameraSettings
from icseg_ros.depth import DepthSettings
from icseg_ros.outputs import OutputSettings
from icseg_ros.settings import declare, read
from icseg_ros.speech.settings import SpeechInSettings, SpeechOutSettings, SpeechSettings, TurnTakingSettings

_DIALOGUE = ("look_back_s", "answer_timeout_s", "max_questions", "question_repeats")
_RECORDINGS_ONLY = ("every_frame",)


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Of the node as such."""

    autostart: bool = setting(True, "configure and activate by itself when it starts; false = wait for transitions")

    def __post_init__(self) -> None:
        check("", self)


@dataclass(frozen=True, slots=True)
class SpokenSettings:
    """Of the dialogue as it is spoken."""

    language: str = setting("en", "IETF tag of the questions, for the speech interface")
    timeout_s: float = setting(
        30.0, "seconds that ~/segment waits for a decision, unless it says so", low=0.1, high=600
    )

    def __post_init__(self) -> None:
        check("dialogue", self)


def _part(name: str, wanted: tuple[str, ...]) -> type:
    """Some of a session's settings as a class of their own."""
    members = [(item.name, item.type, _again(item)) for item in fields(SessionConfig) if item.name in wanted]
    return make_dataclass(name, members, frozen=True)


def _again(item: object) -> object:
    metadata = dict(item.metadata)  # type: ignore[attr-defined]
    return setting(item.default, metadata.pop("meaning"), **metadata)  # type: ignore[attr-defined]


_DialogueSettings = _part("DialogueSettings", _DIALOGUE)
_TrackSettings = _part(
    "TrackSettings",
    tuple(item.name for item in fields(SessionConfig) if item.name not in (*_DIALOGUE, *_RECORDINGS_ONLY)),
)

GROUPS: tuple[tuple[str, type], ...] = (
    ("", NodeSettings),
    ("model", ModelSettings),
    ("chat", ChatConfig),
    ("camera", CameraSettings),
    ("depth", DepthSettings),
    ("dialogue", SpokenSettings),
    ("dialogue", _DialogueSettings),
    ("track", _TrackSettings),
    ("tracker", TrackerConfig),
    ("publish", OutputSettings),
    ("speech", TurnTakingSettings),
    ("speech.in", SpeechInSettings),
    ("speech.out", SpeechOutSettings),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them."""

    node: NodeSettings
    model: ModelSettings
    chat: ChatConfig
    camera: CameraSettings
    depth: DepthSettings
    spoken: SpokenSettings
    session: SessionConfig
    tracker: TrackerConfig
    publish: OutputSettings
    speech: SpeechSettings


def all_settings() -> Iterator[Setting]:
    """Every parameter, in the order of the documentation."""
    for group, settings in GROUPS:
        yield from described(group, settings)


def declare_all(node: Node) -> None:
    """Declare every parameter."""
    for group, settings in GROUPS:
        declare(node, group, settings)


def read_all(node: Node) -> Settings:
    """The node's present parameters.

    Raises:
        ConfigError: a value is out of range, or two contradict each other.
    """
    dialogue, track = read(node, "dialogue", _DialogueSettings), read(node, "track", _TrackSettings)
    session = {item.name: getattr(part, item.name) for part in (dialogue, track) for item in fields(part)}  # type: ignore[arg-type]
    return Settings(
        read(node, "", NodeSettings),
        read(node, "model", ModelSettings),
        read(node, "chat", ChatConfig),
        read(node, "camera", CameraSettings),
        read(node, "depth", DepthSettings),
        read(node, "dialogue", SpokenSettings),
        SessionConfig(**session),
        read(node, "tracker", TrackerConfig),
        read(node, "publish", OutputSettings),
        SpeechSettings(
            turns=read(node, "speech", TurnTakingSettings),
            input=read(node, "speech.in", SpeechInSettings),
            output=read(node, "speech.out", SpeechOutSettings),
        ),
    )


def yaml_text() -> str:
    """``config/clarify_segment.yaml``: every parameter with its default, meaning and range."""
    lines = [
        "# Every parameter of clarify_segment with its default. Made by `python -m icseg_ros.parameters`.",
        "# The key /** fits whatever namespace the node is started in.",
        "/**:",
        "  ros__parameters:",
    ]
    for item in all_settings():
        allowed = f" ({item.range})" if item.range else ""
        # ROS cannot tell the type of an empty list in a file
        mark = "# " if item.default == [] else ""
        lines.append(f"    {mark}{item.name}: {_yaml(item.default)}  # {item.meaning}{allowed}")
    return "\n".join(lines) + "\n"


def _yaml(value: object) -> str:
    return repr(value) if isinstance(value, float) else json.dumps(value)


if __name__ == "__main__":
    print(yaml_text(), end="")
