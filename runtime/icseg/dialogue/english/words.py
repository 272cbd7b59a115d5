"""What a person's words can say about a thing: kind, colour, size, place, neighbours. Types, word tables and look-up.

Knows English and the names that a detector gives; knows no image. ``command.py`` reads phrases and commands,
``answer.py`` the answers to questions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Axis = Literal["x", "y"]
Size = Literal["big", "small", "biggest", "smallest"]
RelationName = Literal["near", "left", "right", "behind", "front"]


def _word_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


KIND_SYNONYMS: dict[str, tuple[str, ...]] = {
    "cup": ("mug",), "teacup": ("mug",), "beaker": ("mug",),
    "tin": ("can",), "soda": ("can",), "flask": ("bottle",),
    "carton": ("box",), "package": ("box",), "packet": ("box",), "cube": ("box",),
    "sphere": ("ball",), "orb": ("ball",),
    "dish": ("plate", "bowl"), "saucer": ("plate",), "basin": ("bowl",),
    "teaspoon": ("spoon",), "ladle": ("spoon",),
    "container": ("mug", "bowl", "bottle", "can", "box"),
}  # fmt: skip
"""Word -> the kinds it may mean. A kind that the detector does not have is left out."""

COLOUR_SYNONYMS: dict[str, str] = {
    "crimson": "red", "scarlet": "red", "violet": "purple", "lilac": "purple", "navy": "blue", "lime": "green",
    "golden": "yellow", "dark-coloured": "black",
}  # fmt: skip

COLOUR_WORDS = _word_set(
    "red orange yellow green blue purple white black pink brown grey gray silver gold turquoise cyan magenta beige "
    "maroon teal transparent clear"
)
"""Words that surely name a colour: one that the detector lacks is refused, not skipped like any other adjective."""

GENERIC_NOUNS = _word_set("thing object item one it something anything everything target stuff")

SIZE_WORDS: dict[str, Size] = {
    "big": "big", "large": "big", "huge": "big", "tall": "big",
    "small": "small", "little": "small", "tiny": "small", "short": "small",
    "bigger": "biggest", "larger": "biggest", "taller": "biggest",
    "biggest": "biggest", "largest": "biggest", "tallest": "biggest",
    "smaller": "smallest", "littler": "smallest", "shorter": "smallest",
    "smallest": "smallest", "littlest": "smallest", "tiniest": "smallest", "shortest": "smallest",
}  # fmt: skip

ORDINALS: tuple[str, ...] = (
    "first", "second", "third", "fourth", "fifth", "sixth",
    "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth",
)  # fmt: skip
CARDINALS: tuple[str, ...] = (
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
)  # fmt: skip

FILLERS = _word_set(
    "a an the this that these those please can could would will you i we u me us my your to for of at is are be it's "
    "its im am there here now and or then pick up grab take get give hand bring fetch segment track follow find show "
    "select point look locate mark highlight choose put move lift place pass watch hold keep want need like mean meant "
    "think which what who where whose with on in side hand ok okay yes yeah yep no nope hello hi hey hmm well um uh "
    "actually just only sorry thanks thank robot counting count from number half both all some any colour color size "
    "kind out over down go let lets let's have see do does did was were said say i'd id i'm also so but not his her "
    "their our another other too very really much more most than two three four several they them he she as by near "
    "nearby away again"
)
"""Words that say nothing about which thing is meant. Kinds and colours of the detector are looked up first."""


@dataclass(frozen=True, slots=True)
class Rank:
    """A place in a row.

    Attributes:
        axis: ``x`` counts from the left, ``y`` from the nearest; None as the last question counted, else ``x``.
        index: 0 the first, -1 the last and so on; None the middle.
        is_loose: "on the left" rather than "the leftmost".
    """

    axis: Axis | None
    index: int | None
    is_loose: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """Where the thing is with regard to another thing."""

    name: RelationName
    anchor: Description


@dataclass(frozen=True, slots=True)
class Description:
    """What a phrase says about one thing; every empty field says nothing.

    Attributes:
        kinds, colours: it is one of these, in the detector's names.
        size: relative to its like.
        ranks: places, each among what fits all the rest.
        relation: to another described thing.
        is_generic: a noun that means any kind was said.
        unknown_noun: the word for the thing itself, when it is not known.
        unknown_colours, unknown_modifiers: words that cannot be checked.
    """

    kinds: frozenset[str] = frozenset()
    colours: frozenset[str] = frozenset()
    size: Size | None = None
    ranks: tuple[Rank, ...] = ()
    relation: Relation | None = None
    is_generic: bool = False
    unknown_noun: str = ""
    unknown_colours: tuple[str, ...] = ()
    unknown_modifiers: tuple[str, ...] = ()

    @property
    def says_something(self) -> bool:
        """At least one thing can be checked."""
        return bool(self.kinds or self.colours or self.size or self.ranks or self.relation)

    @property
    def has_appearance(self) -> bool:
        """Kind or colour is said, which holds for a thing on its own, whatever else is in view."""
        return bool(self.kinds or self.colours)


NOTHING_SAID = Description()


class Vocabulary:
    """The words for the kinds and colours of one detector."""

    def __init__(self, kinds: Iterable[str], colours: Iterable[str]) -> None:
        self.kinds, self.colours = tuple(kinds), tuple(colours)
        self._kinds_of: dict[str, frozenset[str]] = {}
        for word, meant in KIND_SYNONYMS.items():
            if known := frozenset(meant) & frozenset(self.kinds):
                self._kinds_of[word] = known
        self._kinds_of.update({_joined(kind): frozenset({kind}) for kind in self.kinds})
        self._colour_of = {word: colour for word, colour in COLOUR_SYNONYMS.items() if colour in self.colours}
        self._colour_of.update({_joined(colour): colour for colour in self.colours})
        # "coffee mug" as one name must not fall apart into a modifier and a noun.
        self._long_names = [name.casefold() for name in (*self.kinds, *self.colours) if re.search(r"[\s_-]", name)]

    def normalise(self, text: str) -> str:
        """Lower case, one space between words, and the only punctuation left is a comma for any break."""
        text = text.casefold().replace("’", "'").replace("`", "'")
        for name in self._long_names:
            text = re.sub(rf"\b{re.escape(name)}(?=s|es|\b)", _joined(name), text)
        text = re.sub(r"[,;:.!?()\[\]\"\n\r\t]+", " , ", text)
        text = re.sub(r"[^\w,']+", " ", text)
        return re.sub(r"\s+", " ", text).strip(" ,'")

    def kinds_of(self, word: str) -> frozenset[str]:
        """The kinds that a word may mean, in singular or plural; empty when unknown."""
        return next((self._kinds_of[form] for form in _forms(word) if form in self._kinds_of), frozenset())

    def colour_of(self, word: str) -> str | None:
        """The colour that a word means, or None."""
        return next((self._colour_of[form] for form in _forms(word) if form in self._colour_of), None)


def is_generic(word: str) -> bool:
    """True for a noun that means any kind."""
    return any(form in GENERIC_NOUNS for form in _forms(word))


def ordinal_word(index: int) -> str:
    """0 -> ``first``, 1 -> ``second``; ``13th`` and so on beyond the table."""
    if index < len(ORDINALS):
        return ORDINALS[index]
    number = index + 1
    teens = number % 100 in (11, 12, 13)
    return f"{number}{'th' if teens else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def join_words(words: Iterable[str], last: str = "or") -> str:
    """``a``, ``a or b``, ``a, b, or c``."""
    items = list(words)
    if len(items) < 3:
        return f" {last} ".join(items)
    return f"{', '.join(items[:-1])}, {last} {items[-1]}"


def _joined(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.casefold())


def _forms(word: str) -> tuple[str, ...]:
    """The word itself, then what it may be the plural or the possessive of."""
    word = word.removesuffix("'s").strip("'")
    forms = [word]
    if word.endswith("s"):
        forms.append(word[:-1])
    if word.endswith("es"):
        forms.append(word[:-2])
    return tuple(forms)
