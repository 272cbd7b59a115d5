"""The simulated user answers from the truth, only what was asked, in the fewest words."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icseg.sim.drawn import Drawn, draw_table
from icseg.sim.truth import SimFrame
from icseg.sim.user import CANNOT_TELL, NEITHER, SimulatedUser, matching_ids

RED_MUG, BLUE_MUG, WHITE_MUG, BIG_BOWL, BOWL, CAN = 1, 2, 3, 4, 5, 6


@pytest.fixture(scope="module")
def frame() -> SimFrame:
    return draw_table(
        [
            Drawn("mug", "red", 0.1, 0.9),
            Drawn("mug", "blue", 0.3, 0.7),
            Drawn("mug", "white", 0.9, 0.8, "large"),
            Drawn("bowl", "green", 0.5, 0.5, "large"),
            Drawn("bowl", "green", 0.7, 0.95),
            Drawn("can", "black", 0.42, 0.72),
        ],
        hw=(240, 320),
    )


QUESTIONS = [
    # The policy's own forms.
    (RED_MUG, "Which mug: the red one, the blue one, or the white one?", "red"),
    (WHITE_MUG, "Which mug: the red one or the blue one?", NEITHER),
    (BOWL, "Which green thing: the bowl or the can?", "bowl"),
    (BLUE_MUG, "Which mug: the leftmost, the middle one, or the rightmost?", "middle"),
    (BIG_BOWL, "Which bowl: the left one or the right one?", "left"),
    (BOWL, "Which green bowl: the nearer one or the farther one?", "nearer"),
    (BLUE_MUG, "Which one, counting from the left: the first, the second, or the third?", "second"),
    (BOWL, "Which one, counting from the left: the first, the second, or the third?", NEITHER),
    (WHITE_MUG, "Which one, counting from the left: a number from 1 to 6?", "sixth"),
    (BLUE_MUG, "Which mug, counting from the front: the first, the second, or the third?", "third"),
    (BIG_BOWL, "Which bowl: the bigger one or the smaller one?", "bigger"),
    (BLUE_MUG, "I do not know 'shiny'. Which mug: the red one or the blue one?", "blue"),
    (BLUE_MUG, "I did not understand 'uh?'. Please use these words. Which mug: the red one or the blue one?", "blue"),
    # The questions' premise is wrong.
    (CAN, "Which mug: the red one or the blue one?", NEITHER),
    # The paper's four forms, and other free text.
    (BLUE_MUG, "Counting from left to right, which position is the target among the mugs?", "second"),
    (WHITE_MUG, "Counting from the right, which mug is the target?", "first"),
    (BLUE_MUG, "In frame 12, is the target to the left of the white mug?", "yes"),
    (WHITE_MUG, "In frame 12, is it to the left of the can or to the right of the can?", "right of the can"),
    (RED_MUG, "What color is the target?", "red"),
    (RED_MUG, "What is the target's colour in frame 3?", "red"),
    (RED_MUG, "In frame 5, is the target in the corner or in the middle of the image?", "corner"),
    (RED_MUG, "In frame 5, is the target in the bottom left corner or the top right corner?", "bottom left corner"),
    (BIG_BOWL, "In frame 5, is the target in the bottom left corner or the top right corner?", NEITHER),
    (WHITE_MUG, "Is the target on the left, in the middle, or on the right?", "right"),
    (BLUE_MUG, "Is the target red, blue or white?", "blue"),
    (CAN, "Is the target red, blue or white?", NEITHER),
    (CAN, "Is the target a mug?", "no"),
    (RED_MUG, "Is it the leftmost mug?", "yes"),
    (RED_MUG, "Do you mean the blue mug?", "no"),
    (BIG_BOWL, "Is the target large?", "yes"),
    (WHITE_MUG, "Is it small?", "no"),
    (BLUE_MUG, "What is the target next to?", "the black can"),
    (CAN, "What kind of object is it?", "can"),
    (CAN, "What size is it?", "small"),
    (RED_MUG, "Where is the target?", "bottom left"),
    # Nothing that the table knows.
    (RED_MUG, "Is the target moving?", CANNOT_TELL),
    (RED_MUG, "Is the mug shiny or matte?", CANNOT_TELL),
    (RED_MUG, "What is the target made of?", CANNOT_TELL),
    (RED_MUG, "Which mug: the bigger one or the heavier one?", CANNOT_TELL),
    (RED_MUG, "", CANNOT_TELL),
    (RED_MUG, "?", CANNOT_TELL),
]  # fmt: skip


@pytest.mark.parametrize(("target_id", "question", "answer"), QUESTIONS)
def test_answer(frame: SimFrame, target_id: int, question: str, answer: str) -> None:
    assert SimulatedUser(target_id).answer(question, frame) == answer


def test_a_hidden_target_cannot_be_told() -> None:
    frame = draw_table([Drawn("spoon", "red", 0.5, 0.5), Drawn("bottle", "blue", 0.5, 0.6, "large"),
                        Drawn("plate", "blue", 0.5, 0.52, "large")])  # fmt: skip
    assert SimulatedUser(1).answer("What colour is the target?", frame) == CANNOT_TELL
    assert SimulatedUser(9).answer("What colour is the target?", frame) == CANNOT_TELL


@pytest.mark.parametrize(
    ("command", "ids"),
    [
        ("the mug", {RED_MUG, BLUE_MUG, WHITE_MUG}),
        ("the red mug", {RED_MUG}),
        ("the leftmost mug", {RED_MUG}),
        ("the mug on the left", {RED_MUG, BLUE_MUG}),
        ("the second thing from the right", {BOWL}),
        ("the bigger bowl", {BIG_BOWL}),
        ("the smaller mug", {RED_MUG, BLUE_MUG}),
        ("the mug next to the can", {BLUE_MUG}),
        ("the mug to the right of the can", {WHITE_MUG}),
        ("the nearest thing", {BOWL}),
        ("the mug, not the red one", {BLUE_MUG, WHITE_MUG}),
        ("the thing", {1, 2, 3, 4, 5, 6}),
        ("the stapler", set()),
        ("the mug next to the stapler", set()),
        ("the red bowl", set()),
        ("hello", set()),
    ],
)
def test_command_fits_in_truth(frame: SimFrame, command: str, ids: set[int]) -> None:
    assert matching_ids(command, frame) == ids


@given(question=st.text(max_size=120), target_id=st.integers(1, 6))
@settings(max_examples=50, deadline=None)
def test_any_question_gets_an_answer(frame: SimFrame, question: str, target_id: int) -> None:
    assert SimulatedUser(target_id).answer(question, frame)
