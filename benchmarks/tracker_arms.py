"""One arm of ``bench_tracker.py`` in a process of its own, so that its peak memory is its own.

    python benchmarks/tracker_arms.py ARM CASE_FOLDER OUT.npz

The case folder holds the frames and the box (``clip.npz``), the weights (``weights/``) and engines (``float32/``,
``int8/``). For every line on stdin it does one step and answers with a line of JSON: milliseconds of the step and of
its stages. When stdin ends it writes the masks and answers with its peak resident memory.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from icseg.mask_ops.image_input import normalise_image
from icseg.tracker.inputs import prompt_tokens
from icseg.tracker.loading import load_tracker
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker
from icseg.types import Frame, MaskBool, Prompt

ICSEG = {"icseg_fp32": "float32", "icseg_int8": "int8"}
TORCH = ("transformers_eager", "transformers_compiled")
ARMS = (*TORCH, *ICSEG)

Step = tuple[MaskBool, dict[str, float]]
"""Mask, and milliseconds of the step (``total``) and of its stages."""


def load_clip(path: Path) -> tuple[list[Frame], Prompt]:
    """Frames and the true box of one thing in the first of them."""
    with np.load(path, allow_pickle=False) as archive:
        images, box = archive["images"], archive["box"]
    frames = [Frame(image, n * 66_666_667, n) for n, image in enumerate(images)]
    return frames, Prompt((float(box[0]), float(box[1]), float(box[2]), float(box[3])))


def run_icseg(tracker: Tracker, frames: list[Frame], prompt: Prompt) -> Iterator[Step]:
    """Every step after the frame with the prompt."""
    state = tracker.start(frames[0], prompt)
    for frame in frames[1:]:
        begin = time.perf_counter()
        result = tracker.step(state, frame)
        total = (time.perf_counter() - begin) * 1e3
        yield result.objects[1].mask, {**result.timings_ms, "total": total}


def run_transformers(
    weights: Path, tracker: Tracker, frames: list[Frame], prompt: Prompt, threads: int, *, is_compiled: bool
) -> Iterator[Step]:
    """The same with the library's own session; preprocessing and upsampling are in the time, as they are in ours."""
    import torch
    from transformers import Sam2VideoModel
    from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

    torch.set_num_threads(threads)
    model = Sam2VideoModel.from_pretrained(weights, dtype=torch.float32).eval()
    if is_compiled:
        for part in ("vision_encoder", "memory_attention", "memory_encoder", "mask_decoder"):
            setattr(model, part, torch.compile(getattr(model, part)))
    session, manifest = Sam2VideoInferenceSession(dtype=torch.float32), tracker.manifest
    tokens = prompt_tokens(prompt, frames[0].hw, manifest.image_size, tracker.facts.prompt_tokens)
    is_given = tokens["point_labels"][0] >= 0
    inputs = {
        "point_coords": torch.from_numpy(tokens["point_coords"][:, None, is_given]),
        "point_labels": torch.from_numpy(tokens["point_labels"][:, None, is_given]),
    }
    session.add_point_inputs(session.obj_id_to_idx(1), frames[0].index, inputs)
    session.obj_with_new_inputs = [1]
    for number, frame in enumerate(frames):
        begin = time.perf_counter()
        image = normalise_image(frame.image, manifest.image_size, manifest.image_mean, manifest.image_std)
        output = model(inference_session=session, frame=torch.from_numpy(image[0]))
        logits = torch.nn.functional.interpolate(output.pred_masks, frame.hw, mode="bilinear", align_corners=False)
        mask = (logits[0, 0] > 0).numpy()
        total = (time.perf_counter() - begin) * 1e3
        session.processed_frames[frame.index] = None  # transformers keeps every frame for ever
        if number:
            yield mask, {"total": total}


def peak_mb() -> float:
    """Largest resident set of this process in MiB (Linux); getrusage would tell the parent's, where that was larger."""
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith("VmHWM"))
    return round(int(line.split()[1]) / 1024, 1)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arm", choices=ARMS)
    parser.add_argument("case", type=Path)
    parser.add_argument("out", type=Path, help="where the masks go")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    frames, prompt = load_clip(args.case / "clip.npz")
    precision = ICSEG.get(args.arm, "float32")
    tracker = load_tracker(args.case / precision / "segmenter", threads=args.threads, config=TrackerConfig())
    if args.arm in ICSEG:
        steps = run_icseg(tracker, frames, prompt)
    else:
        is_compiled = args.arm == "transformers_compiled"
        steps = run_transformers(args.case / "weights", tracker, frames, prompt, args.threads, is_compiled=is_compiled)
    masks = []
    for _ in sys.stdin:
        mask, stages = next(steps)
        masks.append(mask)
        print(json.dumps(stages), flush=True)
    np.savez_compressed(args.out, masks=np.stack(masks))
    print(json.dumps({"peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
