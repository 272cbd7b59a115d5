"""One step of each stage: what the nano segmenter does with a batch, and what it is judged by."""

from __future__ import annotations

import numpy as np
import torch
from transformers import Sam2VideoModel

from training.clips import MIN_AREA_PX, VISIBLE_PX, ClipBatch, prompts_from_masks, rough_masks
from training.dense_head import DenseHead, dense_targets
from training.mistakes import Mistakes, draw_mistakes
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
from training.target_head import TargetHead

PROMPT_KINDS = ("box", "point", "both")
PROMPT_SHARES = (0.35, 0.15, 0.5)
"""How often each of ``PROMPT_KINDS`` is drawn."""
MASK_PROMPT_SHARE = 0.1
"""Share of the batches that are prompted by a rough mask instead of box or points."""
DENSE_WEIGHT = 0.5
"""Weight of the dense head's loss beside that of the masks."""
TARGET_WEIGHT = 0.5
"""Weight of the target head's loss beside that of the masks."""
ABSENT_WEIGHT = 4.0
"""How much more a thing that is not visible counts in the loss of the object score than one that is."""
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
        features: those of N * T frames, thing-major (thing 0's T frames first).
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
    target_head: TargetHead | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Follow things through clips; the loss is the mean over frames, the IoU that of all visible later frames.

    With a head the encoder learns too, from every thing of every frame and from prompts in the last one; without, it
    stays as it is. With a target head the memory is judged by its own output as well.
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
    if target_head is not None:
        found = [target_head.loss(d.conditioned, masks[:, t], visible[:, t]) for t, d in enumerate(decoded) if t]
        loss = loss + TARGET_WEIGHT * torch.stack(found).mean()
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
