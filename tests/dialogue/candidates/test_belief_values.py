"""What fits by how much, to the digit: sizes, places in a row, neighbours, and what is left of a belief."""

from __future__ import annotations

import math

import numpy as np
import pytest

from icseg.dialogue.candidates.belief import (
    MIN_FACTOR,
    ORDER_BLUR,
    SIZE_STEEPNESS,
    Belief,
    BeliefConfig,
    Evidence,
    appearance_fit,
    fit,
    information_gain,
    place_table,
    rank_fit,
    size_fit,
)
from icseg.dialogue.candidates.things import Candidate
from icseg.dialogue.english.words import Description, Rank, Relation, RelationName
from tests.dialogue.candidates.made_things import row, seen, thing

CONFIG = BeliefConfig(live_ratio=0.25, min_fit=0.2)
CLOSE = 1e-9
CLEAR = 1e-6
"""What remains of the doubt about an order a tenth of the image apart."""


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def sure(count: int) -> np.ndarray:
    return np.ones(count)


def believed(*pieces: list[float]) -> Belief:
    belief = Belief(len(pieces[0]), CONFIG)
    for number, piece in enumerate(pieces):
        belief = belief.with_evidence(Evidence(f"words {number}", np.array(piece)))
    return belief


def piece(*likelihood: float) -> Evidence:
    return Evidence("piece", np.array(likelihood))


def test_constants_that_tests_of_this_file_rely_on() -> None:
    assert (SIZE_STEEPNESS, ORDER_BLUR, MIN_FACTOR) == (22.0, 0.012, 1e-4)


def test_evidence_is_multiplied_and_takes_no_more_than_its_bound() -> None:
    assert Belief(4, CONFIG).posterior() == pytest.approx([0.25] * 4)
    assert believed([0.6, 0.2], [0.5, 0.5]).posterior() == pytest.approx([0.75, 0.25])
    assert believed([1.0, 0.0]).posterior() == pytest.approx([1 / 1.0001, 1e-4 / 1.0001], abs=1e-12)


def test_what_is_a_quarter_as_likely_as_the_best_is_alive() -> None:
    assert believed([1.0, 0.25, 0.2499]).live() == [0, 1]
    assert believed([0.25, 0.2499, 1.0]).live() == [0, 2]


def test_words_need_one_live_thing_that_fits_them() -> None:
    belief = believed([1.0, 1.0, 0.1])
    assert belief.supports(piece(0.2, 0.0, 0.0))
    assert not belief.supports(piece(0.1999, 0.1999, 1.0))
    assert not Belief(0, CONFIG).supports(piece())


def test_the_latest_words_that_alone_are_in_the_way_are_named() -> None:
    belief = believed([1.0, 0.0, 0.0], [1.0, 1.0, 0.0])
    against = belief.conflicting(piece(0.0, 1.0, 0.0))
    assert against is belief.evidence[0]
    both = believed([1.0, 0.0], [1.0, 0.0])
    assert both.conflicting(piece(0.0, 1.0)) is None
    any_of_two = believed([1.0, 0.2], [1.0, 0.2])
    assert any_of_two.conflicting(piece(0.0, 1.0)) is None
    assert believed([1.0, 0.3], [1.0, 0.3]).conflicting(piece(0.0, 1.0)) is not None
    either = believed([1.0, 0.3], [1.0, 0.3])
    assert either.conflicting(piece(0.0, 1.0)) is either.evidence[1]


def test_what_no_answer_says_counts_as_an_answer() -> None:
    assert information_gain(np.array([0.5, 0.5]), np.array([[1.0, 0.0]])) == pytest.approx(1.0)
    assert information_gain(np.array([0.5, 0.5]), np.array([[0.5, 0.0]])) == pytest.approx(0.311278, abs=1e-6)
    assert information_gain(np.array([0.75, 0.25]), np.eye(2)) == pytest.approx(0.811278, abs=1e-6)


def test_appearance_is_the_probability_of_what_was_said() -> None:
    one = Candidate(seen((0, 0, 9, 9), {"mug": 0.5, "can": 0.3, "bowl": 0.2}, {"red": 0.6, "blue": 0.4}), 0.5, 0.5, 0.0)

    def fits(kinds: set[str], colours: set[str]) -> float:
        return float(appearance_fit(Description(frozenset(kinds), frozenset(colours)), [one])[0])

    assert fits(set(), set()) == 1
    assert fits({"mug", "can"}, set()) == pytest.approx(0.8)
    assert fits(set(), {"blue"}) == pytest.approx(0.4)
    assert fits({"mug", "can"}, {"blue"}) == pytest.approx(0.32)
    assert fits({"plate"}, {"blue"}) == 0
    assert fits(set(), {"white"}) == 0


SIZES = [thing(size=1.0), thing(size=1.2), thing(size=1.5)]
LOG = [math.log(size) for size in (1.0, 1.2, 1.5)]


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ("big", [sigmoid(22 * (log - LOG[2] / 2)) for log in LOG]),
        ("small", [sigmoid(-22 * (log - LOG[2] / 2)) for log in LOG]),
        ("biggest", [math.exp(-11 * (LOG[2] - log)) for log in LOG]),
        ("smallest", [math.exp(-11 * log) for log in LOG]),
    ],
)
def test_sizes_of_three_of_a_kind(size: str, expected: list[float]) -> None:
    assert size_fit(size, SIZES, sure(3)) == pytest.approx(expected, abs=CLOSE)


def test_sizes_are_compared_with_members_of_the_kind_alone() -> None:
    things = [*SIZES[:2], thing(size=3.0), thing("bowl", size=2.0)]
    fits = size_fit("big", things, np.array([1.0, 0.4, 0.399, 1.0]))
    half = LOG[1] / 2
    assert fits == pytest.approx([sigmoid(-22 * half), sigmoid(22 * half), 0.5, 0.5], abs=CLOSE)
    assert size_fit("big", things[:1], sure(1)) == pytest.approx([0.5])
    below = size_fit("big", SIZES, np.array([1.0, 1.0, 0.2]))
    assert below == pytest.approx([sigmoid(-22 * half), sigmoid(22 * half), 0.5], abs=CLOSE)


def ranked(
    index: int | None, things: list[Candidate], members: list[float] | None = None, **how: object
) -> list[float]:
    rank = Rank(how.get("axis", "x"), index, bool(how.get("is_loose", False)))  # type: ignore[arg-type]
    inside = np.array(members) if members is not None else sure(len(things))
    return [float(value) for value in rank_fit(rank, things, inside)]


FOUR = row(0.1, 0.3, 0.5, 0.7)


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        (0, [1, 0, 0, 0]),
        (1, [0, 1, 0, 0]),
        (3, [0, 0, 0, 1]),
        (4, [0, 0, 0, 0]),
        (-1, [0, 0, 0, 1]),
        (-2, [0, 0, 1, 0]),
        (-4, [1, 0, 0, 0]),
        (-5, [0, 0, 0, 0]),
        (None, [0, 0.5, 0.5, 0]),
    ],
)
def test_places_of_four(index: int | None, expected: list[float]) -> None:
    assert ranked(index, FOUR) == pytest.approx(expected, abs=CLEAR)
    assert ranked(index, FOUR[::-1]) == pytest.approx(expected[::-1], abs=CLEAR)


def test_the_middle_of_odd_and_even_rows() -> None:
    assert ranked(None, FOUR[:3]) == pytest.approx([0, 1, 0], abs=CLEAR)
    assert ranked(None, FOUR[:2]) == pytest.approx([0.5, 0.5], abs=CLEAR)
    assert ranked(None, FOUR[:1]) == pytest.approx([1.0], abs=CLEAR)


def test_an_axis_that_was_not_said_is_from_left_to_right_and_depth_from_the_nearest() -> None:
    things = [thing(x=0.7, y=0.9), thing(x=0.1, y=0.5), thing(x=0.4, y=0.7)]
    assert ranked(0, things, axis=None) == pytest.approx([0, 1, 0], abs=CLEAR)
    assert ranked(0, things, axis="y") == pytest.approx([1, 0, 0], abs=CLEAR)
    assert ranked(-1, things, axis="y") == pytest.approx([0, 1, 0], abs=CLEAR)


def test_members_that_are_unsure_are_counted_in_part() -> None:
    """A member of 0.5 is half in, one of 0.8 wholly, one of 0.2 not at all."""
    assert ranked(0, FOUR[:3], [0.5, 0.8, 1.0]) == pytest.approx([1.0, 0.5, 0.0], abs=CLEAR)
    assert ranked(1, FOUR[:3], [0.5, 0.8, 1.0]) == pytest.approx([0.0, 0.5, 0.5], abs=CLEAR)
    assert ranked(0, FOUR[:3], [0.2, 0.8, 1.0]) == pytest.approx([0.0, 1.0, 0.0], abs=CLEAR)
    assert ranked(0, FOUR[:3], [0.21, 0.8, 1.0]) == pytest.approx([1.0, 1 - 1 / 60, 0.0], abs=CLEAR)
    assert ranked(-1, FOUR[:3], [1.0, 0.8, 0.35]) == pytest.approx([0.0, 0.75, 1.0], abs=CLEAR)


def test_an_order_is_as_sure_as_it_is_seen() -> None:
    """Half a blur apart the order is an even bet but for 0.62."""
    left, right = ranked(0, row(0.5, 0.503))
    assert left == pytest.approx(sigmoid(0.5), abs=CLOSE)
    assert right == pytest.approx(sigmoid(-0.5), abs=CLOSE)


def test_the_table_of_places() -> None:
    table = place_table("x", FOUR[:3], np.array([0.5, 0.0, 1.0]))
    assert table == pytest.approx(np.array([[1, 0, 0.5], [0, 0, 0.5], [0, 0, 0]]), abs=CLEAR)


def test_on_the_left_is_the_first_third_of_three_or_more() -> None:
    things = row(0.1, 0.35, 0.38, 0.91)  # shares 0, 0.31, 0.35, 1
    assert ranked(0, things, is_loose=True) == pytest.approx([1.0, 0.6, 0.0, 0.0], abs=0.07)
    assert ranked(0, things, is_loose=True)[1] == pytest.approx(0.6)
    mirrored = row(0.9, 0.65, 0.62, 0.09)
    assert ranked(-1, mirrored, is_loose=True)[1] == pytest.approx(0.6)
    assert ranked(-1, mirrored, is_loose=True)[2] < 0.1
    assert ranked(0, row(0.1, 0.2), is_loose=True) == pytest.approx([1.0, 0.0], abs=CLEAR)
    assert ranked(0, row(0.1, 0.2, 0.9), is_loose=True) == pytest.approx([1.0, 0.6, 0.0], abs=CLEAR)
    outside = ranked(0, row(0.1, 0.2, 0.9, 0.15), [1.0, 1.0, 1.0, 0.5], is_loose=True)
    assert outside[1] == pytest.approx(0.6)
    assert outside[3] == pytest.approx(0.0, abs=0.01)  # half a member is none of the row
    two_thirds = ranked(0, row(0.1, 0.2, 0.9), [1.0, 0.6, 1.0], is_loose=True)
    assert two_thirds[1] == pytest.approx(0.6)  # two thirds of one is


def test_in_front_is_the_nearest_third() -> None:
    things = [thing(x=0.1, y=0.3), thing(x=0.5, y=0.9), thing(x=0.9, y=0.8)]
    assert ranked(0, things, axis="y", is_loose=True) == pytest.approx([0.0, 1.0, 0.6], abs=CLEAR)
    assert ranked(-1, things, axis="y", is_loose=True) == pytest.approx([1.0, 0.0, 0.0], abs=CLEAR)


def related(name: RelationName, *things: Candidate) -> list[float]:
    said = Description(frozenset({"mug"}), relation=Relation(name, Description(frozenset({"bowl"}))))
    return [float(value) for value in fit(said, things)]


BEYOND = [sigmoid(difference / 0.012 - 2) for difference in (0.024, 0.048, -0.012)]


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("left", [(-0.024, 0), (-0.048, 0), (0.012, 0)]),
        ("right", [(0.024, 0), (0.048, 0), (-0.012, 0)]),
        ("behind", [(0, -0.024), (0, -0.048), (0, 0.012)]),
        ("front", [(0, 0.024), (0, 0.048), (0, -0.012)]),
    ],
)
def test_sides_of_a_neighbour(name: RelationName, moves: list[tuple[float, float]]) -> None:
    mugs = [thing(x=0.5 + dx, y=0.6 + dy) for dx, dy in moves]
    assert related(name, *mugs, thing("bowl", x=0.5, y=0.6)) == pytest.approx([*BEYOND, 0.0], abs=CLOSE)


def test_next_to_is_the_nearest_and_what_comes_close() -> None:
    mugs = [thing(x=0.5 + dx, y=0.6) for dx in (0.1, -0.11, 0.2)]
    near = related("near", *mugs, thing("bowl", x=0.5, y=0.6))
    assert near == pytest.approx([1.0, math.exp(-0.01 / 0.025), math.exp(-0.1 / 0.025), 0.0], abs=CLOSE)
    assert related("near", *mugs) == [0.0, 0.0, 0.0]
    assert related("near", thing("bowl", x=0.5)) == [0.0]


def test_distances_count_across_and_along() -> None:
    mugs = [thing(x=0.53, y=0.64), thing(x=0.5, y=0.55)]
    assert related("near", *mugs, thing("bowl", x=0.5, y=0.6)) == pytest.approx([1.0, 1.0, 0.0], abs=CLOSE)


def unsure(kind: str, probability: float, x: float) -> Candidate:
    return Candidate(seen((0, 0, 9, 9), {kind: probability, "can": 1 - probability}), x, 0.6, 0.0)


@pytest.mark.parametrize(("probability", "is_anchor"), [(0.4, True), (0.39, False)])
def test_a_neighbour_must_be_likely_enough_beside_the_best(probability: float, is_anchor: bool) -> None:
    """The mug is right of the doubtful bowl alone."""
    things = [thing(x=0.5), thing("bowl", x=0.9), unsure("bowl", probability, 0.1)]
    assert related("right", *things)[0] == pytest.approx(probability if is_anchor else 0.0, abs=CLEAR)


@pytest.mark.parametrize(("probability", "is_anchor"), [(0.1, True), (0.09, False)])
def test_a_neighbour_must_be_likely_at_all(probability: float, is_anchor: bool) -> None:
    things = [thing(x=0.5), unsure("bowl", probability, 0.1)]
    assert related("right", *things)[0] == pytest.approx(probability if is_anchor else 0.0, abs=CLEAR)


@pytest.mark.parametrize(("probability", "is_nearest"), [(0.4, True), (0.39, False)])
def test_the_nearest_is_the_nearest_of_those_that_are_meant(probability: float, is_nearest: bool) -> None:
    things = [thing(x=0.3, y=0.6), unsure("mug", probability, 0.45), thing("bowl", x=0.5, y=0.6)]
    expected = math.exp(-0.15 / (0.15 * 0.05 + 0.01)) if is_nearest else 1.0
    assert related("near", *things)[0] == pytest.approx(expected, abs=CLOSE)


def test_size_place_and_neighbour_are_relative_to_what_fits_the_rest() -> None:
    mug = frozenset({"mug"})
    things = [thing("bowl", x=0.1, size=3.0), thing(x=0.3), thing(x=0.5, size=2.0), thing(x=0.7)]
    first = fit(Description(mug, ranks=(Rank("x", 0),)), things)
    assert first == pytest.approx([0, 1, 0, 0], abs=CLEAR)
    within = fit(Description(mug, ranks=(Rank("x", 0),)), things, np.array([1.0, 0.0, 1.0, 1.0]))
    assert within == pytest.approx([0, 0, 1, 0], abs=CLEAR)
    big = fit(Description(mug, size="biggest"), things)
    assert big[2] == pytest.approx(1.0)
    assert big[1] == pytest.approx(math.exp(-11 * math.log(2)))
    second_of_small = fit(Description(mug, size="small", ranks=(Rank("x", 1),)), things)
    assert second_of_small[3] == pytest.approx(1.0, abs=1e-3)
