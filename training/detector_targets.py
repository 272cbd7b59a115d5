"""From instance maps to what the detector shall say: things with point, box, kind and colour, and maps of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from training.clips import ClipStore, augment, normalise, repaint_background
from training.detector_model import IMAGE_SIZE, MAP_SIDE, STRIDE

BUMP_SPREAD = 0.09
"""Standard deviation of the target's bump as a share of the box's side. *Source:* TTFNet (alpha 0.54, over 6)."""
MIN_SPREAD_CELLS = 0.5
"""A bump is not narrower than this, in cells of the map."""
MIN_AREA_PX = 0.0006 * IMAGE_SIZE**2
"""Things with fewer visible pixels of the input are neither asked for nor counted as wrong."""
REPAINTED_SHARE = 0.4
"""Share of the pictures whose table and room get other colours and patterns: there are more tables than the simulator
has."""


@dataclass(frozen=True, slots=True)
class TrueThing:
    """One visible thing of a picture, in input pixels; the box is tight about its visible pixels."""

    box_px: tuple[float, float, float, float]
    point_px: tuple[float, float]
    area_px: int
    kind: int
    colour: int


@dataclass(frozen=True, slots=True)
class Targets:
    """What the network is compared with; one row per picture.

    Attributes:
        centre: (B, h, w) float32 0..1, exactly 1 in the cell of a point.
        weight: (B, h, w) float32 0 or 1: 0 where something is too little visible to be called thing or table.
        box: (B, 4, h, w) float32 distances in input pixels.
        kind, colour: (B, h, w) int64, -1 in cells that belong to no point.
    """

    centre: torch.Tensor
    weight: torch.Tensor
    box: torch.Tensor
    kind: torch.Tensor
    colour: torch.Tensor


def things_in(
    ids: np.ndarray, truth: Sequence[Mapping[str, Any]], kinds: Sequence[str], colours: Sequence[str]
) -> tuple[list[TrueThing], np.ndarray]:
    """The things of one picture that show enough, and where those are that do not.

    A thing's point is the visible pixel nearest to the centroid of its visible pixels. The middle of its box may lie
    on something else (a mug before a plate), where kind and colour would be read off the wrong thing.

    Args:
        ids: (S, S) uint8. truth: the clip's ``things``.

    Returns:
        Things, largest first, and (S, S) bool: pixels of things below ``MIN_AREA_PX``.
    """
    things, unclear = [], np.zeros(ids.shape, bool)
    for entry in truth:
        rows, cols = np.nonzero(ids == entry["id"])
        if rows.size == 0 or entry["kind"] not in kinds:  # what has no name is background: nobody asks for it
            continue
        if rows.size < MIN_AREA_PX:
            unclear[rows, cols] = True
            continue
        nearest = int(np.argmin((rows - rows.mean()) ** 2 + (cols - cols.mean()) ** 2))
        things.append(
            TrueThing(
                box_px=(float(cols.min()), float(rows.min()), float(cols.max() + 1), float(rows.max() + 1)),
                point_px=(float(cols[nearest]) + 0.5, float(rows[nearest]) + 0.5),
                area_px=int(rows.size),
                kind=kinds.index(entry["kind"]),
                colour=colours.index(entry["colour"]),
            )
        )
    return sorted(things, key=lambda thing: -thing.area_px), unclear


def targets_of(scenes: Sequence[tuple[list[TrueThing], np.ndarray]]) -> Targets:
    """Maps of several pictures, each as ``things_in`` gives it.

    Box, kind and colour are taught in the 3x3 cells about a point: the peak may come out one cell off. Where two such
    squares overlap the smaller thing has the cell, but every thing keeps the cell of its own point.
    """
    count, side = len(scenes), MAP_SIDE
    centre = np.zeros((count, side, side), np.float32)
    weight = np.ones((count, side, side), np.float32)
    box = np.zeros((count, 4, side, side), np.float32)
    kind, colour = (np.full((count, side, side), -1, np.int64) for _ in range(2))
    middles = np.arange(side) + 0.5
    for row, (things, unclear) in enumerate(scenes):
        weight[row][unclear.reshape(side, STRIDE, side, STRIDE).any((1, 3))] = 0
        for reach in (1, 0):
            for thing in things:
                x, y = (int(value / STRIDE) for value in thing.point_px)
                window = np.s_[max(y - reach, 0) : y + reach + 1, max(x - reach, 0) : x + reach + 1]
                x0, y0, x1, y1 = thing.box_px
                xs, ys = (value.astype(np.float32) * STRIDE for value in np.meshgrid(middles, middles))
                distances = np.stack([xs - x0, ys - y0, x1 - xs, y1 - ys])
                box[row][:, window[0], window[1]] = distances[:, window[0], window[1]]
                kind[row][window], colour[row][window] = thing.kind, thing.colour
                weight[row][window] = 1
                if reach:
                    np.maximum(centre[row], _bump(x, y, thing.box_px), out=centre[row])
    return Targets(*(torch.from_numpy(values) for values in (centre, weight, box, kind, colour)))


def _bump(x: int, y: int, box_px: tuple[float, float, float, float]) -> np.ndarray:
    """(h, w) Gaussian about a cell, as wide as the box suggests."""
    cells = np.arange(MAP_SIDE, dtype=np.float32)
    wide = max(BUMP_SPREAD * (box_px[2] - box_px[0]) / STRIDE, MIN_SPREAD_CELLS)
    high = max(BUMP_SPREAD * (box_px[3] - box_px[1]) / STRIDE, MIN_SPREAD_CELLS)
    bump: np.ndarray = np.exp(-((cells - y) ** 2) / (2 * high**2))[:, None] * np.exp(
        -((cells - x) ** 2) / (2 * wide**2)
    )
    return bump


def sample_scenes(
    store: ClipStore,
    rng: np.random.Generator,
    count: int,
    vocabulary: tuple[Sequence[str], Sequence[str]],
) -> tuple[torch.Tensor, Targets]:
    """Draw augmented single frames: (count, 3, S, S) float32 normalised, and their targets.

    Args:
        vocabulary: kinds and colours, in the order of the network's logits.
    """
    pixels, scenes = [], []
    for _ in range(count):
        number = int(rng.integers(len(store)))
        images, ids = store.clip(number)
        pick = int(rng.integers(len(images)))
        picture, marks = augment(
            torch.from_numpy(images[pick : pick + 1].copy()),
            torch.from_numpy(ids[pick : pick + 1].copy()),
            rng,
            keep_colours=True,
        )
        if rng.random() < REPAINTED_SHARE:
            picture = repaint_background(picture, marks, rng)
        pixels.append(normalise(picture)[0])
        scenes.append(things_in(marks[0].numpy(), store.truths[number]["things"], *vocabulary))
    return torch.stack(pixels), targets_of(scenes)
