"""Half duplex: whether words that were heard are a person's, while the robot speaks and shortly after.

Pure: knows settings, a clock and what it is told. Not thread safe: one thread at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from icseg_ros.speech.settings import TurnTakingSettings
from icseg_ros.speech.words import Heard, plain

_SPEECH_START_S = 0.3
"""Seconds that a speech service takes to begin; part of the estimate."""
_SPEAKING_BELIEVED_S = 60.0
"""Seconds that "the robot speaks" is believed without being said again: what says it may have died."""


@dataclass(frozen=True)
class Reception:
    """What to do with words.

    Attributes:
        is_accepted: they are a person's and are handed on.
        reason: why not; empty when accepted.
        interrupts: the robot is to be silent now.
        is_stop: they are one of ``speech.stop_words``.
    """

    is_accepted: bool
    reason: str = ""
    interrupts: bool = False
    is_stop: bool = False


class TurnTaking:
    """Whose turn it is.

    Args:
        settings: see ``TurnTakingSettings``.
        clock: seconds, monotonic.
        min_confidence: 0..1; final words below it are ignored.
        is_stop: whether words are a stop word of somebody else's list, beside ``settings.stop_words``.
    """

    def __init__(
        self,
        settings: TurnTakingSettings,
        clock: Callable[[], float],
        min_confidence: float = 0.0,
        is_stop: Callable[[str], bool] = lambda text: False,
    ) -> None:
        self._settings, self._clock = settings, clock
        self._min_confidence, self._is_known_stop = min_confidence, is_stop
        self._stop_words = frozenset(plain(word) for word in settings.stop_words)
        self._is_told = False  # the speech service will say when it is over
        self._until = -float("inf")  # until when an utterance whose end nobody tells is estimated to last
        self._reported_at: float | None = None  # since when robot_speaking says so
        self._quiet_since = -float("inf")

    def estimate_s(self, text: str) -> float:
        """Seconds that the robot takes to say a text."""
        return _SPEECH_START_S + len(text.split()) * 60.0 / self._settings.words_per_minute

    def speaking_began(self, text: str, *, is_end_told: bool = True) -> None:
        """The robot begins to say something.

        Args:
            text: the words.
            is_end_told: ``speaking_ended`` will be called; False: the end is estimated from the length of the text,
                and what is still being said is said first.
        """
        if is_end_told:
            self._is_told = True
        else:
            self._until = max(self._until, self._clock()) + self.estimate_s(text)

    def speaking_ended(self) -> None:
        """The robot has said it all, or was silenced."""
        now = self._clock()
        if self.is_speaking:
            self._quiet_since = now
        self._is_told, self._until = False, min(self._until, now)

    def robot_speaking(self, is_speaking: bool) -> None:
        """What the speech service itself says: True now, or False; False also ends what was only estimated."""
        now = self._clock()
        if not is_speaking and self._reported_at is not None:
            self._quiet_since, self._until = now, min(self._until, now)
        self._reported_at = now if is_speaking else None

    @property
    def is_speaking(self) -> bool:
        """Whether the robot speaks, as far as is known."""
        now = self._clock()
        is_reported = self._reported_at is not None and now < self._reported_at + _SPEAKING_BELIEVED_S
        return self._is_told or is_reported or now < self._until

    @property
    def is_deaf(self) -> bool:
        """Whether final words are taken for the robot's own: it speaks, or did until ``holdoff_s`` ago."""
        return self.is_speaking or self._clock() < max(self._until, self._quiet_since) + self._settings.holdoff_s

    def is_stop_word(self, text: str) -> bool:
        """Whether it is one of ``speech.stop_words``, and nothing longer."""
        return plain(text) in self._stop_words

    def hears(self, heard: Heard) -> Reception:
        """Judge words."""
        words = plain(heard.text)
        if not words:
            return Reception(False, "no words")
        if heard.is_partial:
            interrupts = self._settings.barge_in and self.is_speaking
            return Reception(False, "the person is still speaking", interrupts=interrupts)
        if heard.confidence is not None and not heard.confidence >= self._min_confidence:
            return Reception(False, f"confidence {heard.confidence:.2f} is below {self._min_confidence:.2f}")
        is_own_stop = self.is_stop_word(heard.text)
        if is_own_stop or self._is_known_stop(heard.text):
            return Reception(True, interrupts=self.is_speaking, is_stop=is_own_stop)
        if self._settings.barge_in:
            return Reception(True, interrupts=self.is_speaking)
        if self.is_speaking:
            return Reception(False, "the robot is speaking")
        if self.is_deaf:
            return Reception(False, f"within {self._settings.holdoff_s:g} s after the robot spoke")
        return Reception(True)
