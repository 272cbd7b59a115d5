"""Recurrent tracking of SAM 2.1 at 512 beside transformers' own streaming session: is every mask the same?

Random weights, because equality does not depend on them, large enough that masks depend on prompt and memory. Two
things, the second prompted in mid-stream, the first corrected later and hidden for a while; memories fill all slots.

    python benchmarks/bench_parity.py --save        # tiny at 512 over 100 frames, a few minutes
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "parity"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from sam2_session import build_reference, make_clip
from streams import Prompts, compare_stream, make_tracker

from benchmarks.timing import publish
from export.sam2_sizes import SIZES, sam2_config
from export.sam2_to_onnx import export_segmenter
from icseg.types import Frame, Prompt

HIDDEN = range(60, 75)
"""Frames in which a grey board stands before the first thing."""
BOARD_XYXY = (20, 20, 200, 230)
MIN_IOU = 0.99


def clip(count: int) -> list[Frame]:
    """Moving discs, one of them hidden for a while."""
    frames = make_clip(count)
    x0, y0, x1, y1 = BOARD_XYXY
    for index in HIDDEN:
        if index < count:
            image = frames[index].image.copy()
            image[y0:y1, x0:x1] = 90
            frames[index] = replace(frames[index], image=image)
    return frames


def prompts() -> Prompts:
    """A box with a point, a point in mid-stream, and a correction."""
    return {
        0: (1, Prompt((70.0, 60.0, 190.0, 170.0), ((120.0, 110.0),), (1,))),
        10: (2, Prompt(points_image_px=((230.0, 130.0),), point_labels=(1,))),
        40: (1, Prompt(points_image_px=((110.0, 130.0), (20.0, 20.0)), point_labels=(1, 0))),
    }


def main() -> int:
    """0 when every mask agrees."""
    parser = argparse.ArgumentParser(description="Recurrent parity with transformers' streaming session.")
    parser.add_argument("--size", choices=tuple(SIZES), default="tiny")
    parser.add_argument("--resolution", type=int, default=512)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_parity.json")
    args = parser.parse_args()
    torch.set_num_threads(2)
    model = build_reference(sam2_config(args.size, args.resolution))
    with tempfile.TemporaryDirectory() as folder:
        export_segmenter(model, Path(folder), name=args.size, source_sha256="0" * 64)
        tracker = make_tracker(Path(folder), conditioning_slots=2)
        frames = tqdm(clip(args.frames), desc="frames")
        agreement = compare_stream(model, tracker, frames, prompts(), score_tolerance=1e-2)
    results = {
        "what": "every mask beside transformers' Sam2VideoModel with the same weights",
        "size": args.size,
        "resolution": args.resolution,
        "frames": args.frames,
        "masks": len(agreement.ious),
        "share_of_masks_neither_empty_nor_full": round(agreement.meaningful, 3),
        "least_iou": round(float(np.min(agreement.ious)), 5),
        "mean_iou": round(float(np.mean(agreement.ious)), 5),
        "goal": {"least_iou": MIN_IOU},
    }
    publish("bench_parity", results, save=args.save)
    return int(results["least_iou"] < MIN_IOU)


if __name__ == "__main__":
    sys.exit(main())
