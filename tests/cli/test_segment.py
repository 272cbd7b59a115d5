"""``icseg segment`` on the shipped clip: as an image, a folder and a video, with prepared answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from pycocotools import mask as coco_mask

from icseg.cli.main import main
from icseg.cli.results import write_png
from icseg.evaluation.metrics import jaccard
from icseg.sim.clip_file import load_clip
from icseg.sim.truth import SimFrame

Run = Callable[..., tuple[int, str, str]]
FRAMES = 40
FLOOR_J = 0.8
"""What the demo asks for."""


@pytest.fixture(scope="module")
def clip() -> list[SimFrame]:
    return [sim for _, sim in zip(range(FRAMES), load_clip(), strict=False)]


@pytest.fixture(scope="module")
def folder(clip: list[SimFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("frames")
    for sim in clip:
        write_png(path / f"{sim.frame.index:05d}.png", sim.frame.image)
    return path


@pytest.fixture(scope="module")
def video(clip: list[SimFrame], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "table.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 15, (640, 480))
    for sim in clip:
        writer.write(sim.frame.image[:, :, ::-1])
    writer.release()
    return path


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*args: str) -> tuple[int, str, str]:
        code = main(["segment", *args, "--out", str(tmp_path)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def purple_mug(sim: SimFrame) -> int:
    return next(number for number, thing in sim.things.items() if (thing.kind, thing.colour) == ("mug", "purple"))


def mean_j(folder: Path, clip: list[SimFrame]) -> float:
    """Mean J of the annotations in masks.json against the truth; a frame without annotation counts as empty."""
    coco = json.loads((folder / "masks.json").read_text())
    masks = {row["image_id"]: coco_mask.decode(row["segmentation"]).astype(bool) for row in coco["annotations"]}
    scores = []
    for sim in clip:
        true = sim.mask(purple_mug(sim))
        mask = masks.get(sim.frame.index, np.zeros_like(true))
        scores.append(jaccard(mask, true))
    return float(np.mean(scores))


def test_box(run: Run, folder: Path, clip: list[SimFrame], tmp_path: Path) -> None:
    box = clip[0].box_image_px(purple_mug(clip[0]))
    assert box is not None
    code, out, err = run(str(folder), "--box", *(f"{value:g}" for value in box), "--fps", "15", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["questions"] == []
    assert mean_j(tmp_path, clip) >= FLOOR_J


def test_box_outside_the_image(run: Run, folder: Path) -> None:
    code, out, err = run(str(folder / "00000.png"), "--box", "700", "10", "800", "90")
    assert code == 1
    assert "(700.0, 10.0, 800.0, 90.0) lies outside the image of 640x480 pixels" in err
    assert out.startswith("0 frames tracked")


@pytest.mark.parametrize("words", [(), ("the mug", "--box", "1", "1", "9", "9"), ("--box", "9", "9", "1", "1")])
def test_command_or_box(run: Run, folder: Path, words: tuple[str, ...]) -> None:
    code, _, err = run(str(folder / "00000.png"), *words)
    assert code == 2
    assert "expected either a command" in err or "x1 > x0" in err


def test_a_time_that_never_comes(run: Run, folder: Path) -> None:
    code, _, err = run(str(folder / "00000.png"), "the mug", "--at", "nan")
    assert (code, err.count("\n")) == (2, 1)
    assert "--at >= 0" in err


def test_image(run: Run, folder: Path, clip: list[SimFrame], tmp_path: Path) -> None:
    code, out, err = run(str(folder / "00000.png"), "the purple mug", "--answers", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["questions"] == []
    assert mean_j(tmp_path, clip[:1]) >= FLOOR_J
    assert (tmp_path / "overlay.png").is_file()


def test_folder_with_a_question(run: Run, folder: Path, clip: list[SimFrame], tmp_path: Path) -> None:
    code, out, _ = run(str(folder), "the mug", "--answers", "the purple one", "--json")
    summary = json.loads(out)
    assert code == 0
    assert len(summary["questions"]) == 1
    assert "purple" in summary["questions"][0]
    assert summary["frames_tracked"] == FRAMES  # frames before the keyframe too
    assert mean_j(tmp_path, clip) >= FLOOR_J
    assert len(list((tmp_path / "masks").glob("*.png"))) == FRAMES


def test_video(run: Run, video: Path, clip: list[SimFrame], tmp_path: Path) -> None:
    code, out, _ = run(str(video), "the purple mug", "--answers", "--json", "--no-masks", "--max-frames", "20")
    assert code == 0
    assert json.loads(out)["frames_tracked"] == 20
    assert mean_j(tmp_path, clip[:20]) >= FLOOR_J
    capture = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    assert int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) == 20


def test_interactive(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def person(prompt: str) -> str:
        asked.append(prompt)
        return "the purple one"

    monkeypatch.setattr("builtins.input", person)
    code, out, _ = run(str(folder), "the mug", "--max-frames", "5")
    assert code == 0
    assert len(asked) == 1
    assert out.startswith("5 frames tracked, visible in 5")


def test_unknown_word_is_answered_with_what_is_known(run: Run, folder: Path) -> None:
    code, out, err = run(str(folder), "the stapler", "--answers", "--json")
    assert code == 1
    assert "stapler" in json.loads(out)["gave_up"]
    assert "mug" in err


def test_running_out_of_answers_ends_the_dialogue(run: Run, folder: Path) -> None:
    code, out, _ = run(str(folder), "the mug", "--answers", "--json")
    assert code == 1
    assert json.loads(out)["frames_tracked"] == 0


def test_frame_of_another_size_mid_stream_is_told_and_skipped(
    run: Run, folder: Path, clip: list[SimFrame], tmp_path_factory: pytest.TempPathFactory
) -> None:
    mixed = tmp_path_factory.mktemp("mixed")
    for file in sorted(folder.iterdir())[:6]:
        shutil.copy(file, mixed)
    write_png(mixed / "00003.png", clip[3].frame.image[:240, :320])
    code, out, err = run(str(mixed), "the purple mug", "--answers", "--json")
    assert code == 0
    assert json.loads(out)["frames_tracked"] == 5
    assert "frame 3: size (240, 320) differs from the stream's (480, 640)" in err


def test_damaged_frame_ends_the_run_and_keeps_what_was_done(
    run: Run, folder: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    damaged = tmp_path_factory.mktemp("damaged")
    for file in sorted(folder.iterdir()):
        shutil.copy(file, damaged)
    (damaged / "00036.png").write_bytes(b"nothing")
    code, out, err = run(str(damaged), "the purple mug", "--answers", "--json")
    assert code == 1
    assert "00036.png: it is not an image, or it is damaged" in err
    assert json.loads(out)["frames_tracked"] == 36
    assert len(json.loads((tmp_path / "masks.json").read_text())["images"]) == 36


def test_missing_source_is_one_line_and_exit_code_2(run: Run) -> None:
    code, _, err = run("no/such.mp4", "the mug")
    assert code == 2
    assert err == ("icseg: no such file or folder: no/such.mp4 (a camera is given by its number, for example 0)\n")


def test_dead_chat_server_is_named(run: Run, folder: Path) -> None:
    code, out, _ = run(
        str(folder / "00000.png"), "the mug", "--answers", "--json",
        "--policy", "chat", "--chat-url", "http://127.0.0.1:9/v1",
    )  # fmt: skip
    assert code == 1
    assert "http://127.0.0.1:9" in json.loads(out)["error"]


def test_engine_that_is_not_what_its_manifest_says(
    run: Run, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from icseg.assets import nano_models

    engines = tmp_path_factory.mktemp("engines") / "nano"
    shutil.copytree(nano_models(), engines)
    file = engines / "segmenter" / "mask_decoder.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    code, _, err = run(str(folder / "00000.png"), "the mug", "--answers", "--engines", str(engines))
    assert code == 2
    assert "mask_decoder.onnx" in err
    assert "rebuild the folder with export/sam2_to_onnx.py" in err
