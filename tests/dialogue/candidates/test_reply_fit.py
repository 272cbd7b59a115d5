"""What the same words mean after different questions, in numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from icseg.dialogue.candidates.questions import Question
from icseg.dialogue.candidates.reply_fit import Context, reply_likelihood
from icseg.dialogue.candidates.things import Candidate
from icseg.dialogue.english.answer import parse_answer
from icseg.dialogue.english.words import NOTHING_SAID, Description
from tests.dialogue.candidates.made_things import VOCABULARY, row, thing

CLEAR = 1e-6
MUG = Description(frozenset({"mug"}))
ROW = row(0.1, 0.3, 0.5, 0.7)
"""Four red mugs from left to right."""


def question(attribute: str, likelihood: Sequence[Sequence[float]], group: Sequence[float] = (1, 1, 1, 1)) -> Question:
    table = np.array(likelihood, dtype=np.float64)
    return Question(attribute, "?", ("an option",) * len(table), table, np.array(group, dtype=np.float64), 1.0)


COLOUR = question("colour", [[0.75, 0.25, 0, 0], [0, 0.5, 1, 0]])
PLACE = question("place", np.eye(4).tolist())
SIZE = question("size", [[1, 0.75, 0.25, 0], [0, 0.25, 0.75, 1]])


def said(
    words: str,
    put: Question | None,
    things: Sequence[Candidate] = ROW,
    *,
    live: Sequence[int] = (0, 1, 2, 3),
    scope: Description = NOTHING_SAID,
) -> list[float] | None:
    likelihood = reply_likelihood(parse_answer(words, VOCABULARY), Context(things, live, scope, put))
    return None if likelihood is None else [float(value) for value in likelihood]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("the first", [0.75, 0.25, 0, 0]),
        ("the second", [0, 0.5, 1, 0]),
        ("2", [0, 0.5, 1, 0]),
        ("the last one", [0, 0.5, 1, 0]),
        ("the third", None),
        ("neither", [0.25, 0.25, 0, 1]),
        ("not the first", [0.25, 0.75, 1, 1]),
        ("not the third", None),
        ("neither, the last one", [0, 0.125, 0, 0]),
    ],
)
def test_a_number_after_options_is_the_option(words: str, expected: list[float] | None) -> None:
    assert said(words, COLOUR) == (None if expected is None else pytest.approx(expected))


def test_a_last_but_one_is_an_option_too_while_there_are_so_many() -> None:
    assert said("the leftmost", COLOUR) == pytest.approx([1, 0, 0, 0], abs=CLEAR)
    assert said("the second from the right", COLOUR) == pytest.approx([0, 0, 1, 0], abs=CLEAR)


def test_nothing_was_offered_that_could_be_refused() -> None:
    assert said("neither", None) is None


def test_what_refuses_everything_offered_is_never_below_zero() -> None:
    assert said("neither", question("kind", [[0.75, 1, 0, 0], [0.75, 0, 0.5, 0]])) == pytest.approx([0, 0, 0.5, 1])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("the second", [0, 1, 0, 0]),  # of all that the question speaks of
        ("the first", [1, 0, 0, 0]),
        ("the second from the left", [0, 1, 0, 0]),
        ("the second from the right", [0, 0, 1, 0]),
        ("the leftmost", [0, 1, 0, 0]),  # of what is left
        ("the left one", [0, 1, 0, 0]),
        ("the rightmost", [0, 0, 0, 1]),
        ("the last one", [0, 0, 0, 1]),
        ("the middle one", [0, 0, 1, 0]),
        ("not the second", [1, 0, 1, 1]),
    ],
)
def test_a_number_after_places_counts_the_row(words: str, expected: list[float]) -> None:
    assert said(words, PLACE, live=(1, 2, 3)) == pytest.approx(expected, abs=CLEAR)


def test_a_place_counts_only_what_the_question_spoke_of() -> None:
    put = question("place", np.eye(4).tolist(), group=(0, 1, 1, 1))
    assert said("the second", put) == pytest.approx([0, 0, 1, 0], abs=CLEAR)


def test_a_number_after_a_question_about_depth_counts_from_the_front() -> None:
    things = [thing(x=0.1, y=0.5), thing(x=0.3, y=0.9), thing(x=0.5, y=0.7)]
    put = question("depth", np.eye(3).tolist(), group=(1, 1, 1))
    assert said("the first", put, things, live=(0, 1, 2)) == pytest.approx([0, 1, 0], abs=CLEAR)
    assert said("the second", put, things, live=(0, 1, 2)) == pytest.approx([0, 0, 1], abs=CLEAR)
    assert said("the middle one", put, things, live=(0, 1, 2)) == pytest.approx([0, 0, 1], abs=CLEAR)
    assert said("the left one", put, things, live=(0, 1, 2)) == pytest.approx([1, 0, 0], abs=CLEAR)
    assert said("the middle one", None, things, live=(0, 1, 2)) == pytest.approx([0, 1, 0], abs=CLEAR)


def test_a_place_that_says_its_axis_keeps_it_after_any_question() -> None:
    things = [thing(x=0.1, y=0.5), thing(x=0.3, y=0.9), thing(x=0.5, y=0.7)]
    about_colour = question("colour", [[1, 0, 0], [0, 1, 1]], group=(1, 1, 1))
    about_place = question("place", np.eye(3).tolist(), group=(1, 1, 1))
    for put in (None, about_colour, about_place):
        assert said("the nearest", put, things, live=(0, 1, 2)) == pytest.approx([0, 1, 0], abs=CLEAR)
        assert said("the leftmost", put, things, live=(0, 1, 2)) == pytest.approx([1, 0, 0], abs=CLEAR)


def test_on_the_left_is_exact_after_a_question_about_just_that() -> None:
    things = row(0.1, 0.2, 0.9)
    put = question("place", np.eye(3).tolist(), group=(1, 1, 1))
    about_depth = question("depth", np.eye(3).tolist(), group=(1, 1, 1))
    assert said("on the left", put, things, live=(0, 1, 2)) == pytest.approx([1, 0, 0], abs=CLEAR)
    assert said("on the left", about_depth, things, live=(0, 1, 2)) == pytest.approx([1, 0.6, 0], abs=CLEAR)
    assert said("on the left", None, things, live=(0, 1, 2)) == pytest.approx([1, 0.6, 0], abs=CLEAR)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("the bigger one", [1, 0.75, 0.25, 0]),
        ("the big one", [1, 0.75, 0.25, 0]),
        ("the smaller one", [0, 0.25, 0.75, 1]),
        ("not the small one", [1, 0.75, 0.25, 0]),
    ],
)
def test_a_size_after_a_question_about_size_is_its_option(words: str, expected: list[float]) -> None:
    assert said(words, SIZE) == pytest.approx(expected)


def test_a_size_after_another_question_compares_what_is_left() -> None:
    things = [thing(x=0.1, size=3.0), thing(x=0.3, size=1.0), thing(x=0.5, size=2.0)]
    put = question("place", np.eye(3).tolist(), group=(1, 1, 1))
    bigger = said("the bigger one", put, things, live=(1, 2))
    assert bigger is not None
    assert bigger[2] == pytest.approx(1.0)
    assert bigger[1] == pytest.approx(2.0**-11)
    assert bigger[0] == pytest.approx(0.5)
    by_place = said("the big one on the left", SIZE, things, live=(1, 2))
    assert by_place is not None
    assert by_place[2] == pytest.approx(1.0, abs=1e-3)


def test_words_for_an_appearance_are_compared_with_all_that_was_called_so() -> None:
    things = [thing("bowl", x=0.1), thing(x=0.3), thing(x=0.5), thing("bowl", x=0.7)]
    assert said("the first mug", PLACE, things, live=(2, 3)) == pytest.approx([0, 1, 0, 0], abs=CLEAR)
    assert said("the red one on the left", PLACE, things, live=(2, 3), scope=MUG) == pytest.approx(
        [0, 1, 0, 0], abs=CLEAR
    )
    assert said("the red one", COLOUR, things) == [1, 1, 1, 1]
    assert said("not the bowl", COLOUR, things) == [0, 1, 1, 0]
