"""Would the tests notice? Small faults are planted in the code one at a time, and the tests nearest to it run.

Files of runtime/icseg/session, tracker and dialogue/candidates are mutated (``mutants.py`` has the operators, and says
what is not drawn), in copies of the tree, never in the tree itself. The tests of the folder run until the first fails,
those of the file itself first. A mutant is noticed when a test fails, or does not come to an end (``hung``); the same
seed draws the same mutants on any machine. The faults of ``named_mutants.py`` are planted besides.

What is known already is kept in out/mutation.jsonl and not run again while code and tests are the same.

    python benchmarks/mutation.py --count 200 --seed 0 --save
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.mutants import OPERATORS, Mutant, drawn, mutants_of
from benchmarks.named_mutants import named_mutants
from benchmarks.timing import ROOT, publish

GOAL_SHARE = 0.8
SETTINGS_TEST = "tests/test_documented_settings.py"
NEAREST = {
    "runtime/icseg/session": ("tests/session/test_*.py", SETTINGS_TEST),
    "runtime/icseg/tracker": ("tests/tracker/test_*.py", SETTINGS_TEST),
    "runtime/icseg/dialogue/candidates": (
        "tests/dialogue/candidates/test_*.py",
        "tests/dialogue/test_*.py",
        SETTINGS_TEST,
    ),
}
"""Folder -> the tests that are to notice what is wrong in it; of a setting's default or range, the documentation's."""
COPIED = ("runtime", "tests", "docs", "pyproject.toml")
JOURNAL = ROOT / "out" / "mutation.jsonl"
NOTICED = ("noticed", "hung")


class Worker:
    """A copy of the tree, and a test server in it."""

    def __init__(self, folder: Path) -> None:
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / name)
        (folder / "models").symlink_to(ROOT / "models")
        environment = {
            **os.environ,
            "PYTHONPATH": f"{folder / 'runtime'}:{folder}",
            "PYTHONHASHSEED": "0",
            # one core for each worker, and no sum that depends on how many there are
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "mutant_server.py")],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, mutant: Mutant | None, tests: Sequence[str], cpu_s: float, wall_s: float) -> dict[str, Any]:
        """What the tests make of the mutant, or of the code as it is; see ``mutant_server``.

        Raises:
            RuntimeError: the server is gone.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        path, source = (mutant.path, mutant.source) if mutant is not None else (None, None)
        request = {"path": path, "source": source, "tests": tests, "cpu_s": round(cpu_s), "wall_s": wall_s}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("mutation: a test server ended; its message is above")
        result: dict[str, Any] = json.loads(line)
        return result

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def all_mutants() -> list[Mutant]:
    """The mutants of every file of every folder."""
    files = sorted(path for folder in NEAREST for path in (ROOT / folder).glob("*.py"))
    return [mutant for path in files for mutant in mutants_of(ROOT, str(path.relative_to(ROOT)))]


def folder_of(mutant: Mutant) -> str:
    """Its key in ``NEAREST``."""
    return str(Path(mutant.path).parent)


def nearest_tests(folder: str, path: str) -> list[str]:
    """The test files of a folder of code, those that are called after a file in it at the front."""
    files = [str(path.relative_to(ROOT)) for pattern in NEAREST[folder] for path in sorted(ROOT.glob(pattern))]
    return sorted(files, key=lambda test: Path(path).stem not in Path(test).stem)


def digest_of(folder: str) -> str:
    """A fingerprint of the code and the tests that decide on the mutants of a folder."""
    paths = [*sorted((ROOT / "runtime" / "icseg").rglob("*.py"))]
    paths += [path for name in nearest_tests(folder, "all") for path in sorted((ROOT / name).parent.glob("*.py"))]
    paths += [ROOT / "docs" / "ros2.md", ROOT / "tests" / "conftest.py", ROOT / "benchmarks" / "mutant_server.py"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def known_results(digests: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Mutant id -> what an earlier run found, with the same code and tests."""
    if not JOURNAL.is_file():
        return {}
    entries = [json.loads(line) for line in JOURNAL.read_text().splitlines()]
    return {entry["id"]: entry for entry in entries if entry["digest"] in digests.values()}


def run_all(mutants: Iterable[Mutant], jobs: int) -> dict[str, dict[str, Any]]:
    """Mutant id -> outcome, by, cpu_s.

    Raises:
        RuntimeError: the tests fail on the code as it is, or a server ended.
    """
    wanted = {mutant.id: mutant for mutant in mutants}
    tests = {id_: nearest_tests(folder_of(mutant), mutant.path) for id_, mutant in wanted.items()}
    digests = {folder: digest_of(folder) for folder in NEAREST}
    results = {id_: entry for id_, entry in known_results(digests).items() if id_ in wanted}
    waiting: queue.SimpleQueue[Mutant] = queue.SimpleQueue()
    for id_, mutant in wanted.items():
        if id_ not in results:
            waiting.put(mutant)
    if waiting.empty():
        return results
    JOURNAL.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="icseg-mutation-") as folder, JOURNAL.open("a") as journal:
        workers = [Worker(Path(folder) / str(number)) for number in range(jobs)]
        limits = {name: _limits(workers[0], name) for name in {folder_of(one) for one in wanted.values()}}
        failures: list[Exception] = []
        with tqdm(total=waiting.qsize(), unit="mutant", smoothing=0) as progress:

            def work(worker: Worker) -> None:
                while not failures:
                    try:
                        mutant = waiting.get_nowait()
                    except queue.Empty:
                        return
                    home = folder_of(mutant)
                    try:
                        result = worker.run(mutant, tests[mutant.id], *limits[home])
                    except (RuntimeError, OSError) as error:
                        failures.append(error)
                        return
                    results[mutant.id] = {"id": mutant.id, "digest": digests[home], **result}
                    if result["outcome"] != "broken":
                        journal.write(json.dumps(results[mutant.id]) + "\n")
                        journal.flush()
                    progress.update()

            threads = [threading.Thread(target=work, args=(worker,)) for worker in workers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        for worker in workers:
            worker.close()
        if failures:
            raise failures[0]
    return results


def _limits(worker: Worker, folder: str) -> tuple[float, float]:
    """Seconds of the processor, and of the clock, that the tests of a folder may take: several times what they do."""
    result = worker.run(None, nearest_tests(folder, "all"), 3600, 3600)
    if result["outcome"] != "survived":
        raise RuntimeError(f"mutation: {folder}: the tests fail on the code as it is: {result}")
    cpu_s = 20 + 5 * result["cpu_s"]
    return cpu_s, 60 + 4 * cpu_s


def described(mutant: Mutant, result: dict[str, Any]) -> dict[str, Any]:
    """A mutant for the report."""
    return {
        "id": mutant.id,
        "file": mutant.path,
        "line": mutant.line,
        "operator": mutant.operator,
        "before": mutant.before,
        "after": mutant.after,
        "outcome": result["outcome"],
    }


def share_by(mutants: Sequence[Mutant], results: dict[str, dict[str, Any]], key: Any) -> dict[str, str]:
    """Group -> "noticed of drawn"."""
    total = Counter(key(one) for one in mutants)
    noticed = Counter(key(one) for one in mutants if results[one.id]["outcome"] in NOTICED)
    return {name: f"{noticed[name]} of {total[name]}" for name in sorted(total)}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=200, help="mutants to draw (200)")
    parser.add_argument("--seed", type=int, default=0, help="which ones are drawn (0)")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), help="at once (one a core)")
    parser.add_argument("--only", default="", metavar="TEXT", help="draw only from files whose path holds this")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/mutation.json")
    args = parser.parse_args()
    everything = all_mutants()
    mutants = drawn([one for one in everything if args.only in one.path], args.count, args.seed)
    named = named_mutants(everything)
    results = run_all([*mutants, *(one for _, one in named)], args.jobs)
    broken = [described(one, results[one.id]) for one in mutants if results[one.id]["outcome"] == "broken"]
    if broken:
        raise SystemExit(f"mutation: the test runner itself failed on {broken}")
    survivors = [described(one, results[one.id]) for one in mutants if results[one.id]["outcome"] == "survived"]
    for one in survivors:
        tqdm.write(f"{one['id']} {one['file']}:{one['line']} {one['operator']}: {one['before']} -> {one['after']}")
    share = 1 - len(survivors) / len(mutants)
    document = {
        "what": "mutants that the nearest tests notice",
        "folders": NEAREST,
        "seed": args.seed,
        "mutants_possible": len(everything),
        "mutants": len(mutants),
        "noticed": len(mutants) - len(survivors),
        "of_these_hung": sum(results[one.id]["outcome"] == "hung" for one in mutants),
        "share_noticed": round(share, 4),
        "goal_share": GOAL_SHARE,
        "is_within_goal": share >= GOAL_SHARE,
        "operators": OPERATORS,
        "not_drawn": "docstrings, annotations, decorators, __all__, assertions, strict= of zip, text (of errors too)",
        "noticed_by_folder": share_by(mutants, results, folder_of),
        "noticed_by_operator": share_by(mutants, results, lambda one: one.operator),
        "named": [{"what": name.what, **described(one, results[one.id])} for name, one in named],
        "survivors": survivors,
    }
    publish("mutation", document, save=args.save)


if __name__ == "__main__":
    main()
