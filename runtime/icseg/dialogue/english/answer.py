"""Free words -> the answer to a question: a choice, a description, "neither", "I can't tell", or the end of it all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from icseg.dialogue.english.command import MAX_TEXT, parse_command
from icseg.dialogue.english.words import NOTHING_SAID, Description, Vocabulary

ReplyKind = Literal["described", "neither", "cannot_tell", "delegated", "cancelled", "unclear"]

_CANCEL = re.compile(
    r"\b(?:never ?mind|cancel(?:led)?|forget (?:it|that|about)|abort|stop (?:it|this|asking))\b"
    r"|^(?:please )?(?:stop|quit|exit)$"
)
_CANNOT_TELL = re.compile(
    r"\b(?:can(?:'t|t| ?not)|could(?:n't| not)) (?:really )?(?:tell|say|see|answer|know|decide)\b"
    r"|\b(?:do(?:n't|nt| not)) know\b|\bnot (?:sure|certain)\b"
    r"|\bno idea\b|\bunsure\b|\bdunno\b|\bhard to (?:say|tell)\b"
    r"|^(?:they are |they're )?(?:the )?same$|^either(?: one| of them| is fine| works| will do| one is fine)?$"
)
_DELEGATED = re.compile(
    r"\b(?:doesn't|does not|doesnt) matter\b|\b(?:do(?:n't|nt| not)) care\b"
    r"|\b(?:you (?:choose|decide|pick)|your choice|up to you)\b"
    r"|\bno preference\b"
    r"|^(?:just )?(?:any|anyone|whichever|whatever)(?: (?:one|of them|you like|you want|is fine|will do))*$"
)
_NEITHER = re.compile(
    r"\b(?:neither|none|nothing|not (?:any|either|one) of (?:them|those|these))\b"
    r"(?: one)?(?: of (?:them|those|these|the \w+))?"
)
_NO = re.compile(r"^(?:no|nope|nah|wrong|no thanks)$")


@dataclass(frozen=True, slots=True)
class Reply:
    """What an answer says.

    Attributes:
        kind: ``neither`` refuses what was offered and may still describe something; ``cannot_tell`` says that the
            question brings nothing; ``delegated`` leaves the choice to the robot; ``unclear`` says nothing that can
            be checked.
        wanted, unwanted: as in a command.
    """

    kind: ReplyKind
    wanted: Description = NOTHING_SAID
    unwanted: tuple[Description, ...] = ()


def parse_answer(text: str, vocabulary: Vocabulary) -> Reply:
    """Read the answer to a question."""
    text = text[:MAX_TEXT]
    plain = vocabulary.normalise(text).replace(" , ", " ")
    if _CANCEL.search(plain):
        return Reply("cancelled")
    if _NO.match(plain):
        return Reply("neither")
    is_neither = bool(_NEITHER.search(plain))
    if not is_neither and _CANNOT_TELL.search(plain):
        return Reply("cannot_tell")
    if not is_neither and _DELEGATED.search(plain):
        return Reply("delegated")
    said = parse_command(_NEITHER.sub(" , ", vocabulary.normalise(text)), vocabulary)
    wanted = said.wanted
    if is_neither:
        return Reply("neither", wanted if _is_clear(wanted) else NOTHING_SAID, said.unwanted)
    if (said.unwanted and not _has_unknown(wanted)) or _is_clear(wanted):
        return Reply("described", wanted, said.unwanted)
    return Reply("unclear", wanted)


def _is_clear(said: Description) -> bool:
    return said.says_something and not _has_unknown(said)


def _has_unknown(said: Description) -> bool:
    """A word that carries the meaning is not known: reading the rest of it would be a guess."""
    return bool(said.unknown_noun or said.unknown_colours or (said.relation and _has_unknown(said.relation.anchor)))
