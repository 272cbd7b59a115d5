"""Segmenting a recording: nothing is live, so every frame is tracked, also the ones before the keyframe."""

from __future__ import annotations

import argparse
import sys
from collections import deque
from collections.abc import Iterator

from tqdm import tqdm

from icseg.cli.people import Person
from icseg.cli.results import ResultFolder
from icseg.cli.sources import Source
from icseg.errors import IcsegError
from icseg.models import Models
from icseg.session import events
from icseg.session.events import State
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.settings import Said
from icseg.types import Frame, TrackResult

PREFERRED = Said(
    "icseg segment, for a recording",
    {
        "session.following.every_frame": True,
        "session.following.search_timeout_s": 86_400.0,
        "session.dialogue.answer_timeout_s": 3600.0,
    },
)
"""Settings that suit a recording: it waits for everybody."""


class RecordedJob:
    """A recording: nothing is live, so every frame is tracked, and frames before the keyframe in reverse."""

    def __init__(
        self, args: argparse.Namespace, models: Models, source: Source, person: Person, results: ResultFolder
    ) -> None:
        self.args, self.source, self.person, self.results = args, source, person, results
        self.config, self.tracker = models.settings.session, models.tracker
        self.session = Session(models.policy, self.tracker, self.config, executor=InlineExecutor())
        self.waiting: deque[Frame] = deque()
        self.hw: tuple[int, int] | None = None
        self.caption = ""
        self.reversed: list[TrackResult] = []

    def run(self) -> str | None:
        """Feed all frames; returns an error text, or None."""
        total = min(filter(None, (self.source.count, self.args.max_frames)), default=None)
        is_quiet = self.args.json or total == 1 or not sys.stderr.isatty()
        bar = tqdm(total=total, desc="frames", unit="frame", disable=is_quiet, leave=False)
        # words are about the last seconds, a box about one frame
        look_back_s = self.config.dialogue.look_back_s if self.args.box is None else 0.0
        has_spoken, error = False, None
        frames = self._frames()
        try:
            for frame in frames:
                self.hw = self.hw or frame.hw
                if frame.hw == self.hw:  # the session refuses any other, and says so
                    self.waiting.append(frame)
                self.session.push_frame(frame)
                bar.update()
                if not has_spoken and frame.stamp_ns >= (self.args.at + look_back_s) * 1e9:
                    has_spoken = True
                    self._speak()
                self._drain()
                if has_spoken and self.session.state in (State.IDLE, State.GAVE_UP):
                    break
            if not has_spoken and self.waiting:
                self._speak()
                self._drain()
        except IcsegError as failure:
            error = str(failure)
            self._drain()
        bar.close()
        for frame in self.waiting:
            self.results.add_frame(frame, None, self.caption)
        self.session.close()
        return error

    def _frames(self) -> Iterator[Frame]:
        for frame in self.source.frames:
            if self.args.max_frames is not None and frame.index >= self.args.max_frames:
                return
            yield frame

    def _speak(self) -> None:
        """Point, or say the command and answer until the dialogue is over."""
        if self.args.box is not None:
            self.session.point_at(tuple(self.args.box))
        else:
            self.session.say(self.args.command)
        while True:
            self._take(self.session.step())
            if self.session.state is not State.ASKING:
                return
            asked = next(event for event in reversed(self.results.log) if isinstance(event, events.Asked))
            words = self.person.answer(asked)
            self.session.say(words if words is not None else "stop")

    def _drain(self) -> None:
        """Let the tracker take every frame that waits."""
        while new := self.session.step():
            self._take(new)

    def _take(self, new: list[events.Event]) -> None:
        for event in new:
            self.results.log.append(event)
            match event:
                case events.Asked():
                    self.caption = f"icseg: {event.question}"
                case events.Answered():
                    self.caption = f"you: {event.text}"
                case events.Rejected() | events.Degraded():
                    print(f"icseg: {event.error}", file=sys.stderr)
                case events.Targeted():
                    self._track_backwards(event)
                case events.Tracked():
                    self._show(event.result)

    def _track_backwards(self, target: events.Targeted) -> None:
        """Segment the frames before the keyframe too, as the paper does: their clock is mirrored at the keyframe."""
        earlier = [frame for frame in self.waiting if frame.stamp_ns < target.stamp_ns]
        keyframe = next(frame for frame in self.waiting if frame.stamp_ns == target.stamp_ns)
        state = self.tracker.start(keyframe, target.prompt)
        for frame in reversed(earlier):
            mirrored = Frame(frame.image, 2 * keyframe.stamp_ns - frame.stamp_ns, frame.index)
            self.reversed.append(self.tracker.step(state, mirrored))
        for frame, result in zip(earlier, reversed(self.reversed), strict=True):
            self.results.add_frame(frame, result, self.args.command)
            self.waiting.remove(frame)

    def _show(self, result: TrackResult) -> None:
        while self.waiting:
            frame = self.waiting.popleft()
            is_this = frame.stamp_ns == result.stamp_ns
            self.results.add_frame(frame, result if is_this else None, self.args.command)
            if is_this:
                return
