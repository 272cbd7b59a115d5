"""The best question to the letter and to the digit: options, likelihoods, gain, and which one is preferred."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

import numpy as np
import pytest

from icseg.dialogue.candidates.questions import Question, QuestionConfig, Situation, best_question, noun_phrase
from icseg.dialogue.candidates.things import Candidate
from icseg.dialogue.english.words import NOTHING_SAID, Description
from tests.dialogue.candidates.made_things import VOCABULARY, row, seen, thing

CONFIG = QuestionConfig(max_options=6, min_gain_bits=0.08, equal_gain_bits=0.1, slip=0.02)
MUG = Description(frozenset({"mug"}))
CLEAR = 1e-6


def best(
    *things: Candidate,
    live: Sequence[int] | None = None,
    belief: Sequence[float] | None = None,
    scope: Description = NOTHING_SAID,
    closed: Collection[str] = (),
    config: QuestionConfig = CONFIG,
) -> Question | None:
    posterior = np.array(belief if belief is not None else [1 / len(things)] * len(things))
    situation = Situation(things, posterior, live if live is not None else range(len(things)), scope)
    return best_question(situation, VOCABULARY, config, closed)


def asked(*things: Candidate, **how: object) -> Question:
    question = best(*things, **how)  # type: ignore[arg-type]
    assert question is not None
    return question


def entropy(*shares: float) -> float:
    return -sum(share * math.log2(share) for share in shares)


def coloured(x: float, **colours: float) -> Candidate:
    return Candidate(seen((0, 0, 9, 9), "mug", colours), x, 0.8, 0.0)


def test_a_question_about_colour() -> None:
    question = asked(thing(sure=0.75), thing(colour="blue", x=0.7))
    assert question.attribute == "colour"
    assert question.text == "Which one: the red one or the blue one?"
    assert question.options == ("the red one", "the blue one")
    assert question.likelihood == pytest.approx(np.array([[0.75, 0.0], [0.0, 1.0]]))
    assert question.group == pytest.approx([1.0, 1.0])
    assert question.axis == "x"


def test_the_gain_allows_for_a_slip_of_the_tongue() -> None:
    assert asked(thing(), thing(colour="blue")).gain_bits == pytest.approx(1 - entropy(0.99, 0.01))
    sure = QuestionConfig(slip=0.0)
    assert asked(thing(), thing(colour="blue"), config=sure).gain_bits == pytest.approx(1.0)
    uneven = asked(thing(), thing(colour="blue"), belief=[0.75, 0.25], config=sure)
    assert uneven.gain_bits == pytest.approx(entropy(0.75, 0.25))


def test_counting_is_a_slip_per_neighbour() -> None:
    question = asked(*row(0.2, 0.4, 0.6, 0.8), scope=MUG)
    assert question.options == ("the first", "the second", "the third", "the fourth")
    assert question.likelihood == pytest.approx(np.eye(4), abs=CLEAR)
    assert question.gain_bits == pytest.approx(2 - entropy(0.955, 0.015, 0.015, 0.015), abs=1e-4)
    two = asked(*row(0.2, 0.8), scope=MUG)
    assert two.gain_bits == pytest.approx(1 - entropy(0.99, 0.01), abs=1e-4)


def test_what_is_out_of_the_running_is_not_offered_but_counted() -> None:
    things = row(0.2, 0.4, 0.6, 0.8)
    question = asked(*things, live=[1, 3], scope=MUG)
    assert question.text == "Which mug, counting from the left: the second or the fourth?"
    assert question.gain_bits == pytest.approx(1 - entropy(0.97, 0.03), abs=1e-4)
    blue = asked(thing(), thing(colour="blue"), thing(colour="white"), live=[0, 2])
    assert blue.options == ("the red one", "the white one")
    assert blue.likelihood == pytest.approx(np.array([[1, 0, 0], [0, 0, 1]]))


def test_many_options_are_cut_to_the_likeliest_from_left_to_right() -> None:
    things = [thing(colour="red"), thing(colour="blue"), thing(colour="white"), thing(colour="red")]
    two = QuestionConfig(max_options=2)
    closed = ("place", "depth")
    summed = asked(*things, belief=[0.2, 0.3, 0.35, 0.15], config=two, closed=closed)  # red 0.35 in all
    assert summed.options == ("the red one", "the white one")
    assert asked(*things, belief=[0.2, 0.35, 0.3, 0.15], config=two, closed=closed).options == (
        "the red one",
        "the blue one",
    )
    assert asked(*things, belief=[0.1, 0.4, 0.4, 0.1], config=two, closed=closed).options == (
        "the blue one",
        "the white one",
    )


def test_places_that_are_too_many_to_name_are_asked_for_as_a_number() -> None:
    things = row(*(0.1 * place for place in range(1, 9)))
    some = asked(*things, live=range(1, 7), scope=MUG)
    assert some.options[0] == "the second"
    assert len(some.options) == 6
    most = asked(*things, live=range(1, 8), scope=MUG)
    assert most.text == "Which mug, counting from the left: a number from 2 to 8?"
    assert most.options == ()
    assert most.likelihood == pytest.approx(np.eye(8)[1:], abs=CLEAR)


@pytest.mark.parametrize(("apart", "is_offered"), [(0.0103, True), (0.0105, False)])
def test_two_that_stand_nearly_level_may_each_be_the_first(apart: float, is_offered: bool) -> None:
    """0.0104 of the width apart the one farther right is the first with a chance of 0.15."""
    question = asked(*row(0.3, 0.3 + apart, 0.8), live=[1, 2], scope=MUG)
    first = ("the leftmost", "the middle one", "the rightmost")
    assert question.options == (first if is_offered else ("the second", "the third"))


@pytest.mark.parametrize(
    ("xs", "ys", "options"),
    [
        ((0.2, 0.8), (0.8, 0.8), ("the left one", "the right one")),
        ((0.2, 0.5, 0.8), (0.8, 0.8, 0.8), ("the leftmost", "the middle one", "the rightmost")),
        ((0.5, 0.5), (0.9, 0.3), ("the nearer one", "the farther one")),
        ((0.5, 0.5, 0.5), (0.9, 0.6, 0.3), ("the first", "the second", "the third")),
    ],
)
def test_short_rows_have_names(xs: tuple[float, ...], ys: tuple[float, ...], options: tuple[str, ...]) -> None:
    question = asked(*(thing(x=x, y=y) for x, y in zip(xs, ys, strict=True)), scope=MUG)
    assert question.options == options
    assert question.attribute == ("place" if xs[0] != xs[1] else "depth")
    assert question.axis == ("x" if xs[0] != xs[1] else "y")
    if options[0] == "the first":
        assert question.text == "Which mug, counting from the front: the first, the second, or the third?"


def doubtful(x: float) -> Candidate:
    """Rather a can than a mug: the row of mugs hardly holds it."""
    return Candidate(seen((0, 0, 9, 9), {"mug": 0.25, "can": 0.75}), x, 0.8, 0.0)


def test_things_that_may_be_called_so_are_told_apart_by_their_own_row() -> None:
    two = asked(doubtful(0.2), thing(x=0.8), scope=MUG, closed=("depth",))
    assert two.text == "Which mug: the left one or the right one?"
    assert two.group == pytest.approx([1.0, 1.0])
    assert two.likelihood == pytest.approx(np.eye(2), abs=CLEAR)
    among = asked(doubtful(0.2), thing("bowl", x=0.5), doubtful(0.8), live=[0, 2], scope=MUG, closed=("depth",))
    assert among.text == "Which mug: the left one or the right one?"
    assert among.group == pytest.approx([1.0, 0.0, 1.0])
    assert best(doubtful(0.2), doubtful(0.8), scope=MUG, closed=("place", "depth")) is None
    four = [Candidate(seen((0, 0, 9, 9), {"mug": 0.1, "can": 0.9}), x, 0.8, 0.0) for x in (0.2, 0.4, 0.6, 0.8)]
    assert best(*four, scope=MUG, closed=("kind", "depth")) is None  # four are not told apart without counting


def test_sizes_are_asked_for_within_one_kind() -> None:
    closed = ("place", "depth", "colour")
    question = asked(thing(size=2.0), thing(x=0.7), closed=closed)
    assert question.text == "Which one: the bigger one or the smaller one?"
    assert question.attribute == "size"
    assert question.likelihood == pytest.approx(np.eye(2), abs=1e-3)
    assert best(thing(size=2.0), thing(x=0.7), closed=closed, scope=Description(size="big")) is None
    two_kinds = [thing(size=2.0), thing(x=0.7), thing("bowl", x=0.9)]
    assert best(*two_kinds, closed=(*closed, "kind")) is None
    assert asked(*two_kinds, live=[0, 1], closed=(*closed, "kind")).options == ("the bigger one", "the smaller one")


def test_a_colour_or_kind_that_is_settled_is_not_asked_for() -> None:
    things = [thing(x=0.3), thing("bowl", "blue", x=0.7)]
    assert asked(*things).attribute == "colour"
    red_or_blue = Description(colours=frozenset({"red", "blue"}))
    assert asked(*things, scope=red_or_blue).text == "Which blue or red thing: the mug or the bowl?"
    assert best(*things, scope=MUG, closed=("colour", "place", "depth")) is None


def test_kinds_are_asked_for_among_those_that_were_said() -> None:
    can_or_mug = Candidate(seen((0, 0, 9, 9), {"can": 0.6, "mug": 0.4}), 0.3, 0.8, 0.0)
    question = asked(can_or_mug, thing("bowl", x=0.8), scope=Description(frozenset({"mug", "bowl"})))
    assert question.text == "Which bowl or mug: the mug or the bowl?"
    assert question.likelihood == pytest.approx(np.array([[0.4, 0.0], [0.0, 1.0]]))
    assert asked(can_or_mug, thing("bowl", x=0.8)).options == ("the can", "the bowl")


def test_one_option_is_no_question() -> None:
    assert best(thing(), thing(), closed=("place", "depth", "size")) is None
    assert best(thing(x=0.2), closed=()) is None


@pytest.mark.parametrize(("slip", "least", "is_asked"), [(0.0, 1.0, True), (0.001, 1.0, False)])
def test_a_question_must_bring_the_least_gain(slip: float, least: float, is_asked: bool) -> None:
    config = QuestionConfig(min_gain_bits=least, slip=slip)
    closed = ("kind", "place", "depth", "size")
    question = best(thing(), thing(colour="blue"), config=config, closed=closed)
    assert (question is not None) == is_asked


def test_gains_that_hardly_differ_count_as_equal() -> None:
    """The colours tell a little less than the places, for the red one might be blue."""
    things = [coloured(0.2, red=0.97, blue=0.03), coloured(0.8, blue=1.0)]
    assert asked(*things, scope=MUG).attribute == "colour"
    strict = QuestionConfig(equal_gain_bits=0.0)
    assert asked(*things, scope=MUG, config=strict).attribute == "place"
    level = [coloured(0.2, red=1.0), coloured(0.8, blue=1.0)]
    assert asked(*level, scope=MUG, config=QuestionConfig(equal_gain_bits=0.001)).attribute == "colour"


def test_a_question_that_was_put_is_not_put_again() -> None:
    things = row(0.2, 0.8)
    text = asked(*things, scope=MUG).text
    assert best(*things, scope=MUG, closed=(text,)) is None
    nearer = [thing(x=0.2, y=0.9), thing(x=0.8, y=0.5)]
    assert asked(*nearer, scope=MUG, closed=(text,)).text == "Which mug: the nearer one or the farther one?"


def test_what_things_are_called() -> None:
    assert noun_phrase(NOTHING_SAID) == "thing"
    assert noun_phrase(Description(colours=frozenset({"red"}))) == "red thing"
    assert noun_phrase(Description(frozenset({"plate", "bowl"}), frozenset({"white"}))) == "white bowl or plate"
