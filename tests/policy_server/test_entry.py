"""policy.json says how a built policy is served, and nothing in it can say more than that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from icseg.errors import PlanMismatchError
from icseg.policy_server.entry import ENTRY_NAME, PolicyEntry, PolicyLimits, load_entry, write_entry

LIMITS = PolicyLimits(7168, 8192, 2688, 768, 1024)


def make_entry(port: int = 8000) -> PolicyEntry:
    return PolicyEntry(
        model="qwen3-vl-2b",
        server="edge-llm",
        url=f"http://127.0.0.1:{port}/v1",
        checkpoint="checkpoint",
        engine_cache="engines",
        precision="int4_awq",
        context_reuse=True,
        source_sha256="0" * 64,
        limits=LIMITS,
        tools={"tensorrt-edgellm": "0.11.0"},
    )


def test_written_and_read_back(tmp_path: Path) -> None:
    path = write_entry(tmp_path, make_entry())
    assert load_entry(tmp_path) == load_entry(path) == make_entry()
    assert [item.name for item in tmp_path.iterdir()] == [ENTRY_NAME]
    assert load_entry(path).chat_settings() == {
        "chat.url": "http://127.0.0.1:8000/v1",
        "chat.server": "edge-llm",
        "chat.model": "qwen3-vl-2b",
        "chat.max_tokens": 1024,
    }


def test_command_line(tmp_path: Path) -> None:
    command = make_entry(8123).serve_command(tmp_path, Path("/opt/bin/serve"))
    assert command[:2] == ["/opt/bin/serve", str(tmp_path / "checkpoint")]
    options = dict(zip(command[2:-1:2], command[3:-1:2], strict=True))
    assert options["--host"] == "127.0.0.1"
    assert options["--port"] == "8123"
    assert options["--max-image-tokens"] == "2688"
    assert options["--max-kv-cache-capacity"] == "8192"
    assert options["--cache-dir"] == str(tmp_path / "engines")
    assert command[-1] == "--enable-context-reuse"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checkpoint": "../elsewhere"}, "checkpoint: expected letters"),
        ({"checkpoint": "/etc"}, "checkpoint: expected letters"),
        ({"model": "--host=0.0.0.0"}, "model: expected letters"),
        ({"engine_cache": "a b"}, "engine_cache: expected letters"),
        ({"server": "sh"}, "server: expected edge-llm, got 'sh'"),
        ({"url": "http://0.0.0.0:8000/v1"}, "url: expected http://127.0.0.1:PORT/v1"),
        ({"url": "http://127.0.0.1:80/v1"}, "port of 1024..65535"),
        ({"url": "http://127.0.0.1:99999/v1"}, "out of range"),
        ({"url": 7}, "url: expected"),
        ({"precision": "fp8"}, "precision: expected one of"),
        ({"source_sha256": "x"}, "64 hexadecimal digits"),
        ({"context_reuse": 1}, "expected true or false"),
        ({"tools": {"a": 1}}, "names and versions"),
        ({"format": 2}, "format: expected 1"),
        ({"command": "rm"}, r"unknown keys \['command'\]"),
        ({"limits": {}}, "limits: missing keys"),
    ],
)
def test_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = write_entry(tmp_path, make_entry())
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(PlanMismatchError, match=message):
        load_entry(tmp_path)


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff"])
def test_no_entry(tmp_path: Path, text: str) -> None:
    with pytest.raises(PlanMismatchError, match="not found; expected what export"):
        load_entry(tmp_path)
    (tmp_path / ENTRY_NAME).write_bytes(text.encode("latin-1"))
    with pytest.raises(PlanMismatchError, match="rebuild with"):
        load_entry(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((7169, 8192, 2688, 768, 1024), "max_kv_tokens: expected at least"),
        ((2688, 8192, 2688, 768, 1024), "max_image_tokens: expected less"),
        ((7168, 8192, 700, 768, 1024), "max_image_tokens_per_image: expected at most"),
        ((True, 8192, 2688, 768, 1024), "max_input_tokens: expected an integer 512"),
        ((7168, 8192, 2688, 768, 1), "max_reply_tokens: expected an integer 16"),
    ],
)
def test_limits(values: tuple[int, int, int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PolicyLimits(*values)
