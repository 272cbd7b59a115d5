"""From the command to the question, stage by stage, with the candidates policy on the nano detector.

Every sample is a fresh scene of the test split and a fresh session: six frames of 640x480, then "the mug".
A sample counts only if a question came out. ``newest_frame`` looks at that closely; ``glance`` looks at it once.
``all_six_frames`` looks at the five others too before it asks, as a policy that reads the whole clip must; the
difference is what asking from the newest frame alone is worth.

    python benchmarks/bench_question.py --save
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.timing import publish, summary_ms
from icseg import events
from icseg.assets import nano_models
from icseg.detector.detector import Detection
from icseg.detector.nano import NanoDetector, load_detector
from icseg.dialogue.candidates.config import CandidatesConfig
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.session.executor import InlineExecutor
from icseg.session.session import Session
from icseg.sim.scene import make_scene
from icseg.sim.table import SimulatedTable
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Frame, ImageU8

GOAL_P95_MS = 300.0


class AllFramesDetector:
    """Looks at every frame of the dialogue before it tells what is in the newest."""

    def __init__(self, detector: NanoDetector) -> None:
        self.detector, self.kinds, self.colours = detector, detector.kinds, detector.colours
        self.frames: list[Frame] = []

    def detect(self, image: ImageU8) -> list[Detection]:
        """Detections of ``image``."""
        return self.detector.detect(image)

    def detect_closely(self, image: ImageU8) -> list[Detection]:
        """Detections of ``image``, looked at closely, after those of all other frames were computed too."""
        for frame in self.frames:
            if frame.image is not image:
                self.detector.detect(frame.image)
        return self.detector.detect_closely(image)


def ask(policy: CandidatesPolicy, frames: list[Frame]) -> tuple[float, dict[str, float]] | None:
    """Milliseconds from the words to the question, and its stages; None when there was nothing to ask."""
    session = Session(policy, ScriptedTracker(), executor=InlineExecutor())
    for frame in frames:
        session.push_frame(frame)
    session.step()
    begin = time.perf_counter()
    session.say("the mug")
    out = session.step()
    spent = (time.perf_counter() - begin) * 1e3
    asked = next((event for event in out if isinstance(event, events.Asked)), None)
    session.close()
    return None if asked is None else (spent, asked.timings_ms)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=1000, help="scenes of the test split from here on")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_question.json")
    args = parser.parse_args()
    detector = load_detector(nano_models() / "detector", threads=args.threads)
    everything = AllFramesDetector(detector)
    totals: dict[str, list[float]] = defaultdict(list)
    stages: dict[str, list[float]] = defaultdict(list)
    unasked = 0
    with SimulatedTable() as table:
        for seed in tqdm(range(args.first_seed, args.first_seed + args.scenes), unit="scene"):
            spec = make_scene(seed, split="test", ambiguous_kind="mug")
            frames = [table.render(spec, 0.2 * n, index=n).frame for n in range(6)]
            everything.frames = frames
            if seed == args.first_seed:
                ask(CandidatesPolicy(detector), frames)  # warm-up: first run of the graph, lazy imports
            sample = ask(CandidatesPolicy(detector), frames)
            glance = ask(CandidatesPolicy(detector, CandidatesConfig(looks_closely=False)), frames)
            other = ask(CandidatesPolicy(everything), frames)
            if sample is None or glance is None or other is None:
                unasked += 1
                continue
            totals["newest_frame"].append(sample[0])
            totals["glance"].append(glance[0])
            totals["all_six_frames"].append(other[0])
            for stage, spent in sample[1].items():
                stages[stage].append(spent)
    p95 = summary_ms(totals["newest_frame"])["p95_ms"]
    results = {
        "what": "command to question, candidates policy, nano detector, 640x480, six frames",
        "threads": args.threads,
        "scenes": args.scenes,
        "scenes_without_a_question": unasked,
        "command_to_question": {arm: summary_ms(spent) for arm, spent in totals.items()},
        "stages": {stage: summary_ms(spent) for stage, spent in stages.items()},
        "goal_p95_ms": GOAL_P95_MS,
        "is_within_goal": p95 <= GOAL_P95_MS,
    }
    publish("bench_question", results, save=args.save)


if __name__ == "__main__":
    main()
