"""From the outcomes of an evaluation to figures, goals and a picture."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from icseg import __version__
from icseg.types import ImageU8

GOOD_J = 0.5
ARMS = ("icseg", "guess", "perfect_perception")
Row = Mapping[str, Any]

GOAL_RIGHT, GOAL_NEEDLESS, GOAL_RATIO = 0.95, 0.05, 1.15


def report(rows: Sequence[Row], options: Mapping[str, Any]) -> dict[str, Any]:
    """The whole result.

    Args:
        rows: one per command: ``seed``, ``command``, ``style``, ``fitting`` and an outcome per arm, as a mapping.
        options: ``first_seed``, ``seconds``, ``policy``, ``engines`` of the command line.

    Returns:
        A JSON document; ``failures`` lists every command whose thing was not segmented, that was asked about
        needlessly, or that was pointed at without the question it called for, right by chance or not.
    """
    ambiguous, clear = [r for r in rows if r["fitting"] > 1], [r for r in rows if r["fitting"] == 1]
    ours, perfect = _questions(ambiguous, "icseg"), _questions(ambiguous, "perfect_perception")
    guesses = sum(is_guess(r) for r in ambiguous)
    right = _share([is_segmented(r["icseg"]) for r in ambiguous])
    needless = _share([r["icseg"]["questions"] > 0 for r in clear])
    ratio = round(ours / perfect, 4) if perfect else math.inf
    goals = [
        _goal("right thing segmented, ambiguous commands", right, f">= {GOAL_RIGHT}", right >= GOAL_RIGHT),
        _goal("pointed without asking, ambiguous commands", guesses, "0", guesses == 0),
        _goal("asked, unambiguous commands", needless, f"<= {GOAL_NEEDLESS}", needless <= GOAL_NEEDLESS),
        _goal("questions, times those of perfect perception", ratio, f"<= {GOAL_RATIO}", ratio <= GOAL_RATIO),
    ]
    return {
        "what": "commands on the simulated table, scenes of the test split; right: mean J > 0.5 with what was meant",
        "version": __version__,
        "first_seed": options["first_seed"],
        "seconds": options["seconds"],
        "policy": options["policy"],
        "engines": str(options["engines"]) if options["engines"] else "nano",
        "goals": goals,
        "ambiguous": {**_summary(ambiguous), "by_fitting": _grouped(ambiguous, "fitting")},
        "unambiguous": _summary(clear),
        "by_style": _grouped(rows, "style"),
        "failures": [
            r
            for r in rows
            if not is_segmented(r["icseg"]) or is_guess(r) or (r["fitting"] == 1 and r["icseg"]["questions"])
        ],
    }


def is_guess(row: Row) -> bool:
    """Several things fit the command, and it pointed at one without asking."""
    return bool(row["fitting"] > 1 and row["icseg"]["has_target"] and not row["icseg"]["questions"])


def is_segmented(outcome: Mapping[str, Any]) -> bool:
    """The masks are those of the thing that was meant."""
    return bool(outcome["mean_j"] > GOOD_J)


def _goal(what: str, value: float, goal: str, is_met: bool) -> dict[str, Any]:
    return {"what": what, "value": value, "goal": goal, "is_met": bool(is_met)}


def _share(flags: Sequence[bool]) -> float:
    return round(float(np.mean(flags)), 4) if flags else 0.0


def _questions(rows: Sequence[Row], arm: str) -> float:
    return round(float(np.mean([r[arm]["questions"] for r in rows])), 4) if rows else 0.0


def _summary(rows: Sequence[Row]) -> dict[str, Any]:
    summary: dict[str, Any] = {"commands": len(rows)}
    summary["bound_questions"] = round(float(np.mean([math.log2(r["fitting"]) for r in rows])), 4) if rows else 0.0
    for arm in ARMS:
        of_arm: dict[str, float] = {
            "pointed_at_right_thing": _share([r[arm]["is_right"] for r in rows]),
            "asked": _share([r[arm]["questions"] > 0 for r in rows]),
            "mean_questions": _questions(rows, arm),
            "no_target": _share([not r[arm]["has_target"] for r in rows]),
        }
        if arm != "perfect_perception":  # its tracker is a script
            of_arm["segmented_right_thing"] = _share([is_segmented(r[arm]) for r in rows])
            of_arm["mean_j"] = round(float(np.mean([r[arm]["mean_j"] for r in rows])), 4) if rows else 0.0
        summary[arm] = of_arm
    return summary


def _grouped(rows: Sequence[Row], key: str) -> dict[str, Any]:
    groups: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[key]].append(row)
    return {str(name): _summary(groups[name]) for name in sorted(groups)}


_WHITE, _INK, _GRID = (255, 255, 255), (40, 40, 40), (225, 225, 225)
_COLOURS = {"icseg": (200, 110, 30), "guess": (150, 150, 150), "perfect_perception": (90, 160, 60), "bound": _INK}
_PANEL_HW = (360, 460)


def write_plot(result: Mapping[str, Any], path: Path) -> None:
    """Two panels over the number of things that fit: right thing segmented, and questions asked. PNG."""
    groups = result["ambiguous"]["by_fitting"]
    names = list(groups)
    right = {arm: [groups[n][arm]["segmented_right_thing"] for n in names] for arm in ("icseg", "guess")}
    asked = {arm: [groups[n][arm]["mean_questions"] for n in names] for arm in ("icseg", "perfect_perception")}
    asked["bound"] = [groups[n]["bound_questions"] for n in names]
    labels = [f"{n} ({groups[n]['commands']})" for n in names]
    panels = [
        _panel("right thing segmented (mean J > 0.5)", labels, right, 1.0),
        _panel("questions; bound: log2(things)", labels, asked, max(2.0, *map(max, asked.values())) if names else 2.0),
    ]
    cv2.imwrite(str(path), np.hstack(panels))


def _panel(title: str, labels: Sequence[str], series: Mapping[str, Sequence[float]], top: float) -> ImageU8:
    height, width = _PANEL_HW
    image = np.full((height, width, 3), 255, np.uint8)
    left, right, upper, lower = 46, width - 14, 62, height - 52

    def text(words: str, x: float, y: float, colour: tuple[int, int, int] = _INK, scale: float = 0.42) -> None:
        cv2.putText(image, words, (int(x), int(y)), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, 1, cv2.LINE_AA)

    text(title, left, 20, scale=0.48)
    for name, x in zip(series, np.linspace(left, right, len(series) + 1), strict=False):
        cv2.rectangle(image, (int(x), 34), (int(x) + 10, 44), _COLOURS[name], -1)
        text(name.replace("_", " "), x + 15, 44)
    for tick in np.linspace(0, top, 5):
        y = int(lower - tick / top * (lower - upper))
        cv2.line(image, (left, y), (right, y), _GRID, 1)
        text(f"{tick:.2f}", 8, y + 4, scale=0.38)
    group = (right - left) / max(1, len(labels))
    bar = group * 0.7 / len(series)
    for number, label in enumerate(labels):
        for place, (name, values) in enumerate(series.items()):
            x = left + group * (number + 0.15) + place * bar
            y = int(lower - values[number] / top * (lower - upper))
            cv2.rectangle(image, (int(x), y), (int(x + bar) - 2, lower), _COLOURS[name], -1)
        text(label, left + group * (number + 0.2), lower + 18)
    text("things that fit the command (commands)", left, height - 12)
    return image
