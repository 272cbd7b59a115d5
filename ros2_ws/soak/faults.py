"""Faults as data: how one begins and ends, by what it must show itself, and how masks come back afterwards."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from benchmarks.ros_process import Process
from ros2_ws.soak.listener import Missed
from ros2_ws.soak.robot import Robot

SHOWN_WITHIN_S = 6.0
"""A fault must be seen so soon: the camera's patience of 2 s, and a report every second."""
RECOVERED_WITHIN_S = 10.0
"""Masks must flow again so soon after a fault's end."""
RECOVERY_WORDS = "find the purple mug"
"""Words that fit one thing only, for both policies."""
_COUNTER_OF = {"/diagnostics masks": "masks/faults", "/diagnostics speech": "speech/errors"}
"""A text in these places stays for a while: it counts as new only when the counter beside it went on."""


@dataclass
class Surroundings:
    """What is around the node, and a fault can act on.

    Attributes:
        robot: everything but the node.
        speech: the speech service, ``speech.SoakSpeech``; None when its test types are not built.
        start_server: starts the policy server; None where the policy needs none.
        server: the policy server that runs.
    """

    robot: Robot
    speech: object | None = None
    start_server: Callable[[], Process] | None = None
    server: Process | None = None


Sign = Callable[[Robot, float, Mapping[str, str]], str]
"""Given the robot, when the fault began, and the facts before it: in which words it shows; empty = not yet."""
Act = Callable[[Surroundings], None]


def says(pattern: str) -> Sign:
    """The node says it in words that match."""

    def sign(robot: Robot, since: float, before: Mapping[str, str]) -> str:
        for one in robot.reports_since(since):
            counter = _COUNTER_OF.get(one.where)
            is_new = counter is None or _number(robot.facts, counter) > _number(before, counter)
            if is_new and re.search(pattern, one.text):
                return f"{one.where}: {one.text}"
        return ""

    return sign


def counts(key: str) -> Sign:
    """A counter of /diagnostics goes on."""

    def sign(robot: Robot, since: float, before: Mapping[str, str]) -> str:
        was, now = _number(before, key), _number(robot.facts, key)
        return f"/diagnostics {key.replace('/', ': ')}: {was:g}, then {now:g}" if now > was else ""

    return sign


def reads(key: str, value: str) -> Sign:
    """A value of /diagnostics is that."""

    def sign(robot: Robot, since: float, before: Mapping[str, str]) -> str:
        return f"/diagnostics {key.replace('/', ': ')}: {value}" if robot.facts.get(key) == value else ""

    return sign


def either(*signs: Sign) -> Sign:
    """One of them."""

    def sign(robot: Robot, since: float, before: Mapping[str, str]) -> str:
        return next((text for one in signs if (text := one(robot, since, before))), "")

    return sign


def _number(facts: Mapping[str, str], key: str) -> float:
    return float(facts.get(key) or 0)


def nothing(around: Surroundings) -> None:
    """Do nothing."""


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        name: in the result.
        what: what is done, in words.
        begin, end: do it, and undo it.
        sign: how it shows.
        lasts_s: from begin to end at least.
        shown_within_s: the sign must come within so long.
        recovers: "by itself": masks flow again without a word; "box" or "words": with the next command.
    """

    name: str
    what: str
    begin: Act
    sign: Sign
    end: Act = nothing
    lasts_s: float = 2.0
    shown_within_s: float = SHOWN_WITHIN_S
    recovers: str = "by itself"


@dataclass(frozen=True)
class Occurrence:
    """What came of one injection.

    Attributes:
        name: the fault's.
        at_s: since the soak began.
        shown: the words in which it showed; empty = it did not.
        shown_after_s: since its begin.
        recovered_after_s: from its end until masks flowed; None = they did not in time.
        problems: what should have come and did not.
    """

    name: str
    at_s: float
    shown: str = ""
    shown_after_s: float | None = None
    recovered_after_s: float | None = None
    problems: tuple[str, ...] = field(default=())


def inject(around: Surroundings, fault: Fault, began_at: float) -> Occurrence:
    """Track, break, look for the sign, mend, and track again."""
    robot, problems = around.robot, []
    try:
        robot.track()
    except Missed as missed:
        problems.append(f"before it: {missed}")
    n_reports = robot.n_diagnostics
    # counters are compared with a report of before the fault
    _try(problems, lambda: robot.until(lambda: robot.n_diagnostics > n_reports, "/diagnostics", SHOWN_WITHIN_S))
    facts, since = dict(robot.facts), time.monotonic()
    at_s = since - began_at
    shown, shown_at = "", since
    _try(problems, lambda: fault.begin(around))
    try:
        shown = robot.until(lambda: fault.sign(robot, since, facts), "a sign of it", fault.shown_within_s)
        shown_at = time.monotonic()
    except Missed as missed:
        problems.append(str(missed))
    time.sleep(max(since + fault.lasts_s - time.monotonic(), 0.0))
    _try(problems, lambda: fault.end(around))
    ended_at = time.monotonic()
    recovered: list[float] = []
    _try(problems, lambda: recovered.append(_recover(robot, fault.recovers, ended_at)))
    return Occurrence(
        fault.name,
        round(at_s, 1),
        shown,
        round(shown_at - since, 2) if shown else None,
        round(recovered[0] - ended_at, 2) if recovered else None,
        tuple(problems),
    )


def _recover(robot: Robot, how: str, since: float) -> float:
    if how == "by itself":
        return robot.wait_for_flow(since, RECOVERED_WITHIN_S)
    return robot.track(RECOVERY_WORDS if how == "words" else "", RECOVERED_WITHIN_S)


def _try(problems: list[str], do: Callable[[], object]) -> None:
    try:
        do()
    except Missed as missed:
        problems.append(str(missed))
