"""What it is worth to check the mask against the target while it is tracked: the whole dialogue, with and without.

Every scene of the test split is rendered once and played to two sessions that differ in ``FollowingConfig.rechecks``
alone: "the mug", the question, the answer of the simulated person a second later, and ten seconds of motion, crossing
and leaving. J is that of the thing that was meant, over every frame with a result. Looks are done in the step there, so
that the figures do not depend on the machine.

Then one scene is played at a camera's pace, with a detector that takes ``--look-ms`` a look (``slow_looks.py``): what a
step of the tracker takes with looks beside it, in it, and without; and how a wrong mask is put right.

    python benchmarks/bench_rechecks.py --save
"""

from __future__ import annotations

import argparse
import math
import sys
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.slow_looks import planted_wrong_mask, step_arms
from benchmarks.timing import publish, summary_ms
from icseg import events
from icseg.assets import nano_models
from icseg.detector.nano import load_detector
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.evaluation.metrics import jaccard
from icseg.session.config import FollowingConfig, SessionConfig
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.sim.playing import Script, play
from icseg.sim.scene import make_scene
from icseg.sim.table import SimulatedTable, stream
from icseg.sim.truth import SimFrame
from icseg.sim.user import SimulatedUser, matching_ids
from icseg.tracker.loading import load_tracker

SCRIPT = Script("the mug", speak_at=15, answer_after=15, steps_per_frame=2)
GOOD_J = 0.8
FPS = 15.0


@dataclass
class Played:
    """What one session did in one scene."""

    scores: list[float] = field(default_factory=list)
    corrections: int = 0
    look_ms: list[float] = field(default_factory=list)
    questions: int = 0

    @property
    def mean_j(self) -> float:
        """0 when nothing was tracked at all."""
        return float(np.mean(self.scores)) if self.scores else 0.0


def play_scene(session: Session, frames: list[SimFrame], target_id: int) -> Played:
    """One scene from the first frame to the last."""
    user, played = SimulatedUser(target_id), Played()
    for sim, event in play(session, frames, SCRIPT, lambda asked, frame: user.answer(asked.question, frame)):
        match event:
            case events.Asked():
                played.questions += 1
            case events.Corrected():
                played.corrections += 1
            case events.Tracked():
                played.scores.append(jaccard(event.result.objects[1].mask, sim.mask(target_id)))
                if "recheck" in event.timings_ms:
                    played.look_ms.append(event.timings_ms["recheck"])
    return played


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--first-seed", type=int, default=3000, help="scenes of the test split from here on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--look-ms", type=float, default=300.0, help="what a look of the slow detector takes")
    parser.add_argument("--slow-seed", type=int, default=3000, help="the scene that is played to it")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_rechecks.json")
    args = parser.parse_args()
    detector = load_detector(nano_models() / "detector", threads=args.threads)
    policy = CandidatesPolicy(detector)
    tracker = load_tracker(nano_models() / "segmenter", threads=args.threads)
    arms = {"with_rechecks": SessionConfig(), "without": SessionConfig(following=FollowingConfig(rechecks=False))}
    played: dict[str, list[Played]] = defaultdict(list)
    with SimulatedTable() as table:
        for seed in tqdm(range(args.first_seed, args.first_seed + args.scenes), unit="scene"):
            spec = make_scene(seed, split="test", ambiguous_kind="mug")
            frames = list(stream(table, spec, fps=FPS, duration_s=10.0))
            fitting = sorted(matching_ids(SCRIPT.command, frames[SCRIPT.speak_at]))
            target_id = fitting[int(np.random.default_rng(seed).integers(len(fitting)))]
            for arm, config in arms.items():
                session = Session(policy, tracker, config, executor=InlineExecutor())
                played[arm].append(play_scene(session, frames, target_id))
        scene = make_scene(args.slow_seed, split="test", ambiguous_kind="mug")
        frames = list(stream(table, scene, fps=FPS, duration_s=10.0))
    look_frames = math.ceil(args.look_ms * FPS / 1e3)
    slow = {
        "look_ms": args.look_ms,
        "seed": args.slow_seed,
        **step_arms(tracker, detector, frames, args.look_ms),
        "wrong_mask": planted_wrong_mask(tracker, detector, frames[: round(5 * FPS)], look_frames),
    }
    results = {
        "what": "J of the mug that was meant over the whole dialogue, 640x480, 15 frames a second, 10 s",
        "threads": args.threads,
        "first_seed": args.first_seed,
        "scenes": args.scenes,
        **{
            arm: {
                "mean_j": round(float(np.mean([p.mean_j for p in scenes])), 4),
                "median_j": round(float(np.median([p.mean_j for p in scenes])), 4),
                f"scenes_above_{GOOD_J}": sum(p.mean_j >= GOOD_J for p in scenes),
                "scenes_with_a_question": sum(p.questions > 0 for p in scenes),
                "corrections_per_scene": round(float(np.mean([p.corrections for p in scenes])), 2),
                "j_by_scene": [round(p.mean_j, 3) for p in scenes],
            }
            for arm, scenes in played.items()
        },
        "one_look": summary_ms([spent for p in played["with_rechecks"] for spent in p.look_ms]),
        "slow_looks": slow,
    }
    publish("bench_rechecks", results, save=args.save)


if __name__ == "__main__":
    main()
