"""``icseg config`` prints what is in force, and what it prints can be kept as a file that says the same."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
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


@pytest.mark.parametrize(
    "text", ['quo"te', "back\\slash", "tab\tline\nnul\0del\x7f", "größer", "\N{GRINNING FACE}", "# x"]
)
def test_every_text_is_printed_as_toml(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    assert main(["config", "--chat.model", text]) == 0
    (tmp_path / "kept.toml").write_text(capsys.readouterr().out, encoding="utf-8")
    assert read_settings_file(tmp_path / "kept.toml").values == {"chat.model": text}


def test_the_name_of_a_file_ends_no_comment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a\nb.toml"
    file.write_text("chat.seed = 7\n")
    assert main(["config", "--config", str(file)]) == 0
    (tmp_path / "kept.toml").write_text(capsys.readouterr().out)
    assert read_settings_file(tmp_path / "kept.toml").values == {"chat.seed": 7}


def test_a_file_that_can_be_read_once(tmp_path: Path) -> None:
    """As ``icseg config --config <(make-settings)``."""
    command = [sys.executable, "-m", "icseg.cli.main", "config", "--config", "/dev/stdin"]
    printed = subprocess.run(command, input="chat.seed = 7\n", capture_output=True, text=True, check=True).stdout
    (tmp_path / "kept.toml").write_text(printed)
    assert read_settings_file(tmp_path / "kept.toml").values == {"chat.seed": 7}


def test_a_reader_that_has_enough_is_no_fault() -> None:
    """As ``icseg config | head -1``."""
    command = [sys.executable, "-m", "icseg.cli.main", "config", "--describe"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        errors = process.stderr.read()
    assert (process.returncode, errors) == (128 + signal.SIGPIPE, b"")


def test_what_cannot_be_written_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "icseg.cli.main", "config"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.startswith("icseg: [Errno 28] No space left on device")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--chat.sede 1", "icseg config: unknown setting chat.sede; did you mean chat.seed?"),
        ("--chat.sede=1", "icseg config: unknown setting chat.sede; did you mean chat.seed?"),
        ("--max_questions 1", "icseg config: unrecognized argument: --max_questions; --help lists them"),
        ("--chat.seed x", "icseg config: argument --chat.seed: expected an integer 0..2147483647, got 'x'; "),
        ("--track.buffer_mb 64", "icseg config: --track.buffer_mb is called --session.buffer.max_mb now; "),
    ],
)
def test_a_wrong_flag_is_one_line(arguments: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["config", *arguments.split()])
    error = capsys.readouterr().err
    assert ended.value.code == 2
    assert error.startswith(message)
    assert error.count("\n") == 1
