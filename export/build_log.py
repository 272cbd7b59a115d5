"""What TensorRT's builder says while it builds: its memory figures, its progress, and how it is stopped."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from tqdm import tqdm

_MEMORY = re.compile(r"Total (Activation|Weights) Memory: (\d+) bytes")


def memory_bytes(lines: list[str]) -> dict[str, int]:
    """``weights`` and ``activation`` memory of the engine in bytes, as far as the log tells them."""
    return {match[1].lower(): int(match[2]) for line in lines if (match := _MEMORY.search(line))}


class BuildProgress:
    """One progress bar that follows the innermost phase, and whether the build was asked to stop.

    Args:
        title: stands before the bar.
        is_shown: without, only the wish to stop is passed on. Nothing is drawn where stderr is no terminal.
    """

    def __init__(self, title: str, *, is_shown: bool) -> None:
        self.is_stopped = False
        self._title = title
        self._phases: list[tuple[str, int]] = []
        # the builder reports from several threads
        self._lock = threading.Lock()
        self._bar = tqdm(desc=title, leave=False, disable=None if is_shown else True)

    def monitor(self, trt: ModuleType) -> Any:
        """The object that the builder reports to."""
        progress = self

        class Monitor(trt.IProgressMonitor):  # type: ignore[name-defined,misc]
            def __init__(self) -> None:
                super().__init__()

            def phase_start(self, phase_name: str, parent_phase: str | None, num_steps: int) -> None:
                progress._start(phase_name, num_steps)

            def phase_finish(self, phase_name: str) -> None:
                progress._finish(phase_name)

            def step_complete(self, phase_name: str, step: int) -> bool:
                progress._step(phase_name, step)
                return not progress.is_stopped

        return Monitor()

    def _start(self, name: str, steps: int) -> None:
        with self._lock:
            self._phases.append((name, steps))
            self._show()

    def _finish(self, name: str) -> None:
        with self._lock:
            self._phases = [phase for phase in self._phases if phase[0] != name]
            self._show()

    def _step(self, name: str, step: int) -> None:
        with self._lock:
            if self._phases and self._phases[-1][0] == name:
                self._bar.n = step + 1
                self._bar.update(0)

    def _show(self) -> None:
        if self._phases:
            name, steps = self._phases[-1]
            self._bar.set_description(f"{self._title}: {name}")
            self._bar.reset(total=steps)

    @contextmanager
    def running(self) -> Iterator[None]:
        """While it builds, Ctrl-C asks the builder to stop after its step, instead of an exception inside it.

        Raises:
            KeyboardInterrupt: on leaving, if the build was stopped.
        """
        is_main = threading.current_thread() is threading.main_thread()
        before = signal.signal(signal.SIGINT, lambda *_: self._stop()) if is_main else None
        try:
            yield
        finally:
            if is_main:
                signal.signal(signal.SIGINT, before)
            self._bar.close()
        if self.is_stopped:
            raise KeyboardInterrupt

    def _stop(self) -> None:
        self.is_stopped = True
