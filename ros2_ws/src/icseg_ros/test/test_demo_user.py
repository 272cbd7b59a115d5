"""The simulated person as an installed executable over real DDS, with a scripted stand-in for `clarify_segment`."""

import sys
from array import array
from pathlib import Path

import numpy as np
import pytest
from icseg_msgs.msg import DialogueState, Question
from icseg_msgs.srv import Answer
from rclpy.qos import DurabilityPolicy, QoSProfile
from sensor_msgs.msg import Image
from std_msgs.msg import Header, String

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test_support"))

from launching import Running, command
from ros_node import Spun

from icseg_ros.demo_camera import image_message
from icseg_ros.demo_truth import parse_things
from icseg_ros.demo_user import mono8

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
KEPT = QoSProfile(depth=30)
CAMERA, PERSON = "demo_camera_node", "demo_user_node"


class ScriptedNode:
    """Stands in for `clarify_segment`: asks, takes the answer, and then its masks are the truth.

    Args:
        node: has the topics.
        fault: "" or what it does wrong: "deaf" (hears only the answer to the repeated question), "late" (stamps that no
            image has), "other" (another thing), "quits" (gives up).
    """

    ASKED = "Which mug do you mean: the purple one or the orange one?"

    def __init__(self, node, fault=""):
        self.fault = fault
        self.colour = None
        self.things = {}
        self.answers = []
        topics = "clarify_segment"
        self._state = node.create_publisher(DialogueState, f"{topics}/dialogue", LATCHED)
        self._question = node.create_publisher(Question, f"{topics}/question", LATCHED)
        self._mask = node.create_publisher(Image, f"{topics}/mask", KEPT)
        node.create_service(Answer, f"{topics}/answer", self._on_service)
        node.create_subscription(String, "command", self._on_command, 10)
        node.create_subscription(String, "answer", lambda message: self._on_answer(message.data), 10)
        node.create_subscription(Image, "ground_truth/label_image", self._on_labels, KEPT)
        node.create_subscription(String, "ground_truth/things", self._on_things, LATCHED)
        self._state.publish(DialogueState(state=DialogueState.IDLE, name="idle"))

    def _on_things(self, message):
        self.things = parse_things(message.data)

    def _on_command(self, message):
        assert message.data == "the mug"
        if self.fault == "quits":
            self._state.publish(DialogueState(state=DialogueState.FAILED, name="failed", reason="nothing fits"))
        else:
            self._ask(is_repeat=False)

    def _ask(self, *, is_repeat):
        self._question.publish(Question(dialogue_id="d1", question_id=1, text=self.ASKED, is_repeat=is_repeat))

    def _on_service(self, request, response):
        response.accepted = (request.dialogue_id, request.question_id) == ("d1", 1)
        self._on_answer(request.text)
        return response

    def _on_answer(self, words):
        self.answers.append(words)
        if self.fault == "deaf" and len(self.answers) == 1:
            self._ask(is_repeat=True)
            return
        self._question.publish(Question())
        self.colour = next(colour for colour in ("purple", "orange") if colour in words)

    def _on_labels(self, message):
        if self.colour is None or not self.things:
            return
        meant = [t.id for t in self.things.values() if (t.colour == self.colour) == (self.fault != "other")]
        mask = (mono8(message) == meant[0]).astype(np.uint8) * 255
        header = Header(stamp=message.header.stamp, frame_id=message.header.frame_id)
        if self.fault == "late":
            header.stamp.nanosec ^= 1
        self._mask.publish(image_message(header, message.height, message.width, "mono8", array("B", mask.tobytes())))


@pytest.fixture(scope="module")
def camera():
    """One camera for all persons."""
    with Running([command(CAMERA, {"source": "clip", "duration_s": 2.0})]) as running:
        yield running


def meet(fault="", **parameters):
    """A person meets a scripted node; returns the exit code, the summary, and the node."""
    leaves = {"exit_after_masks": 10, "delay_s": 0.1, "timeout_s": 30.0}
    person = command(PERSON, leaves | parameters)
    with Spun("clarify_segment") as spun, Running([person]) as running:
        scripted = ScriptedNode(spun.node, fault)
        spun.until(lambda: running.processes[0].poll() is not None, "the person leaves")
        assert running.left_behind() == []
        return running.processes[0].returncode, running.last_line(PERSON), scripted


@pytest.mark.parametrize(
    ("answer_by", "seed", "meant"), [("topic", 0, "the small orange mug"), ("service", 1, "the large purple mug")]
)
def test_the_person_commands_answers_and_is_content(camera, answer_by, seed, meant):
    code, summary, scripted = meet(answer_by=answer_by, seed=seed)
    assert code == 0
    assert summary["questions"] == [ScriptedNode.ASKED]
    assert summary["meant"] == meant
    assert summary["answers"] == scripted.answers == [meant.split()[2]]
    assert summary["mean_j"] == 1.0
    assert summary["masks"] >= 10
    assert (summary["unknown_stamps"], summary["wrong_sizes"], summary["refused_answers"]) == (0, 0, 0)


def test_a_repeated_question_is_answered_again_and_counted_once(camera):
    code, summary, scripted = meet("deaf")
    assert code == 0
    assert summary["questions"] == [ScriptedNode.ASKED]
    assert len(summary["answers"]) == len(scripted.answers) == 2


def test_the_person_leaves_discontent_with_the_wrong_thing(camera):
    code, summary, _ = meet("other")
    assert code == 1
    assert summary["mean_j"] < 0.1


def test_stamps_that_no_image_has_are_counted_and_never_pass(camera):
    code, summary, _ = meet("late")
    assert code == 1
    assert summary["unknown_stamps"] > 0


def test_the_person_leaves_when_the_node_gives_up(camera):
    code, summary, _ = meet("quits")
    assert code == 1
    assert summary["masks"] == 0
