"""The one thing a policy must do, and one that it may. Everything about turns, bounds and retries is the agent's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from icseg.dialogue.actions import Action
from icseg.dialogue.dialogue import Dialogue
from icseg.errors import ModelOutputError
from icseg.types import Box, Frame, Prompt


@dataclass(frozen=True, slots=True)
class PolicyOutput:
    """An action with its evidence.

    Attributes:
        action: what was decided.
        reply_text: the model's own words, verbatim (empty for policies that are no language model).
        timings_ms: stage -> milliseconds.
        rates_per_s: what was counted -> how many of it a second, e.g. ``tokens``.
    """

    action: Action
    reply_text: str = ""
    timings_ms: dict[str, float] = field(default_factory=dict)
    rates_per_s: dict[str, float] = field(default_factory=dict)


class ReplyFault(ModelOutputError):
    """A model's reply that could not be used, with the words themselves, so that the history can keep them.

    Attributes:
        reply_text: the model's words, as far as they are worth keeping.
        timings_ms, rates_per_s: as in ``PolicyOutput``.
    """

    def __init__(
        self,
        reason: str,
        reply_text: str,
        timings_ms: dict[str, float] | None = None,
        rates_per_s: dict[str, float] | None = None,
    ) -> None:
        super().__init__(reason)
        self.reply_text = reply_text
        self.timings_ms = timings_ms or {}
        self.rates_per_s = rates_per_s or {}


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


@dataclass(frozen=True, slots=True)
class Mismatch:
    """The mask is on something else, ``what``, and where the target is is not known."""

    what: str


class TargetWatch(Protocol):
    """Knows one target again; ``candidates.target_watch.DetectorWatch`` is one."""

    def check(self, frame: Frame, box_image_px: Box | None) -> Prompt | Mismatch | None:
        """Compare the mask with this box (None: lost) with the target. Called from one thread at a time.

        Returns:
            A prompt where the target is, if the mask is not there; ``Mismatch``; or None: nothing to object to.

        Raises:
            IcsegError: the model behind it failed.
        """
        ...


@runtime_checkable
class WatchingPolicy(Policy, Protocol):
    """A policy that knows its target again, quickly enough to be asked while the target is followed."""

    def watch(self, keyframe: Frame, box_image_px: Box) -> TargetWatch | None:
        """A watch over what is in a box of the keyframe, or None when it could not be known again.

        Raises:
            IcsegError: the model behind it failed.
        """
        ...
