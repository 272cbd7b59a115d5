"""What episodes have in common: the words, and how a command ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from ros2_ws.soak.faults import Surroundings
from ros2_ws.soak.listener import Missed
from ros2_ws.soak.robot import Robot

AMBIGUOUS = ("find the mug", "track the mug", "segment the mug")
"""Commands that fit two things. With a verb of search they are commands even while a question waits."""
CLEAR = ("find the purple mug", "find the orange mug")
"""Commands that fit one thing."""
RIGHT = ("the purple one", "purple", "the orange one", "orange")
"""Answers to the question that an ambiguous command leads to."""
ENDED_WITHIN_S = 15.0
"""Every command must end so soon: tracked, or with a reason."""

Episode = Callable[[Surroundings, Random], str]
"""Speaks to the node; returns in words how it ended, and raises ``Missed`` when what must happen does not."""


def until_tracked(robot: Robot) -> str:
    """Wait until masks flow; how it ended, for the result."""
    robot.until(lambda: robot.state.name in ("tracking", "lost"), "tracking", ENDED_WITHIN_S)
    robot.wait_for_flow(time.monotonic())
    return "tracked"


def until_ended(robot: Robot, before: str) -> str:
    """How the dialogue after this one ended; a question is answered."""
    robot.until(lambda: robot.state.dialogue_id not in ("", before), "a dialogue", ENDED_WITHIN_S)
    ends_at = time.monotonic() + ENDED_WITHIN_S
    while robot.state.name not in ("tracking", "lost", "failed", "idle"):
        if robot.state.name == "asking":
            robot.answer("the purple one")
        if time.monotonic() > ends_at:
            raise Missed(f"the command did not end within {ENDED_WITHIN_S:g} s; the state is {robot.state.name!r}")
        time.sleep(0.2)
    if robot.state.name == "failed" and not robot.state.reason:
        raise Missed("a command failed without a reason")
    return f"failed: {robot.state.reason}" if robot.state.name == "failed" else robot.state.name
