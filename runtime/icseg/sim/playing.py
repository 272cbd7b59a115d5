"""A recorded scene played to a session: the command, the answers, and what came of it, frame by frame.

For evaluation: frames come as fast as they are taken, and a person's delay is counted in frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from icseg.session import events
from icseg.sim.truth import SimFrame
from icseg.types import Frame

ReplyTo = Callable[[events.Asked, SimFrame], str]
"""The person: a question and what the camera shows now -> their words."""


class Played(Protocol):
    """The part of ``session.Session`` that is needed."""

    def push_frame(self, frame: Frame) -> object:
        """A new frame of the camera."""
        ...

    def say(self, text: str) -> object:
        """Something that the person says."""
        ...

    def step(self) -> Sequence[events.Event]:
        """What happened."""
        ...

    def close(self) -> None:
        """The end."""
        ...


@dataclass(frozen=True, slots=True)
class Script:
    """When things happen.

    Args:
        command: the person's words.
        speak_at: number of the frame in which they are said.
        answer_after: frames between a question and its answer.
        steps_per_frame: session steps between two frames: more than one, or the tracker never catches up with the
            stream after a dialogue.
    """

    command: str
    speak_at: int
    answer_after: int
    steps_per_frame: int


def play(
    session: Played, frames: Sequence[SimFrame], script: Script, reply_to: ReplyTo
) -> Iterator[tuple[SimFrame, events.Event]]:
    """Play a scene to its end and close the session.

    Yields:
        Each event with the frame it is about: that of its stamp, or else the newest.
    """
    truth: dict[int, SimFrame] = {}
    asked: events.Asked | None = None
    answer_at = 0
    for number, sim in enumerate(frames):
        truth[sim.frame.stamp_ns] = sim
        session.push_frame(sim.frame)
        if number == script.speak_at:
            session.say(script.command)
        if asked is not None and number >= answer_at:
            words, asked = reply_to(asked, sim), None
            session.say(words)
        for event in [event for _ in range(script.steps_per_frame) for event in session.step()]:
            if isinstance(event, events.Asked):
                asked, answer_at = event, number + script.answer_after
            yield truth.get(event.stamp_ns, sim), event
    session.close()
