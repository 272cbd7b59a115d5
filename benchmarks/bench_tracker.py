"""One tracker step, stage by stage: icseg on ONNX Runtime beside transformers' streaming session, same weights.

The clip is a scene of the test split at 640x480, one thing, a true box in the first frame, all seven memory slots full
after the first frames. Both arms get the same number of threads; masks are compared before times are told.

    python benchmarks/bench_tracker.py --save
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks.timing import publish, summary_ms
from icseg.assets import nano_models
from icseg.inference.image_input import normalise_image
from icseg.sim.scene import make_scene
from icseg.sim.table import SimulatedTable, stream
from icseg.tracker.inputs import prompt_tokens
from icseg.tracker.loading import load_tracker
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker
from icseg.types import Frame, MaskBool, Prompt

WARM_UP = 10
"""Frames before the first that is timed: the bank is full by then, and every buffer is there."""


def run_icseg(tracker: Tracker, frames: list[Frame], prompt: Prompt) -> tuple[list[MaskBool], list[dict[str, float]]]:
    """Masks, and the stages of every step."""
    state = tracker.start(frames[0], prompt)
    masks, stages = [], []
    for frame in frames[1:]:
        begin = time.perf_counter()
        result = tracker.step(state, frame)
        total = (time.perf_counter() - begin) * 1e3
        masks.append(result.objects[1].mask)
        stages.append({**result.timings_ms, "total": total})
    return masks, stages


def run_transformers(
    model: Sam2VideoModel, tracker: Tracker, frames: list[Frame], prompt: Prompt
) -> tuple[list[MaskBool], list[float]]:
    """The same with the library's own session; preprocessing and upsampling are in the time, as they are in ours."""
    session, manifest = Sam2VideoInferenceSession(dtype=torch.float32), tracker.manifest
    tokens = prompt_tokens(prompt, frames[0].hw, manifest.image_size, tracker.facts.prompt_tokens)
    is_given = tokens["point_labels"][0] >= 0
    inputs = {
        "point_coords": torch.from_numpy(tokens["point_coords"][:, None, is_given]),
        "point_labels": torch.from_numpy(tokens["point_labels"][:, None, is_given]),
    }
    session.add_point_inputs(session.obj_id_to_idx(1), frames[0].index, inputs)
    session.obj_with_new_inputs = [1]
    masks, totals = [], []
    for frame in frames:
        begin = time.perf_counter()
        image = normalise_image(frame.image, manifest.image_size, manifest.image_mean, manifest.image_std)
        output = model(inference_session=session, frame=torch.from_numpy(image[0]))
        logits = torch.nn.functional.interpolate(output.pred_masks, frame.hw, mode="bilinear", align_corners=False)
        mask = (logits[0, 0] > 0).numpy()
        totals.append((time.perf_counter() - begin) * 1e3)
        masks.append(mask)
    return masks[1:], totals[1:]


def mean_iou(ours: list[MaskBool], theirs: list[MaskBool]) -> float:
    """Mean IoU over frames; two empty masks agree."""
    scores = [(a & b).sum() / (a | b).sum() if (a | b).any() else 1.0 for a, b in zip(ours, theirs, strict=True)]
    return float(np.mean(scores))


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=110)
    parser.add_argument("--seed", type=int, default=3000, help="scene of the test split")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_tracker.json")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    folder = nano_models() / "segmenter"
    with SimulatedTable() as table:
        spec = make_scene(args.seed, split="test", ambiguous_kind="mug")
        sims = list(stream(table, spec, fps=15, duration_s=args.frames / 15))
    thing = max(sims[0].things, key=lambda number: int(sims[0].mask(number).sum()))
    box = sims[0].box_image_px(thing)
    assert box is not None
    frames, prompt = [sim.frame for sim in sims], Prompt(box)
    tracker = load_tracker(folder, threads=args.threads, config=TrackerConfig.plain_sam2())
    model = Sam2VideoModel.from_pretrained(folder, dtype=torch.float32).eval()
    ours, stages = run_icseg(tracker, frames, prompt)
    theirs, totals = run_transformers(model, tracker, frames, prompt)
    by_stage: dict[str, list[float]] = defaultdict(list)
    for row in stages[WARM_UP:]:
        for stage, spent in row.items():
            by_stage[stage].append(spent)
    step, eager = summary_ms(by_stage.pop("total")), summary_ms(totals[WARM_UP:])
    results = {
        "what": "one tracker step, one thing, nano segmenter, 640x480, seven slots full",
        "threads": args.threads,
        "mask_iou_between_arms": round(mean_iou(ours, theirs), 4),
        "icseg_onnxruntime": {"step": step, "stages": {name: summary_ms(spent) for name, spent in by_stage.items()}},
        "transformers_eager": {"step": eager, "torch": torch.__version__},
        "ratio_of_medians": round(step["median_ms"] / eager["median_ms"], 3),
    }
    publish("bench_tracker", results, save=args.save)


if __name__ == "__main__":
    main()
