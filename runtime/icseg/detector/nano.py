"""The small detector trained in this repository: one graph, and the decoding of its maps in numpy.

It knows the things of the simulated table and nothing else. Which engine runs the graph is the runner's matter.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from icseg.detector import graph
from icseg.detector.close_looks import detect_closely
from icseg.detector.config import DetectorConfig
from icseg.detector.detector import Detection
from icseg.detector.graph import DetectorFacts, detector_specs
from icseg.errors import ModelOutputError, PlanMismatchError
from icseg.geometry import box_area, box_iou, clip_box, smaller_inside
from icseg.inference.graph_loading import load_graph
from icseg.inference.manifest import MANIFEST_NAME, load_manifest
from icseg.inference.runner import Runner
from icseg.inference.runner_onnxruntime import CPU_PROVIDER
from icseg.mask_ops.image_input import normalise_image
from icseg.types import Array, ImageU8

MAX_PEAKS = 30
"""Peaks of the centre map that are read, before duplicates go: a simulated table holds at most about a dozen things."""
MAX_DUPLICATE_IOU = 0.6
"""Two boxes that overlap more are one thing seen twice."""
MAX_DUPLICATE_INSIDE = 0.85
"""So are two of one kind and colour when a greater share of the smaller lies in the other. Two kinds are two things: a
ball before a plate stays a ball."""


class NanoDetector:
    """A ``Detector`` on one runner; keeps no state between images; any thread may call it.

    Args:
        runner: of the graph that ``graph.py`` describes.
        facts: vocabulary, threshold and calibration.
        image_mean, image_std: per RGB channel, of the image scaled to 0..1.
        config: how it looks.

    Raises:
        ValueError: the runner's tensors are not those of the graph.
    """

    def __init__(
        self,
        runner: Runner,
        facts: DetectorFacts,
        *,
        image_mean: Sequence[float],
        image_std: Sequence[float],
        config: DetectorConfig | None = None,
    ) -> None:
        if graph.IMAGE not in runner.inputs:
            raise ValueError(f"detector: expected an input {graph.IMAGE}, got {sorted(runner.inputs)}")
        self._size = runner.inputs[graph.IMAGE].shape[-1]
        inputs, outputs = detector_specs(facts, self._size)
        if dict(runner.inputs) != inputs or dict(runner.outputs) != outputs:
            got = f"{dict(runner.inputs)} and {dict(runner.outputs)}"
            raise ValueError(f"detector: expected tensors {inputs} and {outputs}, got {got}")
        self.config = config if config is not None else DetectorConfig()
        self._runner, self._facts = runner, facts
        self._mean, self._std = tuple(image_mean), tuple(image_std)
        self._running = threading.Lock()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Every kind it can name."""
        return self._facts.kinds

    @property
    def colours(self) -> tuple[str, ...]:
        """Every colour it can name."""
        return self._facts.colours

    @property
    def backend(self) -> str:
        """Which engine really runs."""
        return self._runner.backend

    def detect(self, image: ImageU8) -> list[Detection]:
        """(H, W, 3) uint8 RGB -> detections above the threshold, best score first.

        Raises:
            ValueError: the image is not (H, W, 3) uint8 or has a zero side.
            ModelOutputError: the graph gave a value that is not finite.
            BackendError: the engine failed.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
            raise ValueError(f"detector image: expected uint8 (H, W, 3), got {image.dtype} {image.shape}")
        planes = normalise_image(image, self._size, self._mean, self._std)
        # the policy looks in one thread, a watch in another, and outputs last until the next run
        with self._running:
            outputs = self._runner.run({graph.IMAGE: planes})
            return decode(outputs, self._facts, image_hw=(image.shape[0], image.shape[1]))

    def detect_closely(self, image: ImageU8) -> list[Detection]:
        """As ``detect``, with more looks at parts of the image: some eight times the work.

        Raises:
            ValueError, ModelOutputError, BackendError: as ``detect``.
        """
        return detect_closely(self.detect, image, self.config.close_looks)


def decode(outputs: Mapping[str, Array], facts: DetectorFacts, *, image_hw: tuple[int, int]) -> list[Detection]:
    """Peaks of the centre map with their boxes and probabilities, duplicates removed.

    Args:
        outputs: the graph's, as ``detector_specs`` describes them.
        image_hw: height and width of the image that was squashed to the model's square.

    Returns:
        Detections in pixels of that image, best score first; at most ``MAX_PEAKS``.

    Raises:
        ModelOutputError: a value at a peak is not finite.
    """
    centre = outputs[graph.CENTRE_LOGITS][0, 0]
    if not np.isfinite(centre).all():
        raise ModelOutputError("detector: centre logits are not finite")
    scores = _sigmoid(facts.score_scale * centre.astype(np.float64) + facts.score_offset)
    rows, cols = np.nonzero((centre == outputs[graph.CENTRE_MAX][0, 0]) & (scores >= facts.score_threshold))
    best = np.argsort(-scores[rows, cols], kind="stable")[:MAX_PEAKS]
    rows, cols = rows[best], cols[best]
    boxes = _boxes(outputs[graph.BOX_DISTANCES][0], rows, cols, image_hw)
    cells_hw = centre.shape
    points = np.stack([(cols + 0.5) * image_hw[1] / cells_hw[1], (rows + 0.5) * image_hw[0] / cells_hw[0]], axis=1)
    kinds = _softmax(outputs[graph.KIND_LOGITS][0][:, rows, cols].T / facts.kind_temperature)
    colours = _softmax(outputs[graph.COLOUR_LOGITS][0][:, rows, cols].T / facts.colour_temperature)
    if not (np.isfinite(boxes).all() and np.isfinite(kinds).all() and np.isfinite(colours).all()):
        raise ModelOutputError("detector: a box or a probability is not finite")
    found = [
        Detection(
            box_image_px=clip_box((float(box[0]), float(box[1]), float(box[2]), float(box[3])), image_hw),
            score=float(score),
            kind_probs=dict(zip(facts.kinds, kind.tolist(), strict=True)),
            colour_probs=dict(zip(facts.colours, colour.tolist(), strict=True)),
            # a thing is read at the visible pixel nearest to the middle of what is visible of it
            point_image_px=(float(point[0]), float(point[1])),
        )
        for box, score, kind, colour, point in zip(boxes, scores[rows, cols], kinds, colours, points, strict=True)
    ]
    return _without_duplicates([one for one in found if box_area(one.box_image_px) > 0])


def _boxes(distances: Array, rows: Array, cols: Array, image_hw: tuple[int, int]) -> Array:
    """(N, 4) x0, y0, x1, y1 in image pixels, not clipped."""
    side = distances.shape[-1] * graph.STRIDE
    left, top, right, bottom = distances[:, rows, cols].astype(np.float64)
    xs, ys = (cols + 0.5) * graph.STRIDE, (rows + 0.5) * graph.STRIDE
    scale = np.array([image_hw[1], image_hw[0], image_hw[1], image_hw[0]]) / side
    return np.asarray(np.stack([xs - left, ys - top, xs + right, ys + bottom], axis=1) * scale)


def _without_duplicates(found: Sequence[Detection]) -> list[Detection]:
    """Keep the better of two detections of one thing. ``found`` is sorted, best score first."""
    kept: list[Detection] = []
    for one in found:
        if not any(_is_same_thing(one, better) for better in kept):
            kept.append(one)
    return kept


def _is_same_thing(one: Detection, other: Detection) -> bool:
    a, b = one.box_image_px, other.box_image_px
    if box_iou(a, b) > MAX_DUPLICATE_IOU:
        return True
    return (one.kind, one.colour) == (other.kind, other.colour) and smaller_inside(a, b) > MAX_DUPLICATE_INSIDE


def _sigmoid(x: Array) -> Array:
    # tanh does not overflow
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def _softmax(logits: Array) -> Array:
    """(N, K) -> rows that sum to 1."""
    shifted = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=1, keepdims=True))


def load_detector(
    folder: Path,
    *,
    providers: Sequence[str] = (CPU_PROVIDER,),
    threads: int = 0,
    config: DetectorConfig | None = None,
) -> NanoDetector:
    """The detector, on the engine that its manifest names.

    Args:
        folder: holds manifest.json and the graph.
        providers: ONNX Runtime's execution providers, most wanted first; plans take none.
        threads: of ONNX Runtime, within one operator on the CPU; 0 lets it decide.
        config: how it looks.

    Raises:
        PlanMismatchError: the folder is not what its manifest says, or not what this version of icseg uses.
        BackendError: an engine, a provider or a GPU is not available, or cannot load the graph.
    """
    manifest = load_manifest(folder, kind=graph.MANIFEST_KIND)
    if set(manifest.files) != {graph.GRAPH_NAME}:
        raise PlanMismatchError(
            f"{folder / MANIFEST_NAME}: expected one graph {graph.GRAPH_NAME}, got {sorted(manifest.files)}; "
            f"{manifest.rebuild_hint()}"
        )
    facts = DetectorFacts.from_mapping(manifest.facts)
    inputs, outputs = detector_specs(facts, manifest.image_size)
    runner = load_graph(
        folder, manifest, graph.GRAPH_NAME, inputs=inputs, outputs=outputs, providers=providers, threads=threads
    )
    return NanoDetector(runner, facts, image_mean=manifest.image_mean, image_std=manifest.image_std, config=config)
