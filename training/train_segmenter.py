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
from training.clips import (
    MIN_AREA_PX,
    VISIBLE_PX,
    ClipBatch,
    ClipStore,
    prompts_from_masks,
    rough_masks,
    sample_batch,
)
from training.dense_head import DenseHead, dense_targets
from training.mistakes import Mistakes, draw_mistakes
from training.nano_config import HIDDEN, SHIPPED, NanoSize, begin_memory, build_nano_segmenter
from training.resumable import ResumableRun
from training.segmenter_forward import (
    Decoded,
    Features,
    attend,
    decode,
    encode,
    encode_memory,
    no_prompt,
    random_offsets,
)
from training.segmenter_losses import mask_iou, mask_loss, soft_target

PROMPT_KINDS = ("box", "point", "both")
PROMPT_SHARES = (0.35, 0.15, 0.5)
MASK_PROMPT_SHARE = 0.1
"""Of batches prompted by a rough mask instead of box or points."""
CLIPS_TURNS = ("far", "image", "slow")
"""What the steps of the clips stage are about, by turns; with a frozen encoder ``image`` is ``far`` too."""
EMA_DECAY = 0.998
DENSE_WEIGHT = 0.5
ABSENT_WEIGHT = 4.0
SUPERVISED_SIDE = 160
"""Masks are judged at half the input side: twice the logits' resolution, where the runtime upsamples to."""


def judge(
    decoded: Decoded, masks: torch.Tensor, visible: torch.Tensor, sharpness: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss (scalar) and IoU (N,) of N things. masks: (N, S, S); visible: (N,) bool."""
    large = torch.nn.functional.interpolate(
        decoded.logits[:, None], size=(SUPERVISED_SIDE,) * 2, mode="bilinear", align_corners=False
    )[:, 0]
    target = soft_target(masks, SUPERVISED_SIDE)
    iou = mask_iou(large.detach(), target)
    shown = visible.float()
    per_mask = mask_loss(large, target, sharpness) + (decoded.iou - iou).square()
    score = torch.nn.functional.binary_cross_entropy_with_logits(decoded.score, shown, reduction="none")
    score = (score * (1 + (ABSENT_WEIGHT - 1) * (1 - shown))).mean()  # absence is rare, and must be noticed
    return (per_mask * shown).sum() / shown.sum().clamp(min=1) + 0.5 * score, iou


def decode_prompted(
    model: Sam2VideoModel, features: Features, masks: torch.Tensor, rng: np.random.Generator
) -> Decoded:
    """Decode N things by a prompt of a random kind, without memory. masks: (N, S, S), none empty."""
    conditioned = features.vision + model.no_memory_embedding.view(1, -1, 1, 1)
    if rng.random() < MASK_PROMPT_SHARE:
        rough = rough_masks(masks, features.high0.shape[-1], rng)
        return decode(model, features, conditioned, *no_prompt(len(masks)), rough)
    coords, labels = prompts_from_masks(masks, str(rng.choice(PROMPT_KINDS, p=PROMPT_SHARES)), rng)
    return decode(model, features, conditioned, coords, labels)


def image_step(
    model: Sam2VideoModel,
    batch: ClipBatch,
    rng: np.random.Generator,
    head: DenseHead | None = None,
    sharpness: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """One prompt per thing in single frames; with a head the encoder learns from every thing of the frames too."""
    clips, things = batch.masks.shape[:2]
    encoded = encode(model, batch.pixels[:, 0])
    features = encoded.select(torch.arange(clips).repeat_interleave(things))
    masks = batch.masks[:, :, 0].flatten(0, 1)
    decoded = decode_prompted(model, features, masks, rng)
    loss, iou = judge(decoded, masks, masks.sum((1, 2)) >= VISIBLE_PX, sharpness)
    if head is not None:
        loss = loss + dense_loss(head, encoded, batch)
    return loss, iou


def dense_loss(head: DenseHead, encoded: Features, batch: ClipBatch) -> torch.Tensor:
    """What the second task adds; ``encoded`` holds all frames of the batch, clip by clip."""
    targets = [dense_targets(ids.numpy(), kinds) for ids, kinds in zip(batch.ids, batch.kind_of, strict=True)]
    classes, edges = (torch.from_numpy(np.concatenate(part)) for part in zip(*targets, strict=True))
    return DENSE_WEIGHT * head.loss(encoded, classes, edges)


def track_clip(
    model: Sam2VideoModel,
    features: Features,
    masks: torch.Tensor,
    kind: str,
    rng: np.random.Generator,
    mistakes: Mistakes | None = None,
) -> list[Decoded]:
    """Follow N things through T frames from a prompt in the first.

    Args:
        features: of N * T frames, thing-major (thing 0's T frames first).
        masks: (N, T, S, S).
        mistakes: what to remember wrongly.
    """
    things, frames = masks.shape[:2]
    rows = torch.arange(things) * frames
    stride = float(rng.uniform(1, 2.5))  # pointers age faster than this clip's frames would tell
    coords, labels = prompts_from_masks(masks[:, 0], kind, rng)
    first = features.select(rows)
    out = [decode(model, first, first.vision + model.no_memory_embedding.view(1, -1, 1, 1), coords, labels)]
    memories = [encode_memory(model, first.vision, out[0], binarize=True)]
    for t in range(1, frames):
        now = features.select(rows + t)
        recent = list(range(t - 1, 0, -1))[:6]
        offsets = random_offsets(len(recent), rng) if rng.random() < 0.5 else list(range(1, len(recent) + 1))
        bank = [(0, memories[0])] + [(offset, memories[n]) for offset, n in zip(offsets, recent, strict=True)]
        pointers = [(t * stride, out[0].pointer)] + [((t - n) * stride, out[n].pointer) for n in recent]
        conditioned = attend(model, now.vision, bank, pointers)
        out.append(decode(model, now, conditioned, *no_prompt(things)))
        if t + 1 < frames:
            spoilt = mistakes.spoil(out[t].logits, t) if mistakes is not None else None
            memories.append(encode_memory(model, now.vision, out[t], binarize=False, spoilt=spoilt))
    return out


def clips_step(
    model: Sam2VideoModel,
    batch: ClipBatch,
    rng: np.random.Generator,
    head: DenseHead | None = None,
    sharpness: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Follow things through clips; the loss is the mean over frames, the IoU that of all visible later frames.

    With a head the encoder learns too, from every thing of every frame and from prompts in the last one; without, it
    stays as it is.
    """
    clips, things, frames = batch.masks.shape[:3]
    with torch.set_grad_enabled(head is not None):
        encoded = encode(model, batch.pixels.flatten(0, 1))
    rows = torch.arange(clips * frames).view(clips, 1, frames).expand(-1, things, -1).flatten()
    masks = batch.masks.flatten(0, 1)
    kind = str(rng.choice(PROMPT_KINDS, p=PROMPT_SHARES))
    mistakes = draw_mistakes(batch, encoded.high0.shape[-1], rng) if model.training else None
    decoded = track_clip(model, encoded.select(rows), masks, kind, rng, mistakes)
    visible = masks.sum((2, 3)) >= VISIBLE_PX
    judged = [judge(frame, masks[:, t], visible[:, t], sharpness if t else 1.0) for t, frame in enumerate(decoded)]
    later = torch.cat([iou[visible[:, t]] for t, (_, iou) in enumerate(judged) if t])
    loss = torch.stack([loss for loss, _ in judged]).mean()
    if head is not None:
        loss = loss + dense_loss(head, encoded, batch) + prompt_last_frame(model, encoded, batch, rng)
    return loss, later


def prompt_last_frame(
    model: Sam2VideoModel, encoded: Features, batch: ClipBatch, rng: np.random.Generator
) -> torch.Tensor:
    """Loss of prompted masks in each clip's last frame: half of what the frame would weigh in the image stage."""
    clips, _, frames = batch.masks.shape[:3]
    masks = batch.masks[:, :, -1].flatten(0, 1)
    rows = (torch.arange(clips) * frames + frames - 1).repeat_interleave(batch.masks.shape[1])
    seen = masks.sum((1, 2)) >= MIN_AREA_PX
    if not seen.any():
        return torch.zeros(())
    masks, features = masks[seen], encoded.select(rows[seen])
    return 0.5 * judge(decode_prompted(model, features, masks, rng), masks, torch.ones(len(masks)) > 0)[0]


def sharpness_at(stage: str, progress: float) -> float:
    """How much the edge counts in what a stage is new at: nothing until it is found, then more and more."""
    begin = 0.3 if stage == "image" else 0.55
    return min(1.0, max(0.0, (progress - begin) / 0.2))


class Learner(nn.Module):
    """What is trained: the segmenter, and the head that only helps its encoder."""

    def __init__(self, seed: int, size: NanoSize = SHIPPED) -> None:
        super().__init__()
        self.segmenter = build_nano_segmenter(seed, size)
        self.head = DenseHead(HIDDEN)


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
            learner.load_state_dict(torch.load(begin_with, weights_only=True)["ema"])
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
        loss, iou = clips_step(model, batch, run.rng, head if learns_to_see else None, sharpness)
    run.learn(loss)
    return float(loss.detach()), float(iou.mean()) if len(iou) else float("nan")


def train(args: argparse.Namespace) -> None:
    """Train one stage to its last step."""
    store, held_out = ClipStore(args.data / "train"), ClipStore(args.data / "val")
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
    learner.load_state_dict(torch.load(path, weights_only=True)["ema"])
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
