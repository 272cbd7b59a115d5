"""Render the nano models' training data: short clips of the simulated table with exact instance maps.

Writes ``clips-0000.npz`` (``images`` uint8 (N, T, S, S, 3) RGB and ``ids`` uint8 (N, T, S, S), not compressed)
and ``clips-0000.json`` (per clip: scene seed, spacing of the frames, the things) into OUT/train and OUT/val. Each
picture is the 4:3 camera view squashed to a square, as SAM 2 resizes. A shard that exists is not rendered again.
"""

from __future__ import annotations

import argparse
import atexit
import json
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from icseg.errors import IcsegError
from icseg.sim.scene import SPLIT_KEYS, SceneSpec, Split, make_scene
from icseg.sim.table import SimulatedTable
from icseg.sim.things import KINDS
from icseg.sim.unnamed import TRAIN_UNNAMED

SIDE_PX = 320
"""Side of the pictures that are kept; they are rendered at ``CAMERA_HW`` and squeezed."""
CAMERA_HW = (480, 640)
FRAMES_PER_CLIP = 6
SPACING_S = (0.07, 0.35)
"""Range of the time between a clip's frames."""
SPEED_M_S = (0.2, 0.75)
"""Range of the speed that things have at most."""
AMBIGUOUS_SHARE = 0.3
"""Share of the clips that show several things of one kind on purpose."""
UNNAMED_SHARE = 0.5
"""Share of the clips in which half of the things have no name."""
STILL_SHARE = 0.1
"""Share of the clips in which no thing moves."""
SWAYING_CAMERA_SHARE = 0.2
"""Share of the clips whose camera sways."""
CLIP_KEY = 77
"""Keeps the random numbers of a clip apart from those of its scene, which come from the same seed."""
OTHER_LAYOUT_STEP = 1_000_000
"""Added to the seed of a scene that found no layout; far above any clip's number."""


@cache
def process_table() -> SimulatedTable:
    """The one table of this process."""
    table = SimulatedTable(max_hw=CAMERA_HW, has_unnamed=True)
    atexit.register(table.close)
    return table


def draw_clip(split: Split, number: int) -> tuple[SceneSpec, float]:
    """The scene of a clip and the time between its frames in seconds; everything follows from split and number."""
    rng = np.random.default_rng(np.random.SeedSequence([SPLIT_KEYS[split], number, CLIP_KEY]))
    spacing_s = float(rng.uniform(*SPACING_S))
    kind = ("mug" if rng.random() < 0.5 else str(rng.choice(KINDS))) if rng.random() < AMBIGUOUS_SHARE else None
    unnamed = tuple(TRAIN_UNNAMED) if rng.random() < UNNAMED_SHARE else ()
    moves = bool(rng.random() >= STILL_SHARE)
    speed = float(rng.uniform(*SPEED_M_S))
    seed = number
    while True:
        try:
            scene = make_scene(
                seed, split=split, ambiguous_kind=kind, motion=moves, motion_start_s=0.0,
                duration_s=spacing_s * (FRAMES_PER_CLIP - 1), max_speed_m_s=speed, unnamed=unnamed,
            )  # fmt: skip
            break
        except IcsegError:
            seed += OTHER_LAYOUT_STEP
    if rng.random() < SWAYING_CAMERA_SHARE:
        camera = replace(scene.camera, swing_deg=(8.0, 3.0), shift_m=0.05, period_s=float(rng.uniform(3.0, 6.0)))
        scene = replace(scene, camera=camera)
    return scene, spacing_s


def render_shard(out: Path, split: Split, shard: int, numbers: range, side: int) -> int:
    """Render the clips of one shard as pictures of ``side`` pixels squared; returns how many."""
    table = process_table()
    images = np.empty((len(numbers), FRAMES_PER_CLIP, side, side, 3), dtype=np.uint8)
    ids = np.empty(images.shape[:-1], dtype=np.uint8)
    clips: list[dict[str, Any]] = []
    for row, number in enumerate(numbers):
        scene, spacing_s = draw_clip(split, number)
        for index in range(FRAMES_PER_CLIP):
            sim = table.render(scene, index * spacing_s, hw=CAMERA_HW, index=index)
            images[row, index] = cv2.resize(sim.frame.image, (side, side), interpolation=cv2.INTER_AREA)
            ids[row, index] = cv2.resize(sim.instance_ids, (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
        clips.append(
            {
                "seed": scene.seed,
                "spacing_s": spacing_s,
                "things": [asdict(thing.truth) for thing in scene.things],
                "hidden_id": scene.hidden_id,
                "leaving_id": scene.leaving_id,
            }
        )
    arrays, about = shard_paths(out, split, shard)
    # The arrays get their name only when they are complete, and after the text: an npz that exists is a whole shard.
    about.write_text(json.dumps({"split": split, "clips": clips}))
    partial = arrays.with_name(f"partial-{arrays.name}")
    np.savez(partial, images=images, ids=ids)
    partial.rename(arrays)
    return len(numbers)


def shard_paths(out: Path, split: Split, shard: int) -> tuple[Path, Path]:
    """The arrays and the text of a shard."""
    folder = out / split
    return folder / f"clips-{shard:04d}.npz", folder / f"clips-{shard:04d}.json"


def missing_shards(out: Path, split: Split, n_clips: int, per_shard: int) -> Iterator[tuple[int, range]]:
    """Number and clip numbers of the shards that are not there yet."""
    for shard, first in enumerate(range(0, n_clips, per_shard)):
        if not shard_paths(out, split, shard)[0].exists():
            yield shard, range(first, min(first + per_shard, n_clips))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("data/nano"), help="folder for train/ and val/")
    parser.add_argument("--train-clips", type=int, default=5200)
    parser.add_argument("--val-clips", type=int, default=240)
    parser.add_argument("--side", type=int, default=SIDE_PX, help="of the pictures, in pixels: the model's input")
    parser.add_argument("--clips-per-shard", type=int, default=100)
    parser.add_argument("--workers", type=int, default=1, help="processes, one OpenGL context each")
    args = parser.parse_args()
    jobs: list[tuple[Split, int, range]] = []
    wanted: tuple[tuple[Split, int], ...] = (("val", args.val_clips), ("train", args.train_clips))
    for split, n_clips in wanted:
        (args.out / split).mkdir(parents=True, exist_ok=True)
        jobs += [(split, *job) for job in missing_shards(args.out, split, n_clips, args.clips_per_shard)]
    if args.workers > 1:
        # One rasteriser thread a process: the processes share the cores better than the rasteriser's own threads do.
        os.environ.setdefault("LP_NUM_THREADS", "1")
    # Forked OpenGL contexts are undefined; a spawned process makes its own.
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(args.workers, mp_context=context) as pool,
        tqdm(total=sum(len(numbers) for _, _, numbers in jobs), unit="clip") as progress,
    ):
        futures = [
            pool.submit(render_shard, args.out, split, shard, numbers, args.side) for split, shard, numbers in jobs
        ]
        for future in as_completed(futures):
            progress.update(future.result())


if __name__ == "__main__":
    main()
