"""Where frames come from: an image, a folder of frames, a video file, a camera. Each gives ``Frame`` values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic_ns

import cv2
import numpy as np

from icseg.errors import SourceError
from icseg.types import Frame, ImageU8

IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".ppm"))


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source.

    Attributes:
        name: for people.
        fps: frames a second; of a folder as the caller said.
        count: number of frames, or None when unknown (a camera).
        is_live: frames are lost when nobody takes them.
        frames: the frames, once.
    """

    name: str
    fps: float
    count: int | None
    is_live: bool
    frames: Iterator[Frame]


def read_image(path: Path) -> ImageU8:
    """An image file as (H, W, 3) uint8 RGB.

    Raises:
        SourceError: no such file, or nothing that can be decoded as an image.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise SourceError(f"cannot read {path}: it is not an image, or it is damaged ({data.size} bytes)")
    return np.ascontiguousarray(image[:, :, ::-1])


def open_source(source: str, *, fps: float) -> Source:
    """Open whatever ``source`` names: a number is a camera, else a path.

    Args:
        fps: frames a second of a folder, which has no clock of its own.

    Raises:
        SourceError: it cannot be opened, or holds no frame.
    """
    if source.isdigit():
        return _open_camera(int(source))
    path = Path(source)
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise SourceError(f"no images in {path}: expected files ending in {', '.join(sorted(IMAGE_SUFFIXES))}")
        return Source(path.name, fps, len(files), False, _read_folder(files, fps))
    if not path.is_file():
        raise SourceError(f"no such file or folder: {path} (a camera is given by its number, for example 0)")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return Source(path.name, fps, 1, False, iter([Frame(read_image(path), 0, 0)]))
    return _open_video(path)


def _read_folder(files: list[Path], fps: float) -> Iterator[Frame]:
    for index, file in enumerate(files):
        yield Frame(read_image(file), round(index * 1e9 / fps), index)


def _open_video(path: Path) -> Source:
    capture = cv2.VideoCapture(str(path))
    if not capture.isOpened():
        raise SourceError(f"cannot read {path}: it is not a video that OpenCV can decode")
    fps = capture.get(cv2.CAP_PROP_FPS)
    if not 0 < fps < 1000:
        raise SourceError(f"cannot read {path}: it gives {fps} frames a second")
    count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    return Source(path.name, fps, count if count > 0 else None, False, _read_video(capture, path, fps))


def _read_video(capture: cv2.VideoCapture, path: Path, fps: float) -> Iterator[Frame]:
    index = 0
    while True:
        ok, image = capture.read()
        if not ok:
            break
        # the running number is the clock: container stamps repeat and jump in damaged files
        yield Frame(np.ascontiguousarray(image[:, :, ::-1]), round(index * 1e9 / fps), index)
        index += 1
    capture.release()
    if index == 0:
        raise SourceError(f"cannot read {path}: not one frame could be decoded")


def _open_camera(number: int) -> Source:
    capture = cv2.VideoCapture(number)
    if not capture.isOpened():
        raise SourceError(f"cannot open camera {number}: is it connected, and not in use by another program?")
    fps = capture.get(cv2.CAP_PROP_FPS) or 30.0
    return Source(f"camera {number}", fps, None, True, _read_camera(capture, number))


def _read_camera(capture: cv2.VideoCapture, number: int) -> Iterator[Frame]:
    begin, index = monotonic_ns(), 0
    while True:
        ok, image = capture.read()
        if not ok:
            capture.release()
            raise SourceError(f"camera {number} gave no more frames after {index}: was it unplugged?")
        yield Frame(np.ascontiguousarray(image[:, :, ::-1]), monotonic_ns() - begin, index)
        index += 1
