"""The compiled mask operations beside OpenCV, PyTorch, pycocotools, cc3d and scipy: same inputs, same outputs, one run.

Every conversion that a library needs is in its time; results are compared before they are timed. Ours use one thread;
the others get one, and as many as they like.

    python benchmarks/bench_mask_ops.py --save           # about ten minutes on a quiet machine
    python benchmarks/bench_mask_ops.py --smoke          # every row once or twice: does it still run, is it still equal
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from benchmarks import mask_opponents as others
from benchmarks.mask_logits import nano_logits, synthetic_logits
from benchmarks.timing import publish, summary_ms
from icseg.mask_ops import native
from icseg.mask_ops.bit_masks import BitMasks
from icseg.mask_ops.options import Encoding
from icseg.mask_ops.statistics import MaskStatistics
from icseg.types import ImageU8, Logits

SIZES = {"480p": (480, 640), "720p": (720, 1280), "1080p": (1080, 1920)}
OBJECTS = (1, 4, 8, 16)
BAND = 1e-4
"""How far logits may differ: pixels whose value is nearer to the threshold may be rounded to either side of it."""
INPUT_SIDE = 1024
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BYTE_TOLERANCE = 1.0
"""How far grey values may differ, of 255: OpenCV rounds the resized picture to bytes, and YUV by its vector paths."""
WARM_UP = 5


class Bench:
    """Times calls, one at a time."""

    def __init__(self, iterations: int, bar: tqdm) -> None:
        self.iterations, self.bar = iterations, bar

    def time(self, call: Callable[[], object]) -> dict[str, float]:
        """Milliseconds of a call, after a warm-up."""
        for _ in range(min(WARM_UP, self.iterations)):
            call()
        samples = []
        for _ in range(self.iterations):
            begin = time.perf_counter()
            call()
            samples.append((time.perf_counter() - begin) * 1e3)
        self.bar.update()
        return summary_ms(samples)

    def with_threads(self, name: str, call: Callable[[], object]) -> dict[str, dict[str, float]]:
        """A library's time with one thread, and with as many as it takes by itself."""
        rows = {}
        for label, count in (("1 thread", 1), ("default threads", os.cpu_count() or 1)):
            with threads(count):
                rows[f"{name}, {label}"] = self.time(call)
        return rows


@contextmanager
def threads(count: int) -> Iterator[None]:
    """OpenCV and torch with so many."""
    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(count)
    torch.set_num_threads(count)
    yield
    cv2.setNumThreads(before[0])
    torch.set_num_threads(before[1])


def ratios(rows: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Each opponent's median over ours."""
    ours = rows["icseg"]["median_ms"]
    return {
        "rows": rows,
        "times_faster": {
            name: round(row["median_ms"] / max(ours, 1e-3), 2) for name, row in rows.items() if name != "icseg"
        },
    }


def copy_rate_gb_s() -> float:
    """Bytes read and written by numpy's copy of 64 MiB, the best of ten."""
    source, target = np.zeros(1 << 26, np.uint8), np.empty(1 << 26, np.uint8)
    best = np.inf
    for _ in range(10):
        begin = time.perf_counter()
        np.copyto(target, source)
        best = min(best, time.perf_counter() - begin)
    return 2 * source.nbytes / best / 1e9


def native_masks(batch: Logits, hw: tuple[int, int]) -> tuple[BitMasks, MaskStatistics]:
    """Clean bit masks and what is read off them."""
    cleaned = native.clean_logits(batch, others.MAX_AREA_PX, others.MAX_AREA_PX)
    return native.upsample_threshold_bits(cleaned, hw, stability_offset=0)


def check_masks(batch: Logits, hw: tuple[int, int], opponent: others.Masks) -> None:
    """Both made the same masks, but for pixels at the threshold.

    Raises:
        AssertionError: they did not.
    """
    cleaned = native.clean_logits(batch, others.MAX_AREA_PX, others.MAX_AREA_PX)
    bits, statistics = native_masks(batch, hw)
    for n, theirs in enumerate(opponent.bits):
        ours = bits.words[n].view(np.uint8)[:, : theirs.shape[1]]
        differing = int(np.unpackbits(ours ^ theirs).sum())
        values = np.abs(cv2.resize(cleaned[n], hw[::-1], interpolation=cv2.INTER_LINEAR))
        assert differing <= (values < BAND).sum(), f"{differing} pixels differ"
        if differing == 0:
            np.testing.assert_array_equal(statistics.boxes_px[n], opponent.boxes[n])
            np.testing.assert_allclose(statistics.rows[n, [0, 5, 6, 7, 8, 9]], opponent.moments[n], rtol=1e-9)


def bench_masks(bench: Bench, kinds: dict[str, Logits], sizes: dict[str, tuple[int, int]], rate: float) -> list[Any]:
    """Logits to clean bit masks with area, box, centroid and second moments."""
    results = []
    for size, hw in sizes.items():
        for kind, logits in kinds.items():
            opencv, by_torch = others.OpenCvMasks(hw), others.TorchMasks(hw)
            check_masks(logits[:4], hw, opencv(logits[:4]))
            for count in OBJECTS:
                batch = np.ascontiguousarray(logits[:count])

                rows = {"icseg": bench.time(partial(native_masks, batch, hw))}
                rows |= bench.with_threads("opencv", partial(opencv, batch))
                if kind == "nano":
                    rows |= bench.with_threads("torch without clean-up", partial(by_torch, batch))
                moved = batch.nbytes + count * hw[0] * hw[1] / 8
                floor_ms = moved / rate / 1e6
                over_floor = round(rows["icseg"]["median_ms"] / floor_ms, 1)
                row = {"size": size, "kind": kind, "objects": count, "floor_ms": round(floor_ms, 4)}
                results.append({**row, "icseg_over_floor": over_floor, **ratios(rows)})
    return results


def bench_single(bench: Bench, kinds: dict[str, Logits], sizes: dict[str, tuple[int, int]]) -> list[Any]:
    """Operations on masks at the camera's size."""
    results = []
    for size, hw in sizes.items():
        for kind, logits in kinds.items():
            masks = native.upsample_threshold(np.ascontiguousarray(logits[:8]), hw)[0]
            mask, where = masks[0], {"size": size, "kind": kind}
            encoded = native.rle_encode(mask)
            assert encoded == others.coco_encode(mask)
            assert (native.rle_decode(encoded, hw) == others.coco_decode(encoded, hw)).all()
            rows = {"icseg": bench.time(partial(native.rle_encode, mask))}
            rows["pycocotools"] = bench.time(partial(others.coco_encode, mask))
            results.append({"operation": "rle_encode", **where, **ratios(rows)})
            rows = {"icseg": bench.time(partial(native.rle_decode, encoded, hw))}
            rows["pycocotools"] = bench.time(partial(others.coco_decode, encoded, hw))
            results.append({"operation": "rle_decode", **where, **ratios(rows)})
            np.testing.assert_allclose(native.mask_iou_matrix(masks, masks), others.coco_iou(masks), atol=1e-12)
            rows = {"icseg": bench.time(partial(native.mask_iou_matrix, masks, masks))}
            rows["pycocotools"] = bench.time(partial(others.coco_iou, masks))
            results.append({"operation": "mask_iou_matrix 8 x 8", **where, **ratios(rows)})
            rows = {"icseg": bench.time(partial(native.connected_components, mask))}
            for library, counter in others.component_counters().items():
                assert counter(mask) == len(native.connected_components(mask)), library
                rows[library] = bench.time(partial(counter, mask))
            results.append({"operation": "connected_components", **where, **ratios(rows)})
            image, colours = picture(hw), np.array([[0, 200, 120]], np.uint8)
            white = np.full(3, 255, np.uint8)
            rows = {"icseg": bench.time(partial(native.overlay, image, mask, colours, outline=white))}
            rows |= bench.with_threads("opencv", partial(others.opencv_overlay, image, mask[None], colours))
            results.append({"operation": "overlay", **where, **ratios(rows)})
    return results


def picture(hw: tuple[int, int]) -> ImageU8:
    """A smooth picture."""
    small = np.random.default_rng(1).integers(0, 256, (9, 16, 3)).astype(np.uint8)
    return np.ascontiguousarray(cv2.resize(small, hw[::-1], interpolation=cv2.INTER_CUBIC))


def bench_preprocess(bench: Bench, sizes: dict[str, tuple[int, int]], rate: float) -> list[Any]:
    """A camera's frame to 3 x 1024 x 1024 FP32, into a buffer that is kept."""
    results = []
    out, theirs = (np.empty((3, INPUT_SIDE, INPUT_SIDE), np.float32) for _ in range(2))
    encodings: tuple[Encoding, ...] = ("rgb8", "bgr8", "nv12", "yuyv")
    for size, hw in sizes.items():
        rgb = picture(hw)
        frames = {
            "rgb8": rgb,
            "bgr8": np.ascontiguousarray(rgb[..., ::-1]),
            "nv12": np.random.default_rng(2).integers(0, 256, (hw[0] * 3 // 2, hw[1])).astype(np.uint8),
            "yuyv": np.random.default_rng(2).integers(0, 256, (*hw, 2)).astype(np.uint8),
        }
        for encoding in encodings:
            frame = frames[encoding]

            side = (INPUT_SIDE, INPUT_SIDE)
            ours = partial(native.preprocess, frame, side, MEAN, STD, encoding=encoding, out=out)
            planes = partial(others.opencv_planes, frame, encoding, MEAN, STD, theirs)
            blob = partial(others.opencv_blob, frame, encoding, MEAN, STD, INPUT_SIDE)
            ours()
            planes()
            assert np.abs((out - theirs) * 255 * np.reshape(STD, (3, 1, 1))).max() < BYTE_TOLERANCE + 0.6
            rows = {"icseg": bench.time(ours)}
            rows["icseg, default threads"] = bench.time(partial(ours, threads=os.cpu_count() or 1))
            rows |= bench.with_threads("opencv resize and planes", planes)
            rows |= bench.with_threads("opencv blobFromImage", blob)
            floor_ms = (frame.nbytes + out.nbytes) / rate / 1e6
            over_floor = round(rows["icseg"]["median_ms"] / floor_ms, 1)
            row = {"operation": "preprocess", "size": size, "encoding": encoding, "floor_ms": round(floor_ms, 3)}
            results.append({**row, "icseg_over_floor": over_floor, **like_for_like(rows)})
    return results


def like_for_like(rows: dict[str, dict[str, float]]) -> dict[str, Any]:
    """The median of each opponent over ours with as many threads."""
    ours = {"1 thread": rows["icseg"], "default threads": rows["icseg, default threads"]}
    return {
        "rows": rows,
        "times_faster_with_as_many_threads": {
            name: round(row["median_ms"] / max(ours[name.rsplit(", ", 1)[1]]["median_ms"], 1e-3), 2)
            for name, row in rows.items()
            if not name.startswith("icseg")
        },
    }


def bench_tracker_step(bench: Bench, logits: Logits) -> Any:
    """The tracker's post-processing of one object at 640x480, before it used these operations and since."""
    hw = SIZES["480p"]
    one = np.ascontiguousarray(logits[0])

    def now() -> object:
        native.connected_components(one > 0)
        masks, statistics = native.upsample_threshold(one[None], hw, stability_offset=0)
        return masks[0], statistics.box(0), int(statistics.areas_px[0])

    before, after = others.tracker_masks_before(one, hw), now()
    assert isinstance(after, tuple)
    assert (before[0] == after[0]).all()
    assert before[1:] == after[1:]
    rows = {"icseg": bench.time(now)}
    rows |= bench.with_threads("opencv and numpy", lambda: others.tracker_masks_before(one, hw))
    return ratios(rows)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=40, help="timed calls a row (default 40)")
    parser.add_argument("--smoke", action="store_true", help="two calls a row at 480p: a check, no measurement")
    parser.add_argument("--save", action="store_true", help="write benchmarks/results/bench_mask_ops.json")
    args = parser.parse_args()
    if args.iterations < 1 or (args.smoke and args.save):
        parser.error("--iterations wants at least 1, and --smoke measures nothing to --save")
    sizes = {"480p": SIZES["480p"]} if args.smoke else SIZES
    kinds = {"nano": nano_logits(max(OBJECTS)), **synthetic_logits(max(OBJECTS))}
    rate = copy_rate_gb_s()
    with tqdm(desc="rows", unit="row", disable=not sys.stderr.isatty(), leave=False) as bar:
        bench = Bench(2 if args.smoke else args.iterations, bar)
        results = {
            "what": "mask operations of icseg (one thread) beside general libraries, conversions counted",
            "instruction_set": native.instruction_set,
            "libraries": {name: version(name) for name in ("torch", "pycocotools", "connected-components-3d", "scipy")},
            "copy_rate_gb_s": round(rate, 2),
            "logits_hw": {kind: list(logits.shape[1:]) for kind, logits in kinds.items()},
            "logits_to_clean_bit_masks_and_statistics": bench_masks(bench, kinds, sizes, rate),
            "masks_at_camera_size": bench_single(bench, kinds, sizes),
            "preprocess_to_1024": bench_preprocess(bench, sizes, rate),
            "tracker_postprocess_480p": bench_tracker_step(bench, kinds["nano"]),
        }
    publish("bench_mask_ops", results, save=args.save)


if __name__ == "__main__":
    main()
