"""Stages of a build: each makes one thing, is logged, and is not done again while its inputs are the same."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from icseg.errors import BackendError, ConfigError
from icseg.policy_server.process import tail

_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Stage:
    """One step.

    Attributes:
        name: for people, logs and the record.
        does: one line for people.
        makes: file or folder that it leaves.
        key: everything that its result depends on.
        command: argument list for a program, or empty; it writes to ``draft``.
        work: is called with ``draft`` after the command, or instead of one.
        environment: variables for the command.
    """

    name: str
    does: str
    makes: Path
    key: tuple[str, ...]
    command: tuple[str, ...] = ()
    work: Callable[[Path], None] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def draft(self) -> Path:
        """Where it writes until it is finished."""
        return self.makes.with_name(self.makes.name + ".part")


@dataclass(slots=True)
class StageRecord:
    """Which stages are finished, in a file of the output folder."""

    path: Path

    def is_done(self, stage: Stage) -> bool:
        """It was finished with these inputs, and what it made is there."""
        return stage.makes.exists() and self._read().get(stage.name) == _digest(stage.key)

    def finish(self, stage: Stage) -> None:
        """Note it."""
        values = {**self._read(), stage.name: _digest(stage.key)}
        draft = self.path.with_suffix(".part")
        draft.write_text(json.dumps(values, indent=1) + "\n")
        draft.replace(self.path)

    def _read(self) -> dict[str, str]:
        try:
            values = json.loads(self.path.read_text())
        except (OSError, ValueError):
            return {}  # no record, or one that broke off: everything is done again
        return values if isinstance(values, dict) else {}


def run_stage(stage: Stage, record: StageRecord, logs: Path) -> float:
    """Do one stage; returns its seconds, 0 when it was done already.

    What it made before stays until the new one is whole.

    Raises:
        BackendError: the program failed; the text has the last lines of its log.
        ConfigError: the program cannot be started, or the disk is full.
    """
    if record.is_done(stage):
        return 0.0
    started = time.monotonic()
    remove(stage.draft)
    try:
        if stage.command:
            run_command(stage.command, logs / f"{stage.name}.log", stage.name, stage.environment)
        if stage.work is not None:
            stage.work(stage.draft)
        if not stage.draft.exists():
            raise BackendError(f"{stage.name}: the program ended well but left no {stage.draft.name}")
        remove(stage.makes)
        stage.draft.replace(stage.makes)
        record.finish(stage)
    except OSError as error:
        raise ConfigError(f"{stage.name}: {error}") from error
    finally:
        remove(stage.draft)
    return time.monotonic() - started


def run_command(command: Sequence[str], log: Path, name: str, environment: Mapping[str, str]) -> None:
    """Run a program with its output in a log, and show time and last line; it and its children end with us."""
    log.parent.mkdir(parents=True, exist_ok=True)
    started, is_shown = time.monotonic(), sys.stderr.isatty()
    with log.open("wb") as file:
        try:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HF_HUB_OFFLINE": "1", **environment},
                start_new_session=True,
            )
        except OSError as error:
            raise ConfigError(f"{name}: {command[0]} cannot be started: {error}") from error
    try:
        while (code := process.poll()) is None:
            if is_shown:
                line = f"\r\033[K  {name} {time.monotonic() - started:5.0f} s  {tail(log, 1)[:90]}"
                print(line, end="", file=sys.stderr, flush=True)
            time.sleep(_POLL_S)
    finally:
        if is_shown:
            print("\r\033[K", end="", file=sys.stderr)
        # Whatever it started ends with it, also after Ctrl-C.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if code != 0:
        said = f"{Path(command[0]).name} ended with code {code}"
        raise BackendError(f"{name}: {said}; last lines of {log}:\n{tail(log, 12)}")


def remove(path: Path) -> None:
    """Remove a file or folder if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _digest(key: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(key).encode()).hexdigest()
