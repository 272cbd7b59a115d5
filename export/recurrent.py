"""Two trackers over the same long streams, frame by frame: what a difference in one step becomes in many.

A step reads what the steps before it wrote. So a small error may die out or grow, and no comparison of single graphs
can tell which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from icseg.errors import ConfigError
from icseg.evaluation.metrics import boundary_f, jaccard
from icseg.tracker.tracker import Tracker
from icseg.types import Frame, MaskBool, Prompt

FPS, CLIP_FRAMES = 15.0, 150
"""Frames of a second, and of one scene: a long stream goes through its scene forth and back as often as it needs."""
FIRST_SEED = 910_000
"""Seed of the first scene: in the validation split, beyond what training looks at."""
STREAMS, THINGS = 2, 2
"""How many streams are compared, and how many things are followed in each."""
KINDS_TO_FOLLOW = ("mug", "bottle")
"""Two of a kind are followed, so that they can be taken for each other."""
SECOND_PROMPT_AT = 20
"""The first thing is prompted in the first frame, the second one here: a prompt in mid-stream."""
SEEN_SHARE = 0.001
"""Share of the picture below which a mask is a speck: two masks that are both smaller agree about nothing."""


@dataclass(frozen=True, slots=True, eq=False)
class LongStream:
    """Frames, the prompts by number of the frame, and the true masks by number and object id, if they are known."""

    frames: Sequence[Frame]
    prompts: Mapping[int, tuple[int, Prompt]]
    truth: Callable[[int, int], MaskBool] | None


@dataclass(slots=True)
class Agreement:
    """What came of it; one entry a thing and frame in every list.

    Attributes:
        at: number of the frame in its stream.
        iou: IoU of the two masks; 1 where both are empty.
        seen: at least one of the masks is more than a speck.
        is_swapped: the tested mask fits another thing's reference mask better than its own.
        j_and_f: J&F of the tested mask, and of the reference's, with the truth; empty without truth.
    """

    at: list[int] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    seen: list[bool] = field(default_factory=list)
    is_swapped: list[bool] = field(default_factory=list)
    j_and_f: list[tuple[float, float]] = field(default_factory=list)

    @property
    def mean_iou(self) -> float:
        """Over things and frames where there is something to see."""
        return float(np.mean(self._seen_ious()))

    @property
    def min_iou(self) -> float:
        """The worst of them."""
        return float(np.min(self._seen_ious()))

    @property
    def drift_per_1000(self) -> float:
        """Slope of a line through IoU over the number of the frame, times 1000: negative when they drift apart."""
        seen = np.array(self.seen, bool)
        at = np.array(self.at, float)[seen]
        return float(np.polyfit(at, self._seen_ious(), 1)[0] * 1000) if len(set(at)) > 1 else 0.0

    @property
    def identity_kept(self) -> float:
        """Share of things and frames that are not swapped."""
        return 1 - float(np.mean(self.is_swapped))

    @property
    def loss_of_j_and_f(self) -> float | None:
        """How much worse than the reference the tested one fits the truth; None without truth."""
        if not self.j_and_f:
            return None
        tested, reference = np.mean(self.j_and_f, axis=0)
        return float(reference - tested)

    def _seen_ious(self) -> list[float]:
        return [iou for iou, is_seen in zip(self.iou, self.seen, strict=True) if is_seen] or [1.0]


def compare(
    tested: Tracker, reference: Tracker, streams: Iterator[LongStream], progress: Callable[[], object] = lambda: None
) -> Agreement:
    """Follow every stream with both.

    Args:
        tested, reference: trackers with one configuration.
        streams: what ``simulated_streams`` gives, or one's own.
        progress: called after each frame.
    """
    agreement = Agreement()
    for stream in streams:
        states = tested.new_state(), reference.new_state()
        for number, frame in enumerate(stream.frames):
            prompt = stream.prompts.get(number)
            results = [
                tracker.step(state, frame) if prompt is None else tracker.add_prompt(state, frame, *prompt)
                for tracker, state in zip((tested, reference), states, strict=True)
            ]
            masks = [{thing: result.objects[thing].mask for thing in result.objects} for result in results]
            for thing, mask in masks[0].items():
                own = jaccard(mask, masks[1][thing])
                agreement.at.append(number)
                agreement.iou.append(own)
                agreement.seen.append(bool(max(mask.mean(), masks[1][thing].mean()) > SEEN_SHARE))
                rivals = (jaccard(mask, other) for n, other in masks[1].items() if n != thing and other.any())
                agreement.is_swapped.append(bool(mask.any()) and any(rival > own for rival in rivals))
                if stream.truth is not None:
                    true = stream.truth(number, thing)
                    agreement.j_and_f.append((_j_and_f(mask, true), _j_and_f(masks[1][thing], true)))
            progress()
    return agreement


def simulated_streams(frames: int) -> Iterator[LongStream]:
    """Scenes of the validation split, forth and back until there are enough frames, half of them in each stream.

    Args:
        frames: how many there are in all.

    Raises:
        ConfigError: the ``sim`` extra is not installed.
        BackendError: there is no renderer.
    """
    try:
        from icseg.sim.scene import make_scene
        from icseg.sim.table import SimulatedTable, stream
    except ImportError as error:
        raise ConfigError(f"verification needs the sim extra ({error}): pip install 'icseg[sim]'") from error
    length = -(-frames // STREAMS)
    with SimulatedTable() as table:
        for number in range(STREAMS):
            kind = KINDS_TO_FOLLOW[number % len(KINDS_TO_FOLLOW)]
            spec = make_scene(FIRST_SEED + number, split="val", ambiguous_kind=kind)
            sims = list(stream(table, spec, fps=FPS, duration_s=min(CLIP_FRAMES, length) / FPS))
            there_and_back = [*range(len(sims)), *range(len(sims) - 2, 0, -1)]
            order = [there_and_back[n % len(there_and_back)] for n in range(length)]
            shown = [replace(sims[at].frame, index=n, stamp_ns=round(n * 1e9 / FPS)) for n, at in enumerate(order)]
            things = [thing for thing in sims[0].things if sims[0].things[thing].kind == kind][:THINGS]
            prompts = {}
            for n, (at, thing) in enumerate(zip((0, SECOND_PROMPT_AT), things, strict=False), start=1):
                box = sims[order[min(at, length - 1)]].box_image_px(thing)
                if box is not None:
                    prompts[min(at, length - 1)] = (n, Prompt(box))
            yield LongStream(
                shown, prompts, lambda at, n, order=order, sims=sims, things=things: sims[order[at]].mask(things[n - 1])
            )


def _j_and_f(mask: MaskBool, true: MaskBool) -> float:
    return (jaccard(mask, true) + boundary_f(mask, true)) / 2
