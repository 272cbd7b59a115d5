"""How well each thing fits what was said, as probabilities: the belief over candidates and its information.

Pure numbers over candidates and descriptions. Soft on purpose: a detector that is unsure leaves two candidates alive,
and so leads to a question instead of a guess.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icseg.dialogue.candidates.things import Candidate
from icseg.dialogue.english.words import Axis, Description, Rank, Relation
from icseg.settings import check, setting

Weights = npt.NDArray[np.float64]

SIZE_STEEPNESS = 22.0
"""Per unit of log size. On the simulated table boxes tell the sizes of two things of a kind to about 0.1, and the real
steps are 0.36: those are told apart, and less than 0.13 leaves both alive."""
ORDER_BLUR = 0.012
"""Share of the image's side by which two middles may differ and their order still be read either way."""
MIN_FACTOR = 1e-4
"""What one piece of evidence may take from a candidate at most: a detector that was sure may be wrong."""


@dataclass(frozen=True, slots=True)
class BeliefConfig:
    """When a candidate still counts.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """

    live_ratio: float = setting(
        0.25,
        "a thing may still be meant while it is at least this times as likely as the likeliest",
        low=0.001,
        high=0.9,
    )
    min_fit: float = setting(
        0.2, "words fit nothing in view when nothing that may be meant fits them at least so well", low=0.001, high=0.9
    )

    def __post_init__(self) -> None:
        check("candidates.belief", self)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Something that was said, and (n,) how likely it would be said of each candidate, 0..1."""

    words: str
    likelihood: Weights


@dataclass(frozen=True, slots=True, eq=False)
class Belief:
    """Everything that was said so far about ``count`` candidates; the first evidence is the command."""

    count: int
    config: BeliefConfig
    evidence: tuple[Evidence, ...] = ()

    def posterior(self) -> Weights:
        """(count,) probabilities that sum to 1."""
        weights: Weights = np.ones(self.count)
        for piece in self.evidence:
            weights *= np.maximum(piece.likelihood, MIN_FACTOR)
        weights /= weights.sum()
        return weights

    def live(self) -> list[int]:
        """Indices of the candidates that still count, in order."""
        posterior = self.posterior()
        return [int(i) for i in np.flatnonzero(posterior >= self.config.live_ratio * posterior.max())]

    def supports(self, piece: Evidence) -> bool:
        """True when a live candidate fits it."""
        return bool(self.count) and bool(piece.likelihood[self.live()].max() >= self.config.min_fit)

    def with_evidence(self, piece: Evidence) -> Belief:
        """This belief and one thing more."""
        return Belief(self.count, self.config, (*self.evidence, piece))

    def conflicting(self, piece: Evidence) -> Evidence | None:
        """The latest earlier evidence that alone keeps ``piece`` from fitting anything, or None."""
        for index in range(len(self.evidence) - 1, -1, -1):
            rest = (*self.evidence[:index], *self.evidence[index + 1 :])
            if Belief(self.count, self.config, rest).supports(piece):
                return self.evidence[index]
        return None


def information_gain(posterior: Weights, likelihood: Weights) -> float:
    """Expected drop of the entropy of the belief, in bits, by a question.

    Args:
        posterior: (n,) sums to 1.
        likelihood: (answers, n) P(answer | candidate); what its columns lack to 1 is the answer "neither".
    """
    rest = np.clip(1 - likelihood.sum(axis=0), 0, 1)
    joint = np.vstack([likelihood, rest]) * posterior
    joint /= joint.sum()
    return _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1)) - _entropy(joint)


def appearance_fit(said: Description, candidates: Sequence[Candidate]) -> Weights:
    """(n,) P(kind and colour are among those said)."""
    fits = np.ones(len(candidates))
    for index, candidate in enumerate(candidates):
        seen = candidate.detection
        if said.kinds:
            fits[index] *= sum(seen.kind_probs.get(kind, 0.0) for kind in said.kinds)
        if said.colours:
            fits[index] *= sum(seen.colour_probs.get(colour, 0.0) for colour in said.colours)
    return np.clip(fits, 0, 1)


def fit(said: Description, candidates: Sequence[Candidate], within: Weights | None = None) -> Weights:
    """(n,) P(the candidate is what was described).

    Args:
        said: the description.
        candidates: all things in view.
        within: (n,) how surely each belongs to what the speaker compares it with; size and place are relative to
            those of them that fit the rest. Everything in view by default.
    """
    group = np.ones(len(candidates)) if within is None else within
    fits = appearance_fit(said, candidates)
    if said.size is not None:
        fits = fits * size_fit(said.size, candidates, group * fits)
    if said.relation is not None:
        fits = fits * _relation_fit(said.relation, candidates, group * fits)
    for rank in said.ranks:
        fits = fits * rank_fit(rank, candidates, group * fits)
    return fits


def size_fit(size: str, candidates: Sequence[Candidate], members: Weights) -> Weights:
    """(n,) P(big or small, compared with the members of its own kind); 0.5 where there is nothing to compare."""
    sizes = np.array([c.size_log for c in candidates])
    is_member = members >= 0.4 * members.max(initial=0.0)
    fits = np.full(len(candidates), 0.5)
    for index, candidate in enumerate(candidates):
        kind = candidate.detection.kind
        peers = [j for j, c in enumerate(candidates) if is_member[j] and c.detection.kind == kind]
        if not is_member[index] or len(peers) < 2:
            continue
        low, high = sizes[peers].min(), sizes[peers].max()
        sign = 1.0 if size.startswith("big") else -1.0
        if size.endswith("est"):
            fits[index] = np.exp(-SIZE_STEEPNESS / 2 * (high - sizes[index] if sign > 0 else sizes[index] - low))
        else:
            fits[index] = _sigmoid(sign * SIZE_STEEPNESS * (sizes[index] - (low + high) / 2))
    return fits


def place_table(axis: Axis, candidates: Sequence[Candidate], members: Weights) -> Weights:
    """(n, n) P(the candidate of the column has the place of the row, counted from the start, among the members)."""
    inside, before, _ = _row(axis, candidates, members)
    return np.where(inside > 0, before[:, :-1].T, 0.0)


def rank_fit(rank: Rank, candidates: Sequence[Candidate], members: Weights) -> Weights:
    """(n,) P(the candidate has this place among the members), given that it is one."""
    inside, before, after = _row(rank.axis or "x", candidates, members)
    if rank.index is None:
        near_middle = after + 0.5 * (np.pad(after, ((0, 0), (1, 0)))[:, :-1] + np.pad(after, ((0, 0), (0, 1)))[:, 1:])
        places = np.minimum((before * near_middle).sum(axis=1), 1)
    else:
        wanted = rank.index if rank.index >= 0 else -1 - rank.index
        table = before if rank.index >= 0 else after
        places = table[:, wanted] if wanted < len(candidates) else np.zeros(len(candidates))
    if rank.is_loose:
        places = np.maximum(places, _loose(_positions(rank.axis or "x", candidates), inside, rank.index == 0))
    return np.where(inside > 0, places, 0.0)


def _positions(axis: Axis, candidates: Sequence[Candidate]) -> Weights:
    return np.array([-c.y if axis == "y" else c.x for c in candidates])


def _row(axis: Axis, candidates: Sequence[Candidate], members: Weights) -> tuple[Weights, Weights, Weights]:
    """(n,) how surely each is a member, and (n, n + 1) P(k members come before it) and P(k come after it)."""
    # A detector that is 80 % sure of a member is not 20 % likely to have miscounted: its numbers are no frequencies.
    inside = np.clip((members - 0.2) / 0.6, 0, 1)
    position = _positions(axis, candidates)
    precedes = _sigmoid((position[:, None] - position[None, :]) / (ORDER_BLUR / 2))
    others = inside[None, :] * (1 - np.eye(len(candidates)))
    return inside, _counts(others * precedes), _counts(others * (1 - precedes))


def _relation_fit(relation: Relation, candidates: Sequence[Candidate], members: Weights) -> Weights:
    anchors = fit(relation.anchor, candidates)
    is_anchor = anchors >= 0.4 * max(anchors.max(initial=0.0), 0.25)
    is_member = members >= 0.4 * members.max(initial=0.0)
    x, y = np.array([c.x for c in candidates]), np.array([c.y for c in candidates])
    fits = np.zeros(len(candidates))
    distances = np.hypot(x[:, None] - x[None, :], y[:, None] - y[None, :]) + np.diag(np.full(len(x), np.inf))
    closest = np.where(is_member[:, None] & is_anchor[None, :], distances, np.inf).min(initial=np.inf)
    for j in np.flatnonzero(is_anchor):
        match relation.name:
            case "near" if np.isfinite(closest):
                holds = np.exp(-(distances[:, j] - closest) / (0.15 * closest + 0.01))
            case "near":
                continue
            case "left":
                holds = _beyond(x[j] - x)
            case "right":
                holds = _beyond(x - x[j])
            case "behind":
                holds = _beyond(y[j] - y)
            case "front":
                holds = _beyond(y - y[j])
        holds = np.where(np.arange(len(x)) == j, 0, np.minimum(holds, 1))
        fits = np.maximum(fits, anchors[j] * holds)
    return fits


def _counts(shares: Weights) -> Weights:
    """(n, n) P(each of the others counts) -> (n, n + 1) P(k of them do)."""
    counts = np.zeros((len(shares), len(shares) + 1))
    counts[:, 0] = 1.0
    for share in shares.T[:, :, None]:
        counts = counts * (1 - share) + np.pad(counts, ((0, 0), (1, 0)))[:, :-1] * share
    return counts


def _loose(position: Weights, inside: Weights, is_start: bool) -> Weights:
    """(n,) how well a member fits "on the left": all in the first third of the row do, the first of them best."""
    row = position[inside > 0.5]
    if len(row) < 3:
        return np.zeros(len(position))
    share = (position - row.min()) / max(row.max() - row.min(), 1e-6)
    return np.where((share if is_start else 1 - share) < 1 / 3, 0.6, 0.0) * (inside > 0.5)


def _beyond(difference: Weights) -> Weights:
    """How clearly one thing is on that side of another; level with it is not."""
    return _sigmoid(difference / ORDER_BLUR - 2)


def _sigmoid(value: Weights | float) -> Weights:
    return np.asarray(1 / (1 + np.exp(-np.clip(value, -60, 60))))


def _entropy(shares: Weights) -> float:
    flat = shares[shares > 0]
    return float(-(flat * np.log2(flat)).sum())
