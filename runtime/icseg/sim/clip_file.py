"""A recorded clip of the simulated table: for machines where no OpenGL library can be installed.

A clip is a folder: ``frames.mp4`` (MPEG-4 part 2, what every OpenCV wheel can write and read), ``ids.npz`` (the
exact instance maps, each a PNG) and ``truth.json``. The pictures are lossy, the maps are not. One clip ships
with the package in ``clip/``. ``python -m icseg.sim.clip_file --seed 79 OUT`` makes another.
"""

from __future__ import annotations

import argparse
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from icseg.errors import SourceError
from icseg.sim.scene import SceneSpec, make_scene
from icseg.sim.truth import SimFrame, ThingTruth
from icseg.types import Array, Frame, ImageU8

SHIPPED_CLIP = Path(__file__).parent / "clip"
FORMAT = 1
"""Version of the folder's layout; another one is refused."""
FRAMES_FILE, IDS_FILE, TRUTH_FILE = "frames.mp4", "ids.npz", "truth.json"


@dataclass(frozen=True, slots=True, eq=False)
class RecordedClip:
    """A clip on disk; iterating decodes it from the beginning, as ``stream`` renders.

    Attributes:
        folder: where it lies.
        fps: frames a second.
        hw: size of pictures and maps.
        n_frames: length.
        things: every thing of the scene by id.
        hidden_id, hidden_window_s, leaving_id, away_s: as in ``SceneSpec``.
    """

    folder: Path
    fps: float
    hw: tuple[int, int]
    n_frames: int
    things: dict[int, ThingTruth]
    hidden_id: int | None
    hidden_window_s: tuple[float, float]
    leaving_id: int | None
    away_s: float
    stamps_ns: tuple[int, ...]
    _png: Array
    _png_ends: Array

    def __len__(self) -> int:
        return self.n_frames

    def __iter__(self) -> Iterator[SimFrame]:
        """Frames with their maps; raises SourceError when the video ends early or a picture has another size."""
        video = cv2.VideoCapture(str(self.folder / FRAMES_FILE))
        try:
            for index in range(self.n_frames):
                is_read, bgr = video.read()
                if not is_read or bgr.shape[:2] != self.hw:
                    got = "nothing" if not is_read else str(bgr.shape[:2])
                    raise SourceError(f"{self.folder / FRAMES_FILE}: frame {index}: expected {self.hw}, got {got}")
                image = np.ascontiguousarray(bgr[:, :, ::-1], dtype=np.uint8)
                yield SimFrame(Frame(image, self.stamps_ns[index], index), self._ids(index), self.things)
        finally:
            video.release()

    def _ids(self, index: int) -> ImageU8:
        start = int(self._png_ends[index - 1]) if index else 0
        ids = cv2.imdecode(self._png[start : int(self._png_ends[index])], cv2.IMREAD_UNCHANGED)
        if ids is None or ids.dtype != np.uint8 or ids.shape != self.hw:
            raise SourceError(f"{self.folder / IDS_FILE}: map {index} is not a uint8 image of {self.hw}")
        return np.asarray(ids, dtype=np.uint8)


def save_clip(frames: Iterable[SimFrame], spec: SceneSpec, folder: Path, *, fps: float) -> None:
    """Write a clip; files of the same names are replaced.

    Args:
        frames: all of one size.
        spec: the scene they show.
        folder: made when missing.
        fps: frames a second.

    Raises:
        SourceError: there are no frames, or this OpenCV cannot write MPEG-4.
    """
    folder.mkdir(parents=True, exist_ok=True)
    video: cv2.VideoWriter | None = None
    pngs: list[Array] = []
    stamps: list[int] = []
    hw = (0, 0)
    for sim in frames:
        if video is None:
            hw = sim.frame.hw
            fourcc = cv2.VideoWriter.fourcc(*"mp4v")
            video = cv2.VideoWriter(str(folder / FRAMES_FILE), fourcc, fps, (hw[1], hw[0]))
            if not video.isOpened():
                raise SourceError(f"{folder / FRAMES_FILE}: this OpenCV cannot write MPEG-4 video")
        video.write(np.ascontiguousarray(sim.frame.image[:, :, ::-1]))
        pngs.append(cv2.imencode(".png", sim.instance_ids, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].ravel())
        stamps.append(sim.frame.stamp_ns)
    if video is None:
        raise SourceError(f"{folder}: no frames to record")
    video.release()
    ends = np.cumsum([len(png) for png in pngs]).astype(np.int64)
    np.savez(folder / IDS_FILE, png=np.concatenate(pngs), png_ends=ends)
    truth = {
        "format": FORMAT,
        "seed": spec.seed,
        "split": spec.split,
        "fps": fps,
        "hw": hw,
        "things": [asdict(thing) for thing in spec.truths.values()],
        "hidden_id": spec.hidden_id,
        "hidden_window_s": spec.hidden_window_s,
        "leaving_id": spec.leaving_id,
        "away_s": spec.away_s,
        "stamps_ns": stamps,
    }
    (folder / TRUTH_FILE).write_text(json.dumps(truth, indent=1) + "\n")


def load_clip(folder: Path = SHIPPED_CLIP) -> RecordedClip:
    """Open a clip, by default the one that ships with icseg. Never unpickles.

    Raises:
        SourceError: a file is missing or is not what ``save_clip`` writes.
    """
    try:
        truth = json.loads((folder / TRUTH_FILE).read_text())
        if truth["format"] != FORMAT:
            raise SourceError(f"{folder / TRUTH_FILE}: expected format {FORMAT}, got {truth['format']!r}")
        with np.load(folder / IDS_FILE, allow_pickle=False) as arrays:
            png, ends = arrays["png"], arrays["png_ends"]
        things = {int(item["id"]): ThingTruth(**item) for item in truth["things"]}
        stamps = tuple(int(stamp) for stamp in truth["stamps_ns"])
        height, width = (int(side) for side in truth["hw"])
        begin_s, end_s = (float(t) for t in truth["hidden_window_s"])
        clip = RecordedClip(
            folder=folder, fps=float(truth["fps"]), hw=(height, width), n_frames=len(stamps), things=things,
            hidden_id=truth["hidden_id"], hidden_window_s=(begin_s, end_s), leaving_id=truth["leaving_id"],
            away_s=float(truth["away_s"]), stamps_ns=stamps, _png=png, _png_ends=ends,
        )  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise SourceError(f"{folder}: not a recorded clip of the simulated table ({error!r})") from error
    if not (folder / FRAMES_FILE).is_file():
        raise SourceError(f"{folder / FRAMES_FILE}: no such file")
    if len(ends) != len(stamps) or png.dtype != np.uint8 or (len(ends) and ends[-1] != len(png)):
        raise SourceError(f"{folder / IDS_FILE}: expected {len(stamps)} maps, got {len(ends)}")
    return clip


def main() -> None:
    """Render a scene and record it."""
    from icseg.sim.table import SimulatedTable, stream

    parser = argparse.ArgumentParser(description="Record a run of the simulated table.")
    parser.add_argument("out", type=Path, help="folder for the clip")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--kind", default="mug", help="several things are of this kind, in different colours")
    parser.add_argument("--fps", type=float, default=15.0)
    parser.add_argument("--duration-s", type=float, default=10.0)
    args = parser.parse_args()
    spec = make_scene(args.seed, split="test", ambiguous_kind=args.kind, duration_s=args.duration_s)
    with SimulatedTable(samples=4, shadow_map_px=2048) as table:
        save_clip(stream(table, spec, fps=args.fps), spec, args.out, fps=args.fps)
    total = sum((args.out / name).stat().st_size for name in (FRAMES_FILE, IDS_FILE, TRUTH_FILE))
    print(f"{args.out}: {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
