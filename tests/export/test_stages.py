"""Stages are done once, again when an input changed, and never leave half a file."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from export.stages import LEDGER_NAME, Ledger, Stage, StageError

DOES = "write a file"


def writes(text: str, log: list[str], name: str = "a.bin") -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        log.append(text)
        (folder / name).write_text(text)

    return run


def test_a_finished_stage_is_not_done_again(tmp_path: Path) -> None:
    log: list[str] = []
    stage = Stage("graphs", DOES, {"weights": "1"}, ["a.bin"], writes("one", log))
    assert Ledger(tmp_path).reason_to_run(stage) == "never ran"
    assert Ledger(tmp_path).run(stage).ran
    again = Ledger(tmp_path)
    assert again.reason_to_run(stage) is None
    assert not again.run(stage).ran
    assert log == ["one"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", LEDGER_NAME]


def test_it_is_done_again_when_an_input_or_a_file_changed(tmp_path: Path) -> None:
    log: list[str] = []
    Ledger(tmp_path).run(Stage("graphs", DOES, {"weights": "1", "slots": "7"}, ["a.bin"], writes("one", log)))
    other = Stage("graphs", DOES, {"weights": "2", "slots": "7"}, ["a.bin"], writes("two", log))
    assert Ledger(tmp_path).reason_to_run(other) == "changed: weights"
    Ledger(tmp_path).run(other)
    assert (tmp_path / "a.bin").read_text() == "two"
    (tmp_path / "a.bin").write_text("edited")
    assert Ledger(tmp_path).reason_to_run(other) == "its files are missing or changed"
    (tmp_path / "a.bin").unlink()
    Ledger(tmp_path).run(other)
    assert log == ["one", "two", "two"]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt(), ValueError("bad")]
)
def test_what_fails_leaves_the_build_before(tmp_path: Path, error: BaseException) -> None:
    log: list[str] = []
    Ledger(tmp_path).run(Stage("plan", DOES, {"v": "1"}, ["a.bin"], writes("old", log)))

    def fails(folder: Path) -> None:
        (folder / "a.bin").write_text("half")
        raise error

    with pytest.raises((StageError, KeyboardInterrupt, ValueError)) as caught:
        Ledger(tmp_path).run(Stage("plan", DOES, {"v": "2"}, ["a.bin"], fails))
    if isinstance(error, OSError):
        assert "stage plan: No space left on device; nothing of an earlier build was changed" in str(caught.value)
    assert (tmp_path / "a.bin").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.bin", LEDGER_NAME]
    assert Ledger(tmp_path).reason_to_run(Stage("plan", DOES, {"v": "1"}, ["a.bin"], fails)) is None


def test_a_stage_that_does_not_write_what_it_says(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"stage plan: did not write b\.bin"):
        Ledger(tmp_path).run(Stage("plan", DOES, {}, ["a.bin", "b.bin"], writes("a", [])))
    assert not (tmp_path / "a.bin").exists()


@pytest.mark.parametrize("text", ["", "[1]", '{"plan": 3}', '{"plan": {"files": 1}}'])
def test_a_broken_ledger_builds_anew(tmp_path: Path, text: str) -> None:
    (tmp_path / LEDGER_NAME).write_text(text)
    assert Ledger(tmp_path).run(Stage("plan", DOES, {}, ["a.bin"], writes("a", []))).ran


def fills(log: list[str], **files: str) -> Callable[[Path], None]:
    def run(folder: Path) -> None:
        log.append(" ".join(files))
        (folder / "model" / "deep").mkdir(parents=True)
        for name, text in files.items():
            (folder / "model" / "deep" / name).write_text(text)

    return run


def test_a_folder_takes_the_place_of_the_one_before_as_a_whole(tmp_path: Path) -> None:
    log: list[str] = []
    Ledger(tmp_path).run(Stage("merge", DOES, {"v": "1"}, ["model/"], fills(log, a="1", b="2")))
    stage = Stage("merge", DOES, {"v": "2"}, ["model/"], fills(log, a="new"))
    assert Ledger(tmp_path).run(stage).ran
    assert [path.name for path in (tmp_path / "model" / "deep").iterdir()] == ["a"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", LEDGER_NAME]
    (tmp_path / "model" / "by_others.txt").write_text("does not count")
    assert not Ledger(tmp_path).run(stage).ran
    (tmp_path / "model" / "deep" / "a").write_text("longer")
    assert Ledger(tmp_path).reason_to_run(stage) == "its files are missing or changed"
    shutil.rmtree(tmp_path / "model")
    assert Ledger(tmp_path).run(stage).ran
    assert (tmp_path / "model" / "deep" / "a").read_text() == "new"


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_folder_that_fails_leaves_the_one_before(tmp_path: Path, error: BaseException) -> None:
    log: list[str] = []
    Ledger(tmp_path).run(Stage("merge", DOES, {"v": "1"}, ["model/"], fills(log, a="old")))

    def fails(folder: Path) -> None:
        fills(log, a="half")(folder)
        raise error

    with pytest.raises((StageError, KeyboardInterrupt)):
        Ledger(tmp_path).run(Stage("merge", DOES, {"v": "2"}, ["model/"], fails))
    assert (tmp_path / "model" / "deep" / "a").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", LEDGER_NAME]
    assert Ledger(tmp_path).is_done(Stage("merge", DOES, {"v": "1"}, ["model/"], fails))


def test_what_cannot_be_moved_leaves_the_folder_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    Ledger(tmp_path).run(Stage("merge", DOES, {"v": "1"}, ["model/"], fills(log, a="old")))
    replace = Path.replace

    def fails_for_new(path: Path, target: Path) -> Path:
        if path.name == "model" and path.parent != tmp_path:
            raise OSError(errno.EIO, "Input/output error")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fails_for_new)
    with pytest.raises(StageError, match="nothing of an earlier build was changed"):
        Ledger(tmp_path).run(Stage("merge", DOES, {"v": "2"}, ["model/"], fills(log, a="new")))
    assert (tmp_path / "model" / "deep" / "a").read_text() == "old"


def test_an_empty_folder_is_not_what_a_stage_makes(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="stage merge: did not write model/"):
        Ledger(tmp_path).run(Stage("merge", DOES, {}, ["model/"], fills([])))


def test_a_stage_that_another_one_wrote_over_is_done_again(tmp_path: Path) -> None:
    log: list[str] = []
    copy = Stage("copy", DOES, {}, ["model/"], fills(log, a="1"))
    merge = Stage("merge", DOES, {}, ["model/"], fills(log, a="2"))
    for stage in (copy, merge, copy):
        assert Ledger(tmp_path).run(stage).ran
    assert (tmp_path / "model" / "deep" / "a").read_text() == "1"
    assert Ledger(tmp_path).reason_to_run(merge) == "never ran"
    assert Ledger(tmp_path).maker_of("model/") == copy.fingerprint()
    assert Ledger(tmp_path).maker_of("other/") == ""
