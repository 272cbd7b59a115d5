"""Free words -> what they say about the thing that is meant: phrases and whole commands.

Reads by patterns and tables, no grammar: what it cannot read ends up in the ``unknown_*`` fields, never in a guess.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from icseg.dialogue.english.words import (
    CARDINALS,
    COLOUR_WORDS,
    FILLERS,
    NOTHING_SAID,
    ORDINALS,
    SIZE_WORDS,
    Axis,
    Description,
    Rank,
    Relation,
    RelationName,
    Vocabulary,
    is_generic,
)

MAX_TEXT = 400
"""Characters that are read: nobody says more to name one thing, and the patterns stay fast."""
MAX_ANCHOR_DEPTH = 2

_VIEWPOINT = re.compile(
    r"\b(?:of|in|on) (?:the |this |my )?(?:picture|image|frame|table|screen|view|scene|desk|camera)(?: \d+)?\b"
    r"|\bfrom (?:my|your|our|this) (?:view|viewpoint|perspective|side)\b"
    r"|(?<=nearest )to (?:me|us|you|the camera|the robot)\b|(?<=closest )to (?:me|us|you|the camera|the robot)\b"
    r"|(?<=closer )to (?:me|us|you|the camera|the robot)\b|(?<=farthest )from (?:me|us|you|the camera|the robot)\b"
)
_MODAL = re.compile(r"\b(?:can|could|would|will) (?:you|u|we|i|ya)\b")
_AND_THEN = re.compile(r"\b(?:and|then)(?: then)? \w+ (?:it|them|that)\b.*")
_RELATIONS: tuple[tuple[RelationName, re.Pattern[str]], ...] = (
    ("left", re.compile(r"\b(?:(?:to|on|at) )?(?:the |its )?left(?: hand)?(?: side)? of\b")),
    ("right", re.compile(r"\b(?:(?:to|on|at) )?(?:the |its )?right(?: hand)?(?: side)? of\b")),
    ("front", re.compile(r"\bin front of\b")),
    ("behind", re.compile(r"\b(?:behind|in back of)\b")),
    ("near", re.compile(r"\b(?:next to|besides?|alongside|near to|near|nearby|by|(?:close|closer|closest|nearest) to"
                        r"|(?:nearest|closest)(?= the ))\b")),
)  # fmt: skip
_TAIL = re.compile(r"\b(?:with|without|in|inside|into|on|onto|under|above|below|between|of|from|containing)\b")
_NUMBER = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?$")

_DIRECTION = re.compile(
    r"\b(?:counting |count |starting )?from (?:the )?"
    r"(left|right|front|back|rear|nearest|farthest|furthest|closest|bottom|top)(?: (?:side|end|to (?:the )?\w+))?\b"
)
_STARTS: dict[str, tuple[Axis, bool]] = {
    "left": ("x", False), "right": ("x", True),
    "front": ("y", False), "nearest": ("y", False), "closest": ("y", False), "bottom": ("y", False),
    "back": ("y", True), "rear": ("y", True), "farthest": ("y", True), "furthest": ("y", True), "top": ("y", True),
}  # fmt: skip
"""Where a count starts -> the axis, and whether it runs against it."""

_PLACES: tuple[tuple[re.Pattern[str], Rank], ...] = tuple(
    (re.compile(rf"\b(?:(?:on|in|at|to) )?(?:the )?(?:{words})\b(?: (?:side|corner|edge|end|half)\b)?"), rank)
    for words, rank in (
        (r"leftmost|left most|far left|furthest left|farthest left|extreme left", Rank("x", 0)),
        (r"rightmost|right most|far right|furthest right|farthest right|extreme right", Rank("x", -1)),
        (r"left(?: hand)?", Rank("x", 0, is_loose=True)),
        (r"right(?: hand)?", Rank("x", -1, is_loose=True)),
        (r"middle|center|centre|central|centermost", Rank("x", None)),
        (r"nearest|closest|frontmost|foremost|lowest|bottommost", Rank("y", 0)),
        (r"farthest|furthest|rearmost|backmost|topmost|highest", Rank("y", -1)),
        (r"nearer|closer|front|lower|bottom", Rank("y", 0, is_loose=True)),
        (r"farther|further|far|back|rear|upper|top|higher", Rank("y", -1, is_loose=True)),
    )
)


@dataclass(frozen=True, slots=True)
class Command:
    """What a person asked for: it fits ``wanted`` and none of ``unwanted``."""

    wanted: Description
    unwanted: tuple[Description, ...] = ()


def parse_command(text: str, vocabulary: Vocabulary) -> Command:
    """Read a command or any other words that describe a thing.

    Later words correct earlier ones: of "the red one, no, the blue one" the blue one is wanted.
    """
    plain = _AND_THEN.sub("", _MODAL.sub(" ", vocabulary.normalise(text[:MAX_TEXT])))
    wanted, unwanted = NOTHING_SAID, []
    for is_negative, clause in _clauses(plain):
        said = parse_phrase(clause, vocabulary)
        if is_negative and said.says_something:
            unwanted.append(said)
        elif not is_negative:
            wanted = _merge(wanted, said)
    return Command(wanted, tuple(unwanted))


def parse_phrase(phrase: str, vocabulary: Vocabulary, depth: int = 0) -> Description:
    """Read one normalised phrase without a negation, such as "the second red mug from the left"."""
    phrase = _VIEWPOINT.sub(" ", phrase)
    head, relation = phrase, None
    if depth < MAX_ANCHOR_DEPTH:
        head, relation = _split_relation(phrase, vocabulary, depth)
    head, ranks = _take_ranks(head)
    return replace(_read_words(head, vocabulary), ranks=ranks, relation=relation)


def counting_direction(text: str) -> tuple[Axis, bool] | None:
    """Axis of "counting from the right" and whether it counts backwards, or None when nothing is counted."""
    found = _DIRECTION.search(text)
    return _STARTS[found[1]] if found else None


def _clauses(plain: str) -> list[tuple[bool, str]]:
    clauses = []
    for part in re.split(r" , |,|\bbut (?!not)", re.sub(r"\b(?:anything|everything|any|all) but\b", "not", plain)):
        pieces = re.split(r"\b(?:but not|not|isn't|isnt|except(?: for)?|other than)\b", part)
        clauses += [(index > 0, piece.strip()) for index, piece in enumerate(pieces) if piece.strip()]
    return clauses


def _merge(old: Description, new: Description) -> Description:
    """Both at once; where they disagree the newer words count."""
    kinds = (old.kinds & new.kinds) or new.kinds or old.kinds
    nouns = [noun for noun in (old.unknown_noun, new.unknown_noun) if noun]
    # "robot, the mug": a word that stands alone is no noun for a thing when another clause names one.
    loose = tuple(nouns) if kinds else ()
    return Description(
        kinds=kinds,
        colours=(old.colours & new.colours) or new.colours or old.colours,
        size=new.size or old.size,
        ranks=new.ranks or old.ranks,
        relation=new.relation or old.relation,
        is_generic=old.is_generic or new.is_generic,
        unknown_noun="" if kinds else (nouns[-1] if nouns else ""),
        unknown_colours=old.unknown_colours + new.unknown_colours,
        unknown_modifiers=old.unknown_modifiers + new.unknown_modifiers + loose,
    )


def _split_relation(phrase: str, vocabulary: Vocabulary, depth: int) -> tuple[str, Relation | None]:
    found = [(match.start(), name, match) for name, pattern in _RELATIONS if (match := pattern.search(phrase))]
    for _, name, match in sorted(found, key=lambda item: item[0]):
        anchor = parse_phrase(phrase[match.end() :].strip(), vocabulary, depth + 1)
        if anchor.says_something or anchor.unknown_noun or anchor.unknown_colours:
            return phrase[: match.start()], Relation(name, anchor)
    return phrase, None


def _take_ranks(phrase: str) -> tuple[str, tuple[Rank, ...]]:
    """Take places and ordinals out of a phrase."""
    direction = counting_direction(phrase)
    phrase, index = _take_ordinal(_DIRECTION.sub(" ", phrase))
    if index is not None:
        axis, is_backwards = direction or (None, False)
        return phrase, (Rank(axis, -1 - index if is_backwards else index),)
    if direction is not None:
        return phrase, ()
    ranks = []
    for pattern, rank in _PLACES:
        if pattern.search(phrase):
            phrase = pattern.sub(" ", phrase)
            ranks.append(rank)
    return phrase, tuple(ranks)


def _take_ordinal(phrase: str) -> tuple[str, int | None]:
    """Take one ordinal out: its index from the start of the count, negative from its end."""
    words = phrase.split()
    for place, word in enumerate(words):
        index = _ordinal_index(word)
        # A cardinal counts only on its own or after "number": "the two mugs" is no place.
        if index is None and word in CARDINALS:
            is_numbered = place > 0 and words[place - 1] == "number"
            is_alone = word != "one" and all(other in FILLERS for other in words)
            index = CARDINALS.index(word) if is_numbered or is_alone else None
        if index is not None:
            rest = [*words[:place], *words[place + 1 :]]
            if index == -1 and place > 0 and (before := _ordinal_index(words[place - 1])) is not None and before > 0:
                return " ".join(words[: place - 1] + words[place + 1 :]), -1 - before
            if place + 1 < len(words) and words[place + 1] == "last" and index > 0:
                return " ".join(words[:place] + words[place + 2 :]), -1 - index
            return " ".join(rest), index
    return phrase, None


def _ordinal_index(word: str) -> int | None:
    if word in ORDINALS:
        return ORDINALS.index(word)
    if word in ("last", "latter"):
        return -1
    if word == "former":
        return 0
    number = _NUMBER.match(word)
    return int(number[1]) - 1 if number and int(number[1]) > 0 else None


def _read_words(phrase: str, vocabulary: Vocabulary) -> Description:
    """Kinds, colours and size of a phrase whose places are out already."""
    phrase, tail = _cut_tail(phrase, vocabulary)
    colours: set[str] = set()
    size = None
    nouns: list[frozenset[str]] = []
    noun_at = unknown_at = -1
    unknown: list[tuple[int, str]] = []
    foreign: list[str] = []
    has_generic = False
    words = phrase.split()
    for place, word in enumerate(words):
        if kinds := vocabulary.kinds_of(word):
            nouns.append(kinds)
            noun_at = place
        elif colour := vocabulary.colour_of(word):
            colours.add(colour)
        elif word in COLOUR_WORDS:
            foreign.append(word)
        elif word in SIZE_WORDS:
            size = SIZE_WORDS[word]
        elif is_generic(word):
            has_generic, noun_at = True, place
        elif word not in FILLERS:
            unknown.append((place, word))
            unknown_at = place
    is_listed = len(nouns) > 1 and bool(re.search(r"\b(?:and|or)\b", phrase))
    # The last noun is the thing itself: a "can opener" is no can. What comes later is about it, like "quickly".
    is_compound = bool(nouns) and unknown_at == noun_at + 1 and not words[unknown_at].endswith("ly")
    is_foreign_noun = unknown_at >= 0 and (noun_at < 0 or (is_compound and not is_generic(words[noun_at])))
    return Description(
        kinds=_noun_kinds(nouns, is_listed) if not is_foreign_noun else frozenset(),
        colours=frozenset(colours),
        size=size,
        is_generic=has_generic,
        unknown_noun=words[unknown_at] if is_foreign_noun else "",
        unknown_colours=tuple(foreign),
        unknown_modifiers=(*(w for place, w in unknown if place != unknown_at or not is_foreign_noun), *tail),
    )


def _noun_kinds(nouns: list[frozenset[str]], is_listed: bool) -> frozenset[str]:
    if not nouns:
        return frozenset()
    if is_listed:
        return frozenset().union(*nouns)
    common = frozenset.intersection(*nouns)
    return common or nouns[-1]


def _cut_tail(phrase: str, vocabulary: Vocabulary) -> tuple[str, tuple[str, ...]]:
    """Cut what follows a preposition after the noun, which cannot be checked: "with a handle"."""
    for match in _TAIL.finditer(phrase):
        before = phrase[: match.start()].split()
        if any(vocabulary.kinds_of(word) or is_generic(word) for word in before):
            tail = phrase[match.start() :].strip()
            is_empty = all(word in FILLERS for word in tail.split())
            if not (match[0] == "of" and any(is_generic(word) for word in before)):
                return phrase[: match.start()], () if is_empty else (tail,)
    return phrase, ()
