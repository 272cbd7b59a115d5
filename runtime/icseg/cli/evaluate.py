"""``icseg eval``: commands on tables never trained on. Does it ask when it must, only then, and get the right thing?

Three arms see the same frames and hear the same commands. ``icseg``: the candidates policy on the detector that ships,
a simulated person who knows the target, and the tracker. ``guess``: the same, but each question is answered at random
from its own options instead of being put to the person. ``perfect_perception``: the same policy on the truth instead of
a detector: how many questions the words alone call for.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from icseg.cli.options import add_options, models_of
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.dialogue.policy import Policy
from icseg.errors import IcsegError
from icseg.evaluation.metrics import jaccard
from icseg.evaluation.report import report, write_plot
from icseg.geometry import box_iou
from icseg.session import events
from icseg.session.config import SessionConfig
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.settings import DEFAULT
from icseg.sim.commands import Command, draw_command
from icseg.sim.playing import Script, play
from icseg.sim.truth import SimFrame
from icseg.sim.truth_detector import TruthDetector
from icseg.sim.user import SimulatedUser
from icseg.tracker.scripted import ScriptedTracker
from icseg.tracker.video_tracker import VideoTracker

FPS = 7.5
SPEAK_AT = 7
"""Frame in which the command is said: the last of the first second."""
ANSWER_AFTER = 4
"""Frames between a question and its answer."""
STEPS_PER_FRAME = 3
"""Tracker steps between two frames: enough to catch up with the keyframe within a few frames."""
TRIES = 50


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "eval", help="judge questions and masks on many simulated commands", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--ambiguous", type=int, default=200, help="commands that fit several things (default 200)")
    parser.add_argument("--unambiguous", type=int, default=200, help="commands that fit one thing (default 200)")
    parser.add_argument("--first-seed", type=int, default=20_000, help="scenes of the test split from here on")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of each scene; things move from 3 s on")
    parser.add_argument("--out", type=Path, default=Path("out/eval"), help="folder for eval.json, eval.png (out/eval)")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON document")
    add_options(parser)
    parser.set_defaults(run=run)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One command over one scene, and what is meant."""

    seed: int
    command: Command
    target_id: int
    frames: list[SimFrame]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an arm made of a case.

    Attributes:
        questions: how often it asked.
        has_target: it pointed at something.
        is_right: what it pointed at is what was meant: of all things in view, that fits its box best.
        mean_j: of its masks with the truth, over every frame with a result; 0 when there is none.
        reason: why it ended without a target.
    """

    questions: int
    has_target: bool
    is_right: bool
    mean_j: float
    reason: str = ""


class Answerer(Protocol):
    """Answers a question about what the camera shows now."""

    def answer(self, asked: events.Asked, frame: SimFrame) -> str:
        """Words."""
        ...


class KnowingPerson:
    """The simulated user."""

    def __init__(self, target_id: int) -> None:
        self._user = SimulatedUser(target_id)

    def answer(self, asked: events.Asked, frame: SimFrame) -> str:
        """What the simulated user says."""
        return self._user.answer(asked.question, frame)


class Guesser:
    """Nobody is asked: an option at random."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def answer(self, asked: events.Asked, frame: SimFrame) -> str:
        """One of the question's options; any will do when it has none."""
        options = asked.options or ("any",)
        return options[int(self._rng.integers(len(options)))]


def draw_cases(
    count: int, first_seed: int, seconds: float, *, is_ambiguous: bool, progress: Callable[[], Any]
) -> Iterator[Case]:
    """Cases one by one, rendered; every scene gives one. The kind that comes in several goes round.

    Raises:
        BackendError: there is no renderer.
        IcsegError: no command of this sort in many scenes on end.
    """
    from icseg.sim.scene import make_scene
    from icseg.sim.table import SimulatedTable, stream
    from icseg.sim.things import KINDS

    seed, misses = first_seed, 0
    with SimulatedTable() as table:
        while count > 0:
            rng = np.random.default_rng(np.random.SeedSequence([seed, int(is_ambiguous)]))
            command = None
            try:
                spec = make_scene(seed, split="test", ambiguous_kind=KINDS[seed % len(KINDS)])
            except IcsegError:  # no layout for so many large things: the next scene has smaller ones
                pass
            else:
                command = draw_command(table.render(spec, SPEAK_AT / FPS), rng, is_ambiguous=is_ambiguous)
            seed += 1
            if command is None:
                misses += 1
                if misses > TRIES:
                    raise IcsegError(
                        f"eval: no command that is {'' if is_ambiguous else 'un'}ambiguous in {TRIES} scenes"
                    )
                continue
            misses = 0
            target_id = sorted(command.fitting)[int(rng.integers(len(command.fitting)))]
            yield Case(seed - 1, command, target_id, list(stream(table, spec, fps=FPS, duration_s=seconds)))
            progress()
            count -= 1


def play_case(
    case: Case, policy: Policy, tracker: VideoTracker, person: Answerer, config: SessionConfig | None = None
) -> Outcome:
    """One arm over one case; ``config`` is the session's."""
    session = Session(policy, tracker, config, executor=InlineExecutor())
    script = Script(case.command.text, SPEAK_AT, ANSWER_AFTER, STEPS_PER_FRAME)
    scores: list[float] = []
    questions, is_right, has_target, reason = 0, False, False, ""
    for sim, event in play(session, case.frames, script, person.answer):
        match event:
            case events.Asked():
                questions += 1
            case events.Targeted():
                has_target, is_right = True, points_at(event, sim, case.target_id)
            case events.Tracked():
                scores.append(jaccard(event.result.objects[1].mask, sim.mask(case.target_id)))
            case events.GaveUp():
                reason = event.reason
            case events.Failed():
                reason = event.error
    return Outcome(questions, has_target, is_right, float(np.mean(scores)) if scores else 0.0, reason)


def points_at(target: events.Targeted, sim: SimFrame, target_id: int) -> bool:
    """Whether the one that was meant fits the target's box best, among all things in view."""
    aimed_at = target.prompt.box_image_px
    assert aimed_at is not None, "a policy points with a box"
    fits = {n: box_iou(box, aimed_at) for n in sim.things if (box := sim.box_image_px(n)) is not None}
    return fits.get(target_id, 0.0) > 0 and max(fits, key=lambda n: fits[n]) == target_id


def run(args: argparse.Namespace) -> int:
    """Run all arms; 0 when every goal is met."""
    if min(args.ambiguous, args.unambiguous) < 1 or args.first_seed < 0 or not 2.5 <= args.seconds < math.inf:
        raise ValueError("eval: expected at least one command of each sort, --first-seed >= 0 and --seconds >= 2.5")
    models = models_of(args)
    policy, tracker, config = models.policy, models.tracker, models.settings.session
    rows: list[dict[str, Any]] = []
    bar = tqdm(total=args.ambiguous + args.unambiguous, desc="commands", disable=args.json or not sys.stderr.isatty())
    for is_ambiguous, count in ((True, args.ambiguous), (False, args.unambiguous)):
        cases = draw_cases(count, args.first_seed, args.seconds, is_ambiguous=is_ambiguous, progress=bar.update)
        for case in cases:
            perfect = CandidatesPolicy(TruthDetector(*case.frames))
            rng = np.random.default_rng(case.seed)
            arms = {
                "icseg": play_case(case, policy, tracker, KnowingPerson(case.target_id), config),
                "guess": play_case(case, policy, tracker, Guesser(rng), config),
                "perfect_perception": play_case(case, perfect, ScriptedTracker(), KnowingPerson(case.target_id)),
            }
            rows.append(
                {
                    "seed": case.seed,
                    "command": case.command.text,
                    "style": case.command.style,
                    "fitting": len(case.command.fitting),
                    **{arm: asdict(outcome) for arm, outcome in arms.items()},
                }
            )
    bar.close()
    chosen = models.settings.model
    result = report(rows, {**vars(args), "policy": chosen.policy, "engines": chosen.engines})
    # figures that other settings gave do not pass for those of the defaults
    record = models.effective.record().items()
    result["settings"] = {name: value for name, value in record if value["source"] != DEFAULT}
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "eval.json").write_text(json.dumps(result, indent=1) + "\n")
    write_plot(result, args.out / "eval.png")
    if args.json:
        print(json.dumps(result))
    else:
        for goal in result["goals"]:
            print(f"{'met   ' if goal['is_met'] else 'NOT MET'} {goal['what']}: {goal['value']} (goal {goal['goal']})")
        print(f"see {args.out}/eval.json, eval.png")
    return 0 if all(goal["is_met"] for goal in result["goals"]) else 1
