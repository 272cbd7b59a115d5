"""Rendered clips as training samples: loading, choosing things to segment, augmentation, prompts."""

from __future__ import annotations

import json
import struct
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from training.collage import add_movers, hold_still
from training.dense_head import class_of
from training.nano_config import IMAGE_MEAN, IMAGE_STD

MIN_AREA_PX = 100
"""A thing with fewer visible pixels of the 320x320 frame is not worth a prompt."""
VISIBLE_PX = 8
"""Below this a thing counts as not visible: its object score is trained towards "absent"."""
JUMP_SHARE = 0.3
"""Share of the augmented clips in which the camera jumps."""
JUMP_CROP = (0.7, 0.95)
"""Share of the picture's side that is seen after a jump."""


def map_array(path: Path, name: str) -> np.ndarray:
    """An array of an uncompressed .npz, mapped and not read: training runs side by side share the pages.

    Raises:
        ValueError: the array is stored compressed, or is not in C order.
    """
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
        if info.compress_type != zipfile.ZIP_STORED:
            raise ValueError(f"{path}: {name} is compressed; expected an uncompressed .npz")
    with path.open("rb") as file:
        file.seek(info.header_offset + 26)  # the two lengths at the end of a local file header of 30 bytes
        name_length, extra_length = struct.unpack("<HH", file.read(4))
        file.seek(info.header_offset + 30 + name_length + extra_length)
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read_header(file)
        if is_fortran:
            raise ValueError(f"{path}: {name} is in Fortran order; expected C order")
        return np.memmap(path, dtype, "r", file.tell(), shape)


class ClipStore:
    """Every shard of one split, mapped from disk.

    Args:
        root: folder of the split.
        side: side in pixels of the pictures that the model needs.

    Attributes:
        images: list of (N, T, S, S, 3) uint8 shards.
        ids: list of (N, T, S, S) uint8 shards.
        truths: one dict per clip, in shard order.

    Raises:
        FileNotFoundError: the folder has no shards.
        ValueError: a shard's pictures have another size, or it is compressed.
    """

    def __init__(self, root: Path, side: int) -> None:
        shards = sorted(root.glob("clips-*.npz"))
        if not shards:
            raise FileNotFoundError(f"no clips-*.npz in {root}: run training/render.py first")
        self.images: list[np.ndarray] = []
        self.ids: list[np.ndarray] = []
        self.truths: list[dict[str, Any]] = []
        for shard in shards:
            self.images.append(map_array(shard, "images"))
            if self.images[-1].shape[2:4] != (side, side):
                raise ValueError(
                    f"{shard}: expected pictures of {side}x{side}, got {self.images[-1].shape[3]}x"
                    f"{self.images[-1].shape[2]}: render others with training/render.py --side {side} --out FOLDER"
                )
            self.ids.append(map_array(shard, "ids"))
            self.truths += json.loads(shard.with_suffix(".json").read_text())["clips"]
        self.index = [(s, n) for s, shard in enumerate(self.images) for n in range(len(shard))]

    def __len__(self) -> int:
        return len(self.index)

    def clip(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        """(T, S, S, 3) uint8 images and (T, S, S) uint8 ids of one clip."""
        shard, row = self.index[number]
        return self.images[shard][row], self.ids[shard][row]


@dataclass(frozen=True, slots=True)
class ClipBatch:
    """Training input.

    Attributes:
        pixels: (B, T, 3, S, S) float32, normalised.
        masks: (B, K, T, S, S) float32 in {0, 1}: the things to segment.
        ids: (B, T, S, S) uint8: every thing.
        kind_of: per clip, thing id -> class of its kind (``dense_head.class_of``).
    """

    pixels: torch.Tensor
    masks: torch.Tensor
    ids: torch.Tensor
    kind_of: list[dict[int, int]]


def augment(
    images: torch.Tensor, ids: torch.Tensor, rng: np.random.Generator, *, keep_colours: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """One clip's zoom, flip, colour and noise, the same geometry in all frames.

    Args:
        images: (T, S, S, 3) uint8. ids: (T, S, S) uint8.
        keep_colours: red stays red: channels are not exchanged, and their gains differ little.

    Returns:
        (T, 3, S, S) float32 in 0..1 and (T, S, S) uint8.
    """
    side = images.shape[1]
    pictures = images.permute(0, 3, 1, 2).float() / 255
    if rng.random() < 0.8:
        zoom = rng.uniform(1.0, 1.8)
        crop = int(side / zoom)
        top, left = (int(rng.integers(0, side - crop + 1)) for _ in range(2))
        pictures = F.interpolate(
            pictures[:, :, top : top + crop, left : left + crop], size=(side, side), mode="bilinear", antialias=True
        )
        window = ids[:, None, top : top + crop, left : left + crop].float()
        ids = F.interpolate(window, size=(side, side), mode="nearest-exact")[:, 0].to(torch.uint8)
    if rng.random() < 0.5:
        pictures, ids = pictures.flip(-1), ids.flip(-1)
    if not keep_colours and rng.random() < 0.3:
        pictures = pictures[:, torch.from_numpy(rng.permutation(3))]
    hue, light, shift = (0.06, 0.2, 0.03) if keep_colours else (0.25, 0.3, 0.08)
    gain = torch.from_numpy(rng.uniform(1 - hue, 1 + hue, (1, 3, 1, 1)) * rng.uniform(1 - light, 1 + light)).float()
    pictures = pictures * gain + float(rng.uniform(-shift, shift))
    if rng.random() < 0.3:
        kernel = int(rng.choice([3, 5]))
        pictures = F.avg_pool2d(F.pad(pictures, (kernel // 2,) * 4, mode="replicate"), kernel, stride=1)
    if rng.random() < 0.5:
        pictures = pictures + torch.randn_like(pictures) * float(rng.uniform(0, 0.04))
    return pictures.clamp(0, 1), ids


def repaint_background(pictures: torch.Tensor, ids: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Another colour and a pattern of stripes or tiles for everything that is no thing; things stay as they are.

    Args:
        pictures: (T, 3, S, S) float32 in 0..1. ids: (T, S, S) uint8, 0 where there is no thing.

    Returns:
        (T, 3, S, S) float32 in 0..1.
    """
    side = pictures.shape[-1]
    painted = pictures[:, torch.from_numpy(rng.permutation(3))] * torch.from_numpy(
        rng.uniform(0.6, 1.4, (1, 3, 1, 1))
    ).to(torch.float32)
    y, x = torch.meshgrid(*(torch.linspace(0, 1, side),) * 2, indexing="ij")
    pattern = torch.ones(side, side)
    for _ in range(int(rng.integers(0, 3))):
        turn, waves, phase = rng.uniform(0, np.pi), rng.uniform(4, 40), rng.uniform(0, 2 * np.pi)
        wave = torch.sin(2 * np.pi * waves * (np.cos(turn) * x + np.sin(turn) * y) + phase)
        # from soft stripes to joints between tiles
        pattern = pattern * (1 - float(rng.uniform(0, 0.6)) * ((wave + 1) / 2) ** float(rng.choice([1, 4, 16])))
    return torch.where(ids[:, None] == 0, painted * pattern, pictures).clamp(0, 1)


def jump(pictures: torch.Tensor, ids: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """From some later frame on the camera looks elsewhere, and a little closer: a thing is to be known by its look.

    Args:
        pictures: (T, 3, S, S) float32. ids: (T, S, S) uint8.

    Returns:
        The same shapes.
    """
    frames, side = ids.shape[:2]
    begin = int(rng.integers(1, frames))
    crop = int(side * rng.uniform(*JUMP_CROP))
    top, left = (int(rng.integers(0, side - crop + 1)) for _ in range(2))
    later = pictures[begin:, :, top : top + crop, left : left + crop]
    marks = ids[begin:, None, top : top + crop, left : left + crop].float()
    pictures, ids = pictures.clone(), ids.clone()
    pictures[begin:] = F.interpolate(later, size=(side, side), mode="bilinear", align_corners=False)
    ids[begin:] = F.interpolate(marks, size=(side, side), mode="nearest-exact")[:, 0].to(torch.uint8)
    return pictures, ids


def normalise(pictures: torch.Tensor) -> torch.Tensor:
    """(..., 3, H, W) in 0..1 -> the encoder's input range."""
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in (IMAGE_MEAN, IMAGE_STD))
    return (pictures - mean) / std


def sample_batch(
    store: ClipStore,
    rng: np.random.Generator,
    *,
    clips: int,
    frames: int,
    things: int,
    augmented: bool = True,
    still: bool = False,
    movers: float = 0.0,
) -> ClipBatch:
    """Draw clips at random, and in each of them things that are visible in its first frame.

    Args:
        store: where from.
        rng: makes every choice.
        clips, frames, things: B, T, K.
        augmented: zoom, flip, colours, noise.
        still: every clip is one picture, held under a camera that drifts a little; T is not bounded by the store.
        movers: share of clips that foreign things move across.
    """
    pixels, masks, maps, kinds = [], [], [], []
    while len(pixels) < clips:
        number = int(rng.integers(len(store)))
        images, ids = store.clip(number)
        start = int(rng.integers(0, len(images) - (1 if still else frames) + 1))
        pick = slice(start, start + frames)
        if frames > 1 and rng.random() < 0.5:
            pick = slice(start + frames - 1, start - 1 if start else None, -1)  # time runs backwards
        pictures, maps_of = (
            hold_still(images[start], ids[start], frames, rng) if still else (images[pick].copy(), ids[pick].copy())
        )
        hidden, foreign = add_movers(pictures, maps_of, store, rng) if rng.random() < movers else ([], {})
        shown, marks = torch.from_numpy(pictures), torch.from_numpy(maps_of)
        if augmented:
            shown, marks = augment(shown, marks, rng)
            if frames > 1 and rng.random() < JUMP_SHARE:
                shown, marks = jump(shown, marks, rng)
        else:
            shown = shown.permute(0, 3, 1, 2).float() / 255
        numbers, areas = np.unique(marks[0].numpy(), return_counts=True)
        usable = [int(n) for n, area in zip(numbers, areas, strict=True) if n and area >= MIN_AREA_PX]
        if not usable:
            continue
        if frames > 1:  # things that move or get hidden teach more than things that stand
            change = [float((marks == n).float().std(0).sum()) / float((marks[0] == n).sum()) + 0.05 for n in usable]
            change = [value + 0.3 * (n in hidden) for value, n in zip(change, usable, strict=True)]
            weights = np.array(change) / np.sum(change)
        else:
            weights = None
        chosen = rng.choice(usable, size=things, replace=len(usable) < things, p=weights)
        pixels.append(normalise(shown))
        masks.append(torch.stack([(marks == int(n)).float() for n in chosen]))
        maps.append(marks)
        native = {thing["id"]: class_of(thing["kind"]) for thing in store.truths[number]["things"]}
        kinds.append(native | foreign)
    return ClipBatch(torch.stack(pixels), torch.stack(masks), torch.stack(maps), kinds)


def prompts_from_masks(masks: torch.Tensor, kind: str, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Prompts as the tracker gives them: box corners as points with labels 2 and 3, clicks with label 1.

    Args:
        masks: (N, S, S) in {0, 1}, none empty. kind: ``box``, ``point`` or ``both``.

    Returns:
        (N, P, 2) float32 coordinates x, y in input pixels and (N, P) int64 labels.
    """
    coords, labels = [], []
    for mask in masks:
        rows, cols = np.nonzero(mask.numpy())
        points, marks = [], []
        if kind in ("box", "both"):
            box = np.array([cols.min(), rows.min(), cols.max() + 1, rows.max() + 1], float)
            slack = np.array([box[2] - box[0], box[3] - box[1]] * 2) * 0.05 + 0.5
            x0, y0, x1, y1 = np.clip(box + rng.normal(0, 1, 4).clip(-2, 2) * slack, 0, mask.shape[0])
            points += [(min(x0, x1 - 2), min(y0, y1 - 2)), (x1, y1)]
            marks += [2, 3]
        if kind in ("point", "both"):
            pick = int(rng.integers(rows.size))
            points.append((cols[pick] + 0.5, rows[pick] + 0.5))
            marks.append(1)
        coords.append(points)
        labels.append(marks)
    return torch.tensor(np.array(coords), dtype=torch.float32), torch.tensor(labels)


def rough_masks(masks: torch.Tensor, side: int, rng: np.random.Generator) -> torch.Tensor:
    """(N, S, S) in {0, 1} -> (N, side, side) logits of masks that are a little too large, too small or shifted."""
    small = F.interpolate(masks[:, None], size=(side, side), mode="area")
    shift = [int(value) for value in rng.integers(-1, 2, 2)]
    small = small.roll(shift, dims=(2, 3))
    grow = int(rng.integers(-1, 2))
    if grow:
        small = grow * F.max_pool2d(grow * small, 3, stride=1, padding=1)
    logits: torch.Tensor = (small[:, 0] - 0.5) * float(rng.uniform(4, 20))
    return logits
