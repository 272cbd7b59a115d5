"""A policy that does what it was told: for tests and rehearsals. Looks at no image."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from icseg.dialogue.actions import Action
from icseg.dialogue.dialogue import Dialogue, Observation
from icseg.dialogue.policy import PolicyOutput
from icseg.errors import ModelOutputError

Step = Action | PolicyOutput | Exception
"""An action as it is, one with a model's words and timings, or an error to raise."""


@dataclass(frozen=True, slots=True)
class PolicyCall:
    """One call of the policy: what it was shown when it had to decide.

    Attributes:
        command: the person's words.
        turn_count: turns so far.
        last_observation: the reply to the last of them, or None at the start.
    """

    command: str
    turn_count: int
    last_observation: Observation | None


class ScriptedPolicy:
    """Plays its steps in order, one per call, and keeps what it was shown in ``history``."""

    name = "scripted"

    def __init__(self, *steps: Step) -> None:
        self.history: list[PolicyCall] = []
        self._steps = deque(steps)

    def enqueue(self, *steps: Step) -> None:
        """Add steps at the end."""
        self._steps.extend(steps)

    @property
    def remaining(self) -> int:
        """How many steps were not played yet."""
        return len(self._steps)

    def next_action(self, dialogue: Dialogue) -> PolicyOutput:
        """Play the next step.

        Raises:
            ModelOutputError: no step is left.
            Exception: the step, when it is one.
        """
        last = dialogue.turns[-1].observation if dialogue.turns else None
        self.history.append(PolicyCall(dialogue.command, len(dialogue.turns), last))
        if not self._steps:
            raise ModelOutputError(f"the script is empty at call {len(self.history)}: enqueue one more step")
        step = self._steps.popleft()
        if isinstance(step, Exception):
            raise step
        return step if isinstance(step, PolicyOutput) else PolicyOutput(step)
