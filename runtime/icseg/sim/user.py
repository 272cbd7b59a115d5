"""A person who knows the target and answers questions about it, from the question's words and the truth alone.

Answers only what was asked, in the fewest words: an option, "yes", "no", "neither" when no option fits, "I can't tell"
when the question cannot be answered. Left and right are the viewer's. Sees only the frame that it is asked about.
*Source:* the rules of IC-Seg's user simulator (arXiv 2605.17531); there a vision-language model, here a table.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from icseg.dialogue.english.command import counting_direction, parse_command
from icseg.dialogue.english.words import Description, Rank, Vocabulary, ordinal_word
from icseg.sim.things import COLOURS, KINDS
from icseg.sim.truth import SimFrame
from icseg.sim.truth_words import Facts

CANNOT_TELL = "I can't tell"
NEITHER = "neither"

_VOCABULARY = Vocabulary(KINDS, COLOURS)
_FRAME = re.compile(
    r"\b(?:in|at|on) (?:the )?(?:last |first |newest )?(?:frame|image|picture)(?: (?:number )?\d+)?\b,?"
)
_YES_NO = re.compile(r"^(?:is|are|was|were|does|do|did|has|have|can)\b")
_STEM = re.compile(r"^(?:which|what|where|of the|among|counting|from (?:the )?left|tell me|please)\b")
_CORNER = re.compile(r"\b(?:corner|edge|side|half|part|area|region)s?\b")
_MINOR = frozenset(
    ["the", "a", "an", "one", "ones", "is", "are", "it", "its", "target", "target's", "on", "at", "in", "to", "do",
     "does", "did", "was", "you", "mean", "want", "thing", "object", "colour", "color", "look", "looks", "that"]
)  # fmt: skip
"""Words that the shortest answer leaves out at either end of an option."""


def matching_ids(command: str, frame: SimFrame) -> frozenset[int]:
    """Ids of the visible things that a command fits in truth: several when it is ambiguous.

    Empty when nothing fits, or when the word for the thing itself is not known.
    """
    said = parse_command(command, _VOCABULARY)
    parts = [said.wanted, *([said.wanted.relation.anchor] if said.wanted.relation else [])]
    if any(part.unknown_noun or part.unknown_colours for part in parts):
        return frozenset()
    if not (said.wanted.says_something or said.wanted.is_generic or said.unwanted):
        return frozenset()
    facts = Facts(frame)
    return facts.matching(said.wanted).difference(*(facts.matching(refused) for refused in said.unwanted))


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question taken apart.

    Attributes:
        text: in lower case, one sentence.
        stem: what comes before the options.
        options: what it offers, as said.
        scope: the things that it speaks of.
    """

    text: str
    stem: str
    options: tuple[str, ...]
    scope: frozenset[int]

    @property
    def is_about_row(self) -> bool:
        """Left and right are places in the row of the things spoken of, not parts of the picture."""
        return self.stem.startswith(("which", "of the", "among")) and len(self.scope) == len(self.options)


class SimulatedUser:
    """The person who means ``target_id``."""

    def __init__(self, target_id: int) -> None:
        self.target_id = target_id

    def answer(self, question: str, frame: SimFrame) -> str:
        """Answer one question about the target as it is in the frame."""
        facts = Facts(frame)
        if self.target_id not in facts.boxes:
            return CANNOT_TELL
        asked = _take_apart(question, facts)
        is_yes_no = not asked.options and _YES_NO.match(asked.text)
        if not is_yes_no and self.target_id not in asked.scope:
            return NEITHER
        if asked.options:
            return self._choose(asked, facts)
        if is_yes_no:
            fits = self._fits(asked.text, asked, facts)
            return CANNOT_TELL if fits is None else "yes" if fits else "no"
        return self._tell(asked, facts)

    def _choose(self, asked: _Asked, facts: Facts) -> str:
        fits = [self._fits(option, asked, facts) for option in asked.options]
        fitting = [option for option, does_fit in zip(asked.options, fits, strict=True) if does_fit]
        if len(fitting) == 1:
            return _shortest(fitting[0])
        return NEITHER if not fitting and None not in fits else CANNOT_TELL

    def _fits(self, words: str, asked: _Asked, facts: Facts) -> bool | None:
        """Whether words hold for the target; None when they cannot be judged."""
        is_corner = re.search(r"\bcorner\b", words) is not None
        said = _with_direction(parse_command(_CORNER.sub(" ", words), _VOCABULARY).wanted, asked.stem)
        if is_corner and not said.says_something:
            return facts.place(self.target_id)[0] // (1 / 3) != 1 and facts.place(self.target_id)[1] // (1 / 3) != 1
        is_part_of_picture = not (said.has_appearance or asked.is_about_row) and any(
            rank.is_loose or rank.index is None for rank in said.ranks
        )
        if is_part_of_picture:
            has_middle = any("middle" in option or "cent" in option for option in asked.options)
            if not all(_is_in_part(rank, facts.place(self.target_id), has_middle) for rank in said.ranks):
                return False
            said = replace(said, ranks=())
            return None if _has_unknown(said) else self.target_id in facts.matching(said)
        if not said.says_something:
            return None
        is_absolute = not asked.options
        does_fit = self.target_id in facts.matching(said, asked.scope, is_absolute=is_absolute)
        return None if does_fit and _has_unknown(said) else does_fit

    def _tell(self, asked: _Asked, facts: Facts) -> str:
        """Answer an open question."""
        text, target = asked.text, facts.thing(self.target_id)
        if re.search(r"\bcolou?rs?\b", text):
            return target.colour
        if re.search(r"\b(?:next to|near|nearest|beside|close to)\b", text):
            neighbour = facts.nearest(self.target_id)
            return f"the {facts.thing(neighbour).colour} {facts.thing(neighbour).kind}" if neighbour else CANNOT_TELL
        if (direction := counting_direction(text)) is not None:
            axis, is_backwards = direction
            row = facts.row(axis, asked.scope)
            return ordinal_word((row[::-1] if is_backwards else row).index(self.target_id))
        if re.search(r"\b(?:size|big|large)\b", text):
            return target.size
        if re.search(
            r"\b(?:kind|type|sort|category|class)\b|\bwhat (?:object|thing)\b|^what is (?:it|the target)$", text
        ):
            return target.kind
        if re.search(r"\bwhere\b|\b(?:part|area|region|position)\b", text):
            return _part_of_picture(facts.place(self.target_id))
        return CANNOT_TELL


def _take_apart(question: str, facts: Facts) -> _Asked:
    sentences = [s for s in re.split(r"(?<=[.!?])\s+", question.strip().casefold()) if s]
    # What comes before the question is talk.
    text = next((s for s in reversed(sentences) if s.endswith("?")), sentences[-1] if sentences else "")
    text = re.sub(r"\s+", " ", _FRAME.sub(" ", text)).strip(" .,!?")
    stem, offered = text, ""
    if ":" in text:
        stem, offered = (part.strip() for part in text.split(":", 1))
    elif re.search(r"\bor\b", text):
        stem, offered = "", text
    options = [part.strip(" ,") for part in re.split(r",? \bor\b |,(?! counting)", offered) if part.strip(" ,")]
    while len(options) > 2 and _STEM.match(options[0]):
        stem = f"{stem} {options.pop(0)}".strip()
    if len(options) < 2:
        options = []
    scope = (
        facts.of_appearance(parse_command(stem, _VOCABULARY).wanted) if _STEM.match(stem) else frozenset(facts.boxes)
    )
    return _Asked(text, stem, tuple(options), scope)


def _with_direction(said: Description, stem: str) -> Description:
    """An ordinal counts as the stem of the question says."""
    axis, is_backwards = counting_direction(stem) or ("x", False)
    ranks = []
    for rank in said.ranks:
        if rank.axis is None and rank.index is not None:
            rank = Rank(axis, -1 - rank.index if is_backwards else rank.index)
        ranks.append(rank)
    return replace(said, ranks=tuple(ranks))


def _has_unknown(said: Description) -> bool:
    return bool(said.unknown_noun or said.unknown_colours or said.unknown_modifiers)


def _is_in_part(rank: Rank, place: tuple[float, float], has_middle: bool) -> bool:
    """Whether a place lies in the named part of the picture: thirds where a middle is offered, else halves."""
    share = place[1] if rank.axis == "y" else place[0]
    if rank.index is None:
        return 1 / 3 <= share <= 2 / 3
    is_low_end = rank.index == (-1 if rank.axis == "y" else 0)
    border = 1 / 3 if has_middle else 1 / 2
    return share < border if is_low_end else share > 1 - border


def _part_of_picture(place: tuple[float, float]) -> str:
    across = ("left", "", "right")[min(int(place[0] * 3), 2)]
    along = ("top", "", "bottom")[min(int(place[1] * 3), 2)]
    return f"{along} {across}".strip() or "middle"


def _shortest(option: str) -> str:
    words = option.split()
    while words and words[0] in _MINOR:
        words.pop(0)
    while words and words[-1] in _MINOR:
        words.pop()
    return " ".join(words) or option
