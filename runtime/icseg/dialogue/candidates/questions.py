"""Which question splits the things that are left best, and its words.

One attribute a question, only options that exist, never an open question. Pure: candidates and belief in, text and
likelihoods out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from icseg.dialogue.candidates.belief import Weights, appearance_fit, information_gain, place_table, size_fit
from icseg.dialogue.candidates.things import Candidate
from icseg.dialogue.english.words import Axis, Description, Vocabulary, join_words, ordinal_word
from icseg.settings import check, setting

MIN_PLACE_PROBABILITY = 0.15
"""A place in a row is offered when one of the things that are left has it so likely: of two that stand level, either
may be counted first."""
ATTRIBUTES = ("colour", "kind", "place", "depth", "size")
"""In the order of preference among questions that split equally well."""
_AXES: dict[str, Axis] = {"place": "x", "depth": "y"}


@dataclass(frozen=True, slots=True)
class QuestionConfig:
    """How questions are chosen and put.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    max_options: int = setting(6, "answers that a question names, at most", low=2, high=12)
    min_gain_bits: float = setting(
        0.08, "a question that is expected to tell less, in bits, is not asked", low=0.001, high=1
    )
    equal_gain_bits: float = setting(0.1, "expected gains that differ by less, in bits, count as equal", low=0, high=1)
    slip: float = setting(
        0.02,
        "how often an answer is wrong: per question about looks, and per thing that has to be counted",
        low=0,
        high=0.2,
    )

    def __post_init__(self) -> None:
        check("candidates.questions", self)


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """A question that could be put now.

    Attributes:
        attribute: one of ``ATTRIBUTES``.
        text: as it is said.
        options: what it offers, as said; empty when there are too many places to name.
        likelihood: (options, n) P(this is the answer | candidate is the target).
        group: (n,) how surely each thing is one of those that the question speaks of.
        gain_bits: expected information.
    """

    attribute: str
    text: str
    options: tuple[str, ...]
    likelihood: Weights
    group: Weights
    gain_bits: float

    @property
    def axis(self) -> Axis:
        """What an ordinal in the answer counts along."""
        return "y" if self.attribute == "depth" else "x"


@dataclass(frozen=True, slots=True)
class Situation:
    """What the next question has to split.

    Attributes:
        candidates: all things in view.
        posterior: (n,) the belief.
        live: which of them still count.
        scope: kinds and colours that are settled; questions call the things so.
    """

    candidates: Sequence[Candidate]
    posterior: Weights
    live: Sequence[int]
    scope: Description


def best_question(
    situation: Situation, vocabulary: Vocabulary, config: QuestionConfig, closed: Collection[str] = ()
) -> Question | None:
    """The question with the highest expected information gain, or None when none brings enough.

    Args:
        situation: what is left.
        vocabulary: the detector's.
        config: bounds and preferences.
        closed: attributes that are not to be asked about, and texts that were put already.
    """
    builders: dict[str, Callable[[Situation, Vocabulary, QuestionConfig], Question | None]] = {
        "colour": _colour_question,
        "kind": _kind_question,
        "place": lambda s, _, c: _row_question(s, "x", c),
        "depth": lambda s, _, c: _row_question(s, "y", c),
        "size": lambda s, _, c: _size_question(s, c),
    }
    questions = [builders[name](situation, vocabulary, config) for name in ATTRIBUTES if name not in closed]
    worth = _worth(questions, config, closed)
    if not worth:
        rows = (
            _row_question(situation, axis, config, of_live=True)
            for attribute, axis in _AXES.items()
            if attribute not in closed
        )
        worth = _worth(rows, config, closed)
    if not worth:
        return None
    most = max(question.gain_bits for question in worth)
    return next(question for question in worth if question.gain_bits >= most - config.equal_gain_bits)


def _worth(questions: Iterable[Question | None], config: QuestionConfig, closed: Collection[str]) -> list[Question]:
    return [q for q in questions if q is not None and q.gain_bits >= config.min_gain_bits and q.text not in closed]


def noun_phrase(said: Description) -> str:
    """``red mug``, ``plate or bowl``, ``thing``: what settled kinds and colours are called."""
    words = [join_words(sorted(said.colours)), join_words(sorted(said.kinds)) or "thing"]
    return " ".join(word for word in words if word)


def _colour_question(situation: Situation, vocabulary: Vocabulary, config: QuestionConfig) -> Question | None:
    if situation.scope.colours:
        return None
    table = [situation.candidates[i].detection.colour_probs for i in range(len(situation.candidates))]
    names = _likeliest(situation, [candidate.detection.colour for candidate in situation.candidates], config)
    likelihood = np.array([[probs.get(name, 0.0) for probs in table] for name in names])
    return _appearance_question(situation, "colour", tuple(f"the {name} one" for name in names), likelihood, config)


def _kind_question(situation: Situation, vocabulary: Vocabulary, config: QuestionConfig) -> Question | None:
    if len(situation.scope.kinds) == 1:
        return None
    allowed = situation.scope.kinds or frozenset(vocabulary.kinds)
    table = [candidate.detection.kind_probs for candidate in situation.candidates]
    favourites = [max(sorted(allowed), key=lambda kind: probs.get(kind, 0.0)) for probs in table]
    names = _likeliest(situation, favourites, config)
    likelihood = np.array([[probs.get(name, 0.0) for probs in table] for name in names])
    return _appearance_question(situation, "kind", tuple(f"the {name}" for name in names), likelihood, config)


def _likeliest(situation: Situation, names: Sequence[str], config: QuestionConfig) -> list[str]:
    """Names that live candidates have, the likeliest of them when there are many, from left to right."""
    shares: dict[str, float] = {}
    for index in situation.live:
        shares[names[index]] = shares.get(names[index], 0.0) + float(situation.posterior[index])
    kept = sorted(shares, key=lambda name: -shares[name])[: config.max_options]
    return [name for name in shares if name in kept]


def _appearance_question(
    situation: Situation, attribute: str, options: tuple[str, ...], likelihood: Weights, config: QuestionConfig
) -> Question | None:
    if len(options) < 2:
        return None
    text = f"{_which(situation.scope)}: {join_words(options)}?"
    group = appearance_fit(situation.scope, situation.candidates)
    return _question(situation, attribute, text, options, likelihood, group, config.slip)


def _row_question(
    situation: Situation, axis: Axis, config: QuestionConfig, *, of_live: bool = False
) -> Question | None:
    """Ask for the place in the row of everything that is called as the question calls it.

    With ``of_live`` the row is what still counts, however unsure it is that it is called so: the last way to tell
    things apart, and only in words that need no counting.
    """
    group = appearance_fit(situation.scope, situation.candidates)
    if of_live:
        group = np.zeros(len(group))
        group[list(situation.live)] = 1.0
    places = place_table(axis, situation.candidates, group)
    held = [place for place in range(len(group)) if places[place, list(situation.live)].max() >= MIN_PLACE_PROBABILITY]
    if len(held) < 2:
        return None
    likelihood = places[held]
    row = int(np.count_nonzero(group > 0.5))
    attribute = "place" if axis == "x" else "depth"
    start = "left" if axis == "x" else "front"
    which = _which(situation.scope)
    slip = config.slip * (row - 1)
    if len(held) == row and (names := _ROW_NAMES.get((axis, row))):
        return _question(situation, attribute, f"{which}: {join_words(names)}?", names, likelihood, group, slip)
    if of_live:
        return None
    if len(held) > config.max_options:
        text = f"{which}, counting from the {start}: a number from {held[0] + 1} to {held[-1] + 1}?"
        return _question(situation, attribute, text, (), likelihood, group, slip)
    names = tuple(f"the {ordinal_word(place)}" for place in held)
    text = f"{which}, counting from the {start}: {join_words(names)}?"
    return _question(situation, attribute, text, names, likelihood, group, slip)


_ROW_NAMES: dict[tuple[Axis, int], tuple[str, ...]] = {
    ("x", 2): ("the left one", "the right one"),
    ("x", 3): ("the leftmost", "the middle one", "the rightmost"),
    ("y", 2): ("the nearer one", "the farther one"),
}
"""Shorter than counting. Three along the depth are counted: "the middle one" would be taken for the middle of x."""


def _size_question(situation: Situation, config: QuestionConfig) -> Question | None:
    kinds = {situation.candidates[i].detection.kind for i in situation.live}
    if len(kinds) > 1 or situation.scope.size is not None:
        return None
    group = appearance_fit(situation.scope, situation.candidates)
    likelihood = np.array([size_fit(size, situation.candidates, group) for size in ("big", "small")])
    options = ("the bigger one", "the smaller one")
    text = f"{_which(situation.scope)}: {join_words(options)}?"
    return _question(situation, "size", text, options, likelihood, group, config.slip)


def _question(
    situation: Situation,
    attribute: str,
    text: str,
    options: tuple[str, ...],
    likelihood: Weights,
    group: Weights,
    slip: float,
) -> Question:
    live = list(situation.live)
    posterior = situation.posterior[live] / situation.posterior[live].sum()
    likely = likelihood[:, live] * (1 - slip) + slip / len(likelihood)
    return Question(attribute, text, options, likelihood, group, information_gain(posterior, likely))


def _which(scope: Description) -> str:
    return f"Which {noun_phrase(scope)}" if scope.has_appearance else "Which one"
