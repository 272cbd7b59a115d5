"""Writes every table of measured figures in the documents from committed results: ``python -m benchmarks.measured``.

The rows are in ``rows_*.py``: what a figure is, in which file, and at which path. A test compares the documents with
what this gives, so that no figure can differ from its file.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.measured.documents import DOCUMENTS, MEASURED_AT, TABLES, traced_rows
from benchmarks.measured.table import ROOT, fill, origin


def main() -> int:
    """Write the tables of all documents; tell which changed."""
    origins = {row: origin(row, MEASURED_AT) for row in traced_rows()}
    for name in DOCUMENTS:
        document = ROOT / name
        before = document.read_text()
        after = fill(before, Path(name).parent, TABLES, origins)
        document.write_text(after)
        print(f"{name}: {'written' if after != before else 'as it was'}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
