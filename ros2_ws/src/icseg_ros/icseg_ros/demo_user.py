"""The simulated person of the demo: says a command, answers the questions from what is to be seen, judges the masks.

Knows the simulated camera's truth and the topics of `clarify_segment`, which are relative: start it in the node's
namespace, or remap `clarify_segment/dialogue`, `/question`, `/mask` and the service `/answer`.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass

import numpy as np
from icseg_msgs.msg import DialogueState, Question
from icseg_msgs.srv import Answer
from rclpy.qos import DurabilityPolicy, QoSProfile
from rclpy.task import Future
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header, String

from icseg.errors import SourceError
from icseg.sim.user import SimulatedUser, matching_ids
from icseg.types import ImageU8
from icseg_ros.demo_camera import NS_PER_S, TRUTH_DEPTH
from icseg_ros.demo_node import DemoNode, run
from icseg_ros.demo_truth import Score, Truth, parse_things
from icseg_ros.settings import check, declare, read, setting

NOTHING = 0
"""What a person means who asks for a thing that is not on the table: no id."""
DECISION_PERIOD_S = 0.05
"""How often the person decides what to do next."""


@dataclass(frozen=True)
class UserSettings:
    """The person's parameters."""

    command: str = setting("the mug", "what is said")
    seed: int = setting(0, "draws which of the things that the command fits is meant", low=0, high=1_000_000)
    answer_by: str = setting("topic", "how questions are answered", choices=("topic", "service"))
    delay_s: float = setting(1.0, "seconds before the command and before each answer", low=0.0, high=60.0)
    exit_after_masks: int = setting(0, "masks after which the person leaves; 0 = stays", low=0, high=1_000_000)
    min_mean_j: float = setting(0.8, "least mean J with which the exit code is 0", low=0.0, high=1.0)
    timeout_s: float = setting(
        300.0, "seconds after which one who waits for masks leaves with 1", low=1.0, high=86400.0
    )

    def __post_init__(self) -> None:
        check("", self)


class DemoUser(DemoNode):
    """One command, its dialogue, and the masks that come of it."""

    def __init__(self) -> None:
        super().__init__("demo_user")
        declare(self, "", UserSettings)
        self.settings = read(self, "", UserSettings)
        self.truth = Truth()
        self.score = Score(self.truth, NOTHING)
        self.person = SimulatedUser(NOTHING)
        self.questions: list[str] = []
        self.answers: list[str] = []
        self.refused = 0
        self._is_active = False
        self._speak_at_s: float | None = None
        self._has_spoken = False
        self._asked: Question | None = None
        self._answer_at_s = 0.0
        self._asked_ids: set[tuple[str, int]] = set()
        self._began_s = time.monotonic()
        latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
        truth = QoSProfile(depth=TRUTH_DEPTH)
        self._command = self.create_publisher(String, "command", 10)
        self._answer = self.create_publisher(String, "answer", 10)
        self._answer_service = self.create_client(Answer, "clarify_segment/answer")
        self.create_subscription(String, "ground_truth/things", self._on_things, latched)
        # as PNG: the maps of large images would crowd out the images themselves, and some would be lost
        self.create_subscription(CompressedImage, "ground_truth/label_image/compressed", self._on_labels, truth)
        self.create_subscription(DialogueState, "clarify_segment/dialogue", self._on_dialogue, latched)
        self.create_subscription(Question, "clarify_segment/question", self._on_question, latched)
        self.create_subscription(Image, "clarify_segment/mask", self._on_mask, truth)
        self.create_timer(DECISION_PERIOD_S, self._tick, clock=self.steady_clock)

    def finish(self) -> None:
        """Print the summary as one line of JSON."""
        print(json.dumps(self.summary()), flush=True)

    def summary(self) -> dict[str, object]:
        """What was said and how good the masks were."""
        meant = self.truth.things.get(self.score.target)
        return {
            "command": self.settings.command,
            "meant": f"the {meant.size} {meant.colour} {meant.kind}" if meant is not None else None,
            "questions": self.questions,
            "answers": self.answers,
            "refused_answers": self.refused,
            "masks": self.score.masks,
            "mean_j": round(self.score.mean_j, 4),
            "unknown_stamps": len(self.score.unknown_stamps),
            "wrong_sizes": self.score.wrong_sizes,
            "before_the_person_looked": self.score.before,
            "not_judged": self.score.not_judged,
        }

    def _on_things(self, message: String) -> None:
        try:
            self.truth.things = parse_things(message.data)
        except SourceError as error:
            self.get_logger().error(str(error))

    def _on_labels(self, message: CompressedImage) -> None:
        self.truth.add(stamp_ns(message.header), np.frombuffer(message.data, np.uint8))
        self.score.settle()
        self._leave_if_done()

    def _on_mask(self, message: Image) -> None:
        self.score.add(stamp_ns(message.header), mono8(message) > 0)
        self._leave_if_done()

    def _on_dialogue(self, message: DialogueState) -> None:
        self._is_active = message.state != DialogueState.INACTIVE
        if message.state == DialogueState.FAILED and self._has_spoken:
            self.get_logger().warning(f"clarify_segment gave up: {message.reason}")
            self._leave(1)

    def _on_question(self, message: Question) -> None:
        if not message.text:
            self._asked = None
            return
        key = (message.dialogue_id, message.question_id)
        if key not in self._asked_ids:
            self._asked_ids.add(key)
            self.questions.append(message.text)
            self.get_logger().info(f"icseg:  {message.text}")
        # one that is repeated was not heard: it is answered again
        self._asked = message
        self._answer_at_s = time.monotonic() + self.settings.delay_s

    def _tick(self) -> None:
        now_s = time.monotonic()
        if not self._has_spoken:
            self._speak_when_ready(now_s)
        elif self._asked is not None and now_s >= self._answer_at_s:
            asked, self._asked = self._asked, None
            self._reply(asked)
        if now_s - self._began_s > self.settings.timeout_s and self.settings.exit_after_masks:
            self.get_logger().error(f"{self.score.masks} masks in {self.settings.timeout_s:g} s: leaving")
            self._leave(1)

    def _speak_when_ready(self, now_s: float) -> None:
        sees = self.truth.now()
        # the command is not latched: somebody must be there to hear it
        if not self._is_active or sees is None or not self._command.get_subscription_count():
            return
        if self._speak_at_s is None:
            self._speak_at_s = now_s + self.settings.delay_s
        if now_s < self._speak_at_s:
            return
        fitting = sorted(matching_ids(self.settings.command, sees))
        drawn = np.random.default_rng(self.settings.seed).integers(len(fitting)) if fitting else None
        target = NOTHING if drawn is None else fitting[int(drawn)]
        self.person, self.score = SimulatedUser(target), Score(self.truth, target)
        self._has_spoken = True
        self._command.publish(String(data=self.settings.command))
        self.get_logger().info(f"person: {self.settings.command} (means {self.summary()['meant']})")

    def _reply(self, asked: Question) -> None:
        sees = self.truth.now()
        assert sees is not None, "a person who has spoken has seen something"
        words = self.person.answer(asked.text, sees)
        self.answers.append(words)
        self.get_logger().info(f"person: {words}")
        if self.settings.answer_by == "topic":
            self._answer.publish(String(data=words))
            return
        request = Answer.Request(dialogue_id=asked.dialogue_id, question_id=asked.question_id, text=words)
        self._answer_service.call_async(request).add_done_callback(self._on_answered)

    def _on_answered(self, future: Future) -> None:
        response = future.result()
        if not response.accepted:
            self.refused += 1
            self.get_logger().warning(f"the answer was refused: {response.message}")

    def _leave_if_done(self) -> None:
        wanted = self.settings.exit_after_masks
        if wanted and self.score.settled >= wanted:
            is_content = self.score.mean_j >= self.settings.min_mean_j
            is_right = not (self.score.unknown_stamps or self.score.wrong_sizes)
            self._leave(0 if is_content and is_right else 1)

    def _leave(self, code: int) -> None:
        if self.settings.exit_after_masks:
            self.exit_code = code


def stamp_ns(header: Header) -> int:
    """A header's stamp in nanoseconds."""
    return int(header.stamp.sec) * NS_PER_S + int(header.stamp.nanosec)


def mono8(message: Image) -> ImageU8:
    """(H, W) of a mono8 image; a view of its data.

    Raises:
        ValueError: another encoding, or too little data.
    """
    if message.encoding != "mono8":
        raise ValueError(f"expected mono8, got {message.encoding!r}")
    rows = np.frombuffer(message.data, np.uint8).reshape(message.height, message.step)
    return rows[:, : message.width]


def main(args: list[str] | None = None) -> int:
    """The executable ``demo_user_node``."""
    return run(DemoUser, args)


if __name__ == "__main__":
    sys.exit(main())
