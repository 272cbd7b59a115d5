"""One dialogue at a time, thinking beside the stream: start it, answer it, ask whether it has decided, cancel it."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future

from icseg.dialogue.actions import Ask, GiveUp
from icseg.dialogue.agent import Agent, Target
from icseg.dialogue.dialogue import Dialogue, Turn
from icseg.dialogue.observations import sample_frame_indices
from icseg.errors import BackendError, Cancelled, IcsegError
from icseg.session.executor import submitted
from icseg.types import Frame

Outcome = Ask | Target | GiveUp


class DialogueJob:
    """A dialogue and the job that advances it.

    Args:
        agent: the turn loop.
        executor: where the policy thinks; the dialogue has one job in it at a time.
        command: the person's words.
        frames: what the camera saw lately, oldest first, at least one; six of them are shown.

    Attributes:
        newest: the frame that questions are about.
    """

    def __init__(self, agent: Agent, executor: Executor, command: str, frames: Sequence[Frame]) -> None:
        self._agent, self._executor = agent, executor
        self._cancelled = threading.Event()
        shown = [frames[index] for index in sample_frame_indices(len(frames))]
        self.dialogue = Dialogue(command, {frame.index: frame for frame in shown}, is_cancelled=self._cancelled.is_set)
        self.newest = shown[-1]
        self._job: Future[Outcome] | None = None
        self._think()

    @property
    def is_thinking(self) -> bool:
        """True while the policy has the turn."""
        return self._job is not None

    @property
    def timings_ms(self) -> dict[str, float]:
        """What the turns since the person spoke took: stage -> milliseconds, summed."""
        total: dict[str, float] = {}
        for turn in self._turns_since_words():
            for stage, spent in turn.timings_ms.items():
                total[stage] = total.get(stage, 0.0) + spent
        return total

    @property
    def rates_per_s(self) -> dict[str, float]:
        """What the latest of those turns measured: what was counted -> how many of it a second."""
        latest: dict[str, float] = {}
        for turn in self._turns_since_words():
            latest = turn.rates_per_s | latest
        return latest

    @property
    def has_spent_its_questions(self) -> bool:
        """A question was refused because too many were asked already."""
        return any(isinstance(turn.action, Ask) and turn.fault for turn in self.dialogue.turns)

    def reply(self, text: str) -> None:
        """Give the person's answer to the pending question, and think on."""
        self._agent.reply(self.dialogue, text)
        self._think()

    def poll(self) -> Outcome | None:
        """What the policy decided, once; None while it thinks.

        Raises:
            IcsegError: the policy could not go on (a dead server, for example).
        """
        if self._job is None or not self._job.done():
            return None
        job, self._job = self._job, None
        try:
            return job.result()
        except IcsegError:
            raise
        except Exception as error:  # the policy's seam: the next command may fare better
            raise BackendError(f"the policy broke: unexpected {type(error).__name__}: {error}") from error

    def cancel(self) -> None:
        """Stop thinking as soon as the policy notices; nothing comes out any more."""
        self._cancelled.set()
        if self._job is not None:
            self._job.cancel()
            self._job = None

    def _turns_since_words(self) -> Iterator[Turn]:
        """The turns since the person spoke, newest first; not the question that their words answered."""
        for turn in reversed(self.dialogue.turns):
            if turn.observation is not None and turn.observation.kind == "answer":
                break
            yield turn

    def _think(self) -> None:
        self._job = submitted(self._executor, self._advance)

    def _advance(self) -> Outcome:
        if self._cancelled.is_set():
            raise Cancelled("the dialogue was cancelled before its turn")
        return self._agent.advance(self.dialogue)
