"""Train the nano detector on single frames of the rendered clips.

    python training/train_detector.py train --data data/detector --run training/runs/detector
    python training/train_detector.py save  --run training/runs/detector --out models/nano/detector

``train`` resumes from the checkpoint in the run folder, and reads the shards that are there when it starts. After
``save``, training/eval_detector.py calibrates the probabilities and export/detector_to_onnx.py writes the graph.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from icseg.sim.things import COLOURS, KINDS
from training.clips import ClipStore
from training.detector_losses import detector_loss
from training.detector_model import IMAGE_SIZE, DetectorMaps, NanoDetectorNet, load_detector_net, save_detector
from training.detector_targets import sample_scenes
from training.precision import half
from training.resumable import ResumableRun

CHECKPOINT_NAME = "detector.pt"


def start_run(
    folder: Path, *, steps: int, lr: float, seed: int, begin_with: Path | None = None
) -> ResumableRun[NanoDetectorNet]:
    """A new run, or the one that the folder holds; ``begin_with``: folder that ``save`` wrote, to take weights from."""
    torch.manual_seed(seed)
    net, path = NanoDetectorNet(len(KINDS), len(COLOURS)), folder / CHECKPOINT_NAME
    if begin_with is not None and not path.exists():
        net.load_state_dict(load_detector_net(begin_with)[0].state_dict())
    return ResumableRun(path, net.to(memory_format=torch.channels_last), steps=steps, lr=lr, seed=seed)


def forward(net: NanoDetectorNet, pixels: torch.Tensor) -> DetectorMaps:
    """bfloat16 in the trunk where it is quicker, and channels last."""
    with half():
        maps: DetectorMaps = net(pixels.contiguous(memory_format=torch.channels_last))
    return maps


def train_step(run: ResumableRun[NanoDetectorNet], store: ClipStore, batch: int) -> dict[str, float]:
    """Draw a batch, learn from it, and return the parts of its loss."""
    run.model.train()
    pixels, targets = sample_scenes(store, run.rng, batch, (KINDS, COLOURS))
    loss, parts = detector_loss(forward(run.model, pixels), targets)
    run.learn(loss)
    return parts


@torch.no_grad()
def held_out_loss(net: NanoDetectorNet, store: ClipStore, batches: int) -> dict[str, float]:
    """Loss parts of the averaged network on scenes that it was not trained on; the same pictures every time."""
    rng, rows = np.random.default_rng(7), []
    state = torch.get_rng_state()
    torch.manual_seed(7)
    for _ in range(batches):
        pixels, targets = sample_scenes(store, rng, 16, (KINDS, COLOURS))
        rows.append(detector_loss(forward(net, pixels), targets)[1])
    torch.set_rng_state(state)
    return mean_parts(rows)


def mean_parts(rows: list[dict[str, float]]) -> dict[str, float]:
    """Mean of each part, rounded for the log."""
    return {name: round(float(np.mean([row[name] for row in rows])), 4) for name in rows[0]}


def train(args: argparse.Namespace) -> None:
    """Train to the last step."""
    store, held_out = (ClipStore(args.data / split, IMAGE_SIZE) for split in ("train", "val"))
    run = start_run(args.run, steps=args.steps, lr=args.lr, seed=args.seed, begin_with=args.begin_with)
    log = (args.run / "detector.jsonl").open("a")
    started, recent = time.monotonic(), []
    bar = tqdm(initial=run.step, total=args.steps, desc="detector", mininterval=5)
    while run.step < args.steps:
        recent.append(train_step(run, store, args.batch))
        bar.update()
        if run.step % args.every == 0 or run.step == args.steps:
            run.save()
            row = {"step": run.step, "clips": len(store), "seconds": round(time.monotonic() - started, 1)}
            row |= {f"train_{name}": value for name, value in mean_parts(recent).items()}
            row |= {f"val_{name}": value for name, value in held_out_loss(run.ema, held_out, args.val_batches).items()}
            log.write(json.dumps(row) + "\n")
            log.flush()
            bar.write(json.dumps(row))
            recent.clear()
    log.close()


def save_model(args: argparse.Namespace) -> None:
    """Write the averaged weights and model.json."""
    path = args.run / CHECKPOINT_NAME
    if not path.exists():
        raise SystemExit(f"no checkpoint in {args.run}: train first")
    state = torch.load(path, weights_only=True)
    net = NanoDetectorNet(len(KINDS), len(COLOURS))
    net.load_state_dict(state["ema"])
    config = {"kinds": list(KINDS), "colours": list(COLOURS), "image_size": IMAGE_SIZE, "steps": state["step"]}
    save_detector(args.out, net, config)
    print(f"{path.name} at step {state['step']} -> {args.out}; not calibrated yet: run training/eval_detector.py")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("train", "save"))
    parser.add_argument("--data", type=Path, default=Path("data/detector"), help="folder made by training/render.py")
    parser.add_argument("--run", type=Path, default=Path("training/runs/detector"), help="checkpoint and log")
    parser.add_argument("--out", type=Path, default=Path("models/nano/detector"), help="where save writes")
    parser.add_argument("--begin-with", type=Path, help="folder that save wrote, to go on from; also to resume")
    parser.add_argument("--steps", type=int, default=1500, help="optimizer steps in all")
    parser.add_argument("--batch", type=int, default=16, help="pictures per step")
    parser.add_argument("--lr", type=float, default=2e-3, help="peak learning rate")
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--val-batches", type=int, default=6)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    if args.stage == "save":
        save_model(args)
    else:
        train(args)


if __name__ == "__main__":
    main()
