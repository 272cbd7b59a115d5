"""Judge the exported nano segmenter with icseg's own tracker on scenes of the validation and test splits.

    python training/eval_segmenter.py --scenes 20

Prompts are true boxes; masks, boxes and attributes of the simulation are used for judging only.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from icseg.evaluation.metrics import jaccard
from icseg.sim.scene import make_scene
from icseg.sim.table import SimulatedTable, stream
from icseg.sim.truth import SimFrame
from icseg.tracker.loading import load_tracker
from icseg.tracker.tracker import Tracker
from icseg.types import Prompt

MIN_AREA_PX = 250
"""A thing with fewer visible pixels of a 640x480 frame is not prompted."""


@dataclass(frozen=True, slots=True)
class Followed:
    """One frame: J of the mask, and the object score's logit."""

    j: float
    object_score: float


def follow(tracker: Tracker, frames: list[SimFrame], thing_id: int) -> list[Followed]:
    """Every frame from a true box in the first."""
    box = frames[0].box_image_px(thing_id)
    assert box is not None
    state = tracker.new_state()
    followed = []
    for sim in frames:
        if sim is frames[0]:
            result = tracker.add_prompt(state, sim.frame, 1, Prompt(box))
        else:
            result = tracker.step(state, sim.frame)
        found = result.objects[1]
        followed.append(Followed(jaccard(found.mask, sim.mask(thing_id)), found.object_score))
    return followed


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", type=Path, default=Path("models/nano/segmenter"))
    parser.add_argument("--scenes", type=int, default=20, help="clips of the test split")
    parser.add_argument("--first-seed", type=int, default=2000)
    parser.add_argument("--fps", type=float, default=7.5)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("models/nano/segmenter/evaluation.json"))
    args = parser.parse_args()
    tracker = load_tracker(args.engines, threads=args.threads)
    first, later = defaultdict(list), defaultdict(list)
    clip_means = []
    with SimulatedTable() as table:
        for seed in tqdm(range(args.first_seed, args.first_seed + args.scenes), unit="scene"):
            spec = make_scene(seed, split="test", ambiguous_kind="mug")
            frames = list(stream(table, spec, fps=args.fps, duration_s=args.seconds))
            visible = [n for n in frames[0].things if frames[0].mask(n).sum() >= MIN_AREA_PX]
            moving = [n for n in (spec.hidden_id, spec.leaving_id) if n in visible]
            still = np.random.default_rng(seed).choice(visible, size=1)
            for thing_id in dict.fromkeys([*moving, *map(int, still)]):
                scores = [frame.j for frame in follow(tracker, frames, thing_id)]
                kind = frames[0].things[thing_id].kind
                first[kind].append(scores[0])
                later[kind] += scores[1:]
                clip_means.append(float(np.mean(scores)))
    report: dict[str, Any] = {
        "what": "J from a true box in the first frame, every frame of a clip with motion and occlusion",
        "scenes": args.scenes,
        "first_seed": args.first_seed,
        "clips": len(clip_means),
        "mean_j": round(float(np.mean(clip_means)), 4),
        "median_j": round(float(np.median(clip_means)), 4),
        "share_of_clips_above_0.8": round(float(np.mean(np.array(clip_means) >= 0.8)), 4),
        "first_frame_j": round(float(np.mean([j for scores in first.values() for j in scores])), 4),
        "later_frames_j_by_kind": {kind: round(float(np.mean(scores)), 4) for kind, scores in sorted(later.items())},
    }
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report))


if __name__ == "__main__":
    main()
