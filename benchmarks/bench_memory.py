"""Does a stream that never ends need more memory than one that just began? Resident set over thousands of frames.

A scene of the test split at 640x480 is played forth and back, two things are tracked, and every so often one of them is
prompted anew, each time as a new conditioning frame. Flat means: the largest resident set after the warm-up is within
2 % of the one at its end.

    python benchmarks/bench_memory.py --save
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.timing import publish
from icseg.assets import nano_models
from icseg.sim.scene import make_scene
from icseg.sim.table import SimulatedTable, stream
from icseg.tracker.loading import load_tracker
from icseg.types import Prompt

GOAL_GROWTH = 0.02
FRAME_NS = 66_666_667
SAMPLE_EVERY = 50


def resident_mb() -> float:
    """Resident set of this process in 10^6 bytes (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--warm-up", type=int, default=500)
    parser.add_argument("--prompt-every", type=int, default=40)
    parser.add_argument("--seed", type=int, default=3000, help="scene of the test split")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_memory.json")
    args = parser.parse_args()
    if not 0 < args.warm_up < args.frames or args.prompt_every < 1:
        parser.error("expected 0 < --warm-up < --frames and --prompt-every >= 1")
    with SimulatedTable() as table:
        spec = make_scene(args.seed, split="test", ambiguous_kind="mug")
        sims = list(stream(table, spec, fps=15, duration_s=6))
    loop = [*sims, *sims[-2:0:-1]]
    largest = sorted(sims[0].things, key=lambda number: -int(sims[0].mask(number).sum()))[:2]
    tracker = load_tracker(nano_models() / "segmenter", threads=args.threads)
    state = tracker.new_state()
    prompts, samples = 0, []
    for number in tqdm(range(args.frames), unit="frame"):
        sim = loop[number % len(loop)]
        frame = replace(sim.frame, stamp_ns=number * FRAME_NS, index=number)
        object_id, thing = number // args.prompt_every % 2 + 1, largest[number // args.prompt_every % 2]
        box = sim.box_image_px(thing)
        if number % args.prompt_every == 0 and box is not None:
            tracker.add_prompt(state, frame, object_id, Prompt(box))
            prompts += 1
        else:
            tracker.step(state, frame)
        if number % SAMPLE_EVERY == 0:
            samples.append((number, resident_mb()))
    begin = next(size for number, size in samples if number >= args.warm_up)
    after = [size for number, size in samples if number >= args.warm_up]
    growth = max(after) / begin - 1
    results = {
        "what": "resident set of the process while two things are tracked, nano segmenter, 640x480",
        "threads": args.threads,
        "frames": args.frames,
        "prompts": prompts,
        "warm_up_frames": args.warm_up,
        "after_warm_up_mb": round(begin, 1),
        "largest_later_mb": round(max(after), 1),
        "last_mb": round(after[-1], 1),
        "growth": round(growth, 4),
        "goal_growth": GOAL_GROWTH,
        "is_within_goal": growth <= GOAL_GROWTH,
        "samples_mb": [[number, round(size, 1)] for number, size in samples[:: max(1, len(samples) // 50)]],
    }
    publish("bench_memory", results, save=args.save)


if __name__ == "__main__":
    main()
