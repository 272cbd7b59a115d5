"""``icseg serve-policy`` starts a real child process, waits for it, and leaves nothing running."""

from __future__ import annotations

import argparse
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from icseg.cli.main import main
from icseg.cli.options import add_options, effective_of
from icseg.dialogue.chat.config import ChatConfig
from icseg.errors import ConfigError, PlanMismatchError
from icseg.policy_server.entry import write_entry
from icseg.policy_server.process import ServerProcess
from icseg.settings import from_values
from tests.policy_server.scripted_edge_llm import free_port, install, is_running
from tests.policy_server.test_entry import make_entry


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    folder = tmp_path / "engines" / "policy"
    (folder / "checkpoint").mkdir(parents=True)
    write_entry(folder, make_entry(free_port()))
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "tools"
    yield folder
    for pid in (folder / "pids").read_text().split() if (folder / "pids").is_file() else []:
        assert not is_running(int(pid)), "a child outlived the server"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serves_until_it_is_stopped(policy: Path, tools: Path, number: signal.Signals) -> None:
    install(tools)
    command = [sys.executable, "-m", "icseg.cli.main", "serve-policy", str(policy), "--tools", str(tools), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = json.loads(process.stdout.readline())
        child = int((tools / "pids").read_text())
        assert is_running(child)
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "was stopped" in errors
    assert said["model"] == "qwen3-vl-2b"
    assert not is_running(child)
    argv = json.loads((tools / "argv.json").read_text())
    assert argv[0] == str(policy / "checkpoint")
    assert argv[argv.index("--host") + 1] == "127.0.0.1"
    assert (policy / "serve.log").read_text() == "loading weights\n"


def test_a_server_that_dies(policy: Path, tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(tools, "dies")
    assert main(["serve-policy", str(policy), "--tools", str(tools)]) == 2
    error = capsys.readouterr().err
    assert "ended with code 1 before it was ready; last lines of" in error
    assert "CUDA out of memory while building the visual engine" in error


def test_a_server_that_never_answers(policy: Path, tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    install(tools, "silent")
    assert main(["serve-policy", str(policy), "--tools", str(tools), "--ready-timeout", "2"]) == 2
    error = capsys.readouterr().err
    assert "did not answer at http://127.0.0.1:" in error
    assert "within 2 s" in error
    assert "loading weights" in error


def test_what_is_wrong_before_the_start(policy: Path, tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error_of(*args: str) -> str:
        assert main(["serve-policy", *args]) == 2
        return capsys.readouterr().err

    tools.mkdir()
    assert "tensorrt-edgellm-serve was not found" in error_of(str(policy), "--tools", str(tools))
    install(tools)
    with pytest.raises(SystemExit):
        main(["serve-policy", str(policy), "--tools", str(tools), "--ready-timeout", "0"])
    assert "--ready-timeout: expected a number 0.1..86400, got 0.0" in capsys.readouterr().err
    assert "port of 1024..65535" in error_of(str(policy), "--tools", str(tools), "--port", "80")
    assert "not found; expected what" in error_of(str(policy.parent))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert "is a server running there already?" in error_of(str(policy), "--tools", str(tools), "--port", str(port))
    (policy / "checkpoint").rmdir()
    assert "Copy the whole folder" in error_of(str(policy), "--tools", str(tools))


def test_it_needs_none_of_the_models(
    policy: Path, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file for the whole robot may choose engines that lie on another machine, and a server that is not this one."""
    monkeypatch.setenv("ICSEG_MODELS", str(tmp_path / "nowhere"))
    file = tmp_path / "robot.toml"
    file.write_text("model.engines = 'nowhere'\nchat.repetition_penalty = 1.1\npolicy_server.ready_timeout_s = 2\n")
    install(tools, "silent")
    assert main(["serve-policy", str(policy), "--tools", str(tools), "--config", str(file)]) == 2
    assert "within 2 s" in capsys.readouterr().err
    file.write_text("chat.sede = 1\n")
    assert main(["serve-policy", str(policy), "--tools", str(tools), "--config", str(file)]) == 2
    assert "unknown setting chat.sede" in capsys.readouterr().err


def test_only_its_own_short_names_belong_to_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """``--port`` beside ``--chat-url`` would look like the port of the chat server."""
    for command, own, other in (("serve-policy", "--port", "--engines"), ("segment", "--engines", "--port")):
        with pytest.raises(SystemExit):
            main([command, "--help"])
        told = capsys.readouterr().out
        assert own in told
        assert other not in told
    with pytest.raises(SystemExit):
        main(["segment", "frames", "the mug", "--port", "9"])
    assert "unrecognized argument: --port" in capsys.readouterr().err


def chat_config(*args: str) -> ChatConfig:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return effective_of(parser.parse_args(["--policy", "chat", *args])).settings.chat


def test_the_entry_configures_the_chat_policy(policy: Path, tmp_path: Path) -> None:
    expected = from_values("chat", ChatConfig, make_entry().chat_settings())
    write_entry(policy, make_entry())
    assert chat_config("--engines", str(policy.parent)) == expected
    assert chat_config("--chat-config", str(policy / "policy.json")) == expected
    other = chat_config("--engines", str(policy.parent), "--chat-url", "http://127.0.0.1:9/v1")
    assert other == replace(expected, url="http://127.0.0.1:9/v1")
    assert chat_config("--engines", str(tmp_path)).url == "http://127.0.0.1:8000/v1"
    with pytest.raises(PlanMismatchError, match="not found"):
        chat_config("--chat-config", str(tmp_path / "nothing.json"))
    with pytest.raises(ConfigError, match=r"chat\.url"):
        chat_config("--chat-url", "ftp://x")


def test_a_server_that_ignores_sigterm_is_killed(tools: Path) -> None:
    program = install(tools, "silent")
    program.write_text(
        program.read_text().replace("mode =", "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\nmode =", 1)
    )
    server = ServerProcess([str(program)], tools / "log", port=free_port(), stop_timeout_s=0.5)
    while not (tools / "pids").is_file():
        time.sleep(0.02)
    server.stop()
    assert server.wait() == -signal.SIGKILL
