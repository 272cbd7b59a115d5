"""Recordings: the round trip, the shipped clip, and folders that are none. Needs no renderer."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from icseg.errors import SourceError
from icseg.sim.clip_file import SHIPPED_CLIP, load_clip, save_clip
from icseg.sim.scene import SceneSpec, make_scene
from icseg.sim.truth import SimFrame
from icseg.types import Frame

MAX_BYTES = 2_000_000
PICTURE_ERROR = 12.0
"""Mean absolute difference of a lossy picture, 0..255; a wrong channel order or frame is far above."""


@pytest.fixture(scope="module")
def spec() -> SceneSpec:
    return make_scene(1, split="test", ambiguous_kind="mug")


def drawn_frames(spec: SceneSpec, n: int) -> list[SimFrame]:
    """A red square that wanders over a grey picture."""
    frames = []
    for index in range(n):
        image = np.full((96, 128, 3), 90, dtype=np.uint8)
        ids = np.zeros((96, 128), dtype=np.uint8)
        here = np.s_[20:60, 10 + 5 * index : 50 + 5 * index]
        image[here], ids[here] = (220, 30, 30), 1
        frames.append(SimFrame(Frame(image, index * 100_000_000, index), ids, spec.truths))
    return frames


def test_a_recording_comes_back_as_it_was(tmp_path: Path, spec: SceneSpec) -> None:
    frames = drawn_frames(spec, 6)
    save_clip(frames, spec, tmp_path, fps=10)
    clip = load_clip(tmp_path)
    assert (len(clip), clip.fps, clip.hw) == (6, 10.0, (96, 128))
    assert clip.things == spec.truths
    assert clip.hidden_id == spec.hidden_id
    for _ in range(2):
        for sim, original in zip(clip, frames, strict=True):
            np.testing.assert_array_equal(sim.instance_ids, original.instance_ids)
            assert (sim.frame.index, sim.frame.stamp_ns) == (original.frame.index, original.frame.stamp_ns)
            difference = np.abs(sim.frame.image.astype(int) - original.frame.image)
            assert difference.mean() < PICTURE_ERROR


def test_the_shipped_clip_is_small_and_whole() -> None:
    assert sum(file.stat().st_size for file in SHIPPED_CLIP.iterdir()) < MAX_BYTES
    clip = load_clip()
    assert 9.0 <= len(clip) / clip.fps <= 11.0
    mugs = [thing_id for thing_id, thing in clip.things.items() if thing.kind == "mug"]
    assert len(mugs) >= 2
    areas = np.array([[int(sim.mask(i).sum()) for i in clip.things] for sim in clip])
    columns = {thing_id: areas[:, column] for column, thing_id in enumerate(clip.things)}
    assert all(columns[i][: int(2 * clip.fps)].min() >= 900 for i in mugs)
    assert clip.hidden_id is not None
    assert clip.leaving_id is not None
    assert columns[clip.hidden_id].min() < 0.5 * columns[clip.hidden_id][0]
    assert columns[clip.leaving_id].min() == 0 < columns[clip.leaving_id][-1]


def test_a_folder_that_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a recorded clip"):
        load_clip(tmp_path)


@pytest.mark.parametrize("damage", ["format", "ids", "video", "short"])
def test_a_damaged_recording_is_refused(tmp_path: Path, spec: SceneSpec, damage: str) -> None:
    save_clip(drawn_frames(spec, 3), spec, tmp_path, fps=10)
    truth_file = tmp_path / "truth.json"
    truth = json.loads(truth_file.read_text())
    match damage:
        case "format":
            truth["format"] = 99
        case "ids":
            (tmp_path / "ids.npz").write_bytes(b"PK nothing")
        case "video":
            shutil.move(tmp_path / "frames.mp4", tmp_path / "other.mp4")
        case "short":
            truth["stamps_ns"] = truth["stamps_ns"][:-1]
    truth_file.write_text(json.dumps(truth))
    with pytest.raises(SourceError):
        load_clip(tmp_path)


def test_nothing_to_record_is_refused(tmp_path: Path, spec: SceneSpec) -> None:
    with pytest.raises(SourceError, match="no frames"):
        save_clip([], spec, tmp_path, fps=10)
