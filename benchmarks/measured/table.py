"""Tables of measured figures in Markdown, each figure read from a committed file at a path of its JSON.

A path is keys joined by ``/``; ``[key=value;key=value]`` picks the elements of a list with these values (keys of keys
by ``.``), ``*`` goes through all of a list or mapping, and ``mean(...)``, ``min(...)``, ``max(...)`` and ``count(...)``
gather what it gives. In a document a table stands between ``<!-- measured: NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[2]
PLACE = re.compile(r"(<!-- measured: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
FIGURE = re.compile(r"\{(.+?):([^:{}]+)\}")
STEP = re.compile(r"\[[^\]]*\]|[^/\[\]]+")
GATHER = {"mean": lambda values: sum(values) / len(values), "min": min, "max": max, "count": len}


@dataclass(frozen=True, slots=True)
class Row:
    """One measured thing. ``what`` and each column of ``figures`` are templates: text with ``{path:format}`` in it."""

    what: str
    file: str
    figures: tuple[str, ...]
    weights: tuple[str, ...] = ()
    """Folders of models/nano whose weights were used; none when the weights do not matter or are random."""
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under one header, whose templates are about the first row's file.

    ``form`` says what stands beside the figures: everything, the file, or nothing.
    """

    header: tuple[str, ...]
    rows: tuple[Row, ...]
    form: Literal["full", "short", "bare"] = "full"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a row's figures come from, as the history tells it: commits, seven digits each."""

    code: str
    weights: str


# ---- figures


def lookup(document: Any, path: str) -> Any:
    """The value at a path of a JSON document. Raises ``KeyError`` with the path when there is none, or not just one."""
    gathering = re.fullmatch(r"(\w+)\((.*)\)", path)
    values = list(_walk(document, STEP.findall(gathering[2] if gathering else path)))
    if gathering:
        return GATHER[gathering[1]](values)
    if len(values) != 1:
        raise KeyError(f"{path}: {len(values)} values, expected one")
    return values[0]


def _walk(node: Any, steps: list[str]) -> Iterator[Any]:
    if not steps:
        yield node
        return
    step, rest = steps[0], steps[1:]
    if step.startswith("["):
        wanted = [pair.split("=") for pair in step[1:-1].split(";")]
        chosen = [item for item in node if all(str(_field(item, key)) == value for key, value in wanted)]
    elif step == "*":
        chosen = list(node.values() if isinstance(node, Mapping) else node)
    else:
        chosen = [node[step]] if isinstance(node, Mapping) and step in node else []
    for item in chosen:
        yield from _walk(item, rest)


def _field(item: Mapping[str, Any], key: str) -> Any:
    for part in key.split("."):
        item = item[part]
    return item


@lru_cache
def read(file: str) -> Any:
    """A result file, named from the repository's root."""
    return json.loads((ROOT / file).read_text())


def figure(row: Row, template: str) -> str:
    """A template with every ``{path:format}`` replaced. The format is Python's, or ``MB`` for bytes."""

    def value(match: re.Match[str]) -> str:
        number = lookup(read(row.file), match[1])
        return f"{number / 1e6:.1f} MB" if match[2] == "MB" else format(number, match[2])

    return FIGURE.sub(value, template)


# ---- where they come from


def origin(row: Row, measured_at: Mapping[str, str]) -> Origin:
    """The commits of code and weights that a row was measured with, asked of git.

    ``measured_at`` gives a commit for files that name none, or one that is not in the history.
    """
    machine = read(row.file).get("machine", {}) if isinstance(read(row.file), Mapping) else {}
    code = measured_at.get(row.file) or machine.get("commit") or read(row.file).get("commit")
    if not code:
        raise ValueError(f"{row.file} names no commit: give one in MEASURED_AT of benchmarks/measured/documents.py")
    weights = []
    for name in row.weights:
        path = f"models/nano/{name}/model.safetensors"
        used, newest = (_last_change(commit, path) for commit in (code.removesuffix("-dirty"), "HEAD"))
        weights.append(f"{name} {used}" + (" (not the newest)" if used != newest else ""))
    return Origin(code, ", ".join(weights) or "-")


@lru_cache
def _last_change(commit: str, path: str) -> str:
    command = ["git", "log", "-1", "--format=%H", commit, "--", path]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode or not result.stdout:
        raise ValueError(
            f"commit {commit} is not in the history: give one in MEASURED_AT of benchmarks/measured/documents.py"
        )
    return result.stdout[:7]


# ---- tables


def table_lines(table: Table, origins: Mapping[Row, Origin], folder: Path) -> list[str]:
    """A table in Markdown; links are relative to ``folder``."""
    beside = {"full": ("file", "code", "weights", "processor", "remark"), "short": ("source",), "bare": ()}[table.form]
    header = [figure(table.rows[0], template) for template in table.header]
    lines = [_line((*header, *beside)), _line(("---",) * (len(header) + len(beside)))]
    for row in table.rows:
        cells = [figure(row, template) for template in (row.what, *row.figures)]
        if table.form != "bare":
            up = "../" * len(folder.parts)
            cells.append(f"[{Path(row.file).name}]({up}{row.file})")
        if table.form == "full":
            machine = read(row.file).get("machine", {})
            cells += [origins[row].code, origins[row].weights, machine.get("processor", "not said"), row.remark]
        lines.append(_line(cells))
    return lines


def _line(cells: Any) -> str:
    return "| " + " | ".join(cells) + " |"


def fill(text: str, folder: Path, tables: Mapping[str, Table], origins: Mapping[Row, Origin]) -> str:
    """A document's text with its tables written anew. Raises ``KeyError`` for a place whose table there is not."""

    def place(match: re.Match[str]) -> str:
        return match[1] + "\n".join(table_lines(tables[match[2]], origins, folder)) + "\n" + match[3]

    return PLACE.sub(place, text)
