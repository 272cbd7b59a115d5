"""A process of a benchmark: started, watched through /proc, interrupted as a person would, and never left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

PATIENCE_S = 20.0
"""A process must have said what is waited for, or ended, so soon."""


class Process:
    """One child with a session of its own; a context manager that kills it if it still runs.

    Args:
        name: for messages.
        argv: the command line.
        env: its environment.
        log: file that takes what it writes.
    """

    def __init__(self, name: str, argv: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("wb") as written:
            self._popen = subprocess.Popen(
                list(argv),
                env=dict(env),
                stdin=subprocess.PIPE,
                stdout=written,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def __enter__(self) -> Process:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    @property
    def is_alive(self) -> bool:
        """It has not ended."""
        return self._popen.poll() is None

    def text(self) -> str:
        """What it wrote so far."""
        return self.log.read_text(errors="replace")

    def wait_for(self, pattern: str, deadline_s: float = PATIENCE_S) -> re.Match[str]:
        """The first place where what it writes matches a regular expression.

        Raises:
            RuntimeError: it ended before, or it took too long; the text holds what it wrote.
        """
        ends_at = time.monotonic() + deadline_s
        while True:
            was_alive = self.is_alive
            if found := re.search(pattern, self.text()):
                return found
            if not was_alive or time.monotonic() > ends_at:
                how = f"waited {deadline_s:g} s" if was_alive else f"it ended with {self._popen.returncode}"
                raise RuntimeError(f"{self.name}: no {pattern!r} in what it wrote; {how}:\n{self.text()[-4000:]}")
            time.sleep(0.02)

    def tell(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(line.encode() + b"\n")
        self._popen.stdin.flush()

    def cpu_s(self) -> float:
        """Seconds of processor time of all its threads since it began; 0 when it is gone."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def resident_mb(self) -> float:
        """Resident memory, 10^6 bytes; 0 when it is gone."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def interrupt(self, deadline_s: float = PATIENCE_S) -> int:
        """SIGINT, as Ctrl-C sends it; the exit status.

        Raises:
            RuntimeError: it did not end in time, and was killed.
        """
        if self.is_alive:
            self._popen.send_signal(signal.SIGINT)
        try:
            return self._popen.wait(deadline_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise RuntimeError(
                f"{self.name}: did not end within {deadline_s:g} s after SIGINT:\n{self.text()[-4000:]}"
            ) from None

    def kill(self) -> None:
        """SIGKILL, and wait for it; nothing when it has ended."""
        if self.is_alive:
            self._popen.kill()
        self._popen.wait()
        if self._popen.stdin is not None:
            self._popen.stdin.close()
