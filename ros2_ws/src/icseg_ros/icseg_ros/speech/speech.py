"""The robot's side of a dialogue: says what it is given, hands on what a person says, and never waits.

Composes a voice, an ear and the rules of turn taking. Knows nothing of dialogues: what is asked, and what an answer
means, is the caller's.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from rclpy.callback_groups import CallbackGroup
from rclpy.exceptions import InvalidHandle
from rclpy.node import Node
from rclpy.subscription import Subscription
from std_msgs.msg import Bool, String

from icseg.dialogue.english.intent import is_stop
from icseg_ros.speech.ear import ListeningEar, TopicEar
from icseg_ros.speech.mailbox import Mailbox
from icseg_ros.speech.settings import SpeechSettings
from icseg_ros.speech.turn_taking import TurnTaking
from icseg_ros.speech.voice import Voice, VoiceEvents
from icseg_ros.speech.voices import create_voice
from icseg_ros.speech.words import Heard, Level, SpeechStatus, Utterance

_OUT, _IN, _WORK = "speech.out", "speech.in", "speech"
_QUEUE_DEPTH = 10
_FAILURES_OF_BROKEN_SPEECH = 3
"""Failures in a row from which on speech counts as broken."""
_LISTENING_TRIES = 3
"""How often one answer is listened for, when what is heard is nothing or too unsure."""
_STOP_WORDS = ("stop", "cancel", "never mind")
"""What a person may always say, whatever answers are offered."""


class Speech:
    """Speaks and listens by the interfaces that the settings describe.

    Every method returns at once and may be called from any thread. The callbacks come from the node's executor, one
    at a time; they may call this object's methods. Speech services that are absent, reject, hang or die are reported
    once, and tried again with the next utterance.

    Args:
        node: publishes ``~/say``, owns the clients and subscriptions.
        settings: the three groups.
        on_heard: final words of a person (``is_partial`` is False); words while the robot speaks, and unsure ones,
            are left out.
        on_spoken_error: what went wrong with a speech service and what to do.
        callback_group: the subscriptions' callback group.
        clock: seconds, monotonic.

    Raises:
        ConfigError: a type is not installed or lacks a field that the settings name. Nothing is left behind then.
    """

    def __init__(
        self,
        node: Node,
        settings: SpeechSettings,
        on_heard: Callable[[Heard], None],
        on_spoken_error: Callable[[str], None],
        callback_group: CallbackGroup | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node, self._settings, self._clock = node, settings, clock
        self._on_heard, self._on_spoken_error = on_heard, on_spoken_error
        self._turns = TurnTaking(settings.turns, clock, settings.input.min_confidence, is_stop)
        self._heard = self._ignored = self._spoken = self._errors = 0
        self._failures: dict[str, tuple[int, str]] = {}  # source -> how many in a row, the last one
        self._wish: _Wish | None = None
        self._is_closed = False
        self._voice: Voice | None = None
        self._ear: ListeningEar | None = None
        self._topic_ear: TopicEar | None = None
        self._speaking: Subscription | None = None
        self._say = node.create_publisher(String, "~/say", _QUEUE_DEPTH)
        self._mailbox = Mailbox(node, self._tick, self._on_fault)
        try:
            self._connect(callback_group)
        except BaseException:
            self.close()
            raise

    def say(self, utterance: Utterance) -> None:
        """Say it, instead of what is still being said; then listen for the answer, if one is expected."""
        if not self._is_closed and self._node.context.ok():
            with contextlib.suppress(InvalidHandle):  # closed in the meantime
                self._say.publish(String(data=utterance.text))
            self._mailbox.post(lambda: self._begin(utterance))

    def hush(self) -> None:
        """Be silent, and listen no more on demand: the question was answered in another way, or nobody wants it."""
        self._mailbox.post(self._hush)

    def listen(self, options: tuple[str, ...] = ()) -> None:
        """Listen once, when the robot has ended speaking; only with ``speech.in.kind`` action.

        Args:
            options: the answers that are likely; empty = anything.
        """
        self._mailbox.post(lambda: self._want(options))

    def close(self) -> None:
        """Cancel what runs and let everything go. A callback that is just being made may still end after this."""
        self._is_closed = True
        self._mailbox.close(self._disconnect)

    @property
    def status(self) -> SpeechStatus:
        """For ``/diagnostics``; may be read from any thread."""
        failures = sorted(self._failures.copy().values(), reverse=True)
        level = Level.OK
        if failures:
            level = Level.ERROR if failures[0][0] >= _FAILURES_OF_BROKEN_SPEECH else Level.WARN
        message = "; ".join(text for _, text in failures) or self._manner()
        counts = (self._heard, self._ignored, self._spoken, self._errors)
        return SpeechStatus(level, message, self._turns.is_speaking, self.is_listening, *counts)

    @property
    def listens_on_demand(self) -> bool:
        """``listen`` has something to start."""
        return self._ear is not None

    @property
    def is_listening(self) -> bool:
        """It was asked to listen, and did not hear anything yet; may be read from any thread."""
        return self._wish is not None

    def _connect(self, group: CallbackGroup | None) -> None:
        node, mailbox, settings = self._node, self._mailbox, self._settings
        timeout_s, into = settings.turns.timeout_s, settings.input
        events = VoiceEvents(self._on_began, self._on_ended, self._on_answer, self._on_voice_error)
        self._voice = create_voice(node, mailbox, settings.output, timeout_s, self._clock, events)
        if into.is_on and into.kind == "action":
            told = (self._on_listened, self._on_ear_error)
            self._ear = ListeningEar(node, mailbox, into, timeout_s, self._clock, *told)
        elif into.is_on:
            self._topic_ear = TopicEar(node, into, group, lambda heard: mailbox.post(lambda: self._judge(heard)))
        if settings.turns.robot_speaking_topic:
            self._speaking = node.create_subscription(
                Bool, settings.turns.robot_speaking_topic, self._take_speaking, _QUEUE_DEPTH, callback_group=group
            )

    def _disconnect(self) -> None:
        for part in (self._voice, self._ear, self._topic_ear):
            if part is not None:
                part.close()
        if self._speaking is not None:
            self._node.destroy_subscription(self._speaking)
        self._node.destroy_publisher(self._say)

    def _begin(self, utterance: Utterance) -> None:
        self._failures.pop(_WORK, None)
        self._stop_listening()
        if self._settings.output.kind == "topic":
            self._spoken += 1
        if self._voice is not None:
            self._voice.say(utterance, self._turns.estimate_s(utterance.text))
        elif self._settings.output.kind == "topic":
            self._turns.speaking_began(utterance.text, is_end_told=False)
        if utterance.expects_answer and self._settings.output.kind != "ask_action":
            self._want(utterance.options)

    def _hush(self) -> None:
        self._stop_listening()
        self._silence()

    def _silence(self) -> None:
        if self._voice is None or not (self._turns.is_speaking or self._voice.tick()):
            return
        if not self._voice.hush():
            self._node.get_logger().debug("speech.out: a topic without speech.out.stop_constants cannot be silenced")

    def _want(self, options: tuple[str, ...]) -> None:
        if self._ear is not None:
            self._ear.cancel()
            self._wish = _Wish(options)

    def _stop_listening(self) -> None:
        self._wish = None
        if self._ear is not None:
            self._ear.cancel()

    def _tick(self) -> bool:
        is_speaking = self._voice is not None and self._voice.tick()
        is_listening = self._ear is not None and self._ear.tick()
        wish = self._wish
        if wish is None or self._ear is None or wish.is_begun:
            return is_speaking or is_listening
        if not (is_speaking or is_listening or self._turns.is_deaf):
            wish.is_begun, wish.tries = True, wish.tries + 1
            likely = dict.fromkeys((*wish.options, *_STOP_WORDS, *self._settings.turns.stop_words))
            self._ear.listen(tuple(likely) if wish.options else (), self._settings.input.listen_s)
        return True

    def _judge(self, heard: Heard) -> bool:
        reception = self._turns.hears(heard)
        if reception.interrupts:
            self._silence()
        if reception.is_accepted:
            self._hand_on(heard, reception.is_stop)
        elif not heard.is_partial:
            self._ignored += 1
            self._node.get_logger().debug(f"speech.in: {heard.text!r} ignored: {reception.reason}")
        return reception.is_accepted

    def _hand_on(self, heard: Heard, is_stop_word: bool) -> None:
        self._heard += 1
        told = replace(heard, is_stop=is_stop_word)
        self._mailbox.report(lambda: self._on_heard(told))

    def _on_began(self, text: str, is_end_told: bool) -> None:
        self._turns.speaking_began(text, is_end_told=is_end_told)

    def _on_ended(self, is_complete: bool) -> None:
        self._turns.speaking_ended()
        if is_complete:
            self._spoken += 1
            self._failures.pop(_OUT, None)

    def _on_answer(self, text: str, language: str) -> None:
        # the service that asked took care of turns itself
        self._hand_on(Heard(text, None, language), self._turns.is_stop_word(text))

    def _on_listened(self, heard: Heard) -> None:
        self._failures.pop(_IN, None)
        wish = self._wish
        if self._judge(heard):
            self._wish = None
        elif wish is not None:
            wish.is_begun = wish.tries >= _LISTENING_TRIES  # noise: listen again

    def _take_speaking(self, message: Bool) -> None:
        self._mailbox.post(lambda: self._turns.robot_speaking(message.data))

    def _on_voice_error(self, error: str) -> None:
        self._fail(_OUT, f"{error}. The dialogue goes on; ~/say carries what is said")

    def _on_ear_error(self, error: str) -> None:
        self._fail(_IN, f"{error}. The topics command and answer still count")

    def _on_fault(self, fault: Exception) -> None:
        self._fail(_WORK, f"speech: {type(fault).__name__}: {fault}")

    def _fail(self, source: str, error: str) -> None:
        self._errors += 1
        count, last = self._failures.get(source, (0, ""))
        self._failures[source] = (count + 1, error)
        if error != last:
            self._mailbox.report(lambda: self._on_spoken_error(error))

    def _manner(self) -> str:
        out, into = self._settings.output, self._settings.input
        speaks = "nothing speaks" if out.kind == "none" else f"speaks on {out.name or '~/say'}"
        return f"{speaks}, hears {', '.join(into.names) or 'no voice'}"


@dataclass
class _Wish:
    """To hear an answer by the action that listens."""

    options: tuple[str, ...]
    is_begun: bool = False
    tries: int = 0
