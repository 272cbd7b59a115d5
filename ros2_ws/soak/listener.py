"""What the node under test says and sends in a soak: all that was heard, with its time. Waits for what must come."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from diagnostic_msgs.msg import DiagnosticArray
from icseg_msgs.msg import DialogueState, Question, Target
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
from std_msgs.msg import String

from ros2_ws.soak.checks import MaskChecks

NODE = "/clarify_segment"
"""The name of the node under test."""
LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
REPORTS_KEPT = 400
"""Texts, and times of masks, that are kept."""
MASKS_OF_A_FLOW = 5
"""Masks flow when so many have come."""
TRACKED_WITHIN_S = 15.0
"""A target must be tracked, or a goal ended, so soon."""
CHECK_PERIOD_S = 0.1
"""What is waited for is checked this often at least."""

T = TypeVar("T")


class Missed(Exception):  # something that should have come did not: an outcome, not an error
    """It did not happen in time; the text says what."""


@dataclass(frozen=True, slots=True)
class Report:
    """A text in which the node told of something.

    Attributes:
        at: monotonic seconds.
        where: topic, and the part of a diagnostic.
        text: what it said.
    """

    at: float
    where: str
    text: str


class Listener:
    """Hears all of the node's topics.

    Args:
        node: subscribes; is not spun here.
        group: reentrant, for all but masks.

    Attributes:
        checks: hold every mask to the rules.
        state: the newest ~/dialogue.
        question: the newest ~/question.
        facts: values of the newest /diagnostics, "camera/received" -> text.
        n_diagnostics: messages of /diagnostics that were heard.
    """

    def __init__(self, node: Node, group: CallbackGroup) -> None:
        self.checks = MaskChecks()
        self.state, self.question = DialogueState(), Question()
        self.facts: dict[str, str] = {}
        self.n_diagnostics = 0
        self._changed = threading.Condition()
        self._reports: deque[Report] = deque(maxlen=REPORTS_KEPT)
        self._masks: deque[float] = deque(maxlen=REPORTS_KEPT)
        node.create_subscription(Image, f"{NODE}/mask", self._on_mask, 50)
        node.create_subscription(Target, f"{NODE}/target", self._on_target, 50)
        node.create_subscription(DialogueState, f"{NODE}/dialogue", self._on_dialogue, LATCHED, callback_group=group)
        node.create_subscription(Question, f"{NODE}/question", self._on_question, LATCHED, callback_group=group)
        node.create_subscription(String, f"{NODE}/say", self._on_say, 10, callback_group=group)
        node.create_subscription(DiagnosticArray, "/diagnostics", self._on_diagnostics, 10, callback_group=group)

    def until(self, holds: Callable[[], T | None], what: str, deadline_s: float) -> T:
        """What it returns as soon as that is true.

        Raises:
            Missed: it never was.
        """
        ends_at = time.monotonic() + deadline_s
        with self._changed:
            while not (value := holds()):
                if time.monotonic() > ends_at:
                    state = f"{self.state.name}, {self.state.reason}".rstrip(", ")
                    raise Missed(f"{what}: not within {deadline_s:.1f} s; the state is {state!r}")
                self._changed.wait(CHECK_PERIOD_S)
        return value

    def reports_since(self, at: float) -> list[Report]:
        """All that the node told since then."""
        with self._changed:
            return [one for one in self._reports if one.at >= at]

    def masks_since(self, at: float) -> int:
        """Masks that came since then."""
        with self._changed:
            return sum(came_at >= at for came_at in self._masks)

    def wait_for_flow(self, since: float, deadline_s: float = TRACKED_WITHIN_S) -> float:
        """Until masks flow since then; when they did.

        Raises:
            Missed: they do not.
        """
        self.until(lambda: self.masks_since(since) >= MASKS_OF_A_FLOW, "masks", deadline_s)
        return time.monotonic()

    def wait_for_question(self, before: Question, what: str, deadline_s: float = TRACKED_WITHIN_S) -> Question:
        """The next question after that one."""

        def comes() -> Question | None:
            question = self.question
            is_new = (question.dialogue_id, question.question_id) != (before.dialogue_id, before.question_id)
            return question if question.text and is_new else None

        return self.until(comes, what, deadline_s)

    def forget_node(self) -> None:
        """Another process takes the node's place: its counts begin anew."""
        with self._changed:
            self.state, self.question, self.n_diagnostics = DialogueState(), Question(), 0
            self.facts.clear()

    def _on_mask(self, message: Image) -> None:
        stamp = message.header.stamp.sec * 10**9 + message.header.stamp.nanosec
        self.checks.mask(stamp, (message.height, message.width))
        with self._changed:
            self._masks.append(time.monotonic())
            self._changed.notify_all()

    def _on_target(self, message: Target) -> None:
        stamp = message.header.stamp
        self.checks.target(stamp.sec * 10**9 + stamp.nanosec, message.dialogue_id)

    def _on_dialogue(self, message: DialogueState) -> None:
        with self._changed:
            self.state = message
            self._report("~/dialogue", f"{message.name}: {message.reason}" if message.reason else message.name)

    def _on_question(self, message: Question) -> None:
        with self._changed:
            self.question = message
            self._changed.notify_all()

    def _on_say(self, message: String) -> None:
        with self._changed:
            self._report("~/say", message.data)

    def _on_diagnostics(self, message: DiagnosticArray) -> None:
        with self._changed:
            self.n_diagnostics += 1
            for status in message.status:
                part = status.name.rpartition(": ")[2]
                self.facts |= {f"{part}/{pair.key}": pair.value for pair in status.values}
                self._report(f"/diagnostics {part}", status.message)

    def _report(self, where: str, text: str) -> None:
        self._reports.append(Report(time.monotonic(), where, text))
        self._changed.notify_all()
