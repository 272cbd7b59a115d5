"""What people and programs say to the node between two faults, and what must come of it.

Every episode returns in words how it ended, and raises ``Missed`` when what must happen does not.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, cast

from icseg_msgs.action import ClarifySegment
from icseg_msgs.srv import Segment
from sensor_msgs.msg import CompressedImage, Image, RegionOfInterest

from benchmarks.ros_pictures import raw_message
from ros2_ws.soak.faults import Stage
from ros2_ws.soak.robot import NODE, Missed, Robot

if TYPE_CHECKING:
    from ros2_ws.soak.speech import SoakSpeech

AMBIGUOUS = ("find the mug", "track the mug", "segment the mug")
"""With a verb of search: a command even while a question waits."""
CLEAR = ("find the purple mug", "find the orange mug")
RIGHT = ("the purple one", "purple", "the orange one", "orange")
END_S = 15.0
"""Within so long every command must end: tracked, or with a reason."""
GOAL, SERVED = ClarifySegment.Result, Segment.Response
ODD_WORDS = ("", "   ", "?!", "\u0000", "<call> </call>", "der rote Becher \U0001f600", "a" * 100_000, "yes", "42")

Episode = Callable[[Stage, Random], str]


def command_and_answer(stage: Stage, chance: Random) -> str:
    """Typed, asked, answered on ~/answer's topic or as the next command."""
    robot = stage.robot
    robot.ask_for(chance.choice(AMBIGUOUS))
    words = chance.choice(RIGHT)
    (robot.answer if chance.random() < 0.5 else robot.say)(words)
    return _tracked(robot)


def clear_command(stage: Stage, chance: Random) -> str:
    """One thing only: nothing is asked."""
    before = stage.robot.state.dialogue_id
    stage.robot.say(chance.choice(CLEAR))
    return _ended(stage.robot, before)


def spoken(stage: Stage, chance: Random) -> str:
    """Heard by the recognizer; the answer too, once the robot has ended speaking."""
    if stage.speech is None:
        return "left out: no speech types"
    robot, speech = stage.robot, cast("SoakSpeech", stage.speech)
    time.sleep(0.5)  # it may just be saying why the last command failed
    before, said = robot.question, len(speech.spoken)
    speech.person_says(chance.choice(AMBIGUOUS))
    robot.wait_for_question(before, "a question to spoken words", 8.0)
    robot.until(lambda: len(speech.spoken) > said, "the question spoken", 5.0)
    time.sleep(0.3)  # speech.holdoff_s is 0.1
    speech.person_says(chance.choice(RIGHT))
    return _tracked(robot)


def box(stage: Stage, chance: Random) -> str:
    """Shown as a box."""
    stage.robot.track()
    return "tracked"


def goal_answered(stage: Stage, chance: Random) -> str:
    """Through the action; the question is answered by its number."""
    robot, before = stage.robot, stage.robot.question
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


def goal_canceled(stage: Stage, chance: Random) -> str:
    """Canceled while its question waits."""
    robot, before = stage.robot, stage.robot.question
    handle = _accepted(robot, command=chance.choice(AMBIGUOUS))
    robot.wait_for_question(before, "the goal's question")
    handle.cancel_goal_async()
    return _outcome(robot, handle, GOAL.CANCELED)


def goal_preempted(stage: Stage, chance: Random) -> str:
    """By another goal, or by typed words."""
    robot = stage.robot
    first = _accepted(robot, command=chance.choice(AMBIGUOUS))
    if chance.random() < 0.5:
        robot.until(lambda: robot.state.name in ("thinking", "asking"), "the goal's dialogue", END_S)
        robot.say(chance.choice(CLEAR))
        return _outcome(robot, first, GOAL.PREEMPTED)
    second = _accepted(robot, command=chance.choice(CLEAR))
    _outcome(robot, first, GOAL.PREEMPTED)
    return _outcome(robot, second, GOAL.SEGMENTED)


def goal_with_picture(stage: Stage, chance: Random) -> str:
    """Its own picture, in the middle of tracking: the stream goes on."""
    robot = stage.robot
    robot.track()
    picture = raw_message(robot.camera.newest()[1].rgb)
    picture.header.stamp.sec = 7
    handle = _accepted(robot, command=chance.choice(CLEAR), image=picture)
    result = robot.goal_result(handle)
    if result.outcome != GOAL.SEGMENTED or result.mask.header.stamp.sec != 7:
        raise Missed(f"the goal's picture ended with {result.outcome}: {result.reason}")
    robot.wait_for_flow(time.monotonic())
    return "segmented, and tracking went on"


def goals_refused(stage: Stage, chance: Random) -> str:
    """Fields that are wrong."""
    for fields in ({"command": " "}, {"command": "a", "max_turns": 6}, {"command": "a", "timeout_s": -1.0}):
        if stage.robot.send_goal(**fields).accepted:
            raise Missed(f"a goal with {fields} was accepted")
    return "refused"


def segment_service(stage: Stage, chance: Random) -> str:
    """~/segment in every way."""
    robot = stage.robot
    robot.until(lambda: robot.facts.get("camera/taken", "0") != "0", "an image", END_S)
    clear = robot.call("segment", END_S, text=chance.choice(CLEAR))
    if clear.outcome not in (SERVED.OK, SERVED.NOT_FOUND):
        raise Missed(f"~/segment with clear words: {clear.outcome} {clear.message}")
    unclear = robot.call("segment", END_S, text=chance.choice(AMBIGUOUS))
    if unclear.outcome != SERVED.NEEDS_CLARIFICATION or not unclear.question:
        raise Missed(f"~/segment with ambiguous words: {unclear.outcome} {unclear.message}")
    answered = robot.call("segment", END_S, text=chance.choice(AMBIGUOUS), answers=[chance.choice(RIGHT)])
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


def wrong_answer(stage: Stage, chance: Random) -> str:
    """An answer that fits nothing."""
    robot = stage.robot
    question = robot.ask_for(chance.choice(AMBIGUOUS))
    robot.answer(chance.choice(("the green elephant", "neither", "I can't tell", "hm")))
    robot.until(
        lambda: robot.question.question_id != question.question_id or robot.state.name not in ("asking", "thinking"),
        "a reaction to a wrong answer",
        END_S,
    )
    if robot.state.name == "asking":
        robot.answer(chance.choice(RIGHT))
    return _ended(robot, "")


def nobody_answers(stage: Stage, chance: Random) -> str:
    """The question is repeated, then given up; the answer comes too late."""
    robot = stage.robot
    question = robot.ask_for(chance.choice(AMBIGUOUS))
    robot.until(lambda: robot.question.is_repeat, "the question again", END_S)
    robot.until(lambda: robot.state.name == "failed", "giving up", END_S)
    ids = {"dialogue_id": question.dialogue_id, "question_id": question.question_id}
    if robot.call("answer", **ids, text="the purple one").accepted:
        raise Missed("an answer to a question that was given up was accepted")
    return "given up, the late answer refused"


def answer_to_an_old_question(stage: Stage, chance: Random) -> str:
    """By its number, while another one waits; and an option that is not there."""
    robot = stage.robot
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
    return f"refused; {_tracked(robot)}"


def answer_without_a_question(stage: Stage, chance: Random) -> str:
    """Nothing waits."""
    stage.robot.say("stop")
    stage.robot.until(lambda: stage.robot.state.name in ("idle", "failed"), "the end of the dialogue", END_S)
    if stage.robot.call("answer", text="the purple one").accepted:
        raise Missed("an answer was accepted though no question waits")
    return "refused"


def nothing_fits(stage: Stage, chance: Random) -> str:
    """A thing that is not there."""
    before = stage.robot.state.dialogue_id
    stage.robot.say(chance.choice(("find the zebra", "find the green spoon")))
    return _ended(stage.robot, before)


def odd_words(stage: Stage, chance: Random) -> str:
    """Empty, very long, control characters, the protocol's own tags; then a box, which must still work."""
    for words in chance.sample(ODD_WORDS, 4):
        stage.robot.say(words)
        time.sleep(0.2)
    stage.robot.track()
    return "tracked afterwards"


def many_commands(stage: Stage, chance: Random) -> str:
    """Twenty at once: the last one counts."""
    before = stage.robot.state.dialogue_id
    for _ in range(20):
        stage.robot.say(chance.choice((*AMBIGUOUS, *CLEAR)))
    stage.robot.say(CLEAR[0])
    return _ended(stage.robot, before)


def bad_boxes(stage: Stage, chance: Random) -> str:
    """Empty, and outside of the image; then one that can be used."""
    stage.robot.point((10, 10, 10, 10))
    stage.robot.point((5000, 5000, 5010, 5010))
    stage.robot.track()
    return "tracked afterwards"


def stop(stage: Stage, chance: Random) -> str:
    """In the middle of tracking: by word or by ~/cancel."""
    robot = stage.robot
    robot.track()
    if chance.random() < 0.5:
        robot.say("stop")
    else:
        robot.call("cancel")
    robot.until(lambda: robot.state.name == "idle", "stop", END_S)
    return "idle"


def overlay_watched(stage: Stage, chance: Random) -> str:
    """Somebody looks at ~/overlay, raw and compressed, and at ~/candidates' label image, and goes again."""
    robot = stage.robot
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
        robot.until(lambda: len(seen) == len(topics) and min(seen.values()) >= 3, f"pictures of {list(topics)}", END_S)
    finally:
        for subscription in made:
            robot.node.destroy_subscription(subscription)
    return "seen"


EPISODES: tuple[Episode, ...] = (
    command_and_answer,
    clear_command,
    spoken,
    box,
    goal_answered,
    goal_canceled,
    goal_preempted,
    goal_with_picture,
    goals_refused,
    segment_service,
    wrong_answer,
    nobody_answers,
    answer_to_an_old_question,
    answer_without_a_question,
    nothing_fits,
    odd_words,
    many_commands,
    bad_boxes,
    stop,
    overlay_watched,
)


def _tracked(robot: Robot) -> str:
    robot.until(lambda: robot.state.name in ("tracking", "lost"), "tracking", END_S)
    robot.wait_for_flow(time.monotonic())
    return "tracked"


def _ended(robot: Robot, before: str) -> str:
    """How the dialogue after this one ended; a question is answered."""
    robot.until(lambda: robot.state.dialogue_id not in ("", before), "a dialogue", END_S)
    ends_at = time.monotonic() + END_S
    while robot.state.name not in ("tracking", "lost", "failed", "idle"):
        if robot.state.name == "asking":
            robot.answer("the purple one")
        if time.monotonic() > ends_at:
            raise Missed(f"the command did not end within {END_S:g} s; the state is {robot.state.name!r}")
        time.sleep(0.2)
    if robot.state.name == "failed" and not robot.state.reason:
        raise Missed("a command failed without a reason")
    return f"failed: {robot.state.reason}" if robot.state.name == "failed" else robot.state.name


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
