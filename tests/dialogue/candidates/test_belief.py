"""The belief over candidates: what fits, by how much, and what a question is worth."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icseg.detector.detector import Detection
from icseg.dialogue.candidates.belief import Belief, BeliefConfig, Evidence, fit, information_gain, rank_fit
from icseg.dialogue.candidates.questions import QuestionConfig, Situation, best_question
from icseg.dialogue.candidates.things import (
    Candidate,
    ThingsConfig,
    best_view,
    find_candidates,
    link_views,
    point_on,
)
from icseg.dialogue.english.command import parse_command
from icseg.dialogue.english.words import NOTHING_SAID, Description, Rank
from icseg.errors import ConfigError
from icseg.types import Box
from tests.dialogue.candidates.made_things import HW, VOCABULARY, thing

EXACT = 1e-9
CLEAR = 1e-6
"""Order is a soft comparison: what remains of the doubt a tenth of the image apart."""
CONFIG = ThingsConfig()


def fits(words: str, *things: Candidate) -> list[float]:
    return [float(value) for value in fit(parse_command(words, VOCABULARY).wanted, things)]


def test_kind_and_colour_are_weighed_by_what_the_detector_thinks() -> None:
    assert fits("the red mug", thing(sure=0.8), thing("bowl"), thing(colour="blue")) == pytest.approx([0.64, 0, 0])


@pytest.mark.parametrize(
    ("words", "best"),
    [
        ("the leftmost mug", 1),
        ("the second mug from the left", 2),
        ("the mug in the middle", 2),
        ("the rightmost mug", 3),
        ("the second mug from the right", 2),
        ("the last mug", 3),
        ("the nearest mug", 2),
        ("the farthest mug", 3),
        ("the biggest mug", 3),
        ("the smallest mug", 1),
        ("the mug next to the bowl", 1),
        ("the mug to the right of the can", 3),
        ("the mug behind the can", 3),
        ("the bowl to the left of the red mug", 0),
    ],
)
def test_places_sizes_and_neighbours(words: str, best: int) -> None:
    row = [
        thing("bowl", "blue", 0.1, 0.7),
        thing("mug", "red", 0.2, 0.7, size=1.0),
        thing("mug", "red", 0.5, 0.9, size=1.4),
        thing("mug", "red", 0.9, 0.3, size=2.0),
        thing("can", "red", 0.6, 0.5),
    ]
    weights = fits(words, *row)
    assert int(np.argmax(weights)) == best
    others = [weight for index, weight in enumerate(weights) if index != best]
    assert max(others) < 0.2 * weights[best]


def test_things_of_one_size_are_not_told_apart_by_size() -> None:
    a, b = fits("the bigger mug", thing(x=0.2, size=1.0), thing(x=0.8, size=1.08))
    assert min(a, b) > 0.2 * max(a, b)


def test_sizes_are_compared_within_a_kind() -> None:
    big_mug, small_mug, bowl = fits("the big thing", thing(size=1.5), thing(size=1.0), thing("bowl", size=3.0))
    assert big_mug > 0.9 > 0.1 > small_mug
    assert bowl == pytest.approx(0.5)


def test_an_order_that_is_hardly_seen_is_not_believed() -> None:
    a, b = fits("the leftmost mug", thing(x=0.500), thing(x=0.503))
    assert min(a, b) > BeliefConfig().live_ratio * max(a, b)


def test_on_the_left_is_less_than_the_leftmost() -> None:
    row = [thing(x=0.1), thing(x=0.2), thing(x=0.9)]
    assert fits("the mug on the left", *row) == pytest.approx([1.0, 0.6, 0.0], abs=CLEAR)
    assert fits("the leftmost mug", *row) == pytest.approx([1.0, 0.0, 0.0], abs=CLEAR)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
@settings(deadline=None)
def test_every_thing_has_one_place(members: list[float]) -> None:
    row = [thing(x=(index + 0.5) / len(members)) for index in range(len(members))]
    inside = np.clip((np.array(members) - 0.2) / 0.6, 0, 1)
    weights = [rank_fit(Rank("x", index), row, np.array(members)) for index in range(len(members))]
    total = np.sum(weights, axis=0)
    assert total[inside > 0] == pytest.approx(1.0)
    assert (total[inside == 0] == 0).all()


def test_belief_keeps_the_best_and_what_comes_near() -> None:
    belief = Belief(3, BeliefConfig()).with_evidence(Evidence("the mug", np.array([0.9, 0.3, 0.01])))
    assert belief.live() == [0, 1]
    assert belief.posterior().sum() == pytest.approx(1.0)


def test_belief_names_the_evidence_that_is_in_the_way() -> None:
    mug = Evidence("the mug", np.array([1.0, 1.0, 0.0]))
    blue = Evidence("blue", np.array([1.0, 0.0, 0.0]))
    red = Evidence("the red one", np.array([0.0, 1.0, 0.0]))
    belief = Belief(3, BeliefConfig()).with_evidence(mug).with_evidence(blue)
    assert not belief.supports(red)
    assert belief.conflicting(red) is blue


def test_information_of_a_question() -> None:
    even = np.full(4, 0.25)
    assert information_gain(even, np.eye(4)) == pytest.approx(2.0, abs=EXACT)
    assert information_gain(even, np.array([[1.0, 1, 0, 0], [0, 0, 1, 1]])) == pytest.approx(1.0, abs=EXACT)
    assert information_gain(even, np.array([[1.0, 0, 0, 0]])) == pytest.approx(0.8113, abs=1e-4)
    assert information_gain(even, np.ones((1, 4))) == pytest.approx(0.0, abs=EXACT)


@given(
    st.lists(st.floats(0.01, 1), min_size=2, max_size=6),
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
)
@settings(deadline=None)
def test_information_is_bounded(weights: list[float], answers: int, seed: int) -> None:
    posterior = np.array(weights) / sum(weights)
    likelihood = np.random.default_rng(seed).dirichlet(np.ones(answers + 1), len(weights)).T[:-1]
    gain = information_gain(posterior, likelihood)
    entropy = float(-(posterior * np.log2(posterior)).sum())
    assert -EXACT <= gain <= entropy + EXACT


def ask(*things: Candidate, scope: Description = NOTHING_SAID, closed: tuple[str, ...] = ()) -> str:
    situation = Situation(things, np.full(len(things), 1 / len(things)), range(len(things)), scope)
    question = best_question(situation, VOCABULARY, QuestionConfig(), closed)
    return question.text if question else ""


MUG = Description(kinds=frozenset({"mug"}))


def test_questions_in_words() -> None:
    red, blue, white = thing(x=0.1), thing(colour="blue", x=0.5), thing(colour="white", x=0.9)
    assert ask(red, blue, white, scope=MUG) == "Which mug: the red one, the blue one, or the white one?"
    assert ask(red, blue, scope=MUG) == "Which mug: the red one or the blue one?"
    assert ask(red, thing(x=0.5), scope=MUG) == "Which mug: the left one or the right one?"
    assert ask(red, thing(x=0.5), thing(x=0.9)) == "Which one: the leftmost, the middle one, or the rightmost?"
    assert ask(thing(y=0.9), thing(y=0.3)) == "Which one: the nearer one or the farther one?"
    assert ask(red, thing("bowl", x=0.5)) == "Which one: the mug or the bowl?"
    four = [thing(x=0.2 * place) for place in (1, 2, 3, 4)]
    assert ask(*four, scope=MUG).startswith("Which mug, counting from the left: the first, the second, the third, or")
    nine = [thing(x=0.1 * place) for place in range(1, 10)]
    assert ask(*nine) == "Which one, counting from the left: a number from 1 to 9?"
    closed = ("place", "depth")
    assert ask(thing(size=1.5), thing(x=0.6), closed=closed) == "Which one: the bigger one or the smaller one?"


def test_the_better_split_wins_over_the_preferred_attribute() -> None:
    row = [thing(x=0.1), thing(x=0.4), thing(x=0.7), thing(colour="blue", x=0.9)]
    assert "counting" in ask(*row)


def test_nothing_is_asked_that_brings_nothing() -> None:
    assert ask(thing(), thing()) == ""
    assert ask(thing(x=0.1), thing(x=0.5), closed=("place",)) == ""


def test_candidates_are_things_once_each_from_left_to_right() -> None:
    seen = [thing(x=0.8), thing(x=0.2), thing(x=0.201), thing(x=0.5)]
    detections = [candidate.detection for candidate in seen]
    detections[3] = Detection(detections[3].box_image_px, 0.1, {"mug": 1.0}, {"red": 1.0})
    detections.append(Detection((5, 5, 5, 9), 1.0, {"mug": 1.0}, {"red": 1.0}))
    assert [round(candidate.x, 2) for candidate in find_candidates(detections, HW, CONFIG)] == [0.2, 0.8]


def test_a_near_thing_does_not_pass_for_a_big_one() -> None:
    far, near = thing(x=0.2, y=0.4, size=1.0), thing(x=0.8, y=0.9, size=(0.9 + 0.4) / (0.4 + 0.4))
    found = find_candidates([far.detection, near.detection], HW, CONFIG)
    assert found[0].size_log == pytest.approx(found[1].size_log)


def sizes_of(kind: str, *boxes: Box, config: ThingsConfig = CONFIG) -> list[float]:
    found = find_candidates([Detection(box, 1.0, {kind: 1.0}, {"red": 1.0}) for box in boxes], HW, config)
    return [candidate.size_log for candidate in found]


def test_a_spoon_that_points_away_is_as_large_as_one_that_lies_across() -> None:
    across, away = (100, 240, 200, 250), (300, 205, 310, 255)
    first, second = sizes_of("spoon", across, away)
    assert abs(first - second) < 0.05
    first, second = sizes_of("spoon", across, away, config=ThingsConfig(horizon=-100.0))
    assert first - second > 0.5  # as they look


def test_the_keyframe_shows_the_thing_larger_but_not_cut() -> None:
    newest, larger, cut = thing(x=0.5), thing(x=0.51, size=1.2), thing(x=0.52, y=1.05, size=1.5)
    frames = [(3, [newest.detection]), (2, [larger.detection, thing("bowl").detection]), (1, [cut.detection])]
    views = link_views(newest.detection, frames, CONFIG)
    assert [view.frame_id for view in views][:2] == [3, 2]
    assert best_view(views, HW, CONFIG).frame_id == 2
    same = link_views(newest.detection, [(3, [newest.detection]), (2, [newest.detection])], CONFIG)
    assert best_view(same, HW, CONFIG).frame_id == 3


def test_a_thing_is_not_taken_for_another_in_an_earlier_frame() -> None:
    newest = thing(x=0.9)
    twins = [thing(x=0.1).detection, thing(x=0.3).detection]
    assert len(link_views(newest.detection, [(1, [newest.detection]), (0, twins)], CONFIG)) == 1
    assert len(link_views(newest.detection, [(1, [newest.detection]), (0, twins[:1])], CONFIG)) == 2


def test_a_detector_that_knows_a_point_of_the_thing_is_believed() -> None:
    known = replace(thing("spoon").detection, point_image_px=(12.0, 34.0))
    assert point_on(known, [known], HW) == (12.0, 34.0)


def test_the_point_avoids_what_stands_in_front() -> None:
    behind, front = thing("can", y=0.8, size=2.0), thing("mug", y=0.9, size=1.0)
    x, y = point_on(behind.detection, [behind.detection, front.detection], HW)
    x0, y0, x1, y1 = front.detection.box_image_px
    assert not (x0 <= x < x1 and y0 <= y < y1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BeliefConfig(live_ratio=0.0),
        lambda: BeliefConfig(min_fit=2.0),
        lambda: QuestionConfig(max_options=1),
        lambda: QuestionConfig(slip=float("nan")),
        lambda: ThingsConfig(horizon=0.9),
        lambda: ThingsConfig(min_score=-1),
    ],
)
def test_settings_are_checked(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError):
        make()
