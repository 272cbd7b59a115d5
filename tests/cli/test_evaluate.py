"""``icseg eval``: arms over one case, the figures and goals made of them, and the whole command on real scenes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from icseg.cli.evaluate import SPEAK_AT, Case, Guesser, KnowingPerson, Outcome, play_case, points_at
from icseg.cli.main import main
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.evaluation.report import report, write_plot
from icseg.session.events import Targeted
from icseg.sim.commands import Command
from icseg.sim.drawn import Drawn, draw_table
from icseg.sim.truth import SimFrame, ThingTruth
from icseg.sim.truth_detector import TruthDetector
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Frame, Prompt

OPTIONS = {"first_seed": 5, "seconds": 4.0, "policy": "candidates", "engines": None}
RIGHT = Outcome(questions=1, has_target=True, is_right=True, mean_j=0.9)
UNASKED = Outcome(questions=0, has_target=True, is_right=True, mean_j=0.9)
WRONG = Outcome(questions=1, has_target=True, is_right=False, mean_j=0.0)


def case(text: str, fitting: set[int], target_id: int) -> Case:
    things = [Drawn("mug", "red", 0.2), Drawn("mug", "blue", 0.8), Drawn("bowl", "blue", 0.5)]
    frames = [draw_table(things, index=index) for index in range(SPEAK_AT + 12)]
    return Case(0, Command(text, "kind", frozenset(fitting)), target_id, frames)


def judge(told: Case, person: Any) -> Outcome:
    return play_case(told, CandidatesPolicy(TruthDetector(*told.frames)), ScriptedTracker(), person)


@pytest.mark.parametrize("target_id", [1, 2])
def test_an_ambiguous_command_is_asked_about_and_ends_at_what_was_meant(target_id: int) -> None:
    outcome = judge(case("the mug", {1, 2}, target_id), KnowingPerson(target_id))
    assert outcome == Outcome(1, True, True, outcome.mean_j)
    assert outcome.mean_j > 0.95


def test_what_is_mostly_hidden_by_something_larger_can_be_pointed_at() -> None:
    ids = np.zeros((60, 80), np.uint8)
    ids[10:50, 10:14] = ids[10:14, 10:40] = 1  # a box seen past the bowl before it: of its own box the bowl has most
    ids[14:58, 14:44] = 2
    things = {1: ThingTruth(1, "box", "red", "big"), 2: ThingTruth(2, "bowl", "blue", "big")}
    sim = SimFrame(Frame(np.zeros((60, 80, 3), np.uint8), stamp_ns=1, index=0), ids, things)
    for box, pointed_at in ((sim.box_image_px(1), 1), ((13.0, 15.0, 43.0, 57.0), 2), ((60.0, 0.0, 70.0, 9.0), None)):
        assert box is not None
        target = Targeted(1, Prompt(box, ((11.0, 11.0),), (1,)))
        assert [points_at(target, sim, n) for n in (1, 2)] == [pointed_at == n for n in (1, 2)]


def test_an_unambiguous_command_is_not_asked_about() -> None:
    assert judge(case("the bowl", {3}, 3), KnowingPerson(3)).questions == 0


def test_a_guess_is_wrong_about_half_of_the_time() -> None:
    outcomes = [judge(case("the mug", {1, 2}, 1), Guesser(np.random.default_rng(seed))) for seed in range(20)]
    assert all(outcome.has_target for outcome in outcomes)
    assert 4 <= sum(outcome.is_right for outcome in outcomes) <= 16
    assert all((outcome.mean_j > 0.5) == outcome.is_right for outcome in outcomes)


def test_giving_up_has_its_reason() -> None:
    outcome = judge(case("the stapler", set(), 1), KnowingPerson(1))
    assert (outcome.has_target, outcome.is_right, outcome.mean_j) == (False, False, 0.0)
    assert "stapler" in outcome.reason


def row(fitting: int, ours: Outcome, perfect: Outcome = RIGHT) -> dict[str, Any]:
    arms = {"icseg": ours, "guess": WRONG, "perfect_perception": perfect}
    told = {"seed": 1, "command": "the mug", "style": "kind", "fitting": fitting}
    return {**told, **{arm: asdict(outcome) for arm, outcome in arms.items()}}


def test_goals_that_are_met() -> None:
    result = report([*[row(2, RIGHT)] * 3, row(4, RIGHT), *[row(1, UNASKED)] * 4], OPTIONS)
    assert [goal["is_met"] for goal in result["goals"]] == [True] * 4
    assert result["failures"] == []
    assert result["ambiguous"]["bound_questions"] == 1.25
    assert result["ambiguous"]["by_fitting"]["4"]["commands"] == 1
    assert result["ambiguous"]["guess"]["segmented_right_thing"] == 0.0


@pytest.mark.parametrize(
    ("rows", "failed"),
    [
        ([row(2, WRONG), row(1, UNASKED)], "right thing segmented, ambiguous commands"),
        ([row(2, RIGHT), row(2, UNASKED), row(1, UNASKED)], "pointed without asking, ambiguous commands"),
        ([row(2, RIGHT), row(1, RIGHT)], "asked, unambiguous commands"),
        ([row(2, Outcome(2, True, True, 0.9)), row(1, UNASKED)], "questions, times those of perfect perception"),
    ],
)
def test_a_goal_that_is_missed_says_so(rows: list[dict[str, Any]], failed: str) -> None:
    result = report(rows, OPTIONS)
    assert [goal["what"] for goal in result["goals"] if not goal["is_met"]] == [failed]


def test_failures_list_what_was_pointed_at_unasked_though_right_by_chance() -> None:
    guessed, wrong, needless = row(2, UNASKED), row(2, WRONG), row(1, RIGHT)
    assert report([row(2, RIGHT), guessed, wrong, row(1, UNASKED), needless], OPTIONS)["failures"] == [
        guessed,
        wrong,
        needless,
    ]


def test_the_picture_opens(tmp_path: Path) -> None:
    write_plot(report([row(2, RIGHT), row(3, WRONG), row(1, UNASKED)], OPTIONS), tmp_path / "eval.png")
    picture = cv2.imread(str(tmp_path / "eval.png"))
    assert picture is not None
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 5


def test_the_whole_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(
        [
            "eval",
            "--ambiguous",
            "2",
            "--unambiguous",
            "2",
            "--seconds",
            "2.6",
            "--out",
            str(tmp_path),
            "--json",
            "--chat.seed",
            "3",
        ]
    )
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((tmp_path / "eval.json").read_text())
    assert (result["ambiguous"]["commands"], result["unambiguous"]["commands"]) == (2, 2)
    assert result["ambiguous"]["icseg"]["asked"] == 1.0
    assert (tmp_path / "eval.png").stat().st_size > 1000
    assert result["settings"]["chat.seed"] == {"value": 3, "source": "the command line"}
    assert result["settings"]["tracker.window_scale"]["source"] == "the segmenter's manifest"
    assert "chat.model" not in result["settings"]  # nobody said anything of it


def test_wrong_use_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    for wrong in (["--ambiguous", "0"], ["--seconds", "nan"]):
        assert main(["eval", *wrong]) == 2
        assert "at least one command of each sort" in capsys.readouterr().err
