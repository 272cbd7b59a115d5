"""policy.json: what a built policy says about itself, and the command line that serves it.

The file is data. Whatever is started is made here from fields that were checked, and the program's place comes from the
caller; nothing in the file is a command, an option or a path outside its own folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from icseg.errors import PlanMismatchError

ENTRY_NAME = "policy.json"
FORMAT = 1
EDGE_LLM = "edge-llm"
PRECISIONS = ("fp16", "int4_awq", "int8_sq")
LOOPBACK = "127.0.0.1"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HASH = re.compile(r"[0-9a-f]{64}")
_LIMIT_RANGES = {
    "max_input_tokens": (512, 131_072),
    "max_kv_tokens": (1024, 131_072),
    "max_image_tokens": (64, 65_536),
    "max_image_tokens_per_image": (64, 16_384),
    "max_reply_tokens": (16, 32_768),
}


@dataclass(frozen=True, slots=True)
class PolicyLimits:
    """Sizes that the engines are built for; a request beyond them is refused by the server.

    Attributes:
        max_input_tokens: of one request: system prompt, frames, and all turns so far.
        max_kv_tokens: input and reply together.
        max_image_tokens: visual tokens of all images of one request.
        max_image_tokens_per_image: of the largest image.
        max_reply_tokens: what the client asks for at most.

    Raises:
        ValueError: a limit is no integer in its range, or two contradict each other.
    """

    max_input_tokens: int
    max_kv_tokens: int
    max_image_tokens: int
    max_image_tokens_per_image: int
    max_reply_tokens: int

    def __post_init__(self) -> None:
        for name, (low, high) in _LIMIT_RANGES.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
                raise ValueError(f"limits.{name}: expected an integer {low}..{high}, got {value!r}")
        if self.max_image_tokens_per_image > self.max_image_tokens:
            raise ValueError("limits.max_image_tokens_per_image: expected at most max_image_tokens")
        if self.max_image_tokens >= self.max_input_tokens:
            raise ValueError("limits.max_image_tokens: expected less than max_input_tokens")
        if self.max_input_tokens + self.max_reply_tokens > self.max_kv_tokens:
            raise ValueError("limits.max_kv_tokens: expected at least max_input_tokens + max_reply_tokens")


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """One built policy.

    Attributes:
        model: the name it is served under.
        server: which program serves it; a name of ``dialogue/chat/servers.py``.
        url: where, on this machine's loopback address.
        checkpoint, engine_cache: names of folders beside policy.json.
        precision: of the language model's weights; the vision tower stays FP16.
        context_reuse: the server keeps the prefix of a dialogue.
        source_sha256: of the weights, and the adapter, that it was made from.
        limits: sizes of the engines.
        tools: tool -> version, of the build.

    Raises:
        ValueError: a field is unknown or out of range.
    """

    model: str
    server: str
    url: str
    checkpoint: str
    engine_cache: str
    precision: str
    context_reuse: bool
    source_sha256: str
    limits: PolicyLimits
    tools: Mapping[str, str]
    format: int = FORMAT

    def __post_init__(self) -> None:
        for name in ("model", "checkpoint", "engine_cache"):
            value = getattr(self, name)
            if not isinstance(value, str) or not _NAME.fullmatch(value):
                raise ValueError(f"{name}: expected letters, digits, '.', '_' and '-', got {value!r}")
        if self.server != EDGE_LLM:
            raise ValueError(f"server: expected {EDGE_LLM}, got {self.server!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        if not isinstance(self.context_reuse, bool):
            raise ValueError(f"context_reuse: expected true or false, got {self.context_reuse!r}")
        if not isinstance(self.source_sha256, str) or not _HASH.fullmatch(self.source_sha256):
            raise ValueError(f"source_sha256: expected 64 hexadecimal digits, got {self.source_sha256!r}")
        if not isinstance(self.tools, dict) or not all(isinstance(item, str) for item in self.tools.values()):
            raise ValueError(f"tools: expected names and versions, got {self.tools!r}")
        if self.format != FORMAT:
            raise ValueError(f"format: expected {FORMAT}, got {self.format!r}")
        _check_url(self.url)

    @property
    def port(self) -> int:
        """Where the server listens."""
        port = urlsplit(self.url).port
        assert port is not None, "the URL was checked"
        return port

    def chat_settings(self) -> dict[str, object]:
        """What ``ChatPolicy`` needs to talk to it: settings by name."""
        return {
            "chat.url": self.url,
            "chat.server": self.server,
            "chat.model": self.model,
            "chat.max_tokens": self.limits.max_reply_tokens,
        }

    def serve_command(self, folder: Path, program: Path) -> list[str]:
        """The argument list that serves the policy in ``folder`` on loopback.

        The first start builds the engines into the folder's cache; the same limits find them there again.
        *Source:* ``experimental/server/config.py`` of TensorRT Edge-LLM 0.11.0. Its own default is to listen on all
        addresses.
        """
        limits = self.limits
        command = [str(program), str(folder / self.checkpoint)]
        for option, value in (
            ("--host", LOOPBACK),
            ("--port", self.port),
            ("--served-model-name", self.model),
            ("--cache-dir", folder / self.engine_cache),
            ("--max-input-len", limits.max_input_tokens),
            ("--max-kv-cache-capacity", limits.max_kv_tokens),
            ("--max-batch-size", 1),
            ("--max-image-tokens", limits.max_image_tokens),
            ("--max-image-tokens-per-image", limits.max_image_tokens_per_image),
            # Our <thinking> is part of the protocol and must arrive as text.
            ("--reasoning-parser", "none"),
        ):
            command += [option, str(value)]
        return [*command, "--enable-context-reuse"] if self.context_reuse else command


def write_entry(folder: Path, entry: PolicyEntry) -> Path:
    """Write policy.json; an earlier one is replaced as a whole or not at all."""
    path = folder / ENTRY_NAME
    draft = path.with_suffix(".json.part")
    draft.write_text(json.dumps(asdict(entry), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    draft.replace(path)
    return path


def load_entry(path: Path) -> PolicyEntry:
    """Read policy.json; ``path`` is the file or the folder that holds it.

    Raises:
        PlanMismatchError: it is missing, no JSON, or a field is unknown, missing or out of range.
    """
    path = path / ENTRY_NAME if path.is_dir() else path
    if not path.is_file():
        raise PlanMismatchError(f"{path}: not found; expected what export/build_policy.py writes")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return _parse(values)
    except (UnicodeDecodeError, ValueError) as error:  # JSONDecodeError is a ValueError
        raise PlanMismatchError(f"{path}: {error}; rebuild with export/build_policy.py") from error


def _parse(values: Any) -> PolicyEntry:
    _check_keys(values, PolicyEntry, "")
    _check_keys(values["limits"], PolicyLimits, "limits: ")
    return PolicyEntry(**{**values, "limits": PolicyLimits(**values["limits"])})


def _check_keys(values: Any, kind: type[Any], lead: str) -> None:
    known = {field.name for field in fields(kind)}
    if not isinstance(values, dict) or set(values) != known:
        got = set(values) if isinstance(values, dict) else set()
        raise ValueError(f"{lead}missing keys {sorted(known - got)}, unknown keys {sorted(got - known)}")


def _check_url(url: str) -> None:
    expected = f"url: expected http://{LOOPBACK}:PORT/v1"
    if not isinstance(url, str):
        raise ValueError(f"{expected}, got {url!r}")
    parts = urlsplit(url)
    if url != f"http://{LOOPBACK}:{parts.port}/v1" or not parts.port or not 1024 <= parts.port <= 65535:
        raise ValueError(f"{expected} with a port of 1024..65535, got {url!r}")
