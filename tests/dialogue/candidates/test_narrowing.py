"""The course of a dialogue to the word: what is asked, what is pointed at, and the reasons for giving up."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from icseg.dialogue.actions import Ask, Choice, GiveUp
from icseg.dialogue.candidates.belief import BeliefConfig
from icseg.dialogue.candidates.narrowing import Decision, Point, decide
from icseg.dialogue.candidates.questions import QuestionConfig
from icseg.dialogue.candidates.things import Candidate
from tests.dialogue.candidates.made_things import VOCABULARY, row, seen, thing

BELIEF = BeliefConfig(live_ratio=0.25, min_fit=0.2)
QUESTIONS = QuestionConfig(max_options=6, min_gain_bits=0.08, equal_gain_bits=0.1, slip=0.02)
TABLE = [thing(x=0.1), thing(colour="blue", x=0.4), thing("bowl", x=0.8)]
"""A red mug, a blue mug, a red bowl."""
IN_VIEW = "I see: a red mug, a blue mug, a red bowl."
WHICH_MUG = "Which mug: the red one or the blue one?"


def after(command: str, *answers: str, things: Sequence[Candidate] = TABLE) -> Decision:
    return decide(command, answers, things, VOCABULARY, BELIEF, QUESTIONS)


def question(command: str, *answers: str, things: Sequence[Candidate] = TABLE) -> str:
    decision = after(command, *answers, things=things)
    assert isinstance(decision, Ask), decision
    return decision.question


def reason(command: str, *answers: str, things: Sequence[Candidate] = TABLE) -> str:
    decision = after(command, *answers, things=things)
    assert isinstance(decision, GiveUp), decision
    return decision.reason


@pytest.mark.parametrize(
    ("command", "answers", "index"),
    [
        ("the red mug", [], 0),
        ("the mug, not the red one", [], 1),
        ("the thing, not a mug, not the blue one", [], 2),
        ("the mug", ["the red one"], 0),
        ("the mug", ["the second"], 1),
        ("the mug", ["blorp", "the red one"], 0),
        ("the mug", ["I can't tell", "the left one"], 0),
        ("the thing", ["the red one", "the bowl"], 2),
        ("the thing", ["the mug", "the blue one"], 1),
    ],
)
def test_one_thing_that_is_left_is_pointed_at(command: str, answers: list[str], index: int) -> None:
    decision = after(command, *answers)
    assert decision == Point(index, f"Fit the words: {['red mug', 'blue mug', 'red bowl'][index]}.")


def test_a_question_tells_what_it_is_about() -> None:
    decision = after("the mug")
    assert decision == Ask(WHICH_MUG, ("the red one", "the blue one"), "Fit the words: red mug, blue mug.")
    assert isinstance(decision, Ask)
    red, blue = decision.choices
    attributes = (("kind", "mug"), ("colour", "red"))
    assert red == Choice(TABLE[0].detection.box_image_px, "red mug", pytest.approx(0.5, abs=1e-3), attributes, (0,))
    assert (blue.label, blue.options) == ("blue mug", (1,))


def colours(x: float, **shares: float) -> Candidate:
    return Candidate(seen((0, 0, 9, 9), "mug", shares), x, 0.8, 0.0)


@pytest.mark.parametrize(("share", "options"), [(0.2, (0, 1)), (0.19, (0,))])
def test_an_option_leaves_what_it_fits_half_as_well_as_the_best(share: float, options: tuple[int, ...]) -> None:
    """One behind the other, so that only their colours can be asked for."""
    things = [colours(0.5, red=0.4, blue=share, white=0.35, green=0.25 - share), colours(0.5, blue=1.0)]
    decision = after("the mug", things=things)
    assert isinstance(decision, Ask)
    assert decision.options == ("the red one", "the blue one")
    assert [choice.options for choice in decision.choices] == [options, (1,)]


def test_words_that_are_not_understood_are_asked_for_again_once() -> None:
    again = f"I did not understand 'blorp'. Please use one of these words. {WHICH_MUG}"
    assert question("the mug", "blorp") == again
    known = "I did not understand 'blap'. I know: mug, bowl, can, red, blue, white."
    assert reason("the mug", "blorp", "blap") == known
    assert reason("the mug", "blorp", "I can't tell", "blap") == known
    assert question("the thing", "blorp", "the mug") == WHICH_MUG


def test_one_thing_left_is_no_answer_to_words_that_were_not_understood() -> None:
    one_mug = [thing(x=0.1), thing("bowl", x=0.8)]
    assert after("the mug", things=one_mug) == Point(0, "Fit the words: red mug.")
    assert reason("the mug", "blorp", things=one_mug) == "I cannot tell the red mug apart."


def test_words_that_do_not_narrow_are_told_before_the_first_question_only() -> None:
    unknown = "I do not know 'shiny'."
    assert question("the shiny mug") == f"{unknown} {WHICH_MUG}"
    assert question("the shiny mug", "I can't tell") == "Which mug: the left one or the right one?"
    assert question("the shiny thing", "the mug") == WHICH_MUG
    assert after("the mug next to the shiny bowl") == Point(1, f"Fit the words: blue mug. {unknown}")
    assert after("the mug", "the shiny red one") == Point(0, f"Fit the words: red mug. {unknown}")


def test_a_choice_that_is_left_to_the_robot_is_the_likeliest() -> None:
    things = [colours(0.1, red=0.7, blue=0.3), colours(0.9, red=0.9, blue=0.1)]
    note = "The person left the choice to me ('whichever')."
    assert after("the red mug", "whichever", things=things) == Point(1, f"Fit the words: red mug, red mug. {note}")


def test_five_questions_are_enough() -> None:
    eight = row(*(0.1 + 0.1 * place for place in range(8)))
    four = ["not the first", "not the second", "not the third", "not the fourth"]
    assert question("the mug", *four, things=eight) == (
        "Which mug, counting from the left: the fifth, the sixth, the seventh, or the eighth?"
    )
    assert after("the mug", *four, "the fifth", things=eight) == Point(4, "Fit the words: red mug.")
    left = "the red mug, the red mug, and the red mug"
    assert reason("the mug", *four, "not the fifth", things=eight) == f"After 5 questions {left} still fit."


def test_things_that_no_question_tells_apart() -> None:
    twins = row(0.2, 0.2)
    assert reason("the mug", things=twins) == "I cannot tell the red mug and the red mug apart."
    assert reason("the mug", "I can't tell", "I can't tell") == "I cannot tell the red mug and the blue mug apart."


@pytest.mark.parametrize(
    ("command", "answers", "expected"),
    [
        ("never mind", [], "cancelled by the person"),
        ("the mug", ["never mind"], "cancelled by the person"),
        ("hello", [], "I heard no thing named in 'hello'. I know: mug, bowl, can."),
        ("the stapler", [], "I do not know 'stapler'. I know: mug, bowl, can."),
        ("the mug next to the stapler", [], "I do not know 'stapler'. I know: mug, bowl, can."),
        ("the pink mug", [], "I do not know the colour 'pink'. I know: red, blue, white."),
        ("the white mug", [], f"I see no white mug. {IN_VIEW}"),
        ("the mug next to the can", [], f"I see no can. {IN_VIEW}"),
        ("the can next to the mug", [], f"I see no can like that. {IN_VIEW}"),
        ("the third mug from the left", [], f"I see no mug like that. {IN_VIEW}"),
        ("the fourth one from the left", [], f"I see no thing. {IN_VIEW}"),
        (
            "the mug",
            ["neither"],
            f"Nothing that I see is left: I offered the red one and the blue one, and you said 'neither'. {IN_VIEW}",
        ),
        (
            "the mug",
            ["the bowl"],
            f"You asked for 'the mug' and then you said 'the bowl': nothing I see fits both. {IN_VIEW}",
        ),
        (
            "the thing",
            ["not the red one", "the red one"],
            "You said 'not the red one' and then 'the red one': nothing I see fits both.",
        ),
        ("the mug", ["the white one"], f"I see no white mug: you said 'the white one'. {IN_VIEW}"),
        ("the mug", ["the white bowl"], f"I see no white bowl: you said 'the white bowl'. {IN_VIEW}"),
    ],
)
def test_giving_up_says_why(command: str, answers: list[str], expected: str) -> None:
    assert reason(command, *answers) == expected


def test_nothing_in_view() -> None:
    assert after("the mug", things=[]) == GiveUp("I see no mug. I see nothing that I know.", "Fit the words: nothing.")


@pytest.mark.parametrize(("length", "quoted"), [(60, "x" * 60), (61, "x" * 57 + "...")])
def test_long_words_are_said_back_in_part(length: int, quoted: str) -> None:
    assert reason("x" * length) == f"I do not know '{quoted}'. I know: mug, bowl, can."


def kinds(share: float, x: float) -> Candidate:
    return Candidate(seen((0, 0, 9, 9), {"mug": share, "can": 1 - share}), x, 0.8, 0.0)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.8, "Which red mug: the left one or the right one?"),
        (0.79, "Which red thing, counting from the left: the first or the second?"),
    ],
)
def test_a_kind_that_was_not_said_is_used_when_it_is_sure_and_tells_apart(share: float, expected: str) -> None:
    things = [kinds(share, 0.1), kinds(share, 0.5), thing("bowl", x=0.9)]
    assert question("the red thing, not the bowl", things=things) == expected
    assert question("the red thing", things=things[:2]).startswith("Which red thing: the left")


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        (0.8, "Which red mug: the left one or the right one?"),
        (0.79, "Which mug, counting from the left: the first or the second?"),
    ],
)
def test_so_is_a_colour(share: float, expected: str) -> None:
    things = [colours(0.1, red=share, white=1 - share), colours(0.5, red=share, white=1 - share)]
    assert question("the mug, not the blue one", things=[*things, thing(colour="blue", x=0.9)]) == expected
    assert question("the mug", things=things) == "Which mug: the left one or the right one?"


@pytest.mark.parametrize(("share", "is_called_so"), [(0.51, True), (0.5, False)])
def test_what_tells_apart_must_be_called_so_itself(share: float, is_called_so: bool) -> None:
    """A bowl that is hardly red does not make "mug" worth saying among red things."""
    bowl = Candidate(seen((0, 0, 9, 9), "bowl", {"red": share, "blue": 1 - share}), 0.9, 0.8, 0.0)
    called = "mug" if is_called_so else "thing"
    asked = question("the red thing, not the bowl", things=[*row(0.1, 0.5), bowl])
    assert asked.startswith(f"Which red {called}")


def test_the_words_of_an_answer_are_what_things_are_called_from_then_on() -> None:
    things = [*row(0.1, 0.3), thing(colour="blue", x=0.5), thing("bowl", x=0.7), thing("bowl", "blue", x=0.9)]
    assert question("the thing", "a mug", things=things).startswith("Which mug: ")
    assert question("the thing", "a red one", "a mug", things=things) == "Which red mug: the left one or the right one?"
    assert question("the mug", "the red one", things=things) == "Which red mug: the left one or the right one?"
    unsure = [colours(0.1, red=0.7, white=0.3), colours(0.5, red=0.7, white=0.3), thing("bowl", x=0.9)]
    assert question("the red thing", "the mug", things=unsure) == "Which red mug: the left one or the right one?"
