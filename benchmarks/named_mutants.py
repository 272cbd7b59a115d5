"""Faults that the tests once did not notice: planted in every run of ``mutation.py``, whatever it draws."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.mutants import Mutant


@dataclass(frozen=True, slots=True)
class Named:
    """A fault that went unnoticed once: the mutants of this operator in lines of a file that hold these words."""

    what: str
    path: str
    operator: str
    words: str


NAMED = (
    Named("seen_through is dropped", "runtime/icseg/tracker/tracker.py", "delete", ".seen_through("),
    Named("memory_features is not copied", "runtime/icseg/tracker/tracker.py", "copy", '["memory_features"]'),
    Named("another growth per frame", "runtime/icseg/tracker/extent.py", "constant", "GROWTH_PER_FRAME ="),
    Named(
        "a mask after a mistake is believed unseen",
        "runtime/icseg/session/recheck.py",
        "truth",
        "self._was_mistaken and not found.is_lost",
    ),
    Named("strides_left is not reset", "runtime/icseg/session/following.py", "delete", "self._strides_left = 0"),
)


def named_mutants(mutants: Sequence[Mutant]) -> list[tuple[Named, Mutant]]:
    """The mutants of ``NAMED``.

    Raises:
        RuntimeError: a name fits none any more.
    """
    found = []
    for named in NAMED:
        fitting = [
            (named, one)
            for one in mutants
            if (one.path, one.operator) == (named.path, named.operator) and named.words in f"{one.before}\n{one.after}"
        ]
        if not fitting:
            raise RuntimeError(f"mutation: no mutant for {named}: the code has moved on, mend NAMED")
        found += fitting
    return found
