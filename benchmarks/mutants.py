"""Small faults to plant in a source file: where each operator may act, and what it makes of the code there. Pure.

The operators are those of mutmut and cosmic-ray that leave a program of the right types; theirs that only raise (a
shift of two floats, a name that is not there) would flatter the figure. ``delete``, ``copy`` and ``truth`` are added:
a call that is forgotten, a buffer that is shared and a condition that always holds are what goes wrong here.

Not drawn, since no behaviour hangs on it: docstrings, annotations, decorators, ``__all__``, assertions (they tell the
type checker what is known), ``strict=`` of ``zip``, and all text, that of errors too: no operator changes a string, and
none acts inside an f-string or behind ``raise``. A ``raise`` itself can be deleted.
"""

from __future__ import annotations

import ast
import copy
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
"""The bound moved to the other side, and the opposite."""
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
LARGE = 100
"""From here on one more or less is no fault: a nanosecond of a second."""
OPERATORS = {
    "comparison": "another bound, or the opposite: < becomes <= and >=, == becomes !=, in becomes not in",
    "arithmetic": "+ and -, * and /, & and | change places; // becomes /, % and ** become *",
    "boolean": "and and or change places",
    "not": "not, - or ~ before a value is left out",
    "condition": "a condition that is no comparison is negated",
    "truth": "a comparison or a chain of and/or that is assigned, returned or decided by becomes True, or False",
    "constant": f"a number is 1 more or 1 less, from {LARGE} on twice or half as large; True and False change places",
    "default": "the same, where it is the default of an argument",
    "loop": "break and continue change places",
    "iteration": "a for loop goes over nothing",
    "return": "return None instead of a value",
    "delete": "a call, a raise, or an assignment to an attribute, an item or a name that has a value is left out",
    "copy": ".copy() is left out",
}
"""What each operator does."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One fault in one file.

    Attributes:
        path: of the file, below the root.
        line: where the change begins, from 1.
        operator: one of ``OPERATORS``.
        before, after: the changed line, without its indentation.
        source: the whole file with the fault.
        key: what it is called whatever else changes in the file: function, operator and the code that is changed.
    """

    path: str
    line: int
    operator: str
    before: str
    after: str
    source: str
    key: str

    @property
    def id(self) -> str:
        """Ten hexadecimal digits of the key."""
        return hashlib.sha256(self.key.encode()).hexdigest()[:10]


def mutants_of(root: Path, path: str) -> list[Mutant]:
    """Every mutant of a file, in the order of the code; none twice, and none that does not compile.

    Args:
        root: of the tree.
        path: of a Python file below it, UTF-8.
    """
    source = (root / path).read_text()
    found: list[Mutant] = []
    taken, seen = {source}, Counter[str]()
    for place, node, operator, changes in _sites(ast.parse(source), "", frozenset()):
        start, end = _span(source, node)
        for number, change in enumerate(changes):
            key = f"{path}:{place}:{operator}:{number}:{' '.join(source[start:end].split())}"
            seen[key] += 1
            text = source[:start] + ast.unparse(change) + source[end:]
            if text in taken or not _compiles(text):
                continue
            taken.add(text)
            before, after = source.splitlines()[node.lineno - 1], text.splitlines()[node.lineno - 1]
            found.append(Mutant(path, node.lineno, operator, before.strip(), after.strip(), text, f"{key}:{seen[key]}"))
    return found


def drawn(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """``count`` of them by seed, each as likely as any other; a change elsewhere in the code leaves the rest drawn."""
    ranked = sorted(mutants, key=lambda one: hashlib.sha256(f"{seed}:{one.key}".encode()).hexdigest())
    return sorted(ranked[:count], key=lambda one: (one.path, one.line, one.key))


_Site = tuple[str, ast.expr | ast.stmt, str, list[ast.AST]]


def _sites(node: ast.AST, place: str, bound: frozenset[str]) -> Iterator[_Site]:
    """Function, node, operator and what the node may become, for all below a node; ``bound`` has its local names."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        place = f"{place}.{node.name}" if place else node.name
    if isinstance(node, ast.FunctionDef):
        yield from _defaults(node, place)
        bound = frozenset(arg.arg for arg in [*node.args.args, *node.args.kwonlyargs])
    if isinstance(node, ast.expr):
        yield from ((place, node, operator, changes) for operator, changes in _of_expression(node, place))
    if isinstance(node, ast.stmt):
        yield from ((place, node, operator, changes) for operator, changes in _of_statement(node, place, bound))
    for child in _children(node):
        if isinstance(child, ast.If | ast.While | ast.IfExp) and not isinstance(child.test, ast.Compare | ast.UnaryOp):
            yield place, child.test, "condition", [ast.UnaryOp(ast.Not(), child.test)]
        if isinstance(child, ast.If | ast.IfExp) and isinstance(child.test, ast.Compare | ast.BoolOp):
            yield place, child.test, "truth", [ast.Constant(value) for value in (False, True)]
        if isinstance(child, ast.For):
            yield place, child.iter, "iteration", [ast.Tuple([], ast.Load())]
        yield from _sites(child, place, bound)
        if isinstance(child, ast.stmt):
            bound |= {name.id for name in ast.walk(child) if isinstance(name, ast.Name) and _is_store(name)}


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """The parts that have a behaviour."""
    match node:
        case ast.Assert() | ast.Raise() | ast.JoinedStr() | ast.Import() | ast.ImportFrom():
            return
        case ast.Expr(value=ast.Constant()):
            return
        case ast.Assign(targets=[ast.Name(id="__all__")]):
            return
        case ast.FunctionDef() | ast.ClassDef():
            yield from node.body
        case ast.AnnAssign():
            yield from [node.value] if node.value is not None else []
        case ast.Call(func=ast.Name(id="zip")):
            yield from node.args
        case _:
            yield from ast.iter_child_nodes(node)


def _defaults(node: ast.FunctionDef, place: str) -> Iterator[_Site]:
    for default in [*node.args.defaults, *node.args.kw_defaults]:
        if isinstance(default, ast.Constant) and (changes := _other_constants(default)):
            yield place, default, "default", changes


def _of_expression(node: ast.expr, place: str) -> Iterator[tuple[str, list[ast.AST]]]:
    match node:
        case ast.Compare():
            yield (
                "comparison",
                [
                    _with(node, ops=[*node.ops[:index], other(), *node.ops[index + 1 :]])
                    for index, old in enumerate(node.ops)
                    for other in _COMPARISONS[type(old)]
                ],
            )
        # outside of functions | joins types
        case ast.BinOp() if type(node.op) in _ARITHMETIC and (place or not isinstance(node.op, ast.BitOr)):
            yield "arithmetic", [_with(node, op=_ARITHMETIC[type(node.op)]())]
        case ast.BoolOp():
            yield "boolean", [_with(node, op=ast.Or() if isinstance(node.op, ast.And) else ast.And())]
        case ast.UnaryOp():
            yield "not", [node.operand]
        case ast.Constant() if changes := _other_constants(node):
            yield "constant", changes
        case ast.Call(func=ast.Attribute(attr="copy"), args=[], keywords=[]):
            yield "copy", [node.func.value]  # type: ignore[attr-defined]


def _of_statement(node: ast.stmt, place: str, bound: frozenset[str]) -> Iterator[tuple[str, list[ast.AST]]]:
    is_set_up = place.endswith("__init__")  # what is not set there is missed by every test that asks for it
    match node:
        case ast.Expr(value=ast.Call()) | ast.Raise():
            yield "delete", [ast.Pass()]
        case ast.AugAssign():
            yield "delete", [ast.Pass()]
            if type(node.op) in _ARITHMETIC:
                yield "arithmetic", [_with(node, op=_ARITHMETIC[type(node.op)]())]
        case ast.Assign() if not is_set_up and all(_has_value(target, bound) for target in node.targets):
            yield "delete", [ast.Pass()]
        case ast.Break():
            yield "loop", [ast.Continue()]
        case ast.Continue():
            yield "loop", [ast.Break()]
        case ast.Return() if node.value is not None and not _is_none(node.value):
            yield "return", [ast.Return(ast.Constant(None))]
    if isinstance(node, ast.Assign | ast.Return) and isinstance(node.value, ast.Compare | ast.BoolOp):
        yield "truth", [_with(node, value=ast.Constant(value)) for value in (False, True)]


def _other_constants(node: ast.Constant) -> list[ast.AST]:
    value = node.value
    if isinstance(value, bool):
        return [ast.Constant(not value)]
    if isinstance(value, int | float):
        others = (value + 1, value - 1) if abs(value) < LARGE else (value * 2, value // 2)
        return [ast.Constant(round(other, 9)) for other in others]
    return []


def _has_value(target: ast.expr, bound: frozenset[str]) -> bool:
    """Without the assignment the target is still something."""
    if isinstance(target, ast.Tuple):
        return all(_has_value(part, bound) for part in target.elts)
    return isinstance(target, ast.Attribute | ast.Subscript) or (isinstance(target, ast.Name) and target.id in bound)


def _is_store(name: ast.Name) -> bool:
    return isinstance(name.ctx, ast.Store)


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _with(node: ast.AST, **changed: object) -> ast.AST:
    other = copy.copy(node)
    for name, value in changed.items():
        setattr(other, name, value)
    return ast.fix_missing_locations(other)


def _span(source: str, node: ast.expr | ast.stmt) -> tuple[int, int]:
    """Where the node stands in the text; columns of the tree are bytes."""
    lines = source.splitlines(keepends=True)

    def at(line: int, column: int) -> int:
        return sum(map(len, lines[: line - 1])) + len(lines[line - 1].encode()[:column].decode())

    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return at(node.lineno, node.col_offset), at(node.end_lineno, node.end_col_offset)


def _compiles(source: str) -> bool:
    try:
        ast.parse(source)
    except SyntaxError:
        return False
    return True
