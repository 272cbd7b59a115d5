"""Calibrate the nano detector on held-out scenes, and say how good it is.

    python training/eval_detector.py calibrate --data data/detector --model models/nano/detector
    python -m export.detector_to_onnx models/nano/detector
    python training/eval_detector.py report    --data data/detector --model models/nano/detector

``calibrate`` fits on every other held-out clip and writes its result to model.json, which the exporter copies into the
manifest. ``report`` runs the exported graph on the clips that were not fitted on; its last line is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from icseg.detector.detector import Detection
from icseg.detector.graph import OUTPUT_NAMES, DetectorFacts
from icseg.detector.nano import decode, load_detector
from icseg.geometry import box_iou
from icseg.types import Box, ImageU8
from training.clips import ClipStore, normalise
from training.detector_calibration import best_threshold, calibration_error, fit_logistic, fit_temperature
from training.detector_model import IMAGE_SIZE, DetectorGraph, load_detector_net, write_config
from training.detector_targets import TrueThing, things_in
from training.reliability import Judged, draw, reliability

MATCH_IOU = 0.5
"""A detection is of a true thing when their boxes overlap by this much."""
UNCLEAR_SHARE = 0.3
"""A detection with this share of its box on things too little visible to be judged is neither right nor wrong."""
RECALL_WEIGHT = 4.0
"""A thing that is missed is pointed past without a question; one too many costs a question."""
LOWEST_SCORE = 0.02
"""Detections down to this score are kept while calibrating, so that the curve sees wrong ones too."""
Detect = Callable[[ImageU8], list[Detection]]


@dataclass
class Tally:
    """What was found and what was there, over many pictures; lists run parallel.

    Attributes:
        scores, is_right: of every judged detection.
        matched: true thing, detection and IoU of every right detection.
        truths: every true thing.
        times_ms: how long every call of the detector took.
    """

    scores: list[float] = field(default_factory=list)
    is_right: list[bool] = field(default_factory=list)
    matched: list[tuple[TrueThing, Detection, float]] = field(default_factory=list)
    truths: list[TrueThing] = field(default_factory=list)
    times_ms: list[float] = field(default_factory=list)

    def add(self, found: Sequence[Detection], things: Sequence[TrueThing], unclear: np.ndarray) -> None:
        """Judge one picture: best score first, each detection takes the free thing it overlaps most."""
        free = list(things)
        self.truths += things
        for one in found:
            ious = [box_iou(one.box_image_px, thing.box_px) for thing in free]
            best = int(np.argmax(ious)) if ious else -1
            is_right = best >= 0 and ious[best] >= MATCH_IOU
            if is_right:
                self.matched.append((free.pop(best), one, ious[best]))
            elif _share_of(unclear, one.box_image_px) > UNCLEAR_SHARE:
                continue
            self.scores.append(one.score)
            self.is_right.append(is_right)

    def probs(self, what: str) -> tuple[np.ndarray, np.ndarray]:
        """Probabilities (N, K) and truth (N,) of the matched things' ``kind`` or ``colour``."""
        rows = [list(getattr(one, f"{what}_probs").values()) for _, one, _ in self.matched]
        return np.array(rows), np.array([getattr(thing, what) for thing, _, _ in self.matched])


def _share_of(unclear: np.ndarray, box_px: Box) -> float:
    x0, y0, x1, y1 = (round(value) for value in box_px)
    window = unclear[y0:y1, x0:x1]
    return float(window.mean()) if window.size else 0.0


def run_over(store: ClipStore, clips: Sequence[int], facts: DetectorFacts, detect: Detect) -> Tally:
    """Judge every frame of some clips."""
    tally = Tally()
    for number in tqdm(clips, unit="clip", mininterval=5):
        for image, ids in zip(*store.clip(number), strict=True):
            begin = time.perf_counter()
            found = detect(image)
            tally.times_ms.append((time.perf_counter() - begin) * 1e3)
            tally.add(found, *things_in(ids, store.truths[number]["things"], facts.kinds, facts.colours))
    return tally


def calibrate(args: argparse.Namespace) -> None:
    """Fit on the even clips and write model.json."""
    net, config = load_detector_net(args.model)
    graph = DetectorGraph(net).to(memory_format=torch.channels_last)
    plain = DetectorFacts(tuple(config["kinds"]), tuple(config["colours"]), LOWEST_SCORE, 1.0, 0.0, 1.0, 1.0)

    @torch.no_grad()
    def detect(image: ImageU8) -> list[Detection]:
        pixels = normalise(torch.from_numpy(image.copy()).permute(2, 0, 1).float() / 255)[None]
        outputs = graph(pixels.contiguous(memory_format=torch.channels_last))
        named = {name: value.numpy() for name, value in zip(OUTPUT_NAMES, outputs, strict=True)}
        return decode(named, plain, image_hw=(IMAGE_SIZE, IMAGE_SIZE))

    store = ClipStore(args.data / "val", IMAGE_SIZE)
    tally = run_over(store, range(0, len(store), 2), plain, detect)
    if not any(tally.is_right):
        raise SystemExit(f"{args.model}: finds nothing on the validation clips yet; train longer")
    scores, is_right = np.array(tally.scores), np.array(tally.is_right)
    scale, offset = fit_logistic(scores, is_right)
    logits = np.log(scores / (1 - scores))
    calibrated = 1 / (1 + np.exp(-(scale * logits + offset)))
    fitted = DetectorFacts(
        kinds=plain.kinds,
        colours=plain.colours,
        score_threshold=round(best_threshold(calibrated, is_right, len(tally.truths), RECALL_WEIGHT), 3),
        score_scale=round(scale, 4),
        score_offset=round(offset, 4),
        kind_temperature=round(fit_temperature(*tally.probs("kind")), 4),
        colour_temperature=round(fit_temperature(*tally.probs("colour")), 4),
    )
    write_config(args.model, config | fitted.as_mapping())
    print(json.dumps(fitted.as_mapping()))


def figures(tally: Tally, facts: DetectorFacts) -> dict[str, Any]:
    """All numbers of a report."""
    right = sum(tally.is_right)
    result: dict[str, Any] = {
        "things": len(tally.truths),
        "recall": right / len(tally.truths),
        "precision": right / max(len(tally.is_right), 1),
        "mean_iou": float(np.mean([iou for _, _, iou in tally.matched])),
        "score_ece": calibration_error(np.array(tally.scores), np.array(tally.is_right)),
    }
    for what, names in (("kind", facts.kinds), ("colour", facts.colours)):
        probs, truth = tally.probs(what)
        guess = probs.argmax(1)
        result[f"{what}_accuracy"] = float((guess == truth).mean())
        result[f"{what}_ece"] = calibration_error(probs.max(1), guess == truth)
        total = Counter(getattr(thing, what) for thing in tally.truths)
        result[f"per_{what}"] = {
            name: {
                "things": total[number],
                "recall": float((truth == number).sum() / max(total[number], 1)),
                "accuracy": float((guess[truth == number] == number).mean()) if (truth == number).any() else None,
                "taken_for": _confusions(guess[truth == number], number, names),
            }
            for number, name in enumerate(names)
        }
    result["both_right"] = float(
        np.mean([(facts.kinds[t.kind], facts.colours[t.colour]) == (d.kind, d.colour) for t, d, _ in tally.matched])
    )
    return result


def _confusions(guess: np.ndarray, number: int, names: Sequence[str]) -> dict[str, int]:
    """The two commonest wrong answers."""
    return {names[wrong]: count for wrong, count in Counter(guess[guess != number].tolist()).most_common(2)}


def report(args: argparse.Namespace) -> None:
    """Print figures of the exported graph on the odd clips; write evaluation.json and reliability.png beside it."""
    facts = DetectorFacts.from_mapping(json.loads((args.model / "manifest.json").read_text())["facts"])
    detector = load_detector(args.model, threads=args.threads)
    store = ClipStore(args.data / "val", IMAGE_SIZE)
    tally = run_over(store, range(1, len(store), 2), facts, detector.detect)
    numbers = figures(tally, facts)
    answers: dict[str, Judged] = {"score": (np.array(tally.scores), np.array(tally.is_right))}
    for what in ("kind", "colour"):
        probs, truth = tally.probs(what)
        answers[what] = probs.max(1), probs.argmax(1) == truth
    numbers["reliability"] = {what: reliability(*judged) for what, judged in answers.items()}
    draw(answers, args.model / "reliability.png")
    numbers |= {"median_ms": float(np.median(tally.times_ms)), "p95_ms": float(np.percentile(tally.times_ms, 95))}
    numbers |= {"frames": len(tally.times_ms), "threads": args.threads, "backend": detector.backend}
    for what in ("kind", "colour"):
        for name, row in numbers[f"per_{what}"].items():
            accuracy = float("nan") if row["accuracy"] is None else row["accuracy"]
            print(f"{name:8} {row['things']:5} recall {row['recall']:.3f} {what} {accuracy:.3f} {row['taken_for']}")
    rounded = {key: round(v, 4) if isinstance(v, float) else v for key, v in numbers.items()}
    (args.model / "evaluation.json").write_text(json.dumps(rounded, indent=1) + "\n")
    print(json.dumps(rounded))


def main(argv: list[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stage", choices=("calibrate", "report"))
    parser.add_argument("--data", type=Path, default=Path("data/detector"), help="folder made by training/render.py")
    parser.add_argument("--model", type=Path, default=Path("models/nano/detector"))
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    {"calibrate": calibrate, "report": report}[args.stage](args)


if __name__ == "__main__":
    main()
