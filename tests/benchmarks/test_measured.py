"""Every measured figure in the documents is the one in the committed file that the row names."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.measured.documents import DOCUMENTS, MEASURED_AT, TABLES, traced_rows
from benchmarks.measured.table import FIGURE, PLACE, ROOT, Origin, Row, Table, figure, fill, lookup, origin, read

RESULT = {
    "cases": [{"size": "small", "case": {"hz": 30.0}, "ms": 3}, {"size": "large", "case": {"hz": 5.0}, "ms": 5}],
    "rows": {"opencv, 1 thread": 0.25},
    "bytes": 23204352,
}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rows/opencv, 1 thread", 0.25),
        ("cases/[size=large]/ms", 5),
        ("cases/[size=small;case.hz=30.0]/ms", 3),
        ("mean(cases/*/ms)", 4),
        ("max(cases/*/ms)", 5),
        ("count(cases/*)", 2),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: float) -> None:
    assert lookup(RESULT, path) == value


@pytest.mark.parametrize("path", ["nothing", "rows/nothing", "cases/[size=huge]/ms", "cases/*/ms"])
def test_a_path_to_nothing_or_to_several_values_is_an_error(path: str) -> None:
    with pytest.raises(KeyError, match="expected one"):
        lookup(RESULT, path)


def test_a_place_without_a_table_is_an_error() -> None:
    with pytest.raises(KeyError, match="nowhere"):
        fill("<!-- measured: nowhere -->\n<!-- end -->", Path(), {}, {})


def test_what_stood_between_the_marks_is_overwritten() -> None:
    row = Row("demo", "benchmarks/results/demo_seeds.json", ("{passed:d}",))
    text = fill(
        "a\n<!-- measured: t -->\nold\n<!-- end -->\nb", Path("docs"), {"t": Table(("x", "n"), (row,), "short")}, {}
    )
    passed = read(row.file)["passed"]
    link = "[demo_seeds.json](../benchmarks/results/demo_seeds.json)"
    assert text.splitlines()[4:] == [f"| demo | {passed} | {link} |", "<!-- end -->", "b"]


@pytest.mark.parametrize("row", [row for table in TABLES.values() for row in table.rows], ids=lambda row: row.what)
def test_every_figure_is_read_from_its_file(row: Row) -> None:
    assert any(row.figures)
    for template in row.figures:
        assert template == "" or FIGURE.search(template), "a figure that is typed in can differ from its file"
        assert "{" not in figure(row, template)
    assert "{" not in figure(row, row.what)


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_headers_are_filled_in(table: Table) -> None:
    assert all("{" not in figure(table.rows[0], template) for template in table.header)


def test_every_table_has_a_place_and_every_place_a_table() -> None:
    places = [match[2] for name in DOCUMENTS for match in PLACE.finditer((ROOT / name).read_text())]
    assert sorted(places) == sorted(TABLES)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_documents_say_what_the_files_say(name: str) -> None:
    """Compared without the columns that only the history knows."""
    nothing = {row: Origin("", "") for row in traced_rows()}
    text = (ROOT / name).read_text()
    written = fill(text, Path(name).parent, TABLES, nothing)
    assert [_without_commits(line) for line in text.splitlines()] == [
        _without_commits(line) for line in written.splitlines()
    ], f"run `python -m benchmarks.measured`: a table of {name} is not what its files say"


def _without_commits(line: str) -> list[str]:
    cells = line.split(" | ")
    links = [index for index, cell in enumerate(cells) if cell.startswith("[") and cell.endswith(".json)")]
    return cells[: links[0] + 1] + cells[links[0] + 3 :] if links else cells


def _has_the_history() -> bool:
    command = ["git", "rev-parse", "--is-shallow-repository"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.returncode == 0 and result.stdout.strip() == "false"


@pytest.mark.skipif(not _has_the_history(), reason="the commits are compared where git has the whole history")
def test_commits_are_those_of_the_history() -> None:
    origins = {row: origin(row, MEASURED_AT) for row in traced_rows()}
    for name in DOCUMENTS:
        text = (ROOT / name).read_text()
        assert fill(text, Path(name).parent, TABLES, origins) == text, "run `python -m benchmarks.measured`"


def test_the_readme_keeps_five_figures() -> None:
    assert len(TABLES["newcomer"].rows) == 5
    places = [match[2] for match in PLACE.finditer((ROOT / "README.md").read_text())]
    assert places == ["newcomer"]


@pytest.mark.skipif(not _has_the_history(), reason="the age of weights is known where git has the whole history")
def test_the_readme_quotes_no_figure_of_older_weights() -> None:
    files = {row.file for row in TABLES["newcomer"].rows}
    for row in traced_rows():
        if row.file in files:
            assert "not the newest" not in origin(row, MEASURED_AT).weights, row.file
