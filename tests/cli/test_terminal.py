"""The demo at a terminal: a person types the command and the answers."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
from pathlib import Path

SILENCE_S = 90.0


class Terminal:
    """A program with a terminal for its input and output."""

    def __init__(self, *command: str) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
        os.close(theirs)
        self.seen = ""

    def read_until(self, words: str) -> str:
        """Everything up to some words, which must come; the words are consumed."""
        while words not in self.seen:
            assert select.select([self.ours], [], [], SILENCE_S)[0], f"nothing after {self.seen!r}"
            try:
                part = os.read(self.ours, 65536)
            except OSError:  # Linux: the other side is closed
                part = b""
            assert part, f"ended before {words!r}; said {self.seen!r}"
            self.seen += part.decode(errors="replace")
        before, _, self.seen = self.seen.partition(words)
        return before

    def type(self, words: str) -> None:
        """Type a line."""
        os.write(self.ours, f"{words}\n".encode())

    def close(self) -> int:
        """Read the rest; returns the exit code."""
        try:
            while os.read(self.ours, 65536):
                pass
        except OSError:
            pass
        finally:
            os.close(self.ours)
        return self.process.wait(SILENCE_S)


def test_typed_dialogue(tmp_path: Path) -> None:
    terminal = Terminal(sys.executable, "-m", "icseg.cli.main", "demo", "--clip", "--out", str(tmp_path))
    try:
        asked_for = terminal.read_until("\n> ")
        assert "now.png" in asked_for
        assert (tmp_path / "now.png").stat().st_size > 10_000
        terminal.type("the mug")
        question = terminal.read_until("\n> ")
        assert "?" in question
        assert "purple" in question
        terminal.type("the purple one")
        assert "purple mug" in terminal.read_until("mean J")
        assert terminal.close() == 0
    finally:
        terminal.process.kill()
    transcript = json.loads((tmp_path / "transcript.json").read_text())
    answered = [row for row in transcript["events"] if row["event"] == "Answered"]
    assert [row["text"] for row in answered] == ["the purple one"]


def test_end_of_input_ends_the_dialogue(tmp_path: Path) -> None:
    terminal = Terminal(
        sys.executable, "-m", "icseg.cli.main", "demo", "--clip", "--command", "the mug", "--out", str(tmp_path)
    )
    try:
        assert "?" in terminal.read_until("\n> ")
        os.write(terminal.ours, b"\x04")  # Ctrl-D
        terminal.read_until("FAILED")
        assert terminal.close() == 1
    finally:
        terminal.process.kill()
