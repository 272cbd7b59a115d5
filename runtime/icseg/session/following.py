"""From the keyframe, which is in the past, to the live stream: which frame comes next, and which are dropped."""

from __future__ import annotations

import math
from dataclasses import replace

from icseg.dialogue.policy import Mistaken, Policy, WatchingPolicy
from icseg.errors import IcsegError, PromptError
from icseg.session import events
from icseg.session.config import FollowingConfig
from icseg.session.events import State
from icseg.session.recheck import Recheck
from icseg.session.stream import FrameBuffer
from icseg.tracker.video_tracker import VideoTracker
from icseg.types import Frame, Prompt, TrackResult

OBJECT_ID = 1


class Pursuit:
    """One target on its way through the stream.

    The frames between the keyframe and now are followed in at most ``catch_up_frames`` strides, evenly spread over
    them; then the newest frame wins. With ``every_frame`` nothing is skipped. With a policy that knows its target,
    a mask that is not on the target any more is corrected in the frame in which that was seen.

    Attributes:
        is_live: the last result was made from the newest frame.
        lost_since_ns: stamp of the frame in which the target was lost, or None while it is visible.
        dropped: frames that were passed over.
        stamp_ns: of the last frame that was taken.
    """

    def __init__(
        self,
        tracker: VideoTracker,
        keyframe: Frame,
        prompt: Prompt,
        config: FollowingConfig,
        policy: Policy,
    ) -> None:
        self._tracker, self._state, self._config = tracker, tracker.new_state(), config
        self._watcher = policy if config.rechecks and isinstance(policy, WatchingPolicy) else None
        self._recheck: Recheck | None = None
        self._out: list[events.Event] = []
        self._strides_left = config.catch_up_frames
        self._keyframe: tuple[Frame, Prompt] | None = (keyframe, prompt)
        self.stamp_ns = keyframe.stamp_ns
        self.is_live = False
        self.lost_since_ns: int | None = None
        self.dropped = 0

    @property
    def state(self) -> State:
        """Lost, tracking the newest frame, or still on the way to it."""
        if self.lost_since_ns is not None:
            return State.LOST
        return State.TRACKING if self.is_live else State.TARGETING

    @property
    def is_search_over(self) -> bool:
        """The target has been lost for so long that the search ends."""
        lost_since_ns = self.lost_since_ns
        return lost_since_ns is not None and self.stamp_ns - lost_since_ns >= self._config.search_timeout_s * 1e9

    def advance(self, buffer: FrameBuffer, dropped_before: int = 0) -> list[events.Event]:
        """One tracker step, if there is a frame that was not seen yet: ``Tracked``, and what is to be said of it."""
        result = self._start(buffer) if self._keyframe is not None else self._follow(buffer)
        if result is None:
            return []
        dropped = dropped_before + self.dropped
        out, self._out = self._out, []
        out.append(events.Tracked(result.stamp_ns, result, self.is_live, dropped, timings_ms=dict(result.timings_ms)))
        is_lost = all(thing.is_lost for thing in result.objects.values())
        if is_lost and self.lost_since_ns is None:
            self.lost_since_ns = result.stamp_ns
            out.append(events.Lost(result.stamp_ns))
        elif not is_lost and self.lost_since_ns is not None:
            out.append(events.Found(result.stamp_ns, (result.stamp_ns - self.lost_since_ns) / 1e9))
            self.lost_since_ns = None
        return out

    def _start(self, buffer: FrameBuffer) -> TrackResult:
        assert self._keyframe is not None
        (keyframe, prompt), self._keyframe = self._keyframe, None
        self.is_live = not buffer.after(self.stamp_ns)
        self._recheck = self._watch(keyframe, prompt)
        try:
            return self._tracker.add_prompt(self._state, keyframe, OBJECT_ID, prompt)
        except ValueError as error:
            raise PromptError(str(error)) from error

    def _watch(self, keyframe: Frame, prompt: Prompt) -> Recheck | None:
        if self._watcher is None or prompt.box_image_px is None:
            return None
        try:
            watch = self._watcher.watch(keyframe, prompt.box_image_px)
        except IcsegError as error:
            self._degrade(keyframe, f"the mask is not checked against the target: {error}")
            return None
        return Recheck(watch, keyframe.stamp_ns, self._config) if watch is not None else None

    def _degrade(self, frame: Frame, error: str) -> None:
        self._out.append(events.Degraded(frame.stamp_ns, error))

    def _follow(self, buffer: FrameBuffer) -> TrackResult | None:
        waiting = buffer.after(self.stamp_ns)
        if not waiting:
            return None
        step = 1
        if not self._config.every_frame:
            step = math.ceil(len(waiting) / self._strides_left) if self._strides_left > 0 else len(waiting)
            self._strides_left -= 1
        frame = waiting[step - 1]
        self.dropped += step - 1
        self.stamp_ns = frame.stamp_ns
        self.is_live = step == len(waiting)
        if self.is_live:
            self._strides_left = 0
        return self._corrected(frame, self._tracker.step(self._state, frame))

    def _corrected(self, frame: Frame, result: TrackResult) -> TrackResult:
        """The result, or a better one where the watch knows better."""
        if self._recheck is None:
            return result
        try:
            look = self._recheck.look(frame, result.objects[OBJECT_ID])
        except IcsegError as error:
            self._recheck = None
            self._degrade(frame, f"the mask is no longer checked against the target: {error}")
            return result
        if look is None:
            return result
        timings_ms = {**result.timings_ms, "recheck": look.spent_ms}
        match look.verdict:
            case Prompt() as prompt:
                if look.is_far_off:
                    # the memories that led the mask here would lead it here again
                    self._tracker.reject(self._state, OBJECT_ID)
                result = self._tracker.add_prompt(self._state, frame, OBJECT_ID, prompt)
                for stage, spent in result.timings_ms.items():
                    timings_ms[stage] = timings_ms.get(stage, 0.0) + spent
                self._out.append(events.Corrected(frame.stamp_ns, prompt))
            case Mistaken(what=what):
                result = self._tracker.reject(self._state, OBJECT_ID)
                self._out.append(events.Mistaken(frame.stamp_ns, what))
        return replace(result, timings_ms=timings_ms)
