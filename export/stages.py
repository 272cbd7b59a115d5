"""Stages of a build that can be stopped at any moment: a finished one is not done again unless its inputs changed.

Knows files, hashes and order; knows nothing of models. A stage writes into a folder of its own beside the output, and
what it wrote is moved into place only when it is whole: a full disk or Ctrl-C leaves what the build before made.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icseg.errors import IcsegError
from icseg.inference.manifest import sha256_of

LEDGER_NAME = "stages.json"


class StageError(IcsegError):
    """A stage failed; the text names the stage, the reason and what is left of it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a build.

    Attributes:
        name: unique in the build; for the ledger and for people.
        does: one line for people.
        inputs: everything the result depends on, as name -> text: hashes of files, options, versions.
        outputs: names of what it makes, relative to the output folder. A name that ends in ``/`` is a folder, which
            takes the place of the one before as a whole.
        run: makes them in the folder it is given.
    """

    name: str
    does: str
    inputs: Mapping[str, str]
    outputs: Sequence[str]
    run: Callable[[Path], None]

    def fingerprint(self) -> str:
        """Changes when an input does."""
        text = json.dumps({"inputs": dict(self.inputs), "outputs": list(self.outputs)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def work_folder(output: Path, stage_name: str) -> Path:
    """Where a stage writes until it is finished."""
    return output / f".unfinished-{stage_name}"


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a stage: whether it ran now, and the seconds it took when it ran last."""

    name: str
    ran: bool
    seconds: float


class Ledger:
    """What a folder's finished stages were made of.

    Args:
        folder: the output folder; made with the first stage.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._entries: dict[str, dict[str, Any]] = _read(folder / LEDGER_NAME)

    def is_done(self, stage: Stage) -> bool:
        """It ran with these inputs, and what it made is still there.

        A file is known by its hash; an output folder, which may be gigabytes, by the sizes of its files. What others
        put beside them in that folder does not count.
        """
        entry = self._entries.get(stage.name)
        if entry is None or entry.get("fingerprint") != stage.fingerprint():
            return False
        made: dict[str, _Made] = entry["files"]
        return set(made) == set(stage.outputs) and all(_is_there(self.folder / name, made[name]) for name in made)

    def maker_of(self, output: str) -> str:
        """Fingerprint of the finished stage that made an output; empty when there is none on record."""
        return next((str(one.get("fingerprint")) for one in self._entries.values() if output in one["files"]), "")

    def reason_to_run(self, stage: Stage) -> str | None:
        """Why a stage has to run, for a dry run; None when it is done."""
        if self.is_done(stage):
            return None
        entry = self._entries.get(stage.name)
        if entry is None:
            return "never ran"
        if entry.get("fingerprint") == stage.fingerprint():
            return "its files are missing or changed"
        before: dict[str, str] = entry["inputs"]
        changed = sorted(name for name in {*before, *stage.inputs} if before.get(name) != stage.inputs.get(name))
        return f"changed: {', '.join(changed)}" if changed else "its outputs are others"

    def run(self, stage: Stage) -> Done:
        """Run a stage unless it is done.

        Raises:
            StageError: it failed, or did not make what it was to make; what an earlier build made is as it was.
        """
        if self.is_done(stage):
            return Done(stage.name, ran=False, seconds=float(self._entries[stage.name]["seconds"]))
        work = work_folder(self.folder, stage.name)
        begin = time.monotonic()
        try:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            stage.run(work)
            made = {name: _made(work, name) for name in stage.outputs}
            if missing := [name for name in stage.outputs if not made[name]]:
                raise StageError(f"stage {stage.name}: did not write {', '.join(missing)}")
            self._forget(stage.outputs)
            for name in stage.outputs:
                _move(work / name, self.folder / name)
        except OSError as error:
            raise StageError(
                f"stage {stage.name}: {error.strerror or error}; nothing of an earlier build was changed: make room or "
                "give another --output, then run the same command again"
            ) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        seconds = round(time.monotonic() - begin, 2)
        entry = {"fingerprint": stage.fingerprint(), "inputs": dict(stage.inputs), "files": made, "seconds": seconds}
        self._entries[stage.name] = entry
        self._write()
        return Done(stage.name, ran=True, seconds=seconds)

    def _forget(self, outputs: Sequence[str]) -> None:
        """The entries of all stages that made what is about to be replaced, this one's and others'."""
        self._entries = {name: entry for name, entry in self._entries.items() if not set(outputs) & set(entry["files"])}
        self._write()

    def _write(self) -> None:
        partial = self.folder / f"{LEDGER_NAME}.partial"
        partial.write_text(json.dumps(self._entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(self.folder / LEDGER_NAME)


_Made = str | dict[str, int]
"""By what an output is known again: a file by its SHA-256, a folder by the sizes of its files; empty if not there."""


def _made(work: Path, name: str) -> _Made:
    output = work / name
    if not name.endswith("/"):
        return sha256_of(output) if output.is_file() else ""
    return {str(file.relative_to(output)): file.stat().st_size for file in output.rglob("*") if file.is_file()}


def _is_there(output: Path, made: _Made) -> bool:
    if isinstance(made, str):
        return output.is_file() and sha256_of(output) == made
    return all((output / name).is_file() and (output / name).stat().st_size == size for name, size in made.items())


def _move(made: Path, place: Path) -> None:
    """Into its place; a folder cannot be replaced in one step, so the one before steps aside and goes with the work."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = made.with_name(f"{made.name}.before")
    try:
        if made.is_dir() and os.path.lexists(place):
            place.replace(aside)
        made.replace(place)
    except BaseException:
        if os.path.lexists(aside) and not os.path.lexists(place):
            aside.replace(place)
        raise


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """The entries of a ledger; none when there is no file, or it isn't one: then everything is built anew."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        return {}
    if not isinstance(values, dict) or not all(_is_entry(entry) for entry in values.values()):
        return {}
    return values


def _is_entry(entry: Any) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("files"), dict)
        and isinstance(entry.get("inputs"), dict)
        and isinstance(entry.get("seconds"), int | float)
    )
