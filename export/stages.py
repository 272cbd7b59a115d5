"""Stages of a build that can be stopped at any moment: a finished one is not done again unless its inputs changed.

Knows files, hashes and order; knows nothing of models. A stage writes into a folder of its own beside the output, and
what it wrote is moved into place only when it is whole: a full disk or Ctrl-C leaves the files of the build before.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icseg.errors import IcsegError
from icseg.inference.manifest import sha256_of

LEDGER_NAME = "stages.json"
_WORK_PREFIX = ".unfinished-"


class StageError(IcsegError):
    """A stage failed; the text names the stage, the reason and what is left of it."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a build.

    Attributes:
        name: unique in the build; for the ledger and for people.
        inputs: everything the result depends on, as name -> text: hashes of files, options, versions.
        outputs: names of the files that it makes, relative to the output folder.
        run: makes them in the folder it is given.
    """

    name: str
    inputs: Mapping[str, str]
    outputs: Sequence[str]
    run: Callable[[Path], None]

    def fingerprint(self) -> str:
        """Changes when an input does."""
        text = json.dumps({"inputs": dict(self.inputs), "outputs": list(self.outputs)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


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
        """It ran with these inputs, and its files are still those that it made."""
        entry = self._entries.get(stage.name)
        if entry is None or entry.get("fingerprint") != stage.fingerprint():
            return False
        files: dict[str, str] = entry.get("files", {})
        paths = [self.folder / name for name in stage.outputs]
        return set(files) == set(stage.outputs) and all(
            path.is_file() and sha256_of(path) == files[name] for name, path in zip(stage.outputs, paths, strict=True)
        )

    def reason_to_run(self, stage: Stage) -> str | None:
        """Why a stage has to run, for a dry run; None when it is done."""
        if self.is_done(stage):
            return None
        entry = self._entries.get(stage.name)
        if entry is None:
            return "never ran"
        if entry.get("fingerprint") == stage.fingerprint():
            return "its files are missing or changed"
        before: dict[str, str] = entry.get("inputs", {})
        changed = sorted(name for name in {*before, *stage.inputs} if before.get(name) != stage.inputs.get(name))
        return f"changed: {', '.join(changed)}" if changed else "its outputs are others"

    def run(self, stage: Stage) -> Done:
        """Run a stage unless it is done.

        Raises:
            StageError: it failed, or made not the files it was to make; those of an earlier build are as they were.
        """
        if self.is_done(stage):
            return Done(stage.name, ran=False, seconds=float(self._entries[stage.name]["seconds"]))
        work = self.folder / f"{_WORK_PREFIX}{stage.name}"
        begin = time.monotonic()
        try:
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            stage.run(work)
            missing = [name for name in stage.outputs if not (work / name).is_file()]
            if missing:
                raise StageError(f"stage {stage.name}: did not write {', '.join(missing)}")
            files = {name: sha256_of(work / name) for name in stage.outputs}
            for name in stage.outputs:
                (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
                (work / name).replace(self.folder / name)
        except OSError as error:
            raise StageError(
                f"stage {stage.name}: {error.strerror or error}; nothing of an earlier build was changed: make room or "
                "give another --output, then run the same command again"
            ) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)
        seconds = round(time.monotonic() - begin, 2)
        entry = {"fingerprint": stage.fingerprint(), "inputs": dict(stage.inputs), "files": files, "seconds": seconds}
        self._entries[stage.name] = entry
        self._write()
        return Done(stage.name, ran=True, seconds=seconds)

    def sha256(self, stage_name: str, file: str) -> str:
        """Of a file that a finished stage made: an input of the stages after it.

        Raises:
            KeyError: no such stage, or file.
        """
        return str(self._entries[stage_name]["files"][file])

    def _write(self) -> None:
        partial = self.folder / f"{LEDGER_NAME}.partial"
        partial.write_text(json.dumps(self._entries, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        partial.replace(self.folder / LEDGER_NAME)


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
