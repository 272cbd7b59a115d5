"""A program that does a stage's work: its output in a log, a line on the terminal meanwhile, and an end with ours."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from icseg.errors import BackendError, ConfigError
from icseg.policy_server.process import tail

_POLL_S = 0.1
_SHOWN_CHARACTERS = 90
_LINES_IN_ERROR = 12


@dataclass(frozen=True, slots=True)
class Program:
    """A command line.

    Attributes:
        command: argument list; never goes through a shell.
        environment: variables that are added to this process's own.
    """

    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, name: str, log: Path) -> None:
        """Run it to its end, with no input and no access to the hub; its children end with it, also after Ctrl-C.

        Args:
            name: what it does, for people.
            log: receives both output streams, from its beginning.

        Raises:
            ConfigError: it cannot be started.
            BackendError: it failed; the text has the last lines of the log.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            try:
                process = subprocess.Popen(
                    list(self.command),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, "HF_HUB_OFFLINE": "1", **self.environment},
                    start_new_session=True,
                )
            except OSError as error:
                raise ConfigError(f"{name}: {self.command[0]} cannot be started: {error}") from error
        try:
            code = _wait(process, name, log)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if code != 0:
            said = f"{Path(self.command[0]).name} ended with code {code}"
            raise BackendError(f"{name}: {said}; last lines of {log}:\n{tail(log, _LINES_IN_ERROR)}")


def _wait(process: subprocess.Popen[bytes], name: str, log: Path) -> int:
    """The exit code; until then, on a terminal, one line with the time and the last line of the log."""
    started, is_shown = time.monotonic(), sys.stderr.isatty()
    try:
        while (code := process.poll()) is None:
            if is_shown:
                show_progress(name, time.monotonic() - started, tail(log, 1))
            time.sleep(_POLL_S)
    finally:
        if is_shown:
            print("\r\033[K", end="", file=sys.stderr)
    return code


def show_progress(name: str, seconds: float, line: str) -> None:
    """Overwrite the terminal's line."""
    print(f"\r\033[K  {name} {seconds:5.0f} s  {line[:_SHOWN_CHARACTERS]}", end="", file=sys.stderr, flush=True)
