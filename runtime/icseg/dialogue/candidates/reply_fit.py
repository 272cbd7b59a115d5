"""What a reply says about each candidate, given the question that it answers.

The same words mean different things after different questions: "the second" counts the options of "the red one or the
blue one?" and the things of "counting from the left?". Pure numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from icseg.dialogue.candidates.belief import Weights, appearance_fit, fit
from icseg.dialogue.candidates.questions import Question
from icseg.dialogue.candidates.things import Candidate
from icseg.dialogue.english.answer import Reply
from icseg.dialogue.english.words import Description, Rank

_ROW_ATTRIBUTES = ("place", "depth")
"""A question about one of these attributes offers places in a row."""


@dataclass(frozen=True, slots=True)
class Context:
    """What was going on when the reply came.

    Attributes:
        candidates: all things in view.
        live: those that still counted.
        scope: kinds and colours that were settled.
        question: that was put, or None.
    """

    candidates: Sequence[Candidate]
    live: Sequence[int]
    scope: Description
    question: Question | None


def reply_likelihood(reply: Reply, context: Context) -> Weights | None:
    """(n,) how likely the reply would be of each candidate; None when it is no answer to the question."""
    likelihood: Weights = np.ones(len(context.candidates))
    if reply.kind == "neither":
        if context.question is None:
            return None
        likelihood *= np.clip(1 - context.question.likelihood.sum(axis=0), 0, 1)
    if (wanted := _fit_as_asked(reply.wanted, context)) is None:
        return None
    likelihood *= wanted
    for refused in reply.unwanted:
        if (fits := _fit_as_asked(refused, context)) is None:
            return None
        likelihood *= 1 - fits
    return likelihood


def _fit_as_asked(said: Description, context: Context) -> Weights | None:
    question = context.question
    if question is not None and not said.has_appearance:
        if _is_bare_ordinal(said) and question.attribute not in _ROW_ATTRIBUTES:
            index = said.ranks[0].index
            is_option = index is not None and -len(question.options) <= index < len(question.options)
            return np.asarray(question.likelihood[index]) if is_option else None
        if said.size is not None and not said.ranks and question.attribute == "size":
            return np.asarray(question.likelihood[0 if said.size.startswith("big") else 1])
    said_here = replace(said, ranks=tuple(_as_asked(rank, question) for rank in said.ranks))
    return fit(said_here, context.candidates, _compared_with(said, context))


def _compared_with(said: Description, context: Context) -> Weights:
    """(n,) the things among which a place or a size is meant."""
    question = context.question
    if said.has_appearance:
        return appearance_fit(context.scope, context.candidates)
    # "The second" counts everything that the question speaks of; "the right one" is the rightmost of what is left.
    if question is not None and question.attribute in _ROW_ATTRIBUTES and any(_is_counted(rank) for rank in said.ranks):
        return question.group
    alive: Weights = np.zeros(len(context.candidates))
    alive[list(context.live)] = 1.0
    return alive


def _as_asked(rank: Rank, question: Question | None) -> Rank:
    """A place as it is meant after a question: along its row, and exact when it was one of the options."""
    if question is None or question.attribute not in _ROW_ATTRIBUTES:
        return replace(rank, axis=rank.axis or "x")
    if rank.axis is None or rank.index is None:
        return replace(rank, axis=question.axis)
    return replace(rank, is_loose=rank.is_loose and rank.axis != question.axis)


def _is_bare_ordinal(said: Description) -> bool:
    return len(said.ranks) == 1 and said.ranks[0].axis is None


def _is_counted(rank: Rank) -> bool:
    """A number in the row rather than one of its ends or its middle."""
    return rank.index not in (-1, None) and (rank.axis is None or rank.index != 0)
