"""Things cut out of other clips and moved across a clip: occlusions, crossings and slow motion, as many as one wants.

Rendered clips move far from frame to frame and seldom hide a thing wholly; a camera at 15 frames a second sees the
opposite. A clip may also be a single picture, held still under a gently moving camera.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from training.dense_head import class_of

if TYPE_CHECKING:
    from training.clips import ClipStore

FIRST_PASTED_ID = 240
"""Id of the first pasted thing: above every id of a scene."""
MIN_CUTOUT_PX = 350
"""A thing with fewer visible pixels, in a picture of 320x320, makes a blurred cut-out."""
MAX_TRIES = 1000
"""Things that are drawn until one is large enough to be cut out."""
SCALE = (0.7, 1.7)
"""Range of a cut-out's size over its own, or over that of the thing it is to hide."""
MAX_DRIFT_PX = 22.0
"""How far a pasted thing moves in a frame at most."""
MAX_PASTED = 3
"""Things that are pasted into one clip at most."""
ALIKE_SHARE = 0.4
"""Share of the things that hide another which get its colour, so that colour alone does not tell them apart."""


@dataclass(frozen=True, slots=True)
class Cutout:
    """One thing's visible part: picture (h, w, 3) uint8, cover (h, w) float32 in 0..1, and the class of its kind."""

    picture: np.ndarray
    cover: np.ndarray
    kind: int


def cut_out(clips: ClipStore, rng: np.random.Generator, side_px: float | None = None) -> Cutout:
    """A thing of a random picture, about ``side_px`` large or as it was, mirrored or in exchanged colours at times.

    Raises:
        ValueError: things of the clips are all too small.
    """
    for _ in range(MAX_TRIES):
        number = int(rng.integers(len(clips)))
        images, ids = clips.clip(number)
        frame = int(rng.integers(len(images)))
        image, marks = images[frame], ids[frame]
        thing = clips.truths[number]["things"][int(rng.integers(len(clips.truths[number]["things"])))]
        rows, cols = np.nonzero(marks == thing["id"])
        if rows.size < MIN_CUTOUT_PX:
            continue
        window = slice(rows.min(), rows.max() + 1), slice(cols.min(), cols.max() + 1)
        picture, cover = np.ascontiguousarray(image[window]), (marks[window] == thing["id"]).astype(np.float32)
        scale = float(rng.uniform(*SCALE)) * (side_px / np.sqrt(cover.size) if side_px else 1.0)
        size = (max(8, round(cover.shape[1] * scale)), max(8, round(cover.shape[0] * scale)))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR)
        cover = cv2.resize(cover, size, interpolation=cv2.INTER_LINEAR)
        if rng.random() < 0.5:
            picture, cover = picture[:, ::-1], cover[:, ::-1]
        if rng.random() < 0.4:
            picture = picture[..., rng.permutation(3)]
        return Cutout(picture, cover, class_of(thing["kind"]))
    raise ValueError(f"collage: no thing of at least {MIN_CUTOUT_PX} px in {MAX_TRIES} tries; expected larger things")


def in_colour_of(cutout: Cutout, image: np.ndarray, mask: np.ndarray) -> Cutout:
    """The cut-out with the mean colour of what a mask (S, S) shows in a picture (S, S, 3); its shading stays."""
    inside = cutout.picture[cutout.cover > 0.5]
    shift = image[mask].mean(0) - inside.mean(0)
    return replace(cutout, picture=np.clip(np.round(cutout.picture + shift), 0, 255).astype(np.uint8))


def paste(image: np.ndarray, ids: np.ndarray, cutout: Cutout, centre: tuple[float, float], thing_id: int) -> None:
    """Lay a cut-out over a picture (S, S, 3) and its ids (S, S), in place; what falls outside is cut off."""
    height, width = cutout.cover.shape
    left, top = round(centre[0] - width / 2), round(centre[1] - height / 2)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + width, ids.shape[1]), min(top + height, ids.shape[0])
    if x0 >= x1 or y0 >= y1:
        return
    source = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
    there = slice(y0, y1), slice(x0, x1)
    cover = cutout.cover[source][..., None]
    image[there] = np.round(image[there] * (1 - cover) + cutout.picture[source] * cover).astype(np.uint8)
    ids[there][cutout.cover[source] >= 0.5] = thing_id


def hold_still(image: np.ndarray, ids: np.ndarray, frames: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """(S, S, 3) and (S, S) -> (T, S, S, 3) and (T, S, S): one moment under a camera that drifts a little."""
    side = ids.shape[0]
    crop = int(side / rng.uniform(1.03, 1.15))
    room = side - crop
    begin, drift = rng.uniform(0, room, 2), rng.uniform(-2.5, 2.5, 2)
    pictures, maps = [], []
    for t in range(frames):
        left, top = (int(value) for value in np.clip(begin + drift * t, 0, room))
        window = slice(top, top + crop), slice(left, left + crop)
        pictures.append(cv2.resize(image[window], (side, side), interpolation=cv2.INTER_LINEAR))
        maps.append(cv2.resize(ids[window], (side, side), interpolation=cv2.INTER_NEAREST_EXACT))
    return np.stack(pictures), np.stack(maps)


def _path(ids: np.ndarray, target: int | None, rng: np.random.Generator) -> np.ndarray:
    """(T, 2) centres x, y of a pasted thing; with a target it comes to lie over it in some later frame."""
    frames, side = ids.shape[0], ids.shape[1]
    direction = rng.uniform(0, 2 * np.pi)
    speed = float(rng.uniform(0, 1)) ** 1.5 * MAX_DRIFT_PX
    velocity = speed * np.array([np.cos(direction), 0.5 * np.sin(direction)])
    meeting, place = 0.0, rng.uniform(0.1 * side, 0.9 * side, 2)
    if target is not None:
        meeting = float(rng.uniform(1.5, frames - 1))
        rows, cols = np.nonzero(ids[round(meeting)] == target)
        if rows.size:
            place = np.array([cols.mean(), rows.mean()]) + rng.normal(0, 4, 2)
        velocity *= max(1.0, 9.0 / max(speed, 1e-3))
    centres: np.ndarray = place + (np.arange(frames)[:, None] - meeting) * velocity + rng.normal(0, 0.7, (frames, 2))
    return centres


def add_movers(
    images: np.ndarray, ids: np.ndarray, clips: ClipStore, rng: np.random.Generator
) -> tuple[list[int], dict[int, int]]:
    """Move one to three cut-outs across a clip (T, S, S, 3) with ids (T, S, S), in place; most of them hide something.

    Returns:
        The things that were to be hidden, and the classes of the pasted ones by id.
    """
    numbers, areas = np.unique(ids[0], return_counts=True)
    victims = [int(n) for n, area in zip(numbers, areas, strict=True) if n and area >= MIN_CUTOUT_PX]
    hidden, kinds = [], {}
    for count in range(int(rng.integers(1, MAX_PASTED + 1))):
        target = int(rng.choice(victims)) if victims and rng.random() < 0.7 else None
        outline = np.nonzero(ids[0] == target) if target is not None else ()
        # earlier cut-outs may have covered it already
        side_px = float(np.ptp(outline, axis=1).mean()) + 1 if outline and outline[0].size else None
        cutout = cut_out(clips, rng, side_px)
        if side_px is not None and rng.random() < ALIKE_SHARE:
            cutout = in_colour_of(cutout, images[0], ids[0] == target)
        thing_id = FIRST_PASTED_ID + count
        for t, centre in enumerate(_path(ids, target, rng)):
            paste(images[t], ids[t], cutout, (float(centre[0]), float(centre[1])), thing_id)
        kinds[thing_id] = cutout.kind
        victims.append(thing_id)
        if target is not None:
            hidden.append(target)
    return hidden, kinds
