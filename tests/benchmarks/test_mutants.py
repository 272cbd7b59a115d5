"""The mutation check's own rules: what each operator makes of a line, what is never drawn, and that a draw stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mutants import OPERATORS, Mutant, drawn, mutants_of


def planted(folder: Path, source: str) -> list[Mutant]:
    (folder / "code.py").write_text(source)
    return mutants_of(folder, "code.py")


def changes(folder: Path, source: str, operator: str) -> list[str]:
    return [mutant.after for mutant in planted(folder, source) if mutant.operator == operator]


@pytest.mark.parametrize(
    ("line", "operator", "after"),
    [
        ("return a < b", "comparison", ["return a <= b", "return a >= b"]),
        ("return a is None", "comparison", ["return a is not None"]),
        ("return a not in b", "comparison", ["return a in b"]),
        ("return 0 <= a < b", "comparison", [f"return 0 {ops} b" for ops in ("< a <", "> a <", "<= a <=", "<= a >=")]),
        ("return a + b", "arithmetic", ["return a - b"]),
        ("return a // b", "arithmetic", ["return a / b"]),
        ("a *= b", "arithmetic", ["a /= b"]),
        ("return a and b", "boolean", ["return a or b"]),
        ("return not a", "not", ["return a"]),
        ("return -a", "not", ["return a"]),
        ("return a if a.b else c", "condition", ["return a if not a.b else c"]),
        ("return a if a < b else c", "condition", []),
        ("return a == b", "truth", ["return False", "return True"]),
        ("c = a and b", "truth", ["c = False", "c = True"]),
        ("return a if a < b else c", "truth", ["return a if False else c", "return a if True else c"]),
        ("f(2)", "constant", ["f(3)", "f(1)"]),
        ("f(0.1)", "constant", ["f(1.1)", "f(-0.9)"]),
        ("f(1000)", "constant", ["f(2000)", "f(500)"]),
        ("f(True)", "constant", ["f(False)"]),
        ("return a", "return", ["return None"]),
        ("return", "return", []),
        ("f(a)", "delete", ["pass"]),
        ("a.b = c", "delete", ["pass"]),
        ("a = f(b)", "delete", ["pass"]),
        ("new = f(b)", "delete", []),
        ("a += 1", "delete", ["pass"]),
        ("raise ValueError(f'{a + 1}')", "delete", ["pass"]),
        ("raise ValueError(f'{a + 1}')", "arithmetic", []),
        ("return b.copy()", "copy", ["return b"]),
        ("for c in a: f(c)", "iteration", ["for c in (): f(c)"]),
        ("return f'{a + 1}'", "constant", []),
        ("assert a < 1", "comparison", []),
        ("return zip(a, b, strict=True)", "constant", []),
        ("c: int | None = 0 if a else b", "arithmetic", []),
        ("'''Says 1 < 2.'''", "constant", []),
    ],
)
def test_what_becomes_of_a_line(tmp_path: Path, line: str, operator: str, after: list[str]) -> None:
    assert changes(tmp_path, f"def made(a, b):\n    {line}\n", operator) == after


def test_defaults_loops_and_what_stands_in_two_lines(tmp_path: Path) -> None:
    assert changes(tmp_path, "def f(a, b=1, *, c=False): pass\n", "default") == [
        "def f(a, b=2, *, c=False): pass",
        "def f(a, b=0, *, c=False): pass",
        "def f(a, b=1, *, c=True): pass",
    ]
    source = "for a in b:\n    if a:\n        break\n    continue\n"
    assert changes(tmp_path, source, "loop") == ["continue", "break"]
    (mutant,) = (m for m in planted(tmp_path, "x = 'é', (a +\n     b)\n") if m.operator == "arithmetic")
    assert mutant.source == "x = 'é', (a - b)\n"
    assert mutant.line == 1


def test_types_decorators_and_names_for_export_are_left_alone(tmp_path: Path) -> None:
    source = (
        "__all__ = ['a'] + ['b']\nEither = int | str\n"
        "@dataclass(frozen=True)\nclass Some:\n    a: int | None\n    def f(self, a: int | str) -> int | None: ...\n"
    )
    assert planted(tmp_path, source) == []


SOURCE = "def f(a, b):\n    c = a + 1\n    return c < b or c > 2 * a\n\n\ndef g(a):\n    return a - 1\n"


def test_no_mutant_comes_twice_or_changes_nothing_and_all_compile(tmp_path: Path) -> None:
    mutants = planted(tmp_path, SOURCE)
    assert len({mutant.source for mutant in mutants} | {SOURCE}) == len(mutants) + 1
    assert len({mutant.id for mutant in mutants}) == len(mutants)
    assert {mutant.operator for mutant in mutants} <= set(OPERATORS)
    for mutant in mutants:
        compile(mutant.source, "code.py", "exec")


def test_the_same_seed_draws_the_same_and_a_change_elsewhere_leaves_it(tmp_path: Path) -> None:
    mutants = planted(tmp_path, SOURCE)
    first = [mutant.id for mutant in drawn(mutants, 8, seed=3)]
    assert [mutant.id for mutant in drawn(mutants[::-1], 8, seed=3)] == first
    assert [mutant.id for mutant in drawn(mutants, 8, seed=4)] != first
    moved = planted(tmp_path, '"""A line more."""\n\n' + SOURCE)
    assert [mutant.id for mutant in drawn(moved, 8, seed=3)] == first
    assert len(drawn(mutants, 10**6, seed=0)) == len(mutants)
