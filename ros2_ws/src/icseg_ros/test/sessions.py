"""Sessions on scripted models, and what happened in them, for tests that need no node."""

from __future__ import annotations

from itertools import count

import numpy as np
from std_msgs.msg import Header

from icseg import events
from icseg.dialogue.actions import Answer, Ask, Choice
from icseg.dialogue.policy_scripted import ScriptedPolicy, Step
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Frame
from icseg_ros.happened import Happened
from icseg_ros.logged_session import LoggedSession

TARGET = Answer((6.4, 4.8, 19.2, 24.0), (12.8, 14.4), label="blue mug")
CHOICES = (
    Choice((1.0, 2.0, 9.0, 8.0), "red mug", 0.5, (("colour", "red"),), (0,)),
    Choice((20.0, 2.0, 29.0, 8.0), "blue mug", 0.5, (("colour", "blue"),), (1,)),
)
QUESTION = Ask("Red or blue?", ("red", "blue"), choices=CHOICES)


class Clock:
    """Seconds that pass when the test says so."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def frame(index: int = 0) -> Frame:
    """An image of a camera that gives 30 a second."""
    return Frame(np.zeros((48, 64, 3), np.uint8), index * 33_000_000, index)


def session_of(
    *script: Step, tracker: ScriptedTracker | None = None, clock: Clock | None = None, has_image: bool = True
) -> LoggedSession:
    """A session whose policy does what is scripted, in steps; with one image, unless it has none."""
    session = Session(
        ScriptedPolicy(*script), tracker or ScriptedTracker(), executor=InlineExecutor(), clock=clock or Clock()
    )
    logged = LoggedSession(session, count(1), count(1), "en")
    if has_image:
        session.push_frame(frame())
    return logged


def run(logged: LoggedSession, rounds: int = 4) -> list[events.Event]:
    """The events of some steps."""
    return [event for _ in range(rounds) for event in logged.step()]


def happened(logged: LoggedSession, event: events.Event, **differently: object) -> Happened:
    """An event of the stream, to which people talk, unless said differently."""
    facts: dict[str, object] = {
        "header": Header(frame_id="camera"),
        "frame": logged.frame_of(event),
        "is_live": True,
        "is_addressed": True,
        "has_reply": False,
    }
    return Happened(logged, event, **{**facts, **differently})  # type: ignore[arg-type]
