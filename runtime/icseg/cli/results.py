"""What a run leaves behind: overlay video, mask PNGs, COCO RLE JSON, transcript, timings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from enum import Enum
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from icseg.errors import BackendError, SourceError
from icseg.mask_ops.drawing import add_caption, draw_objects
from icseg.mask_ops.native import rle_encode
from icseg.session import events
from icseg.types import Frame, ImageU8, Prompt, TrackResult


def write_png(path: Path, image: ImageU8) -> None:
    """Write (H, W) or (H, W, 3) RGB uint8 as PNG.

    Raises:
        SourceError: the file cannot be written.
    """
    pixels = image[:, :, ::-1] if image.ndim == 3 else image
    ok, data = cv2.imencode(".png", pixels)
    try:
        if not ok:
            raise OSError(0, "the image could not be encoded")
        path.write_bytes(data.tobytes())
    except OSError as error:
        raise SourceError(f"cannot write {path}: {error.strerror}") from error


def event_to_json(event: events.Event) -> dict[str, Any]:
    """An event as plain values; a mask becomes its box, area and scores."""
    row: dict[str, Any] = {"event": type(event).__name__, "stamp_s": round(event.stamp_ns / 1e9, 4)}
    for field in fields(event):
        value = getattr(event, field.name)
        if field.name == "stamp_ns":
            continue
        if isinstance(value, TrackResult):
            value = {
                str(thing.object_id): {
                    "box_image_px": thing.box_image_px,
                    "area_px": thing.area_px,
                    "object_score": round(thing.object_score, 3),
                    "iou_score": round(thing.iou_score, 3),
                    "is_lost": thing.is_lost,
                }
                for thing in value.objects.values()
            }
        elif isinstance(value, Prompt):
            value = asdict(value)
        elif isinstance(value, Enum):
            value = value.name.lower()
        elif field.name == "choices":
            value = [asdict(choice) for choice in value]
        elif field.name in ("timings_ms", "rates_per_s"):
            value = {name: round(measured, 3) for name, measured in value.items()}
        row[field.name] = value
    return row


def summarise_timings(log: list[events.Event]) -> dict[str, Any]:
    """By kind of event: median, 95th percentile and count of every stage in milliseconds; median of every rate."""
    rates: dict[str, dict[str, list[float]]] = {}
    samples: dict[str, dict[str, list[float]]] = {}
    for event in log:
        stages = samples.setdefault(type(event).__name__, {})
        for stage, spent in event.timings_ms.items():
            stages.setdefault(stage, []).append(spent)
        if isinstance(event, events.Tracked):
            stages.setdefault("total", []).append(sum(event.timings_ms.values()))
        for name, rate in event.rates_per_s.items():
            rates.setdefault(type(event).__name__, {}).setdefault(f"{name}_per_s", []).append(rate)
    summary: dict[str, Any] = {
        kind: {
            stage: {
                "median_ms": round(float(np.median(spent)), 3),
                "p95_ms": round(float(np.percentile(spent, 95)), 3),
                "n": len(spent),
            }
            for stage, spent in stages.items()
        }
        for kind, stages in samples.items()
        if stages
    }
    for kind, counted in rates.items():
        medians = {
            name: {"median": round(float(np.median(values)), 3), "n": len(values)} for name, values in counted.items()
        }
        summary.setdefault(kind, {}).update(medians)
    return summary


class ResultFolder:
    """Collects what a run leaves behind and writes it.

    Args:
        folder: made if it is not there.
        label: the command, as the COCO category's name.
        fps: of the overlay video.
        is_image: the source is a single image: an overlay PNG instead of a video.
    """

    def __init__(self, folder: Path, label: str, fps: float, *, is_image: bool, write_masks: bool = True) -> None:
        self.folder, self.label, self.fps, self.is_image = folder, label, fps, is_image
        self.write_masks = write_masks
        self.log: list[events.Event] = []
        self.pictures: list[tuple[int, ImageU8]] = []
        self._video: cv2.VideoWriter | None = None
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if write_masks:
                (folder / "masks").mkdir(exist_ok=True)
                for old in (folder / "masks").glob("*.png"):
                    old.unlink()
        except OSError as error:
            raise SourceError(f"cannot write to {folder}: {error.strerror}") from error

    def add_frame(self, frame: Frame, result: TrackResult | None, caption: str) -> ImageU8:
        """Draw a frame into the overlay and keep its masks; returns the picture."""
        objects = list(result.objects.values()) if result is not None else []
        picture = add_caption(draw_objects(frame.image, objects), caption)
        if self.is_image:
            write_png(self.folder / "overlay.png", picture)
        else:
            self._video_for(picture).write(picture[:, :, ::-1])
        height, width = frame.hw
        self._images.append(
            {"id": frame.index, "width": width, "height": height, "file_name": f"{frame.index:06d}.png"}
        )
        for thing in objects:
            if self.write_masks:
                write_png(self.folder / "masks" / f"{frame.index:06d}.png", thing.mask.astype(np.uint8) * 255)
            if thing.is_lost or thing.box_image_px is None:
                continue
            x0, y0, x1, y1 = thing.box_image_px
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": frame.index,
                    "category_id": 1,
                    "track_id": thing.object_id,
                    "segmentation": {"size": [height, width], "counts": rle_encode(thing.mask).decode("ascii")},
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "area": thing.area_px,
                    "score": round(thing.iou_score, 4),
                    "iscrowd": 0,
                }
            )
        return picture

    def finish(self, extra: Mapping[str, Any]) -> None:
        """Close the video and write masks.json, transcript.json and timings.json."""
        if self._video is not None:
            self._video.release()
            self._video = None
        coco = {
            "images": self._images,
            "categories": [{"id": 1, "name": self.label}],
            "annotations": self._annotations,
        }
        self._write_json("masks.json", coco)
        spoken = [event for event in self.log if not isinstance(event, events.Tracked)]
        self._write_json("transcript.json", {**extra, "events": [event_to_json(event) for event in spoken]})
        self._write_json("timings.json", summarise_timings(self.log))

    def _write_json(self, name: str, content: object) -> None:
        path = self.folder / name
        try:
            path.write_text(json.dumps(content, indent=1 if name != "masks.json" else None) + "\n")
        except OSError as error:
            raise SourceError(f"cannot write {path}: {error.strerror}") from error

    def _video_for(self, picture: ImageU8) -> cv2.VideoWriter:
        if self._video is None:
            size = (picture.shape[1], picture.shape[0])
            # MPEG-4: every desktop player opens it, and it takes 1 ms a frame where VP9 takes 130
            writer = cv2.VideoWriter(str(self.folder / "overlay.mp4"), cv2.VideoWriter.fourcc(*"mp4v"), self.fps, size)
            if not writer.isOpened():
                raise BackendError(
                    "this OpenCV cannot write MPEG-4 video: install opencv-python-headless from its wheel"
                )
            self._video = writer
        return self._video
