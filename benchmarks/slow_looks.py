"""A session whose detector takes its time: what a step of the tracker takes, and how a wrong mask is put right.

Three sessions follow the same thing through the same frames at the camera's pace: unchecked, with looks in the step,
with looks beside it. Then the tracker is made to take another thing for the target; there, a look takes so many frames,
however quick the machine is.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.timing import summary_ms
from icseg import events
from icseg.detector.detector import Detection, Detector
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.dialogue.dialogue import Dialogue
from icseg.dialogue.policy import Mismatch, PolicyOutput, TargetWatch
from icseg.evaluation.metrics import jaccard
from icseg.session.config import FollowingConfig, SessionConfig
from icseg.session.executor import InlineExecutor
from icseg.session.following import OBJECT_ID, VideoTracker
from icseg.session.session import Session
from icseg.sim.truth import SimFrame
from icseg.types import Box, Frame, ImageU8, Prompt, TrackResult

STEPS_PER_FRAME = 2
"""More than one, or the tracker never catches up."""
WRONG_FROM = 20
"""Frame in which the tracker is misled."""
RIGHT_J = 0.5
"""J from which a mask is on the thing that is meant."""
PATIENCE_S = 2.0
"""After the last frame, for the look that may be under way."""


class SlowDetector:
    """A detector that sleeps until a look took long enough, as one on another device would.

    Args:
        detector: what finds things.
        look_ms: how long a look takes at least.
    """

    def __init__(self, detector: Detector, look_ms: float) -> None:
        self._detector, self._look_s = detector, look_ms / 1e3
        self.kinds, self.colours = detector.kinds, detector.colours

    def detect(self, image: ImageU8) -> list[Detection]:
        """What the detector finds, late."""
        until = time.perf_counter() + self._look_s
        found = self._detector.detect(image)
        time.sleep(max(0.0, until - time.perf_counter()))
        return found


class Noted:
    """A policy that notes which frames it looked at while a target was followed.

    Attributes:
        looked_ns: their stamps.
    """

    def __init__(self, policy: CandidatesPolicy) -> None:
        self.name, self._policy = policy.name, policy
        self._watch: TargetWatch | None = None
        self.looked_ns: list[int] = []

    def next_action(self, dialogue: Dialogue) -> PolicyOutput:
        """The policy's."""
        return self._policy.next_action(dialogue)

    def watch(self, keyframe: Frame, box_image_px: Box) -> Noted | None:
        """The policy's watch, noted."""
        self._watch = self._policy.watch(keyframe, box_image_px)
        return self if self._watch is not None else None

    def check(self, frame: Frame, box_image_px: Box | None) -> Prompt | Mismatch | None:
        """The watch's."""
        assert self._watch is not None
        self.looked_ns.append(frame.stamp_ns)
        return self._watch.check(frame, box_image_px)


class Misled:
    """A tracker that takes another thing for its object in one frame, and believes it.

    Args:
        tracker: what segments.
        stamp_ns: of the frame.
        other: a prompt on the other thing there.
    """

    def __init__(self, tracker: VideoTracker, stamp_ns: int, other: Prompt) -> None:
        self._tracker, self._stamp_ns, self._other = tracker, stamp_ns, other
        self.new_state, self.copy_state = tracker.new_state, tracker.copy_state
        self.add_prompt, self.segment, self.reject = tracker.add_prompt, tracker.segment, tracker.reject

    def step(self, state: Any, frame: Frame) -> TrackResult:
        """The tracker's, but for one frame."""
        if frame.stamp_ns == self._stamp_ns:
            return self._tracker.add_prompt(state, frame, OBJECT_ID, self._other)
        return self._tracker.step(state, frame)


class LateExecutor(Executor):
    """Runs a job when so many frames have come since it was submitted.

    Args:
        frames: how many.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self._jobs: list[tuple[int, Future[Any], Callable[[], Any]]] = []
        self._now = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Later."""
        future: Future[Any] = Future()
        self._jobs.append((self._now + self._frames, future, lambda: fn(*args, **kwargs)))
        return future

    def frame_came(self) -> None:
        """Run what is due."""
        self._now += 1
        while self._jobs and self._jobs[0][0] <= self._now:
            _, future, job = self._jobs.pop(0)
            if future.set_running_or_notify_cancel():
                future.set_result(job())


@dataclass
class Followed:
    """What one session did, and what its steps took."""

    step_ms: list[float] = field(default_factory=list)
    shown: list[events.Tracked] = field(default_factory=list)
    shown_at: list[float] = field(default_factory=list)


def follow(session: Session, frames: Sequence[SimFrame], box_image_px: Box) -> Followed:
    """Follow what is in a box of the first frame, while the rest come when their stamps say."""
    followed, is_over = Followed(), threading.Event()

    def feed() -> None:
        begin = time.perf_counter()
        for sim in frames[1:]:
            due_s = (sim.frame.stamp_ns - frames[0].frame.stamp_ns) / 1e9
            time.sleep(max(0.0, begin + due_s - time.perf_counter()))
            session.push_frame(sim.frame)
        is_over.wait(PATIENCE_S)
        is_over.set()

    session.push_frame(frames[0].frame)
    session.point_at(box_image_px)
    camera = threading.Thread(target=feed)
    camera.start()
    while not is_over.is_set():
        was_behind, begin = session.is_behind, time.perf_counter()
        said = session.step()
        end = time.perf_counter()
        shown = [event for event in said if isinstance(event, events.Tracked)]
        if shown or was_behind:
            followed.step_ms.append((end - begin) * 1e3)
        followed.shown += shown
        followed.shown_at += [end] * len(shown)
        if shown and shown[-1].stamp_ns == frames[-1].frame.stamp_ns:
            is_over.set()
        if not said and not session.is_behind:
            time.sleep(0.001)
    camera.join()
    session.close()
    return followed


def step_arms(
    tracker: VideoTracker, detector: Detector, frames: Sequence[SimFrame], look_ms: float
) -> dict[str, dict[str, Any]]:
    """The tracker's steps unchecked, with looks in them, and with looks beside them."""
    box = frames[0].box_image_px(_unlike_things(frames[0])[0])
    assert box is not None
    policy = CandidatesPolicy(SlowDetector(detector, look_ms))
    arms: dict[str, tuple[SessionConfig, Executor | None]] = {
        "without": (SessionConfig(following=FollowingConfig(rechecks=False)), None),
        "looks_in_the_step": (SessionConfig(), InlineExecutor()),
        "looks_beside_it": (SessionConfig(), None),
    }
    results = {}
    for arm, (config, executor) in arms.items():
        done = follow(Session(policy, tracker, config, executor=executor), frames, box)
        results[arm] = {
            "step": summary_ms(done.step_ms[1:]),  # the first one is the prompt's
            "masks_shown": len(done.shown),
            "frames": len(frames),
            "longest_gap_ms": round(float(np.diff(done.shown_at[1:]).max()) * 1e3, 1),
        }
    return results


def planted_wrong_mask(
    tracker: VideoTracker, detector: Detector, frames: Sequence[SimFrame], look_frames: int
) -> dict[str, Any]:
    """A mask that jumps to another thing, and what a session makes of it.

    Args:
        tracker, detector: as they ship.
        frames: of one scene.
        look_frames: how many frames come while a look is under way.

    Raises:
        RuntimeError: it was not put right, or not in a frame that was looked at.
    """
    meant, other = _unlike_things(frames[0])
    wrong = frames[WRONG_FROM]
    policy, executor = Noted(CandidatesPolicy(detector)), LateExecutor(look_frames)
    misled = Misled(tracker, wrong.frame.stamp_ns, Prompt(wrong.box_image_px(other)))
    session = Session(policy, misled, executor=executor)
    said: list[events.Event] = []
    for number, sim in enumerate(frames):
        session.push_frame(sim.frame)
        if number == 0:
            box = sim.box_image_px(meant)
            assert box is not None
            session.point_at(box)
        executor.frame_came()
        for _ in range(STEPS_PER_FRAME):
            said += session.step()
    session.close()
    shown = [event for event in said if isinstance(event, events.Tracked)]
    corrections = [event for event in said if isinstance(event, events.Corrected | events.Mistaken)]
    stray = [event for event in corrections if event.stamp_ns not in policy.looked_ns]
    if stray:
        raise RuntimeError(f"corrections in frames that nobody looked at: {stray}")
    truth = {sim.frame.stamp_ns: sim.mask(meant) for sim in frames}
    index = {sim.frame.stamp_ns: sim.frame.index for sim in frames}
    score = {event.stamp_ns: jaccard(event.result.objects[1].mask, truth[event.stamp_ns]) for event in shown}
    wrong_ns = wrong.frame.stamp_ns
    corrected = [e for e in corrections if isinstance(e, events.Corrected) and e.stamp_ns >= wrong_ns]
    right_ns = next((ns for ns, j in score.items() if corrected and ns > corrected[0].stamp_ns and j >= RIGHT_J), None)
    if right_ns is None:
        raise RuntimeError("the wrong mask was not put right")

    def mean_j(first_ns: int, end_ns: int) -> float:
        return round(float(np.mean([j for stamp_ns, j in score.items() if first_ns <= stamp_ns < end_ns])), 3)

    return {
        "look_frames": look_frames,
        "wrong_in_frame": WRONG_FROM,
        "looked_at_in_frames": [index[stamp_ns] for stamp_ns in policy.looked_ns if wrong_ns <= stamp_ns < right_ns],
        "said_of_frames": [
            (type(event).__name__, index[event.stamp_ns])
            for event in corrections
            if wrong_ns <= event.stamp_ns < right_ns
        ],
        "right_again_in_frame": index[right_ns],
        "mean_j_before": mean_j(0, wrong_ns),
        "mean_j_while_wrong": mean_j(wrong_ns, right_ns),
        "mean_j_after": mean_j(right_ns, frames[-1].frame.stamp_ns + 1),
        "stamps_rise": bool(np.all(np.diff([event.stamp_ns for event in shown]) > 0)),
    }


def _unlike_things(sim: SimFrame) -> tuple[int, int]:
    """The largest thing that has no twin and is whole in the picture, and the largest one of another colour."""
    height, width = sim.frame.hw
    boxes = {number: box for number in sim.things if (box := sim.box_image_px(number)) is not None}
    whole = [n for n, (x0, y0, x1, y1) in boxes.items() if x0 > 0 and y0 > 0 and x1 < width and y1 < height]
    largest_first = sorted(whole, key=lambda number: -int(sim.mask(number).sum()))
    looks = [(thing.kind, thing.colour) for thing in sim.things.values()]
    for meant in largest_first:
        thing = sim.things[meant]
        others = [number for number in largest_first if sim.things[number].colour != thing.colour]
        if looks.count((thing.kind, thing.colour)) == 1 and others:
            return meant, others[0]
    raise RuntimeError("no thing without a twin beside one of another colour: take another scene")
