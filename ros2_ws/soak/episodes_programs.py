"""What programs do between two faults, and what must come of it: goals, services, answers by number, watching."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from icseg_msgs.action import ClarifySegment
from icseg_msgs.srv import Segment
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

from benchmarks.ros_pictures import raw_message
from ros2_ws.soak.episode_ends import AMBIGUOUS, CLEAR, ENDED_WITHIN_S, RIGHT, until_tracked
from ros2_ws.soak.faults import Surroundings
from ros2_ws.soak.listener import NODE, Missed
from ros2_ws.soak.robot import Robot

GOAL, SERVED = ClarifySegment.Result, Segment.Response


def goal_answered(around: Surroundings, chance: Random) -> str:
    """Through the action; the question is answered by its number."""
    robot, before = around.robot, around.robot.question
    handle = _accepted(robot, command=chance.choice(AMBIGUOUS))
    question = robot.wait_for_question(before, "the goal's question")
    ids = {"dialogue_id": question.dialogue_id, "question_id": question.question_id}
    option = chance.randrange(len(question.options)) if question.options else None
    fields = {"text": "the purple one"} if option is None else {"option": option}
    reply = robot.call("answer", **ids, **fields)
    if not reply.accepted:
        raise Missed(f"the right answer was refused: {reply.message}")
    result = robot.goal_result(handle)
    if result.outcome != GOAL.SEGMENTED or not result.mask.data:
        raise Missed(f"the goal ended with {result.outcome}: {result.reason}")
    return "tracked"


def goal_canceled(around: Surroundings, chance: Random) -> str:
    """Canceled while its question waits."""
    robot, before = around.robot, around.robot.question
    handle = _accepted(robot, command=chance.choice(AMBIGUOUS))
    robot.wait_for_question(before, "the goal's question")
    handle.cancel_goal_async()
    return _outcome(robot, handle, GOAL.CANCELED)


def goal_preempted(around: Surroundings, chance: Random) -> str:
    """By another goal, or by typed words."""
    robot = around.robot
    first = _accepted(robot, command=chance.choice(AMBIGUOUS))
    if chance.random() < 0.5:
        robot.until(lambda: robot.state.name in ("thinking", "asking"), "the goal's dialogue", ENDED_WITHIN_S)
        robot.say(chance.choice(CLEAR))
        return _outcome(robot, first, GOAL.PREEMPTED)
    second = _accepted(robot, command=chance.choice(CLEAR))
    _outcome(robot, first, GOAL.PREEMPTED)
    return _outcome(robot, second, GOAL.SEGMENTED)


def goal_with_picture(around: Surroundings, chance: Random) -> str:
    """Its own picture, in the middle of tracking: the stream goes on."""
    robot = around.robot
    robot.track()
    picture = raw_message(robot.camera.newest()[1].rgb)
    picture.header.stamp.sec = 7
    handle = _accepted(robot, command=chance.choice(CLEAR), image=picture)
    result = robot.goal_result(handle)
    if result.outcome != GOAL.SEGMENTED or result.mask.header.stamp.sec != 7:
        raise Missed(f"the goal's picture ended with {result.outcome}: {result.reason}")
    robot.wait_for_flow(time.monotonic())
    return "segmented, and tracking went on"


def goals_refused(around: Surroundings, chance: Random) -> str:
    """Fields that are wrong."""
    for fields in ({"command": " "}, {"command": "a", "max_turns": 6}, {"command": "a", "timeout_s": -1.0}):
        if around.robot.send_goal(**fields).accepted:
            raise Missed(f"a goal with {fields} was accepted")
    return "refused"


def segment_service(around: Surroundings, chance: Random) -> str:
    """~/segment in every way."""
    robot = around.robot
    robot.until(lambda: robot.facts.get("camera/taken", "0") != "0", "an image", ENDED_WITHIN_S)
    clear = robot.call("segment", ENDED_WITHIN_S, text=chance.choice(CLEAR))
    if clear.outcome not in (SERVED.OK, SERVED.NOT_FOUND):
        raise Missed(f"~/segment with clear words: {clear.outcome} {clear.message}")
    unclear = robot.call("segment", ENDED_WITHIN_S, text=chance.choice(AMBIGUOUS))
    if unclear.outcome != SERVED.NEEDS_CLARIFICATION or not unclear.question:
        raise Missed(f"~/segment with ambiguous words: {unclear.outcome} {unclear.message}")
    answered = robot.call("segment", ENDED_WITHIN_S, text=chance.choice(AMBIGUOUS), answers=[chance.choice(RIGHT)])
    if answered.outcome != SERVED.OK:
        raise Missed(f"~/segment with a prepared answer: {answered.outcome} {answered.message}")
    x0, y0, x1, y1 = (round(side) for side in robot.camera.newest()[1].box_image_px() or ())
    shown = robot.call("segment", box=RegionOfInterest(x_offset=x0, y_offset=y0, width=x1 - x0, height=y1 - y0))
    if shown.outcome != SERVED.OK or not shown.mask.data:
        raise Missed(f"~/segment with a box: {shown.outcome} {shown.message}")
    wrong = robot.call("segment", text="the mug", timeout_s=-1.0)
    if wrong.outcome != SERVED.INVALID_REQUEST:
        raise Missed(f"~/segment with a wrong field: {wrong.outcome}")
    return "served"


def nobody_answers(around: Surroundings, chance: Random) -> str:
    """The question is repeated, then given up; the answer comes too late."""
    robot = around.robot
    question = robot.ask_for(chance.choice(AMBIGUOUS))
    robot.until(lambda: robot.question.is_repeat, "the question again", ENDED_WITHIN_S)
    robot.until(lambda: robot.state.name == "failed", "giving up", ENDED_WITHIN_S)
    ids = {"dialogue_id": question.dialogue_id, "question_id": question.question_id}
    if robot.call("answer", **ids, text="the purple one").accepted:
        raise Missed("an answer to a question that was given up was accepted")
    return "given up, the late answer refused"


def answer_to_an_old_question(around: Surroundings, chance: Random) -> str:
    """By its number, while another one waits; and an option that is not there."""
    robot = around.robot
    old = robot.ask_for(chance.choice(AMBIGUOUS))
    new = robot.ask_for(chance.choice(AMBIGUOUS))
    if robot.call("answer", dialogue_id=old.dialogue_id, question_id=old.question_id, option=0).accepted:
        raise Missed("an answer to the question before was accepted")
    if robot.call("answer", option=250).accepted:
        raise Missed("option 250 was accepted")
    ids = {"dialogue_id": new.dialogue_id, "question_id": new.question_id}
    reply = robot.call("answer", **ids, text="the purple one")
    if not reply.accepted:
        raise Missed(f"the answer to the question that waits was refused: {reply.message}")
    return f"refused; {until_tracked(robot)}"


def answer_without_a_question(around: Surroundings, chance: Random) -> str:
    """Nothing waits."""
    around.robot.say("stop")
    around.robot.until(lambda: around.robot.state.name in ("idle", "failed"), "the end of the dialogue", ENDED_WITHIN_S)
    if around.robot.call("answer", text="the purple one").accepted:
        raise Missed("an answer was accepted though no question waits")
    return "refused"


def overlay_watched(around: Surroundings, chance: Random) -> str:
    """Somebody watches ~/overlay, raw and compressed, and the label image, and goes again."""
    robot = around.robot
    robot.track()
    seen: dict[str, int] = {}

    def count(name: str) -> Callable[[object], None]:
        return lambda _: seen.__setitem__(name, seen.get(name, 0) + 1)

    topics = {
        "overlay": Image,
        "overlay/compressed": CompressedImage,
        "label_image": Image,
        "mask/compressed": CompressedImage,
    }
    made = [robot.node.create_subscription(kind, f"{NODE}/{name}", count(name), 5) for name, kind in topics.items()]
    try:
        robot.until(
            lambda: len(seen) == len(topics) and min(seen.values()) >= 3, f"pictures of {list(topics)}", ENDED_WITHIN_S
        )
    finally:
        for subscription in made:
            robot.node.destroy_subscription(subscription)
    return "seen"


def _accepted(robot: Robot, **fields: object) -> object:
    handle = robot.send_goal(**fields)
    if not handle.accepted:
        raise Missed(f"a goal with {sorted(fields)} was refused")
    return handle


def _outcome(robot: Robot, handle: object, outcome: int) -> str:
    result = robot.goal_result(handle)
    if result.outcome != outcome:
        raise Missed(f"a goal ended with {result.outcome} ({result.reason}), not with {outcome}")
    return f"outcome {outcome}"
