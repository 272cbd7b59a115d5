"""Find the object score that tells absent from visible, on validation scenes where things get hidden and leave.

    python training/calibrate_segmenter.py --engines FOLDER

For weights that were saved without ``--score-threshold``; give what it finds to ``train_segmenter.py save
--score-threshold``, which makes it zero. Frames are tracked once: what a higher threshold would change in the memory is
not in the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from icseg.sim.scene import make_scene
from icseg.sim.table import SimulatedTable, stream
from icseg.tracker.loading import load_tracker
from training.eval_segmenter import follow

THRESHOLDS = tuple(round(float(value), 1) for value in np.arange(0, 5.01, 0.5))
FPS = 7.5
FIRST_FRAME = 20
"""Frames before this one are left out: things still rest, and nothing is absent."""


def thresholds(scores: np.ndarray, js: np.ndarray, areas: np.ndarray) -> list[dict[str, float]]:
    """What each threshold would give.

    Args:
        scores: (N,) object scores. js: (N,) J of the masks as shown above zero. areas: (N,) true visible pixels.
    """
    absent = areas == 0
    rows = []
    for threshold in THRESHOLDS:
        shown = scores > threshold
        judged = np.where(shown, js, absent.astype(float))
        rows.append(
            {
                "threshold": threshold,
                "mean_j": round(float(judged.mean()), 4),
                "absent_noticed": round(float((~shown[absent]).mean()), 4),
                "visible_dropped": round(float((~shown[~absent]).mean()), 4),
            }
        )
    return rows


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", type=Path, default=Path("models/nano/segmenter"))
    parser.add_argument("--scenes", type=int, default=16, help="of the validation split")
    parser.add_argument("--first-seed", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("models/nano/segmenter/calibration.json"))
    args = parser.parse_args()
    tracker, rows = load_tracker(args.engines, threads=args.threads), []
    with SimulatedTable() as table:
        for seed in tqdm(range(args.first_seed, args.first_seed + args.scenes), unit="scene"):
            spec = make_scene(seed, split="val", ambiguous_kind="mug")
            frames = list(stream(table, spec, fps=FPS, duration_s=spec.duration_s))[FIRST_FRAME:]
            for thing_id in {spec.hidden_id, spec.leaving_id} - {None}:
                assert thing_id is not None
                followed = follow(tracker, frames, thing_id)
                rows += [
                    (f.object_score, f.j, sim.mask(thing_id).sum()) for f, sim in zip(followed, frames, strict=True)
                ]
    scores, js, areas = np.array(rows, float).T
    report = {
        "what": "object score thresholds on validation scenes; things that get hidden or leave, from a true box",
        "scenes": args.scenes,
        "first_seed": args.first_seed,
        "frames": len(rows),
        "frames_absent": int((areas == 0).sum()),
        "thresholds": thresholds(scores, js, areas),
    }
    args.out.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(max(report["thresholds"], key=lambda row: row["mean_j"])))


if __name__ == "__main__":
    main()
