"""What the simulated camera films: a scene that is rendered, or the recorded clip. Knows nothing of ROS."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass

from icseg.errors import BackendError, ConfigError
from icseg.sim.clip_file import RecordedClip, load_clip
from icseg.sim.scene import SceneSpec, make_scene
from icseg.sim.table import SimulatedTable
from icseg.sim.things import KINDS
from icseg.sim.truth import SimFrame, ThingTruth

CLIP_SEED, CLIP_KIND = 79, "mug"
"""The scene that the recorded clip was made of, to know its camera again."""
WHOLE_SCENE_S = 10.0
"""A scene in which something happens needs this long; of a shorter film it is the beginning."""


@dataclass(frozen=True)
class Scene:
    """A piece of film with its truth.

    Attributes:
        name: for people.
        things: on the table, visible or not.
        hw: size of the pictures.
        n_frames: length.
        frames: the pictures, at the rate that was asked for; to be closed.
        fovy_deg: vertical field of view of the camera; None when it is not known.
    """

    name: str
    things: tuple[ThingTruth, ...]
    hw: tuple[int, int]
    n_frames: int
    frames: Generator[SimFrame, None, None]
    fovy_deg: float | None


@dataclass(frozen=True)
class Wish:
    """What is to be seen.

    Args:
        source: "render"; "clip"; or "auto": the clip where nothing can be rendered.
        seed: the scene is drawn from it.
        kind: several things are of this kind, in different colours.
        hw: size of the pictures; the clip has its own.
        rate_hz: pictures a second.
        duration_s: length; the clip has 10 s at most.

    Raises:
        ConfigError: an unknown kind.
    """

    source: str
    seed: int
    kind: str
    hw: tuple[int, int]
    rate_hz: float
    duration_s: float

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ConfigError(f"kind: expected one of {', '.join(KINDS)}, got {self.kind!r}")


def open_scene(wish: Wish, warn: Callable[[str], object]) -> Scene:
    """Prepare the scene; what is not as wished is told by ``warn``.

    Raises:
        BackendError: nothing can be rendered, and the source is "render".
        IcsegError: no scene of this seed and length can be made.
    """
    if wish.source == "clip":
        return _clip(wish, warn)
    try:
        table = SimulatedTable(max_hw=wish.hw)
    except BackendError as error:
        if wish.source == "render":
            raise
        warn(f"{error}; playing the recorded clip instead")
        return _clip(wish, warn)
    whole_s = max(wish.duration_s, WHOLE_SCENE_S)
    spec = make_scene(wish.seed, split="test", ambiguous_kind=wish.kind, duration_s=whole_s)
    n_frames = max(1, round(wish.duration_s * wish.rate_hz))
    return Scene(
        name=f"simulated table, test scene {wish.seed}",
        things=tuple(spec.truths.values()),
        hw=wish.hw,
        n_frames=n_frames,
        frames=_rendered(table, spec, wish, n_frames),
        fovy_deg=spec.camera.fovy_deg,
    )


def _rendered(table: SimulatedTable, spec: SceneSpec, wish: Wish, n_frames: int) -> Generator[SimFrame, None, None]:
    with table:
        for index in range(n_frames):
            yield table.render(spec, index / wish.rate_hz, hw=wish.hw, index=index)


def _clip(wish: Wish, warn: Callable[[str], object]) -> Scene:
    clip = load_clip()
    if wish.hw != clip.hw:
        warn(f"the recorded clip is {clip.hw[1]}x{clip.hw[0]}, not {wish.hw[1]}x{wish.hw[0]}")
    length_s = min(wish.duration_s, clip.n_frames / clip.fps)
    n_frames = max(1, round(length_s * wish.rate_hz))
    spec = make_scene(CLIP_SEED, split="test", ambiguous_kind=CLIP_KIND)
    is_same = spec.truths == clip.things
    return Scene(
        name="recorded clip of the simulated table",
        things=tuple(clip.things.values()),
        hw=clip.hw,
        n_frames=n_frames,
        frames=_resampled(clip, wish.rate_hz, n_frames),
        fovy_deg=spec.camera.fovy_deg if is_same else None,
    )


def _resampled(clip: RecordedClip, rate_hz: float, n_frames: int) -> Generator[SimFrame, None, None]:
    """The clip at another rate and its own speed: pictures are shown again, or left out."""
    wanted = [min(int(index * clip.fps / rate_hz), clip.n_frames - 1) for index in range(n_frames)]
    shown = 0
    for number, sim in enumerate(clip):
        while shown < n_frames and wanted[shown] == number:
            shown += 1
            yield sim
