"""What the node says of its dialogue: ``~/question`` and ``~/dialogue``, both latched, and the words for people."""

from __future__ import annotations

from icseg_msgs.msg import DialogueState, Option, Question
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from icseg import events
from icseg.session.events import State
from icseg_ros.logged_session import Dialogue
from icseg_ros.speech.speech import Speech
from icseg_ros.speech.words import Utterance, sayable

LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
STATES = {
    State.IDLE: DialogueState.IDLE,
    State.THINKING: DialogueState.THINKING,
    State.ASKING: DialogueState.ASKING,
    State.TARGETING: DialogueState.SEGMENTING,
    State.TRACKING: DialogueState.TRACKING,
    State.LOST: DialogueState.LOST,
    State.GAVE_UP: DialogueState.FAILED,
}
NAMES = {
    getattr(DialogueState, name): name.lower()
    for name in ("INACTIVE", "IDLE", "LISTENING", "THINKING", "ASKING", "SEGMENTING", "TRACKING", "LOST", "FAILED")
}


def state_code(state: State, dialogue: Dialogue) -> int:
    """The code of ``DialogueState``: an idle session whose last command failed says so."""
    return DialogueState.FAILED if state is State.IDLE and dialogue.has_failed else STATES[state]


class Announcer:
    """Publishes the dialogue.

    Args:
        node: for publishers and the clock.
        speech: says the words.
        answer_timeout_s: how long a question waits.

    Attributes:
        waiting: the question that waits; its text is empty when none does.
        state: as it was reported last.
    """

    def __init__(self, node: Node, speech: Speech, *, answer_timeout_s: float) -> None:
        self._node, self._speech, self._timeout = node, speech, Duration(nanoseconds=int(answer_timeout_s * 1e9))
        self._question = node.create_publisher(Question, "~/question", LATCHED)
        self._dialogue = node.create_publisher(DialogueState, "~/dialogue", LATCHED)
        self.waiting = Question()
        self.state = DialogueState(state=DialogueState.INACTIVE, name="inactive")
        self._dialogue.publish(self.state)

    def ask(self, header: Header, dialogue: Dialogue, asked: events.Asked, question_id: int) -> None:
        """Put a question, or repeat it."""
        message = Question(
            header=header,
            dialogue_id=dialogue.id,
            question_id=question_id,
            text=asked.question,
            language=dialogue.language,
            options=options_of(asked),
            is_repeat=asked.is_repeat,
            expires=(self._node.get_clock().now() + self._timeout).to_msg(),
        )
        self.waiting = message
        self._question.publish(message)
        self._speech.say(Utterance(asked.question, dialogue.language, asked.options, True, question_id))

    def withdraw(self) -> None:
        """No question waits any more."""
        if self.waiting.text:
            self.waiting = Question(dialogue_id=self.waiting.dialogue_id, question_id=self.waiting.question_id)
            self._question.publish(self.waiting)
            self._speech.hush()

    def tell(self, words: str, language: str) -> None:
        """Say something that is no question: why it gave up, or what is wrong."""
        self._speech.say(Utterance(sayable(words), language))

    def report(self, code: int, dialogue: Dialogue, header: Header | None) -> None:
        """Publish the state."""
        self.state = DialogueState(
            header=header if header is not None else Header(),
            state=code,
            name=NAMES[code],
            dialogue_id=dialogue.id,
            command=dialogue.command,
            turns=dialogue.turns,
            transcript=list(dialogue.transcript),
            reason=dialogue.reason,
        )
        self._dialogue.publish(self.state)

    @property
    def is_listening(self) -> bool:
        """The speech interface was asked to listen."""
        return self._speech.is_listening

    def close(self) -> None:
        """Take the publishers away."""
        self._node.destroy_publisher(self._question)
        self._node.destroy_publisher(self._dialogue)


def options_of(asked: events.Asked) -> list[Option]:
    """The answers that a question offers, each with the things that it leaves: numbers of its choices from 1."""
    return [
        Option(
            label=label,
            segment_ids=[number for number, choice in enumerate(asked.choices, 1) if index in choice.options],
        )
        for index, label in enumerate(asked.options)
    ]
