"""What the node says of its dialogue: ``~/question`` and ``~/dialogue``, both latched, and the words for people."""

from __future__ import annotations

from icseg_msgs.msg import DialogueState, Option, Question
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Header

from icseg import events
from icseg.session.events import State
from icseg_ros.happened import Happened
from icseg_ros.logged_session import DialogueLog, LoggedSession
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


def state_code(state: State, dialogue: DialogueLog) -> int:
    """The code of ``DialogueState``: an idle session whose last command failed says so."""
    return DialogueState.FAILED if state is State.IDLE and dialogue.has_failed else STATES[state]


class Announcer:
    """Publishes the dialogue, and has said aloud what is for people.

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
        self._reported: tuple[object, ...] = ()
        self._dialogue.publish(self.state)

    def take(self, happened: Happened) -> None:
        """Ask, take an answered question back, or say what went wrong."""
        logged, event = happened.logged, happened.event
        if happened.is_addressed and logged.dialogue.question is None:
            self.withdraw()
        match event:
            case events.Asked():
                self.ask(happened.header if happened.header is not None else Header(), logged.dialogue, event)
            case events.GaveUp():
                self.tell(event.reason, logged.language)
            case events.Failed():
                self.tell(event.error, logged.language)
            # of refusals only those of words that came after the dialogue began: an image's are no matter for people
            case events.Rejected() | events.Degraded() if event.ticket > logged.dialogue.ticket:
                if not happened.has_reply:
                    self.tell(event.error, logged.language)

    def ask(self, header: Header, dialogue: DialogueLog, asked: events.Asked) -> None:
        """Put a question, or repeat it."""
        message = Question(
            header=header,
            dialogue_id=dialogue.id,
            question_id=dialogue.question_number,
            text=asked.question,
            language=dialogue.language,
            options=options_of(asked),
            is_repeat=asked.is_repeat,
            expires=(self._node.get_clock().now() + self._timeout).to_msg(),
        )
        self.waiting = message
        self._question.publish(message)
        self._speech.say(Utterance(asked.question, dialogue.language, asked.options, True, dialogue.question_number))

    def withdraw(self) -> None:
        """No question waits any more."""
        if self.waiting.text:
            self.waiting = Question(dialogue_id=self.waiting.dialogue_id, question_id=self.waiting.question_id)
            self._question.publish(self.waiting)
            self._speech.hush()

    def tell(self, words: str, language: str) -> None:
        """Say something that is no question: why it gave up, or what is wrong."""
        self._speech.say(Utterance(sayable(words), language))

    def report(self, logged: LoggedSession, header: Header | None, *, is_enabled: bool) -> bool:
        """Publish the state if it is not the one that was published last; whether it was.

        Args:
            logged: the session that people talk to.
            header: the header of the newest image.
            is_enabled: the node takes images; else the state is inactive.
        """
        dialogue = logged.dialogue
        code = state_code(logged.state, dialogue) if is_enabled else DialogueState.INACTIVE
        if code == DialogueState.IDLE and self._speech.is_listening:
            code = DialogueState.LISTENING
        now = (code, dialogue.id, dialogue.turns, dialogue.reason, len(dialogue.transcript))
        if now == self._reported:
            return False
        self._reported = now
        self._publish_state(code, dialogue, header)
        return True

    def close(self) -> None:
        """Take the publishers away."""
        self._node.destroy_publisher(self._question)
        self._node.destroy_publisher(self._dialogue)

    def _publish_state(self, code: int, dialogue: DialogueLog, header: Header | None) -> None:
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


def options_of(asked: events.Asked) -> list[Option]:
    """The answers that a question offers, each with the things that it leaves: numbers of its choices from 1."""
    return [
        Option(
            label=label,
            segment_ids=[number for number, choice in enumerate(asked.choices, 1) if index in choice.options],
        )
        for index, label in enumerate(asked.options)
    ]
