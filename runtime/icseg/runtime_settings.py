"""Every setting of the runtime in one tree, and the file that may hold them.

A value can be said in a TOML file, on the command line, as a ROS parameter or in Python, always under the same name;
later ones of this list win. Settings that belong to a model stand in its manifest and are weaker than all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icseg.detector.config import DetectorConfig
from icseg.dialogue.candidates.config import CandidatesConfig
from icseg.dialogue.chat.config import ChatConfig
from icseg.errors import ConfigError
from icseg.policy_server.config import PolicyServerConfig
from icseg.session.config import SessionConfig
from icseg.settings import Said, Setting, check, described, group, setting
from icseg.tracker.state import TrackerConfig

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_FOLLOWING = (
    "catch_up_frames", "search_timeout_s", "rechecks", "recheck_s", "recheck_doubt_s", "recheck_below_iou"
)  # fmt: skip
RENAMED: Mapping[str, str] = {
    "track.buffer_frames": "session.buffer.max_frames",
    "track.buffer_mb": "session.buffer.max_mb",
    "track.camera_timeout_s": "session.camera_timeout_s",
    "track.restart_after_frames": "session.restart_after_frames",
    **{f"track.{name}": f"session.following.{name}" for name in _FOLLOWING},
    **{
        f"dialogue.{name}": f"session.dialogue.{name}"
        for name in ("look_back_s", "answer_timeout_s", "max_questions", "question_repeats")
    },
}
"""Names of before -> the names that took their place."""
_PATHS = ("model.engines", "model.policy_entry")
"""Settings that are paths."""


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which models run, and on what.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    engines: str = setting(
        "",
        "folder with segmenter/, detector/ and perhaps policy/, as export/build_engines.py makes it; empty = the nano "
        "models that ship",
        short="engines",
    )
    policy: str = setting(
        "candidates",
        "who asks and decides: candidates = a detector and arithmetic; chat = a vision-language model behind a server",
        choices=("candidates", "chat"),
        short="policy",
    )
    policy_entry: str = setting(
        "",
        "policy.json of a built policy; empty = the one in the engines' policy/, if there is one",
        short="chat-config",
    )
    provider: str = setting(
        "CPUExecutionProvider", "execution provider of ONNX Runtime; TensorRT plans take none", short="provider"
    )
    threads: int = setting(
        2, "CPU threads of one graph; 0 = as many as ONNX Runtime likes", low=0, high=64, short="threads"
    )

    def __post_init__(self) -> None:
        check("model", self)


@dataclass(frozen=True, slots=True)
class RuntimeSettings:
    """All of them.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    model: ModelSettings = group(ModelSettings)
    session: SessionConfig = group(SessionConfig)
    tracker: TrackerConfig = group(TrackerConfig)
    candidates: CandidatesConfig = group(CandidatesConfig)
    detector: DetectorConfig = group(DetectorConfig)
    chat: ChatConfig = group(ChatConfig)
    policy_server: PolicyServerConfig = group(PolicyServerConfig)

    def __post_init__(self) -> None:
        check("", self)


def read_settings_file(path: Path) -> Said:
    """What a TOML file says: a table per group, or dotted keys. Relative paths in it begin at the file's own folder.

    Args:
        path: ``~`` stands for the home folder.

    Raises:
        ConfigError: no such file, not TOML, one setting said twice, or a table that is no group of settings; the text
            names file and place.
    """
    path = home_expanded(path)
    try:
        # some editors begin a file with a mark of the byte order
        values = list(_flat("", tomllib.loads(path.read_text(encoding="utf-8-sig"))))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except RecursionError:
        raise ConfigError(f"{path}: not TOML: nested too deeply") from None
    except ValueError as error:  # of the decoder, of the parser, and of numbers with thousands of digits
        raise ConfigError(f"{path}: not TOML: {error}") from error
    said: dict[str, Any] = {}
    for name, value in values:
        if name in said:
            raise ConfigError(f"{path}: {name!r} is said twice")
        if name in _PATHS and isinstance(value, str) and value:
            value = str(path.absolute().parent / home_expanded(value))
        said[name] = value
    return Said(str(path), said)


def home_expanded(path: Path | str) -> Path:
    """The path with the home folder in place of ``~``.

    Raises:
        ConfigError: nobody of that name has a home folder.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError as error:
        raise ConfigError(f"{path}: no such home folder") from error


def _flat(prefix: str, table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        name = f"{prefix}.{key}" if prefix else key
        if isinstance(value, dict) and (value or any(item.name.startswith(f"{name}.") for item in _known())):
            yield from _flat(name, value)
        else:
            yield name, value


def _known() -> Iterator[Setting]:
    return described("", RuntimeSettings)
