"""Every parameter of the node: those of its own parts, and one for every setting of the runtime.

The tables of ``docs/ros2.md`` and ``config/clarify_segment.yaml`` are made of it; a test compares them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rclpy.node import Node

from icseg.errors import ConfigError
from icseg.models import effective_settings
from icseg.runtime_settings import RENAMED, RuntimeSettings, read_settings_file
from icseg.session.config import SessionConfig
from icseg.settings import Effective, Setting, check, described, setting, unknown_setting
from icseg_ros.camera import CameraSettings
from icseg_ros.depth import DepthSettings
from icseg_ros.outputs import OutputSettings
from icseg_ros.settings import SOURCE, declare, declare_unsaid, read, said, started_with
from icseg_ros.speech.settings import SpeechInSettings, SpeechOutSettings, SpeechSettings, TurnTakingSettings

_FOREIGN = ("use_sim_time", "start_type_description_service", "qos_overrides.")
"""Beginnings of parameters that are rclpy's own."""
_RENAMED = {**RENAMED, "dialogue.language": "speech.language", "dialogue.timeout_s": "segment.timeout_s"}
"""Names of before -> the names that took their place, of the runtime's settings and of the node's own parameters."""


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """The node as such."""

    autostart: bool = setting(True, "configure and activate by itself when it starts; false = wait for transitions")
    config_file: str = setting("", "TOML file of the runtime's settings; parameters win over it; empty = none")

    def __post_init__(self) -> None:
        check("", self)


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """The service ``~/segment``."""

    timeout_s: float = setting(
        30.0, "seconds that ~/segment waits for a decision, unless the request says so", low=0.1, high=600
    )

    def __post_init__(self) -> None:
        check("segment", self)


@dataclass(frozen=True, slots=True)
class SpokenSettings:
    """The words that are spoken."""

    language: str = setting("en", "IETF tag of the questions, for the speech interface")

    def __post_init__(self) -> None:
        check("speech", self)


OWN: tuple[tuple[str, type], ...] = (
    ("", NodeSettings),
    ("camera", CameraSettings),
    ("depth", DepthSettings),
    ("publish", OutputSettings),
    ("segment", SegmentSettings),
    ("speech", SpokenSettings),
    ("speech", TurnTakingSettings),
    ("speech.in", SpeechInSettings),
    ("speech.out", SpeechOutSettings),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """All of them."""

    node: NodeSettings
    runtime: Effective[RuntimeSettings]
    camera: CameraSettings
    depth: DepthSettings
    publish: OutputSettings
    segment: SegmentSettings
    spoken: SpokenSettings
    speech: SpeechSettings

    @property
    def session(self) -> SessionConfig:
        """How sessions behave."""
        return self.runtime.settings.session


def own_settings() -> Iterator[Setting]:
    """The parameters of the node's own parts, in the order of the documentation."""
    for group, settings in OWN:
        yield from described(group, settings)


def runtime_settings() -> Iterator[Setting]:
    """The parameters that are the runtime's settings, in the order of the documentation."""
    return described("", RuntimeSettings)


def declare_all(node: Node) -> None:
    """Declare every parameter.

    Raises:
        ConfigError: the node was started with an unknown name, or a value of the wrong type or out of range.
    """
    known = {item.name for item in (*own_settings(), *runtime_settings())}
    # rclpy passes over what it was started with and nobody declares
    for name in started_with(node):
        if name not in known and not name.startswith(_FOREIGN):
            raise ConfigError(f"{SOURCE}: {unknown_setting(name, known, _RENAMED)}")
    for group, settings in OWN:
        declare(node, group, settings)
    declare_unsaid(node, runtime_settings())


def read_all(node: Node) -> Settings:
    """The node's present parameters, over its settings file and what belongs to the models.

    Raises:
        ConfigError: a value is out of range, or two contradict each other, or the file or the models' folder is not
            there.
        PlanMismatchError: a manifest of the models is broken.
    """
    own = read(node, "", NodeSettings)
    file = [read_settings_file(Path(own.config_file))] if own.config_file else []
    nodes_own = {item.name for item in own_settings()}
    for name in (name for one in file for name in one.values if name in nodes_own):
        raise ConfigError(f"{own.config_file}: {name} is the node's alone: give it as a ROS parameter")
    return Settings(
        own,
        effective_settings([*file, said(node, runtime_settings())]),
        read(node, "camera", CameraSettings),
        read(node, "depth", DepthSettings),
        read(node, "publish", OutputSettings),
        read(node, "segment", SegmentSettings),
        read(node, "speech", SpokenSettings),
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
        *(_line(item, is_said=item.default != []) for item in own_settings()),
        "    # The runtime's settings. A line without its # wins over config_file and over what belongs to the models:",
        "    # leave it a comment to let those decide; `icseg config --describe` tells more.",
        *(_line(item, is_said=False) for item in runtime_settings()),
    ]
    return "\n".join(lines) + "\n"


def _line(item: Setting, *, is_said: bool) -> str:
    # ROS cannot tell the type of an empty list in a file
    value = repr(item.default) if isinstance(item.default, float) else json.dumps(item.default)
    allowed = f" ({item.range})" if item.range else ""
    return f"    {'' if is_said else '# '}{item.name}: {value}  # {item.meaning}{allowed}"


if __name__ == "__main__":
    print(yaml_text(), end="")
