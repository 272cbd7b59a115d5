from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from icseg.detector.detector import Detection
from icseg.sim.things import COLOUR_RGB, COLOURS, KINDS
from training.clips import ClipStore, augment, repaint_background
from training.detector_calibration import best_threshold, calibration_error, fit_logistic, fit_temperature, softmax
from training.detector_losses import centre_loss, detector_loss, generalised_iou
from training.detector_model import IMAGE_SIZE, STRIDE, DetectorGraph, DetectorMaps, load_detector_net, save_detector
from training.detector_targets import TrueThing, sample_scenes, targets_of, things_in
from training.eval_detector import Tally
from training.train_detector import start_run, train_step

SCENES, STEPS = 6, 10


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """Threads that wait for each other on a busy machine make seconds into minutes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def draw_clip(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, list[dict[str, object]]]:
    """One picture of coloured discs and squares; a stand-in for the renderer."""
    image = np.full((IMAGE_SIZE, IMAGE_SIZE, 3), 110, np.uint8)
    ids = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    things: list[dict[str, object]] = []
    for number in range(1, 4):
        kind, colour = ("ball", "box")[int(rng.integers(2))], str(rng.choice(COLOURS))
        x, y = (int(value) for value in rng.integers(40, IMAGE_SIZE - 40, 2))
        rgb = tuple(int(255 * value) for value in COLOUR_RGB[colour])
        for canvas, ink in ((image, rgb), (ids, (number,))):
            if kind == "ball":
                cv2.circle(canvas, (x, y), 22, ink, -1)
            else:
                cv2.rectangle(canvas, (x - 20, y - 20), (x + 20, y + 20), ink, -1)
        things.append({"id": number, "kind": kind, "colour": colour, "size": "small"})
    return image, ids, things


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ClipStore:
    root = tmp_path_factory.mktemp("clips")
    clips = [draw_clip(np.random.default_rng(seed)) for seed in range(SCENES)]
    images, ids = (np.stack([clip[part] for clip in clips])[:, None] for part in (0, 1))
    np.savez(root / "clips-0000.npz", images=images, ids=ids)
    (root / "clips-0000.json").write_text(json.dumps({"clips": [{"things": clip[2]} for clip in clips]}))
    return ClipStore(root, IMAGE_SIZE)


def total(parts: dict[str, float]) -> float:
    return sum(parts.values())


def test_training_reduces_the_loss_and_resumes_to_the_same_state(store: ClipStore, tmp_path: Path) -> None:
    run = start_run(tmp_path / "a", steps=100, lr=2e-3, seed=0)
    losses = [total(train_step(run, store, batch=4)) for _ in range(STEPS)]
    assert np.mean(losses[-3:]) < 0.9 * losses[0]
    run.save()
    expected = [train_step(run, store, batch=2) for _ in range(2)]

    resumed = start_run(tmp_path / "a", steps=100, lr=2e-3, seed=1)
    assert resumed.step == STEPS
    got = [train_step(resumed, store, batch=2) for _ in range(2)]
    assert got == expected
    for one, other in zip(run.ema.state_dict().values(), resumed.ema.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_weights_survive_the_file(tmp_path: Path) -> None:
    net = start_run(tmp_path / "run", steps=1, lr=1e-3, seed=3).ema
    save_detector(tmp_path / "model", net, {"kinds": list(KINDS), "colours": list(COLOURS)})
    loaded, config = load_detector_net(tmp_path / "model")
    assert config["kinds"] == list(KINDS)
    assert sum(value.numel() for value in loaded.parameters()) == pytest.approx(1e6, rel=0.1)
    pixels = torch.randn(1, 3, IMAGE_SIZE, IMAGE_SIZE)
    with torch.no_grad():
        outputs, expected = DetectorGraph(loaded)(pixels), DetectorGraph(net)(pixels)
    for got, want in zip(outputs, expected, strict=True):
        torch.testing.assert_close(got, want)
    assert bool((outputs[1] >= outputs[0]).all())


def test_only_the_background_is_repainted(store: ClipStore) -> None:
    images, ids = (torch.from_numpy(part.copy()) for part in store.clip(0))
    pictures = images.permute(0, 3, 1, 2).float() / 255
    rng, thing = np.random.default_rng(0), (ids[:, None] > 0).expand_as(pictures)
    painted = [repaint_background(pictures, ids, rng) for _ in range(4)]
    for one in painted:
        assert one.shape == pictures.shape
        assert torch.equal(one[thing], pictures[thing])
        assert 0 <= float(one.min()) <= float(one.max()) <= 1
    # the table was of one grey
    corners = [one[0, :, :20, :20] for one in painted]
    assert len({tuple(corner[:, 0, 0].tolist()) for corner in corners}) == len(painted)
    assert any(float(corner.std((1, 2)).max()) > 0.02 for corner in corners)


def test_a_point_lies_on_its_thing_and_little_things_are_unclear() -> None:
    ids = np.zeros((IMAGE_SIZE, IMAGE_SIZE), np.uint8)
    cv2.circle(ids, (100, 120), 40, (1,), -1)
    cv2.circle(ids, (100, 120), 15, (2,), -1)
    ids[200:205, 200:205] = 3
    truth = [
        {"id": 1, "kind": "plate", "colour": "white"},
        {"id": 2, "kind": "ball", "colour": "red"},
        {"id": 3, "kind": "can", "colour": "blue"},
        {"id": 4, "kind": "can", "colour": "blue"},
    ]
    things, unclear = things_in(ids, truth, KINDS, COLOURS)
    assert [KINDS[thing.kind] for thing in things] == ["plate", "ball"]
    assert things[0].box_px == (60, 80, 141, 161)
    for number, thing in enumerate(things, 1):
        assert ids[int(thing.point_px[1]), int(thing.point_px[0])] == number
    assert unclear.sum() == 25

    targets = targets_of([(things, unclear)])
    assert int((targets.centre == 1).sum()) == 2
    assert targets.weight[0, 50, 50] == 0
    col, row = (int(value / STRIDE) for value in things[0].point_px)
    left, top, right, bottom = targets.box[0, :, row, col].tolist()
    x, y = col * STRIDE + 2, row * STRIDE + 2
    assert (x - left, y - top, x + right, y + bottom) == things[0].box_px
    assert int(targets.kind[0, row, col]) == KINDS.index("plate")


def test_perfect_maps_cost_almost_nothing(store: ClipStore) -> None:
    _, targets = sample_scenes(store, np.random.default_rng(0), 2, (KINDS, COLOURS))
    heat = torch.where(targets.centre == 1, 12.0, -12.0)[:, None]
    words = [
        20.0 * torch.nn.functional.one_hot(values.clamp(min=0), len(names)).permute(0, 3, 1, 2).float()
        for values, names in ((targets.kind, KINDS), (targets.colour, COLOURS))
    ]
    loss, parts = detector_loss(DetectorMaps(heat, targets.box, *words), targets)
    assert float(loss) < 1e-3, parts


def test_unclear_cells_teach_nothing() -> None:
    logits = torch.zeros(1, 4, 4, requires_grad=True)
    weight = torch.ones(1, 4, 4)
    weight[0, 2, 2] = 0
    centre_loss(logits, torch.zeros(1, 4, 4), weight).backward()
    assert logits.grad is not None
    assert logits.grad[0, 2, 2] == 0
    assert logits.grad[0, 1, 1] > 0


def test_generalised_iou_of_known_boxes() -> None:
    box = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]])
    other = torch.tensor([[1.0, 1.0, 1.0, 1.0], [1.0, 1.0, 3.0, 1.0]])
    torch.testing.assert_close(generalised_iou(box, other), torch.tensor([1.0, 0.5]))


def test_keeping_colours_keeps_red_red() -> None:
    images = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    images[..., 0] = 200
    for seed in range(20):
        picture, _ = augment(
            images, torch.zeros(1, 32, 32, dtype=torch.uint8), np.random.default_rng(seed), keep_colours=True
        )
        red, green, blue = picture.mean((0, 2, 3)).tolist()
        assert red > 0.5
        assert max(green, blue) < 0.15


def test_calibration_finds_what_was_done_to_the_probabilities() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20000, 4))
    truth = np.array([rng.choice(4, p=row) for row in softmax(logits)])
    assert fit_temperature(softmax(logits * 2), truth) == pytest.approx(2, rel=0.06)
    honest = softmax(logits)
    assert calibration_error(honest.max(1), honest.argmax(1) == truth) < 0.02
    boasting = softmax(logits * 2)
    assert calibration_error(boasting.max(1), boasting.argmax(1) == truth) > 0.05

    x = rng.normal(0, 2, 20000)
    is_right = rng.random(20000) < 1 / (1 + np.exp(-(1.5 * x - 0.5)))
    assert fit_logistic(1 / (1 + np.exp(-x)), is_right) == pytest.approx((1.5, -0.5), abs=0.08)


def test_best_threshold_takes_right_ones_and_leaves_wrong_ones() -> None:
    scores, is_right = np.array([0.9, 0.8, 0.3, 0.2]), np.array([True, True, False, False])
    assert best_threshold(scores, is_right, truths=2) == 0.8
    # a thing that only a weak detection shows is worth two wrong ones when misses weigh more
    is_right = np.array([True, False, False, True])
    assert best_threshold(scores, is_right, truths=2) == 0.9
    assert best_threshold(scores, is_right, truths=2, recall_weight=2.0) == 0.2


def test_tally_judges_each_thing_once_and_leaves_unclear_places_out() -> None:
    def detection(box: tuple[float, float, float, float], score: float) -> Detection:
        return Detection(box, score, {"mug": 0.9, "ball": 0.1}, {"red": 0.8, "blue": 0.2})

    thing = TrueThing((10, 10, 50, 50), (30, 30), 1600, kind=0, colour=1)
    unclear = np.zeros((IMAGE_SIZE, IMAGE_SIZE), bool)
    unclear[200:240, 200:240] = True
    tally = Tally()
    found = [
        detection((10, 10, 50, 50), 0.9),
        detection((12, 10, 50, 50), 0.8),
        detection((200, 200, 240, 240), 0.7),
        detection((100, 100, 140, 140), 0.6),
    ]
    tally.add(found, [thing], unclear)
    assert tally.is_right == [True, False, False]
    assert tally.scores == [0.9, 0.8, 0.6]
    probs, truth = tally.probs("colour")
    np.testing.assert_allclose(probs, [[0.8, 0.2]])
    assert truth.tolist() == [1]
