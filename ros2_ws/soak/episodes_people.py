"""What people do between two faults, and what must come of it: they type, speak, show, fall silent, talk nonsense."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, cast

from ros2_ws.soak.episode_ends import AMBIGUOUS, CLEAR, ENDED_WITHIN_S, RIGHT, until_ended, until_tracked
from ros2_ws.soak.faults import Surroundings

if TYPE_CHECKING:
    from ros2_ws.soak.speech import SoakSpeech

ODD_WORDS = ("", "   ", "?!", "\u0000", "<call> </call>", "der rote Becher \U0001f600", "a" * 100_000, "yes", "42")
"""What a recognizer, a keyboard or a prankster may come up with."""


def command_and_answer(around: Surroundings, chance: Random) -> str:
    """Typed, asked, answered on ~/answer's topic or as the next command."""
    robot = around.robot
    robot.ask_for(chance.choice(AMBIGUOUS))
    words = chance.choice(RIGHT)
    (robot.answer if chance.random() < 0.5 else robot.say)(words)
    return until_tracked(robot)


def clear_command(around: Surroundings, chance: Random) -> str:
    """One thing only: nothing is asked."""
    before = around.robot.state.dialogue_id
    around.robot.say(chance.choice(CLEAR))
    return until_ended(around.robot, before)


def spoken(around: Surroundings, chance: Random) -> str:
    """Heard by the recognizer; the answer too, once the robot has ended speaking."""
    if around.speech is None:
        return "left out: no speech types"
    robot, speech = around.robot, cast("SoakSpeech", around.speech)
    time.sleep(0.5)  # it may just be saying why the last command failed
    before, said = robot.question, len(speech.spoken)
    speech.person_says(chance.choice(AMBIGUOUS))
    robot.wait_for_question(before, "a question to spoken words", 8.0)
    robot.until(lambda: len(speech.spoken) > said, "the question spoken", 5.0)
    time.sleep(0.3)  # speech.holdoff_s is 0.1
    speech.person_says(chance.choice(RIGHT))
    return until_tracked(robot)


def box(around: Surroundings, chance: Random) -> str:
    """Shown as a box."""
    around.robot.track()
    return "tracked"


def wrong_answer(around: Surroundings, chance: Random) -> str:
    """An answer that fits nothing."""
    robot = around.robot
    question = robot.ask_for(chance.choice(AMBIGUOUS))
    robot.answer(chance.choice(("the green elephant", "neither", "I can't tell", "hm")))
    robot.until(
        lambda: robot.question.question_id != question.question_id or robot.state.name not in ("asking", "thinking"),
        "a reaction to a wrong answer",
        ENDED_WITHIN_S,
    )
    if robot.state.name == "asking":
        robot.answer(chance.choice(RIGHT))
    return until_ended(robot, "")


def nothing_fits(around: Surroundings, chance: Random) -> str:
    """A thing that is not there."""
    before = around.robot.state.dialogue_id
    around.robot.say(chance.choice(("find the zebra", "find the green spoon")))
    return until_ended(around.robot, before)


def odd_words(around: Surroundings, chance: Random) -> str:
    """Empty, very long, control characters, the protocol's own tags; then a box, which must still work."""
    for words in chance.sample(ODD_WORDS, 4):
        around.robot.say(words)
        time.sleep(0.2)
    around.robot.track()
    return "tracked afterwards"


def many_commands(around: Surroundings, chance: Random) -> str:
    """Twenty at once: the last one counts."""
    before = around.robot.state.dialogue_id
    for _ in range(20):
        around.robot.say(chance.choice((*AMBIGUOUS, *CLEAR)))
    around.robot.say(CLEAR[0])
    return until_ended(around.robot, before)


def bad_boxes(around: Surroundings, chance: Random) -> str:
    """Empty, and outside of the image; then one that can be used."""
    around.robot.point((10, 10, 10, 10))
    around.robot.point((5000, 5000, 5010, 5010))
    around.robot.track()
    return "tracked afterwards"


def stop(around: Surroundings, chance: Random) -> str:
    """In the middle of tracking: by word or by ~/cancel."""
    robot = around.robot
    robot.track()
    if chance.random() < 0.5:
        robot.say("stop")
    else:
        robot.call("cancel")
    robot.until(lambda: robot.state.name == "idle", "stop", ENDED_WITHIN_S)
    return "idle"
