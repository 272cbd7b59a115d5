"""What the graphs are fed with while real things are tracked: the inputs that quantization is calibrated on.

The tracker runs in FP32 over scenes of the simulated table, or over a folder of the user's own frames, at the
resolution that is deployed. Samples of the first frames, when the memory is still empty, are passed over.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from icseg.cli.sources import IMAGE_SUFFIXES, read_image
from icseg.errors import ConfigError, SourceError
from icseg.inference.runner import Runner, TensorSpec
from icseg.tracker.tracker import Tracker
from icseg.types import Array, Frame, Prompt

SIMULATED = "sim"
SCENES, FRAMES, FPS = 6, 26, 7.5
"""How many simulated scenes are tracked, how many frames of each, and the frames of a second of simulated time."""
FIRST_SEED = 900_000
"""Seed of the first scene: in the training split, and beyond every seed that training draws."""
WARM_UP = 8
"""Frames until every memory slot holds something."""
STRIDE = 5
"""Every fifth call of a graph is recorded: neighbouring frames say the same. Odd, so that two things take turns."""
MIN_FRAMES = WARM_UP + STRIDE
"""A clip with fewer frames gives no sample."""
PROMPT_GRID = (0.25, 0.5, 0.75)
"""Shares of width and height where a user's frame is probed for things."""
THINGS = 2
"""How many things are followed in a clip."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Frames, and the prompts of its first frame by object id; one of them is given again in the middle."""

    frames: Sequence[Frame]
    prompts: Mapping[int, Prompt]
    later: Mapping[int, tuple[int, Prompt]]


class RecordingRunner:
    """Passes everything on, and keeps a copy of what goes into every ``STRIDE``-th call.

    Attributes:
        samples: the inputs, by name.
        is_on: calls are counted and kept.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner, self._calls = runner, 0
        self.samples: list[dict[str, Array]] = []
        self.is_on = False

    @property
    def backend(self) -> str:
        """The wrapped runner's."""
        return self._runner.backend

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The wrapped runner's."""
        return self._runner.inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The wrapped runner's."""
        return self._runner.outputs

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        """As the wrapped runner."""
        if self.is_on:
            if self._calls % STRIDE == 0:
                self.samples.append({name: value.copy() for name, value in feeds.items()})
            self._calls += 1
        return self._runner.run(feeds)


def record(
    runners: Mapping[str, Runner], make_tracker: Callable[[Mapping[str, Runner]], Tracker], clips: Iterator[Clip]
) -> dict[str, list[dict[str, Array]]]:
    """Track clips and keep what the graphs were fed with.

    Args:
        runners: the runners of the FP32 graphs, by name.
        make_tracker: a tracker on runners.
        clips: what ``simulated_clips`` or ``folder_clips`` gives.

    Returns:
        Graph name -> samples, each input name -> array.
    """
    recording = {name: RecordingRunner(runner) for name, runner in runners.items()}
    tracker = make_tracker(recording)
    for clip in clips:
        state = tracker.new_state()
        for number, frame in enumerate(clip.frames):
            for runner in recording.values():
                runner.is_on = number >= WARM_UP
            if number == 0:
                for thing, prompt in clip.prompts.items():
                    tracker.add_prompt(state, frame, thing, prompt)
            elif number in clip.later:
                tracker.add_prompt(state, frame, *clip.later[number])
            else:
                tracker.step(state, frame)
    return {name: runner.samples for name, runner in recording.items()}


def simulated_clips(progress: Callable[[], object] = lambda: None) -> Iterator[Clip]:
    """Scenes of the training split, two things each from their true boxes.

    Args:
        progress: called after each frame.

    Raises:
        ConfigError: the ``sim`` extra is not installed.
        BackendError: there is no renderer.
    """
    try:
        from icseg.sim.scene import make_scene
        from icseg.sim.table import SimulatedTable, stream
        from icseg.sim.things import KINDS
    except ImportError as error:
        raise ConfigError(
            f"calibration on the simulated table needs the sim extra ({error}): pip install 'icseg[sim]', or give a "
            "folder of frames with --calibration DIR"
        ) from error
    with SimulatedTable() as table:
        for number in range(SCENES):
            kind = KINDS[number % len(KINDS)]
            spec = make_scene(FIRST_SEED + number, split="train", ambiguous_kind=kind, motion_start_s=0.0)
            sims = []
            for sim in stream(table, spec, fps=FPS, duration_s=FRAMES / FPS):
                sims.append(sim)
                progress()
            by_size = sorted(sims[0].things, key=lambda thing: -int(sims[0].mask(thing).sum()))[:THINGS]
            boxes = {n: sims[0].box_image_px(thing) for n, thing in enumerate(by_size, start=1)}
            middle, again = len(sims) // 2, sims[len(sims) // 2].box_image_px(by_size[0])
            yield Clip(
                [sim.frame for sim in sims],
                {n: Prompt(box) for n, box in boxes.items() if box is not None},
                {middle: (1, Prompt(again))} if again is not None else {},
            )


def folder_clips(folder: Path, tracker: Tracker, progress: Callable[[], object] = lambda: None) -> Iterator[Clip]:
    """A folder of images in the order of their names, as one stream; what is in them is found by probing points.

    Args:
        tracker: finds the things of a clip's first frame: those of which the model is surest.
        progress: called after each frame.

    Raises:
        ConfigError: too few images, or no thing in any of them.
        SourceError: one cannot be read.
    """
    count = 0
    for frames in _runs(folder, progress):
        prompts = _find_things(tracker, frames[0])
        if prompts:
            count += 1
            yield Clip(frames, prompts, {len(frames) // 2: (1, prompts[1])})
    if count == 0:
        raise ConfigError(
            f"{folder}: the segmenter found no thing in the frames that begin a clip: give frames that show what it is "
            "to be used on"
        )


def frame_files(folder: Path) -> list[Path]:
    """The images of a folder that calibration uses.

    Raises:
        ConfigError: there is no such folder, or it holds too few images.
    """
    if not folder.is_dir():
        raise ConfigError(f"--calibration {folder}: no such folder; expected {SIMULATED} or a folder of frames")
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    if len(files) < MIN_FRAMES:
        raise ConfigError(
            f"--calibration {folder}: expected at least {MIN_FRAMES} images of one stream, in the order of their "
            f"names, got {len(files)}"
        )
    return files[: SCENES * FRAMES]


def _runs(folder: Path, progress: Callable[[], object]) -> Iterator[list[Frame]]:
    """Frames that follow each other, of one size; runs that are too short are left out."""
    run: list[Frame] = []
    for index, path in enumerate(frame_files(folder)):
        frame = Frame(read_image(path), round(index * 1e9 / FPS), index)
        progress()
        if run and (frame.hw != run[0].hw or len(run) == FRAMES):
            if len(run) >= MIN_FRAMES:
                yield run
            run = []
        run.append(frame)
    if len(run) >= MIN_FRAMES:
        yield run


def _find_things(tracker: Tracker, frame: Frame) -> dict[int, Prompt]:
    """Boxes of the surest masks among those of a grid of points, by object id."""
    height, width = frame.hw
    found = []
    for x in PROMPT_GRID:
        for y in PROMPT_GRID:
            prompt = Prompt(points_image_px=((x * width, y * height),), point_labels=(1,))
            state = tracker.start(frame, prompt)
            assert state.latest is not None
            thing = state.latest.objects[1]
            if thing.box_image_px is not None and not thing.is_lost:
                found.append((thing.iou_score, thing.box_image_px))
    found.sort(key=lambda one: -one[0])
    boxes = list(dict.fromkeys(box for _, box in found))[:THINGS]
    return {number: Prompt(box) for number, box in enumerate(boxes, start=1)}


def save_samples(path: Path, samples: Sequence[Mapping[str, Array]]) -> None:
    """Write samples of one graph as an uncompressed .npz of (N, ...) arrays.

    Raises:
        ValueError: there is none.
    """
    if not samples:
        raise ValueError(f"{path.name}: expected at least one sample, got none")
    np.savez(path, **{name: np.stack([sample[name] for sample in samples]) for name in samples[0]})


def load_samples(path: Path) -> list[dict[str, Array]]:
    """What ``save_samples`` wrote.

    Raises:
        SourceError: it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError) as error:
        raise SourceError(
            f"{path}: cannot be read as calibration samples: {error}; delete it and build again"
        ) from error
    return [
        {name: values[index] for name, values in arrays.items()} for index in range(len(next(iter(arrays.values()))))
    ]


def fingerprint_of(calibration: str) -> str:
    """What the samples are made from, for the manifest: SHA-256 over the frames' bytes, or over the scenes' seeds.

    Raises:
        ConfigError: as ``frame_files``.
    """
    digest = hashlib.sha256()
    if calibration == SIMULATED:
        digest.update(f"{FIRST_SEED} {SCENES} {FRAMES} {FPS}".encode())
    else:
        for path in frame_files(Path(calibration)):
            digest.update(path.read_bytes())
    digest.update(f" {WARM_UP} {STRIDE}".encode())
    return digest.hexdigest()
