"""Segmenting a camera: one thread takes frames, one reads the terminal, one steps; the newest frame wins."""

from __future__ import annotations

import argparse
import sys
import threading
from collections import deque

from icseg.cli.people import Person
from icseg.cli.results import ResultFolder
from icseg.cli.sources import Source
from icseg.errors import IcsegError
from icseg.models import Models
from icseg.session import events
from icseg.session.events import State
from icseg.session.session import Session
from icseg.types import Frame, TrackResult


class LiveJob:
    """A camera: one thread takes frames, one reads the terminal, this one steps; the newest frame wins."""

    def __init__(
        self, args: argparse.Namespace, models: Models, source: Source, person: Person, results: ResultFolder
    ) -> None:
        self.args, self.source, self.person, self.results = args, source, person, results
        self.session = Session(models.policy, models.tracker, models.settings.session)
        self.frames: deque[Frame] = deque(maxlen=300)
        self.error: str | None = None
        self.is_over = threading.Event()
        self.reversed: list[TrackResult] = []

    def run(self) -> str | None:
        """Run until the camera or the dialogue ends, ``--max-frames`` are taken, or Ctrl-C; an error text or None."""
        threading.Thread(target=self._take_frames, daemon=True).start()
        try:
            self._loop()
        except KeyboardInterrupt:
            pass  # how a person ends a live stream
        finally:
            self.is_over.set()
            self.session.close()
        return self.error

    def _take_frames(self) -> None:
        try:
            for frame in self.source.frames:
                if self.is_over.is_set() or (self.args.max_frames is not None and frame.index >= self.args.max_frames):
                    break
                self.frames.append(frame)
                self.session.push_frame(frame)
        except IcsegError as failure:
            self.error = str(failure)
        except Exception as failure:
            self.error = f"the camera broke: unexpected {type(failure).__name__}: {failure}"
            raise  # with its traceback, which the thread prints
        finally:
            self.is_over.set()

    def _loop(self) -> None:
        has_spoken = False
        while not self.is_over.is_set() or self.session.state is State.TARGETING:
            if not has_spoken and self.frames and self.frames[-1].stamp_ns >= self.args.at * 1e9:
                has_spoken = True
                if self.args.box is not None:
                    self.session.point_at(tuple(self.args.box))
                else:
                    self.session.say(self.args.command)
            new = self.session.step()
            if not new and not self.session.is_behind:
                self.is_over.wait(0.002)
            for event in new:
                self.results.log.append(event)
                if isinstance(event, events.Asked) and not event.is_repeat:
                    threading.Thread(target=self._answer, args=(event,), daemon=True).start()
                elif isinstance(event, events.Tracked):
                    frame = next((f for f in reversed(self.frames) if f.stamp_ns == event.stamp_ns), None)
                    if frame is not None:
                        self.results.add_frame(frame, event.result, self.args.command)
                elif isinstance(event, events.Rejected | events.Degraded):
                    print(f"icseg: {event.error}", file=sys.stderr)
                elif isinstance(event, events.CameraStalled):
                    print(f"icseg: no frame for {event.silent_s:.1f} s; is the camera there?", file=sys.stderr)
                elif isinstance(event, events.GaveUp | events.Failed | events.Stopped):
                    self.is_over.set()

    def _answer(self, asked: events.Asked) -> None:
        words = self.person.answer(asked)
        if words is not None:
            self.session.say(words)
