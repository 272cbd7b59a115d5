"""The code of a stage counts as an input: a change is noticed, and a pattern that fits no file is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from export import source_code
from export.source_code import code_fingerprint


def test_a_change_of_the_code_changes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_code, "_FOLDER", tmp_path)
    (tmp_path / "graph").mkdir()
    for name in ("graph/half_graph.py", "graph/half_policy.py", "verify.py"):
        (tmp_path / name).write_text("one")
    before = code_fingerprint("graph/half_*.py")
    (tmp_path / "verify.py").write_text("two")
    assert code_fingerprint("graph/half_*.py") == before
    (tmp_path / "graph" / "half_policy.py").write_text("two")
    assert code_fingerprint("graph/half_*.py") != before


def test_a_pattern_without_files() -> None:
    with pytest.raises(ValueError, match=r"expected files in export/, got none for half_\*\.py"):
        code_fingerprint("graph/half_*.py", "half_*.py")
