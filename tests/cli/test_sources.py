"""Images, folders and videos become frames; what cannot be read says why."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from icseg.cli.results import ResultFolder, write_png
from icseg.cli.sources import open_source, read_image
from icseg.errors import SourceError
from tests.conftest import make_frame

RED = np.zeros((30, 40, 3), np.uint8) + np.array([220, 10, 10], np.uint8)


def test_image_is_rgb(tmp_path: Path) -> None:
    write_png(tmp_path / "red.png", RED)
    source = open_source(str(tmp_path / "red.png"), fps=15)
    (frame,) = source.frames
    assert source.count == 1
    assert np.array_equal(frame.image, RED)


def test_folder_is_read_in_the_order_of_names_at_its_rate(tmp_path: Path) -> None:
    for index in (2, 0, 1):
        write_png(tmp_path / f"{index:05d}.png", RED // (index + 1))
    (tmp_path / "notes.txt").write_text("not a frame")
    frames = list(open_source(str(tmp_path), fps=10).frames)
    assert [frame.stamp_ns for frame in frames] == [0, 100_000_000, 200_000_000]
    assert [int(frame.image.max()) for frame in frames] == [220, 110, 73]


def test_video_there_and_back(tmp_path: Path) -> None:
    results = ResultFolder(tmp_path, "the mug", 20.0, is_image=False, write_masks=False)
    for index in range(5):
        results.add_frame(make_frame(index), None, "caption")
    results.finish({})
    source = open_source(str(tmp_path / "overlay.mp4"), fps=1)
    frames = list(source.frames)
    assert source.fps == pytest.approx(20)
    assert len(frames) == 5
    assert frames[1].stamp_ns == 50_000_000


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        (
            "broken.png",
            b"\x89PNG\r\n\x1a\n nonsense",
            r"broken\.png: it is not an image, or it is damaged \(17 bytes\)",
        ),
        ("empty.jpg", b"", r"empty\.jpg: it is not an image, or it is damaged \(0 bytes\)"),
        ("broken.mp4", b"nonsense" * 50, r"broken\.mp4: it is not a video that OpenCV can decode"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, content: bytes, text: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SourceError, match=text):
        list(open_source(str(tmp_path / name), fps=15).frames)


def test_truncated_image_in_a_folder_is_named(tmp_path: Path) -> None:
    write_png(tmp_path / "0.png", RED)
    whole = (tmp_path / "0.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[:40])
    frames = open_source(str(tmp_path), fps=15).frames
    assert next(frames).index == 0
    with pytest.raises(SourceError, match=r"1\.png: it is not an image, or it is damaged"):
        next(frames)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("no/such/file.mp4", "no such file or folder: no/such/file.mp4"),
        ("97", "cannot open camera 97: is it connected"),
    ],
)
def test_what_is_not_there_is_named(source: str, text: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=text):
        open_source(source, fps=15)


def test_folder_without_images(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no images in"):
        open_source(str(tmp_path), fps=15)


def test_sixteen_bit_and_grey_images_become_rgb(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "deep.png"), np.full((4, 5), 65535, np.uint16))
    assert np.array_equal(read_image(tmp_path / "deep.png"), np.full((4, 5, 3), 255, np.uint8))
