"""Train the nano segmenter: first on single frames, then on clips with the memory it runs with.

    python training/train_segmenter.py image --data data/nano --run training/runs/segmenter
    python training/train_segmenter.py clips --data data/nano --run training/runs/segmenter
    python training/train_segmenter.py save  --run training/runs/segmenter --out models/nano/segmenter

Each stage resumes from its own checkpoint in the run folder; ``clips`` starts from what ``image`` left.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm
from transformers import Sam2VideoModel

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from training.clips import ClipStore, sample_batch
from training.dense_head import DenseHead
from training.nano_config import HIDDEN, SHIPPED, NanoSize, begin_memory, build_nano_segmenter
from training.resumable import ResumableRun
from training.segmenter_forward import encode
from training.segmenter_steps import clips_step, image_step
from training.target_head import TargetHead

CLIPS_TURNS = ("far", "image", "slow")
"""What the steps of the clips stage are about, by turns; with a frozen encoder ``image`` is ``far`` too."""
EMA_DECAY = 0.998
"""Share of itself that the average of the weights, which is what is saved, keeps at a step."""


def sharpness_at(stage: str, progress: float) -> float:
    """How much the edge counts in what a stage is new at: nothing until it is found, then more and more."""
    begin = 0.3 if stage == "image" else 0.55
    return min(1.0, max(0.0, (progress - begin) / 0.2))


class Learner(nn.Module):
    """What is trained: the segmenter, and two heads that only help its encoder and its memory."""

    def __init__(self, seed: int, size: NanoSize = SHIPPED) -> None:
        super().__init__()
        self.segmenter = build_nano_segmenter(seed, size)
        self.head = DenseHead(HIDDEN)
        self.target_head = TargetHead(HIDDEN)


def load_learner(learner: Learner, path: Path) -> None:
    """Take up the averaged weights of a checkpoint; one from before the target head leaves that as it is.

    Raises:
        ValueError: anything else is missing, or unknown.
    """
    missing, unknown = learner.load_state_dict(torch.load(path, weights_only=True)["ema"], strict=False)
    missing = [name for name in missing if not name.startswith("target_head.")]
    if missing or unknown:
        raise ValueError(f"{path}: not a checkpoint of this model: missing {missing[:3]}, unknown {unknown[:3]}")


def start_run(
    folder: Path, stage: str, *, steps: int, lr: float, seed: int, begin_with: Path | None = None
) -> ResumableRun[Learner]:
    """A new run of a stage, or the one that the folder holds.

    A new run begins with all the averaged weights of the checkpoint ``begin_with``, or with the segmenter saved in that
    folder; without one, ``clips`` begins with what ``image`` left.
    """
    learner, path = Learner(seed), folder / f"{stage}.pt"
    if begin_with is not None and not path.exists():
        if begin_with.is_dir():
            saved = Sam2VideoModel.from_pretrained(begin_with, dtype=torch.float32)
            learner.segmenter.load_state_dict(saved.state_dict())
        else:
            load_learner(learner, begin_with)
    elif stage == "clips" and not path.exists():
        trained = torch.load(folder / "image.pt", weights_only=True)["ema"]
        # memory is not trained on single frames: it begins as it is initialised
        trained = {name: value for name, value in trained.items() if not name.startswith("segmenter.memory_")}
        learner.load_state_dict(trained, strict=False)
    return ResumableRun(
        path,
        learner,
        steps=steps,
        lr=lr,
        seed=(seed, int(stage == "clips")),
        ema_decay=EMA_DECAY,
        weight_decay=0.01,
        max_norm=1.0,
    )


@torch.no_grad()
def evaluate(model: Sam2VideoModel, store: ClipStore, stage: str, batches: int) -> float:
    """Mean IoU on held-out scenes: of prompted single frames, or of the later frames of clips."""
    rng, ious = np.random.default_rng(7), []
    model.eval()
    for _ in range(batches):
        if stage == "image":
            batch = sample_batch(store, rng, clips=4, frames=1, things=4, augmented=False)
            ious.append(image_step(model, batch, rng)[1])
        else:
            batch = sample_batch(store, rng, clips=1, frames=6, things=3, augmented=False)
            ious.append(clips_step(model, batch, rng)[1])
    return float(torch.cat(ious).mean())


def train_step(
    run: ResumableRun[Learner], store: ClipStore, stage: str, *, sharpness: float, freeze_encoder: bool = False
) -> tuple[float, float]:
    """Draw a batch, learn from it, and return its loss and IoU.

    With a frozen encoder only memory and decoder learn, in half the time a step.
    """
    model, head = run.model.segmenter, run.model.head
    run.model.train()
    # what a tracked frame is to be is what the prompted one was: single frames stay in the mixture
    turn = "image" if stage == "image" else CLIPS_TURNS[run.step % len(CLIPS_TURNS)]
    if turn == "image" and not freeze_encoder:
        batch = sample_batch(store, run.rng, clips=8, frames=1, things=4)
        loss, iou = image_step(model, batch, run.rng, head, sharpness)
        iou = iou if stage == "image" else iou[:0]
    else:
        # far motion as rendered, and slow motion, with things crossing, of which memory and decoder learn
        is_slow = turn == "slow"
        shape = {"frames": 7, "things": 2} if is_slow else {"frames": 5, "things": 3}
        batch = sample_batch(store, run.rng, clips=2, **shape, still=is_slow, movers=1.0 if is_slow else 0.5)
        learns_to_see = not (freeze_encoder or is_slow)
        seeing = head if learns_to_see else None
        loss, iou = clips_step(model, batch, run.rng, seeing, sharpness, run.model.target_head)
    run.learn(loss)
    return float(loss.detach()), float(iou.mean()) if len(iou) else float("nan")


def train(args: argparse.Namespace) -> None:
    """Train one stage to its last step."""
    store, held_out = (ClipStore(args.data / split, SHIPPED.image) for split in ("train", "val"))
    run = start_run(args.run, args.stage, steps=args.steps, lr=args.lr, seed=args.seed, begin_with=args.begin_with)
    if args.stage == "clips" and run.step == 0 and args.begin_with is None:
        sample = sample_batch(store, run.rng, clips=8, frames=1, things=1)
        with torch.no_grad():
            begin_memory(run.model.segmenter, encode(run.model.segmenter, sample.pixels[:, 0]).vision)
        run.ema.load_state_dict(run.model.state_dict())
    log = (args.run / f"{args.stage}.jsonl").open("a")
    started, recent = time.monotonic(), []
    bar = tqdm(initial=run.step, total=args.steps, desc=args.stage, mininterval=5)
    while run.step < args.steps:
        sharpness = 1.0 if args.begin_with else sharpness_at(args.stage, run.step / args.steps)
        recent.append(train_step(run, store, args.stage, sharpness=sharpness, freeze_encoder=args.freeze_encoder))
        bar.update()
        if run.step % args.every == 0 or run.step == args.steps:
            run.save()
            row = {
                "step": run.step,
                "seconds": round(time.monotonic() - started, 1),
                "loss": round(float(np.mean([loss for loss, _ in recent])), 4),
                "train_iou": round(float(np.nanmean([iou for _, iou in recent])), 4),
                "val_iou": round(evaluate(run.ema.segmenter, held_out, args.stage, args.val_batches), 4),
            }
            log.write(json.dumps(row) + "\n")
            log.flush()
            bar.write(json.dumps(row))
            recent.clear()
    log.close()


def save_model(args: argparse.Namespace) -> None:
    """Write the averaged weights of the newest stage as a transformers folder (safetensors, rounded to FP16)."""
    path = next((p for p in (args.run / "clips.pt", args.run / "image.pt") if p.exists()), None)
    if path is None:
        raise SystemExit(f"no checkpoint in {args.run}: train first")
    learner = Learner(seed=0)
    load_learner(learner, path)
    with torch.no_grad():
        learner.segmenter.mask_decoder.pred_obj_score_head.proj_out.bias -= args.score_threshold
    learner.segmenter.half().save_pretrained(args.out)
    print(f"{path.name} -> {args.out}")


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("image", "clips", "save"))
    parser.add_argument("--data", type=Path, default=Path("data/nano"), help="folder made by training/render.py")
    parser.add_argument("--run", type=Path, default=Path("training/runs/segmenter"), help="checkpoints and log")
    parser.add_argument("--out", type=Path, default=Path("models/nano/segmenter"), help="where save writes")
    parser.add_argument("--steps", type=int, help="optimizer steps in all (image 2200, clips 1400)")
    parser.add_argument("--lr", type=float, help="peak learning rate (image 8e-4, clips 6e-4)")
    parser.add_argument(
        "--begin-with",
        type=Path,
        help="checkpoint, or folder that save wrote, to go on from, edges and all; also to resume",
    )
    parser.add_argument(
        "--score-threshold", type=float, default=0.0,
        help="save: object score that separates absent from visible on validation clips; becomes 0 (default 0)",
    )  # fmt: skip
    parser.add_argument("--freeze-encoder", action="store_true", help="clips: train memory and decoder only")
    parser.add_argument("--every", type=int, default=100, help="steps between checkpoints")
    parser.add_argument("--val-batches", type=int, default=12)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    args.steps = args.steps or {"image": 2200, "clips": 1400}.get(args.stage)
    args.lr = args.lr or {"image": 8e-4, "clips": 6e-4}.get(args.stage)
    return args


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
