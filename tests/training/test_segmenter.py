"""The segmenter's two stages on a handful of clips: the loss falls, a run resumes to the same state, weights export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from training.clips import ClipStore, map_array, prompts_from_masks, sample_batch  # noqa: E402
from training.dense_head import dense_targets  # noqa: E402
from training.segmenter_steps import clips_step  # noqa: E402
from training.train_segmenter import main, start_run, train_step  # noqa: E402

KINDS = ("ball", "box")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six clips of two squares, one of them moving, as training/render.py would store them."""
    root = tmp_path_factory.mktemp("nano")
    random = np.random.default_rng(0)
    for split in ("train", "val"):
        images = random.integers(60, 90, (6, 6, 320, 320, 3), np.uint8)
        ids = np.zeros((6, 6, 320, 320), np.uint8)
        for clip in range(6):
            for t in range(6):
                for number, (x, y) in enumerate(((40 + 12 * t, 60), (180, 170)), start=1):
                    ids[clip, t, y : y + 70, x : x + 70] = number
                    images[clip, t, y : y + 70, x : x + 70] = (220, 30, 30) if number == 1 else (30, 30, 220)
        (root / split).mkdir()
        np.savez(root / split / "clips-0000.npz", images=images, ids=ids)
        things = [{"id": n + 1, "kind": kind, "colour": "red", "size": "small"} for n, kind in enumerate(KINDS)]
        (root / split / "clips-0000.json").write_text(json.dumps({"clips": [{"things": things}] * 6}))
    return root


def test_mapped_arrays_equal_loaded_ones(data: Path) -> None:
    path = data / "train" / "clips-0000.npz"
    with np.load(path, allow_pickle=False) as arrays:
        assert np.array_equal(map_array(path, "ids"), arrays["ids"])
        assert np.array_equal(map_array(path, "images"), arrays["images"])


def test_compressed_shards_are_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "clips-0000.npz", ids=np.zeros(3, np.uint8))
    with pytest.raises(ValueError, match="ids is compressed"):
        map_array(tmp_path / "clips-0000.npz", "ids")


def test_no_data_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"run training/render\.py first"):
        ClipStore(tmp_path, 320)


def test_pictures_of_another_size_are_refused(data: Path) -> None:
    with pytest.raises(ValueError, match=r"expected pictures of 448x448, got 320x320: .*--side 448"):
        ClipStore(data / "train", 448)


def test_prompts_lie_on_their_things(data: Path) -> None:
    random = np.random.default_rng(0)
    batch = sample_batch(ClipStore(data / "train", 320), random, clips=2, frames=1, things=2)
    masks = batch.masks[:, :, 0].flatten(0, 1)
    coords, labels = prompts_from_masks(masks, "both", random)
    assert labels.tolist() == [[2, 3, 1]] * 4
    for mask, points in zip(masks, coords, strict=True):
        x, y = points[2].int().tolist()
        assert mask[y, x] == 1


def test_dense_targets_reach_the_edges_of_their_thing(data: Path) -> None:
    _, ids = ClipStore(data / "train", 320).clip(0)
    classes, edges = dense_targets(ids[:1], {1: 6, 2: 5})
    rows, cols = np.nonzero(classes[0] == 6)
    left, top, right, bottom = edges[0, :, rows[0], cols[0]]
    assert (left, top) == (0, 0)
    assert right == pytest.approx((cols.max() - cols.min()) * 4 / 80)
    assert bottom == pytest.approx((rows.max() - rows.min()) * 4 / 80)


def test_both_stages_learn_and_resume_to_the_same_state(data: Path, tmp_path: Path) -> None:
    store, losses = ClipStore(data / "train", 320), []
    run = start_run(tmp_path, "image", steps=60, lr=8e-4, seed=0)
    for _ in range(12):
        losses.append(train_step(run, store, "image", sharpness=0.0)[0])
    assert np.mean(losses[-3:]) < 0.8 * np.mean(losses[:3])
    run.save()
    expected = [train_step(run, store, "image", sharpness=0.0) for _ in range(2)]
    again = start_run(tmp_path, "image", steps=60, lr=8e-4, seed=0)
    assert again.step == 12
    assert [train_step(again, store, "image", sharpness=0.0) for _ in range(2)] == expected

    clips = start_run(tmp_path, "clips", steps=60, lr=2e-3, seed=0)
    assert np.isfinite([train_step(clips, store, "clips", sharpness=0.0)[0] for _ in range(2)]).all()
    # eight steps on one batch, with the same choices every time
    model = clips.model.segmenter.eval()
    batch = sample_batch(store, np.random.default_rng(3), clips=2, frames=5, things=2, augmented=False)
    losses = []
    for _ in range(8):
        loss, _ = clips_step(model, batch, np.random.default_rng(4), sharpness=0.0)
        losses.append(float(loss.detach()))
        clips.learn(loss)
    assert losses[-1] < 0.95 * losses[0]


def test_commands_train_save_and_give_a_folder_that_loads(data: Path, tmp_path: Path) -> None:
    from transformers import Sam2VideoModel

    options = ["--data", str(data), "--run", str(tmp_path / "run"), "--val-batches", "1", "--threads", "1"]
    main(["image", *options, "--steps", "2", "--every", "1"])
    main(["clips", *options, "--steps", "1", "--every", "1"])
    rows = [json.loads(line) for line in (tmp_path / "run" / "image.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [1, 2]
    main(["save", "--run", str(tmp_path / "run"), "--out", str(tmp_path / "model")])
    model = Sam2VideoModel.from_pretrained(tmp_path / "model", dtype=torch.float32)
    assert sum(value.numel() for value in model.parameters()) < 4e6
    # and training goes on from it: what is new in the checkpoint is one small step away
    main(["image", *options[:2], "--run", str(tmp_path / "more"), "--begin-with", str(tmp_path / "model"),
          "--steps", "1", "--every", "1", "--val-batches", "1", "--threads", "1"])  # fmt: skip
    weights = torch.load(tmp_path / "more" / "image.pt", weights_only=True)["ema"]
    name = "mask_decoder.mask_tokens.weight"
    torch.testing.assert_close(weights[f"segmenter.{name}"], model.state_dict()[name], atol=1e-2, rtol=0)
