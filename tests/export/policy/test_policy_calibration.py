"""The calibration set holds what the runtime sends: its prompt, its frame sizes, dialogues with true answers."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from export.policy.calibration import SAMPLES_NAME, calibration_dialogues, write_calibration
from icseg.dialogue.actions import Answer, Ask, SelectKeyframe
from icseg.dialogue.chat.grid import GridAnswer
from icseg.dialogue.chat.policy import load_prompt
from icseg.dialogue.chat.protocol import format_action, parse_reply
from icseg.sim.clip_file import load_clip

SAMPLES = 30


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("set") / "calibration"
    path.mkdir()
    (path / "stale.jpg").write_text("from before")
    assert write_calibration(path, SAMPLES) == SAMPLES
    return path


def test_samples(folder: Path) -> None:
    samples = [json.loads(line) for line in (folder / SAMPLES_NAME).read_text().splitlines()]
    assert sorted(path.name for path in folder.glob("*.jpg")) == [sample["image"] for sample in samples]
    sides = [cv2.imread(str(folder / sample["image"])).shape[0] for sample in samples]
    assert set(sides) == {448, 864}
    assert sides.count(448) > 4 * sides.count(864)
    assert all(sample["text"].startswith(load_prompt("search")) for sample in samples)
    assert all("<keyframe>" in sample["text"] and "<answer>" in sample["text"] for sample in samples)
    assert len({sample["text"] for sample in samples}) >= SAMPLES // 7


def test_dialogues_are_legal_and_differ() -> None:
    dialogues = list(calibration_dialogues(load_clip(), 8))
    assert len({tuple(dialogue.frames) for dialogue in dialogues}) == 8
    kinds = set()
    for dialogue in dialogues:
        assert len(dialogue.frames) == 6
        for turn in dialogue.turns:
            assert turn.action is not None
            said = GridAnswer if isinstance(turn.action, Answer) else type(turn.action)
            assert type(parse_reply(format_action(turn.action, dialogue.frame_hw), strict=True)) is said
            kinds.add(type(turn.action))
        assert dialogue.keyframe_id in dialogue.frames
    assert kinds == {Ask, SelectKeyframe, Answer}
