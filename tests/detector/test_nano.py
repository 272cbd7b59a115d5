from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Mapping
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from icseg.detector import graph
from icseg.detector.detector import CloseDetector
from icseg.detector.graph import DetectorFacts, detector_specs
from icseg.detector.nano import NanoDetector, load_detector
from icseg.errors import ModelOutputError, PlanMismatchError
from icseg.geometry import box_iou
from icseg.inference.runner import TensorSpec
from icseg.inference.runner_scripted import ScriptedRunner
from icseg.sim.clip_file import SHIPPED_CLIP, load_clip
from icseg.sim.things import COLOURS, KINDS
from icseg.types import Array, Box

SIZE = 320
CLEAR_PX = 600
"""Visible pixels at 640x480 from which on a thing is easy: about three times what training asks for."""
MODEL = Path(__file__).resolve().parents[2] / "models" / "nano" / "detector"
FACTS = DetectorFacts(("mug", "bowl", "ball"), ("red", "blue"), 0.4, 1.0, 0.0, 1.0, 2.0)
MEAN, STD = (0.5, 0.25, 0.0), (0.5, 0.25, 1.0)


class Scene:
    """What a scripted runner answers every image with; keeps the last feed."""

    def __init__(self, facts: DetectorFacts = FACTS) -> None:
        self.facts = facts
        self.inputs, self.outputs = detector_specs(facts, SIZE)
        self.maps: dict[str, Array] = {name: np.zeros(spec.shape, np.float32) for name, spec in self.outputs.items()}
        self.maps[graph.CENTRE_LOGITS] -= 8
        self.fed: Array | None = None

    def add(self, box_px: Box, logit: float, kind: int, colour: int) -> None:
        """A thing whose point is the middle of a box in pixels of the 320x320 image."""
        col, row = int((box_px[0] + box_px[2]) / 8), int((box_px[1] + box_px[3]) / 8)
        x, y = col * 4 + 2, row * 4 + 2
        at = np.s_[0, :, row, col]
        self.maps[graph.CENTRE_LOGITS][at] = logit
        self.maps[graph.BOX_DISTANCES][at] = (x - box_px[0], y - box_px[1], box_px[2] - x, box_px[3] - y)
        self.maps[graph.KIND_LOGITS][at] = 4.0 * np.eye(3)[kind]
        self.maps[graph.COLOUR_LOGITS][at] = 4.0 * np.eye(2)[colour]

    def answer(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        self.fed = feeds[graph.IMAGE]
        centre = np.pad(self.maps[graph.CENTRE_LOGITS][0, 0], 1, constant_values=-np.inf)
        windows = np.lib.stride_tricks.sliding_window_view(centre, (3, 3))
        self.maps[graph.CENTRE_MAX] = windows.max((2, 3))[None, None]
        return self.maps


def detector(scene: Scene) -> NanoDetector:
    runner = ScriptedRunner(scene.inputs, scene.outputs, scene.answer)
    return NanoDetector(runner, scene.facts, image_mean=MEAN, image_std=STD)


def image(height: int = 480, width: int = 640) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def test_boxes_come_in_pixels_of_the_camera_image_best_score_first() -> None:
    scene = Scene()
    scene.add((20, 40, 60, 100), 1.0, kind=1, colour=0)
    scene.add((200, 200, 240, 260), 3.0, kind=0, colour=1)
    found = detector(scene).detect(image())
    assert [one.kind for one in found] == ["mug", "bowl"]
    assert [one.colour for one in found] == ["blue", "red"]
    np.testing.assert_allclose(found[1].box_image_px, (40, 60, 120, 150))
    np.testing.assert_allclose(found[0].box_image_px, (400, 300, 480, 390))
    assert found[0].score == pytest.approx(1 / (1 + np.exp(-3.0)))
    for one in found:
        assert sum(one.kind_probs.values()) == pytest.approx(1)
        assert sum(one.colour_probs.values()) == pytest.approx(1)
        assert tuple(one.kind_probs) == FACTS.kinds
        assert tuple(one.colour_probs) == FACTS.colours


def test_calibration_is_applied() -> None:
    facts = DetectorFacts(FACTS.kinds, FACTS.colours, 0.1, 0.5, -1.0, 2.0, 1.0)
    scene = Scene(facts)
    scene.add((20, 40, 60, 100), 3.0, kind=1, colour=0)
    (one,) = detector(scene).detect(image())
    assert one.score == pytest.approx(1 / (1 + np.exp(-(0.5 * 3 - 1))))
    assert one.kind_probs["bowl"] == pytest.approx(np.exp(2) / (np.exp(2) + 2))
    assert one.colour_probs["red"] == pytest.approx(np.exp(4) / (np.exp(4) + 1))


def test_low_scores_and_neighbours_of_a_peak_are_no_detections() -> None:
    scene = Scene()
    scene.add((20, 40, 60, 100), 3.0, kind=1, colour=0)
    scene.add((24, 40, 64, 100), 2.5, kind=1, colour=0)
    scene.add((200, 200, 240, 260), -1.0, kind=0, colour=1)
    assert len(detector(scene).detect(image())) == 1


def test_one_thing_with_two_peaks_is_one_detection() -> None:
    scene = Scene()
    scene.add((100, 100, 140, 160), 3.0, kind=0, colour=0)
    scene.add((108, 100, 148, 160), 2.0, kind=1, colour=1)
    assert [one.kind for one in detector(scene).detect(image())] == ["mug"]


@pytest.mark.parametrize(("kind", "colour", "count"), [(0, 0, 1), (2, 0, 2), (0, 1, 2)])
def test_a_box_inside_another_goes_only_when_it_says_the_same(kind: int, colour: int, count: int) -> None:
    scene = Scene()
    scene.add((100, 100, 180, 180), 3.0, kind=0, colour=0)
    scene.add((100, 100, 124, 124), 2.0, kind=kind, colour=colour)
    assert len(detector(scene).detect(image())) == count


def test_boxes_are_cut_to_the_image_and_empty_ones_dropped() -> None:
    scene = Scene()
    scene.add((-30, 40, 60, 100), 3.0, kind=1, colour=0)
    found = detector(scene).detect(image(240, 320))
    assert found[0].box_image_px[0] == 0
    scene.maps[graph.BOX_DISTANCES][:] = 0
    assert detector(scene).detect(image()) == []


def test_the_empty_table_gives_nothing() -> None:
    assert detector(Scene()).detect(image()) == []


def test_the_image_is_squashed_and_normalised() -> None:
    scene = Scene()
    picture = image()
    picture[:, 320:] = (255, 0, 51)
    detector(scene).detect(picture)
    assert scene.fed is not None
    assert scene.fed.flags.c_contiguous
    np.testing.assert_allclose(scene.fed[0, :, 10, 200], (1.0, -1.0, 0.2), atol=1e-6)
    np.testing.assert_allclose(scene.fed[0, :, 10, 100], np.array([128 / 255] * 3 - np.array(MEAN)) / STD, atol=1e-6)


@pytest.mark.parametrize("shape", [(480, 640), (480, 640, 4), (0, 640, 3)])
def test_wrong_images_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        detector(Scene()).detect(np.zeros(shape, np.uint8))


@pytest.mark.parametrize("name", [graph.CENTRE_LOGITS, graph.BOX_DISTANCES, graph.KIND_LOGITS])
def test_numbers_that_are_not_finite_are_an_error(name: str) -> None:
    scene = Scene()
    scene.add((20, 40, 60, 100), 3.0, kind=1, colour=0)
    scene.maps[name][0, :, 17, 10] = np.nan
    with pytest.raises(ModelOutputError, match="finite"):
        detector(scene).detect(image())


def test_a_runner_of_another_graph_is_refused() -> None:
    scene = Scene()
    scene.outputs = {**scene.outputs, graph.KIND_LOGITS: TensorSpec((1, 7, 80, 80), "float32")}
    with pytest.raises(ValueError, match="expected tensors"):
        detector(scene)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kinds": []}, "facts.kinds"),
        ({"colours": ["red", "red"]}, "none twice"),
        ({"kinds": "mug"}, "list of names"),
        ({"score_threshold": 1.5}, "facts.score_threshold"),
        ({"kind_temperature": 0}, "facts.kind_temperature"),
        ({"score_offset": float("nan")}, "facts.score_offset"),
        ({"score_scale": True}, "expected a number"),
        ({"extra": 1}, "unknown"),
    ],
)
def test_wrong_facts_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(PlanMismatchError, match=message):
        DetectorFacts.from_mapping(FACTS.as_mapping() | change)


def test_facts_survive_the_manifest() -> None:
    assert DetectorFacts.from_mapping(json.loads(json.dumps(FACTS.as_mapping()))) == FACTS


def test_a_changed_file_is_refused_with_what_to_rebuild(tmp_path: Path) -> None:
    folder = tmp_path / "detector"
    shutil.copytree(MODEL, folder)
    with (folder / "detector.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(PlanMismatchError, match=r"detector\.onnx.*expected SHA-256.*got.*export/detector_to_onnx\.py"):
        load_detector(folder)


MIN_FOUND, MIN_NAMED = 0.85, 0.8
"""Below what the model card says, because one scene holds few things; a mis-wired model finds and names none."""


def test_the_shipped_model_finds_and_names_things_of_the_shipped_clip() -> None:
    shipped = load_detector(MODEL, threads=2)
    assert shipped.backend == "onnxruntime/CPUExecutionProvider"
    assert set(shipped.kinds) == set(KINDS)
    assert set(shipped.colours) == set(COLOURS)
    found = named = total = 0
    for sim in islice(load_clip(SHIPPED_CLIP), 0, None, 20):
        detections = shipped.detect(sim.frame.image)
        for number, thing in sim.things.items():
            box = sim.box_image_px(number)
            if box is None or sim.mask(number).sum() < CLEAR_PX:
                continue
            total += 1
            matched = [one for one in detections if box_iou(one.box_image_px, box) >= 0.5]
            found += bool(matched)
            named += any((one.kind, one.colour) == (thing.kind, thing.colour) for one in matched)
    assert total >= 20
    assert found >= MIN_FOUND * total, f"{found} of {total}"
    assert named >= MIN_NAMED * total, f"{named} of {total}"


def test_the_point_is_where_the_thing_was_read_in_pixels_of_the_camera_image() -> None:
    scene = Scene()
    scene.add((100, 40, 140, 100), 3.0, kind=0, colour=1)  # its point is the cell of 120, 70
    (found,) = detector(scene).detect(image())
    assert found.point_image_px == ((4 * 30 + 2) * 640 / SIZE, (4 * 17 + 2) * 480 / SIZE)


def test_the_shipped_models_points_lie_on_the_things() -> None:
    sim = next(iter(load_clip()))
    hits = 0
    for found in load_detector(MODEL, threads=1).detect(sim.frame.image):
        things = {n: box for n in sim.things if (box := sim.box_image_px(n)) is not None}
        best = max(things, key=lambda n: box_iou(things[n], found.box_image_px))
        if found.score < 0.5 or box_iou(things[best], found.box_image_px) < 0.5:
            continue
        assert found.point_image_px is not None
        x, y = found.point_image_px
        assert sim.mask(best)[int(y), int(x)]
        hits += 1
    assert hits >= 4


def test_the_shipped_model_finds_more_when_it_looks_closely() -> None:
    shipped = load_detector(MODEL, threads=1)
    assert isinstance(shipped, CloseDetector)
    small = Counter[str]()
    for sim in islice(load_clip(SHIPPED_CLIP), 0, None, 40):
        # the same picture seen from farther away: on a wider, empty table
        wide = np.full((1440, 1920, 3), 128, np.uint8)
        wide[480:960, 640:1280] = sim.frame.image
        boxes = [box for n in sim.things if sim.mask(n).sum() >= CLEAR_PX and (box := sim.box_image_px(n))]
        moved = [(x0 + 640, y0 + 480, x1 + 640, y1 + 480) for x0, y0, x1, y1 in boxes]
        for name, seen in (("glance", shipped.detect(wide)), ("closely", shipped.detect_closely(wide))):
            small[name] += sum(
                any(one.score >= 0.3 and box_iou(one.box_image_px, box) >= 0.5 for one in seen) for box in moved
            )
    assert small["closely"] > small["glance"]
