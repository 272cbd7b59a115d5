"""A server as a child process: started, waited for until it answers, and stopped with all its children.

It knows processes, a log file and one HTTP address; not what is served there.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType, TracebackType

from icseg.errors import BackendError, ConfigError

_POLL_S = 0.1
_KILL_TIMEOUT_S = 5.0
"""A killed process needs a moment to be gone on a busy machine."""
_PROBE_TIMEOUT_S = 2.0
_TAIL_BYTES = 8192


class ServerProcess:
    """One server process in a process group of its own.

    Args:
        command: argument list; never goes through a shell.
        log: receives both output streams, from its beginning.
        port: where it will listen on 127.0.0.1.
        ready_path: answers HTTP 200 when the server can take requests.
        environment: variables that are added to this process's own.
        stop_timeout_s: how long it may take to end after SIGTERM before it is killed.

    Raises:
        ConfigError: the port is taken, or the program cannot be started.
    """

    def __init__(
        self,
        command: Sequence[str],
        log: Path,
        *,
        port: int,
        ready_path: str = "/health/ready",
        environment: Mapping[str, str] | None = None,
        stop_timeout_s: float = 15.0,
    ) -> None:
        _check_port(port)
        self.log = log
        self._port = port
        self._ready_path = ready_path
        self._stop_timeout_s = stop_timeout_s
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as file:
            try:
                self._process = subprocess.Popen(
                    list(command),
                    stdin=subprocess.DEVNULL,
                    stdout=file,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                )
            except OSError as error:
                raise ConfigError(f"{command[0]}: cannot be started: {error}") from error

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def wait_until_ready(self, timeout_s: float, on_wait: Callable[[float, str], None] | None = None) -> float:
        """Wait until the server answers; returns the seconds that it took.

        Args:
            timeout_s: from now.
            on_wait: is called with the seconds so far and the last line of the log, a few times a second.

        Raises:
            BackendError: the process ended, or did not answer in time; the text has the last lines of its log.
        """
        started = time.monotonic()
        while True:
            waited = time.monotonic() - started
            if (code := self._process.poll()) is not None:
                raise BackendError(f"the server ended with code {code} before it was ready; {self._last_words()}")
            if self._is_ready():
                return waited
            if waited > timeout_s:
                raise BackendError(
                    f"the server did not answer at http://127.0.0.1:{self._port}{self._ready_path} within "
                    f"{timeout_s:g} s; {self._last_words()}"
                )
            if on_wait is not None:
                on_wait(waited, tail(self.log, 1))
            time.sleep(_POLL_S)

    def wait(self) -> int:
        """Wait until the server ends by itself; its exit code."""
        return self._process.wait()

    def stop(self) -> None:
        """End the whole process group: SIGTERM, and SIGKILL for what is left after the time-out."""
        for number, timeout_s in ((signal.SIGTERM, self._stop_timeout_s), (signal.SIGKILL, _KILL_TIMEOUT_S)):
            end = time.monotonic() + timeout_s
            self._signal(number)
            while self._signal(0) and time.monotonic() < end:
                self._process.poll()  # reaps it: a zombie counts as a member of the group
                time.sleep(_POLL_S / 5)
        self._process.wait()

    def _signal(self, number: int) -> bool:
        try:
            os.killpg(self._process.pid, number)
        except ProcessLookupError:
            return False
        return True

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PROBE_TIMEOUT_S)
        try:
            connection.request("GET", self._ready_path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def _last_words(self) -> str:
        said = tail(self.log, 12)
        return f"last lines of {self.log}:\n{said}" if said else f"{self.log} is empty"


def find_program(name: str, folder: Path | None) -> Path:
    """Where a program is: in ``folder`` if given, else beside this Python, else on PATH.

    Raises:
        ConfigError: it is not there; says how to get it.
    """
    places = [folder] if folder is not None else [Path(sys.executable).parent, None]
    for place in places:
        found = shutil.which(name, path=None if place is None else str(place))
        if found is not None:
            return Path(found).absolute()
    where = str(folder) if folder is not None else "beside this Python and on PATH"
    raise ConfigError(f"{name} was not found ({where}): install TensorRT Edge-LLM (docs/policy.md), or pass --tools")


@contextlib.contextmanager
def terminate_as_interrupt() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt: a service manager stops with it, and children must not outlive that either."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)


def tail(log: Path, lines: int) -> str:
    """The last lines of a log that are not blank."""
    with log.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join([line.rstrip() for line in text.splitlines() if line.strip()][-lines:])


def _check_port(port: int) -> None:
    """A server that is there already would answer in the place of ours."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ConfigError(
                f"port {port} on 127.0.0.1 cannot be used ({error.strerror}): is a server running there already? "
                "Choose another with --port"
            ) from error
