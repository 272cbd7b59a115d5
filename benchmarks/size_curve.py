"""What size and input resolution of the nano segmenter buy: accuracy against milliseconds, each trained equally long.

    python benchmarks/size_curve.py --steps 300

Every size starts from nothing, sees the same single frames in the same order, is exported, and runs in icseg's tracker
on two threads: J of prompted frames of the validation split at 640x480, and the time of a tracked frame. So short a
training says which is better for its cost, not how good a model can become; the memory is not trained.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from export.sam2_to_onnx import export_segmenter
from export.segmenter_source import NANO, find_segmenter
from icseg.evaluation.metrics import jaccard
from icseg.sim.scene import make_scene
from icseg.sim.table import SimulatedTable, stream
from icseg.sim.truth import SimFrame
from icseg.tracker.loading import load_tracker
from icseg.tracker.tracker import Tracker
from icseg.types import Prompt
from training.clips import ClipBatch, ClipStore, sample_batch
from training.eval_segmenter import MIN_AREA_PX
from training.nano_config import SHIPPED, NanoSize
from training.resumable import ResumableRun
from training.segmenter_steps import image_step
from training.train_segmenter import EMA_DECAY, Learner, sharpness_at

SIZES = (
    NanoSize(192, 32),
    NanoSize(256, 32),
    NanoSize(320, 16),
    NanoSize(320, 24),
    NanoSize(320, 32),
    NanoSize(320, 48),
)
TIMED_FRAMES, WARM_UP = 60, 10


def resized(batch: ClipBatch, side: int) -> ClipBatch:
    """The batch of single frames at another resolution."""
    if batch.pixels.shape[-1] == side:
        return batch
    pixels = F.interpolate(batch.pixels[:, 0], size=(side, side), mode="bilinear", antialias=True)[:, None]
    masks = F.interpolate(batch.masks[:, :, 0], size=(side, side), mode="nearest-exact")[:, :, None]
    ids = F.interpolate(batch.ids.float(), size=(side, side), mode="nearest-exact").to(torch.uint8)
    return ClipBatch(pixels, masks, ids, batch.kind_of)


def train(size: NanoSize, store: ClipStore, folder: Path, steps: int, seed: int) -> ResumableRun[Learner]:
    """The averaged model of one size after so many steps; resumes."""
    learner = Learner(seed, size)
    run = ResumableRun(
        folder / f"{name_of(size)}.pt",
        learner,
        steps=steps,
        lr=8e-4,
        seed=seed,
        ema_decay=min(EMA_DECAY, 1 - 10 / steps),
        weight_decay=0.01,
        max_norm=1.0,
    )
    bar = tqdm(initial=run.step, total=steps, desc=name_of(size), mininterval=5)
    while run.step < steps:
        learner.train()
        batch = resized(sample_batch(store, run.rng, clips=8, frames=1, things=4), size.image)
        loss, _ = image_step(learner.segmenter, batch, run.rng, learner.head, sharpness_at("image", run.step / steps))
        run.learn(loss)
        bar.update()
        if run.step % 50 == 0 or run.step == steps:
            run.save()
    return run


def first_frames(scenes: int, first_seed: int) -> list[SimFrame]:
    """The first frame of some scenes of the validation split."""
    with SimulatedTable() as table:
        specs = [make_scene(first_seed + n, split="val", ambiguous_kind="mug") for n in range(scenes)]
        return [next(iter(stream(table, spec, fps=7.5, duration_s=0.2))) for spec in specs]


def prompted_j(tracker: Tracker, frames: list[SimFrame]) -> float:
    """Mean J of every thing that is seen well, each prompted with its true box."""
    js = []
    for sim in frames:
        for thing_id in sim.things:
            box, truth = sim.box_image_px(thing_id), sim.mask(thing_id)
            if box is None or truth.sum() < MIN_AREA_PX:
                continue
            latest = tracker.start(sim.frame, Prompt(box)).latest
            assert latest is not None
            js.append(jaccard(latest.objects[1].mask, truth))
    return float(np.mean(js))


def step_ms(tracker: Tracker, frame: SimFrame) -> float:
    """Median time of a tracked frame, the whole step, with every slot of the memory full."""
    state, times = tracker.start(frame.frame, Prompt((200.0, 150.0, 400.0, 350.0))), []
    for n in range(1, WARM_UP + TIMED_FRAMES):
        copy = type(frame.frame)(frame.frame.image, frame.frame.stamp_ns + n, n)
        begin = time.perf_counter()
        tracker.step(state, copy)
        times.append((time.perf_counter() - begin) * 1e3)
    return float(np.median(times[WARM_UP:]))


def name_of(size: NanoSize) -> str:
    """For files and the plot."""
    return f"{size.image}px-w{size.width}"


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Accuracy over time of a step."""
    import matplotlib as mpl

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 4.2), layout="constrained")
    for row in rows:
        is_shipped = (row["image"], row["width"]) == (SHIPPED.image, SHIPPED.width)
        axes.plot(row["step_ms"], row["prompted_j"], "o", color="tab:red" if is_shipped else "tab:blue")
        label = f"{row['image']} px\nwidth {row['width']}" + ("\n(ships)" if is_shipped else "")
        place = row["step_ms"], row["prompted_j"]
        axes.annotate(label, place, xytext=(0, 6), textcoords="offset points", ha="center", fontsize="small")
    axes.set_xlabel("tracked frame, median ms")
    axes.set_ylabel("J of prompted frames, validation")
    axes.set_title(f"Equal training: {rows[0]['steps']} steps from nothing")
    axes.margins(0.2)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/nano"), help="folder made by training/render.py")
    parser.add_argument("--run", type=Path, default=Path("training/runs/sizes"), help="checkpoints and engines")
    parser.add_argument("--out", type=Path, default=Path("models/nano/segmenter"), help="for size_curve.json, .png")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--scenes", type=int, default=40, help="of the validation split, to measure on")
    parser.add_argument("--first-seed", type=int, default=400)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    store, rows = ClipStore(args.data / "train", SHIPPED.image), []
    frames = first_frames(args.scenes, args.first_seed)
    for size in SIZES:
        model = train(size, store, args.run, args.steps, args.seed).ema.segmenter
        folder = args.run / name_of(size)
        model.save_pretrained(folder / "weights")
        source = find_segmenter(str(folder / "weights"))
        export_segmenter(
            model,
            folder,
            name=name_of(size),
            source_sha256=source.fingerprint,
            settings=find_segmenter(NANO).settings,
        )
        tracker = load_tracker(folder, threads=args.threads)
        rows.append(
            {
                "image": size.image,
                "width": size.width,
                "parameters": sum(weight.numel() for weight in model.parameters()),
                "steps": args.steps,
                "prompted_j": round(prompted_j(tracker, frames), 4),
                "step_ms": round(step_ms(tracker, frames[0]), 2),
            }
        )
        print(json.dumps(rows[-1]))
    what = (
        "J of prompted frames at 640x480 and median ms of a tracked frame, each size trained equally long from nothing"
    )
    report = {
        "what": what,
        "threads": args.threads,
        "scenes": args.scenes,
        "first_seed": args.first_seed,
        "sizes": rows,
    }
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "size_curve.json").write_text(json.dumps(report, indent=1) + "\n")
    draw(rows, args.out / "size_curve.png")


if __name__ == "__main__":
    main()
