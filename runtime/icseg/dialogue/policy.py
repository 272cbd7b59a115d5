"""The one thing a policy must do. Everything about turns, bounds and retries is the agent's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from icseg.dialogue.actions import Action
from icseg.dialogue.dialogue import Dialogue


@dataclass(frozen=True, slots=True)
class PolicyOutput:
    """An action with its evidence: the model's own words and what each stage took in milliseconds."""

    action: Action
    reply_text: str = ""
    timings_ms: dict[str, float] = field(default_factory=dict)


class Policy(Protocol):
    """Looks at the dialogue so far and decides the next action. Holds no state of any dialogue."""

    @property
    def name(self) -> str:
        """Short name for logs and transcripts, e.g. ``candidates``."""
        ...

    def next_action(self, dialogue: Dialogue) -> PolicyOutput:
        """Decide the next action.

        Raises:
            ModelOutputError: the model answered outside the protocol; the agent records it and asks again, bounded.
            BackendError: the model could not be run or reached.
            Cancelled: ``dialogue.is_cancelled()`` turned true meanwhile.
        """
        ...
