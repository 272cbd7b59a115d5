"""``icseg config`` prints what is in force, and what it prints can be kept as a file that says the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from icseg.cli.main import main
from icseg.runtime_settings import read_settings_file
from tests.every_setting import SETTINGS


def test_it_prints_a_file_that_says_what_was_said_and_no_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "robot.toml").write_text('chat.model = "x # y"\n[session.buffer]\nmax_mb = 64\n')
    assert main(["config", "--config", str(tmp_path / "robot.toml"), "--session.following.rechecks", "false"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "kept.toml").write_text(printed)
    assert read_settings_file(tmp_path / "kept.toml").values == {
        "chat.model": "x # y",
        "session.buffer.max_mb": 64,
        "session.following.rechecks": False,
    }
    assert "# chat.seed = 0" in printed
    assert [line.removeprefix("# ").split(" = ")[0] for line in printed.splitlines()] == [
        item.name for item in SETTINGS
    ]


def test_each_value_comes_with_who_said_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "robot.toml").write_text("chat.seed = 7\n")
    assert main(["config", "--config", str(tmp_path / "robot.toml"), "--threads", "1", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["chat.seed"] == {"value": 7, "source": str(tmp_path / "robot.toml")}
    assert record["model.threads"] == {"value": 1, "source": "the command line"}
    assert record["chat.max_tokens"] == {"value": 1024, "source": "default"}


def test_it_tells_what_each_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["config", "--describe"]) == 0
    printed = capsys.readouterr().out
    for item in SETTINGS:
        assert f"# {item.meaning}" in printed


def test_a_wrong_file_is_one_line_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "robot.toml").write_text("chat.sede = 7\n")
    assert main(["config", "--config", str(tmp_path / "robot.toml")]) == 2
    error = capsys.readouterr().err
    assert error == f"icseg: {tmp_path / 'robot.toml'}: unknown setting chat.sede; did you mean chat.seed?\n"
