"""Stages are done once, again when an input changed, and never leave half a file."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import pytest

from export.stages import LEDGER_NAME, Ledger, Stage, StageError


def writes(text: str, log: list[str], name: str = "a.bin") -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        log.append(text)
        (folder / name).write_text(text)

    return run


def test_a_finished_stage_is_not_done_again(tmp_path: Path) -> None:
    log: list[str] = []
    stage = Stage("graphs", {"weights": "1"}, ["a.bin"], writes("one", log))
    assert Ledger(tmp_path).reason_to_run(stage) == "never ran"
    assert Ledger(tmp_path).run(stage).ran
    again = Ledger(tmp_path)
    assert again.reason_to_run(stage) is None
    assert not again.run(stage).ran
    assert log == ["one"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", LEDGER_NAME]


def test_it_is_done_again_when_an_input_or_a_file_changed(tmp_path: Path) -> None:
    log: list[str] = []
    Ledger(tmp_path).run(Stage("graphs", {"weights": "1", "slots": "7"}, ["a.bin"], writes("one", log)))
    other = Stage("graphs", {"weights": "2", "slots": "7"}, ["a.bin"], writes("two", log))
    assert Ledger(tmp_path).reason_to_run(other) == "changed: weights"
    Ledger(tmp_path).run(other)
    assert (tmp_path / "a.bin").read_text() == "two"
    (tmp_path / "a.bin").write_text("edited")
    assert Ledger(tmp_path).reason_to_run(other) == "its files are missing or changed"
    (tmp_path / "a.bin").unlink()
    Ledger(tmp_path).run(other)
    assert log == ["one", "two", "two"]
    assert Ledger(tmp_path).sha256("graphs", "a.bin")


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError("bad")]
)
def test_what_fails_leaves_the_build_before(tmp_path: Path, error: BaseException) -> None:
    log: list[str] = []
    Ledger(tmp_path).run(Stage("plan", {"v": "1"}, ["a.bin"], writes("old", log)))

    def fails(folder: Path) -> None:
        (folder / "a.bin").write_text("half")
        raise error

    with pytest.raises((StageError, KeyboardInterrupt, ValueError)) as caught:
        Ledger(tmp_path).run(Stage("plan", {"v": "2"}, ["a.bin"], fails))
    if isinstance(error, OSError):
        assert "stage plan: No space left on device; nothing of an earlier build was changed" in str(caught.value)
    assert (tmp_path / "a.bin").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", LEDGER_NAME]
    assert Ledger(tmp_path).reason_to_run(Stage("plan", {"v": "1"}, ["a.bin"], fails)) is None


def test_a_stage_that_does_not_write_what_it_says(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"stage plan: did not write b\.bin"):
        Ledger(tmp_path).run(Stage("plan", {}, ["a.bin", "b.bin"], writes("a", [])))
    assert not (tmp_path / "a.bin").exists()


@pytest.mark.parametrize("text", ["", "[1]", '{"plan": 3}', '{"plan": {"files": 1}}'])
def test_a_broken_ledger_builds_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / LEDGER_NAME).write_text(text)
    assert Ledger(tmp_path).run(Stage("plan", {}, ["a.bin"], writes("a", []))).ran
