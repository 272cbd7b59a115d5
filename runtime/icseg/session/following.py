"""From the keyframe, which is in the past, to the live stream: which frame comes next, and which are dropped.

What is learned late about a frame, its target's place in the keyframe or a mask that was wrong, is taken up in that
frame: the tracker goes back to it and catches up through the buffer. It waits for nobody.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor
from dataclasses import replace

from icseg.dialogue.policy import Mismatch, Policy, WatchingPolicy
from icseg.errors import PromptError
from icseg.session import events
from icseg.session.config import FollowingConfig
from icseg.session.events import State
from icseg.session.recheck import CheckOutcome, Recheck, WatchFailed
from icseg.session.stream import FrameBuffer
from icseg.tracker.video_tracker import VideoTracker
from icseg.types import Frame, Prompt, TrackResult

OBJECT_ID = 1
"""What the tracker calls the one target."""


class Following:
    """One target on its way through the stream.

    The frames between the keyframe and now are followed in at most ``catch_up_frames`` strides, evenly spread over
    them; then the newest frame wins. With ``every_frame`` nothing is skipped.

    With a policy that knows its target, masks are checked beside the tracking. A mask that was found wrong is put right
    in its own frame, with the memories from before it, and followed to now as from a keyframe, but in at most twice as
    many strides as it took to follow the wrong one; only what is newer than everything that was shown before is shown.

    Args:
        tracker: segments and follows.
        keyframe: where the target was found.
        prompt: what it was found by, in that frame.
        config: see ``FollowingConfig``.
        policy: checks masks, if it is a ``WatchingPolicy``.
        executor: where it does.
        counted_ns: frames up to this stamp were shown or counted as dropped, for an earlier target; -1 for none.

    Attributes:
        lost_since_ns: stamp of the frame in which the target was lost, or None while it is visible.
        dropped: frames that were passed over, and of which nothing was shown.
        stamp_ns: the stamp of the frame that the tracker has come to.
        counted_ns: as above, with this target's frames.
    """

    def __init__(
        self,
        tracker: VideoTracker,
        keyframe: Frame,
        prompt: Prompt,
        config: FollowingConfig,
        policy: Policy,
        executor: Executor,
        counted_ns: int = -1,
    ) -> None:
        self._tracker, self._state, self._config = tracker, tracker.new_state(), config
        self._policy = policy if config.rechecks and isinstance(policy, WatchingPolicy) else None
        self._executor = executor
        # the state in the frame that is being checked
        self._kept_state = tracker.new_state() if self._policy is not None else None
        self._steps_since_kept = 0
        self._recheck: Recheck | None = None
        self._out: list[events.Event] = []
        self._strides_left = config.catch_up_frames
        self._keyframe: tuple[Frame, Prompt] | None = (keyframe, prompt)
        self.stamp_ns = keyframe.stamp_ns
        self._shown_ns = keyframe.stamp_ns - 1
        self.counted_ns = counted_ns
        self._is_newest = self._has_been_live = False
        self.lost_since_ns: int | None = None
        self.dropped = 0

    @property
    def state(self) -> State:
        """Lost, tracking, or on the way from the keyframe; going back later on does not count as being on the way."""
        if self.lost_since_ns is not None:
            return State.LOST
        return State.TRACKING if self._has_been_live else State.TARGETING

    @property
    def is_behind(self) -> bool:
        """The tracker went back and has not come to what was shown already: it has frames to go on with."""
        return self.stamp_ns < self._shown_ns

    @property
    def is_search_over(self) -> bool:
        """The target has been lost for so long that the search ends."""
        lost_since_ns = self.lost_since_ns
        return lost_since_ns is not None and self.stamp_ns - lost_since_ns >= self._config.search_timeout_s * 1e9

    def advance(self, buffer: FrameBuffer, dropped_before: int = 0) -> list[events.Event]:
        """One tracker step, if there is a frame to take.

        Returns:
            ``Tracked``, if its frame is newer than all that were shown, and what else there is to say.

        Raises:
            PromptError: the target's prompt cannot be used.
            BackendError: an engine of the tracker failed.
        """
        if self._keyframe is not None:
            result: TrackResult | None = self._start(buffer)
        elif (outcome := self._poll()) is not None and outcome.correction is not None:
            result = self._go_back(outcome)
        else:
            result = self._follow(buffer)
        if result is not None and result.stamp_ns > self._shown_ns:
            self._show(result, dropped_before + self.dropped)
        out, self._out = self._out, []
        return out

    def cancel(self) -> None:
        """Nothing is checked any more; nobody waits for a look that has begun."""
        if self._recheck is not None:
            self._recheck.cancel()
            self._recheck = None

    def _start(self, buffer: FrameBuffer) -> TrackResult:
        assert self._keyframe is not None
        (keyframe, prompt), self._keyframe = self._keyframe, None
        self._is_newest = not buffer.after(self.stamp_ns)
        if self._policy is not None and prompt.box_image_px is not None:
            self._recheck = Recheck(self._policy, self._executor, self._config, keyframe, prompt.box_image_px)
            self._poll()
        return self._prompt(keyframe, prompt)

    def _follow(self, buffer: FrameBuffer) -> TrackResult | None:
        waiting = buffer.after(self.stamp_ns)
        if not waiting:
            return None
        step = 1
        if not self._config.every_frame:
            step = math.ceil(len(waiting) / self._strides_left) if self._strides_left > 0 else len(waiting)
            self._strides_left -= 1
        frame = waiting[step - 1]
        # what was shown of a frame stays shown, though it is passed over the second time
        self.dropped += sum(passed.stamp_ns > self.counted_ns for passed in waiting[: step - 1])
        self.dropped += buffer.count_evicted_after(max(self.counted_ns, self.stamp_ns))
        self.stamp_ns = frame.stamp_ns
        self._steps_since_kept += 1
        self._is_newest = step == len(waiting)
        if self._is_newest:
            self._strides_left = 0
        result = self._tracker.step(self._state, frame)
        # a mask that is not shown needs no check: the newer ones will get theirs
        return self._checked(frame, result) if frame.stamp_ns > self._shown_ns else result

    def _checked(self, frame: Frame, result: TrackResult) -> TrackResult:
        """The result as it may be shown; if the executor is so quick, after it was put right."""
        if self._recheck is None:
            return result
        if self._recheck.begin(frame, result.objects[OBJECT_ID]):
            if (outcome := self._poll()) is not None:
                return self._apply(outcome, result)
            if self._recheck is not None:
                self._tracker.copy_state(self._state, self._kept_state)
                self._steps_since_kept = 0
        if self._recheck is not None and self._recheck.is_mistrustful:
            return replace(result, objects={known: found.as_lost() for known, found in result.objects.items()})
        return result

    def _poll(self) -> CheckOutcome | None:
        if self._recheck is None:
            return None
        try:
            return self._recheck.poll()
        except WatchFailed as failure:
            self._recheck = None
            self._out.append(events.Degraded(failure.stamp_ns, str(failure)))
            return None

    def _go_back(self, outcome: CheckOutcome) -> TrackResult:
        """Put a mask right in its own frame, which is in the past; from there it is caught up."""
        self._state, self._kept_state = self._kept_state, self._state
        self.stamp_ns = outcome.frame.stamp_ns
        # once for what was followed already and as much for what came since: a tracker that is slower than the camera,
        # and goes back time and again, would otherwise fall behind for good
        again = 2 * self._steps_since_kept
        self._strides_left = min(self._config.catch_up_frames, max(again, self._strides_left))
        result = self._apply(outcome, None)
        if isinstance(outcome.correction, Mismatch):
            self._note_lost(result.stamp_ns)  # at once: what is shown now is the wrong thing
        return result

    def _apply(self, outcome: CheckOutcome, result: TrackResult | None) -> TrackResult:
        """What the outcome makes of its frame, which is the state's latest.

        Args:
            outcome: what came of the check.
            result: the frame's result so far, if it was not shown yet; its timings are added.
        """
        timings_ms = {**(result.timings_ms if result is not None else {}), "recheck": outcome.spent_ms}
        frame, said_ms = outcome.frame, {"recheck": outcome.spent_ms}
        match outcome.correction:
            case Prompt() as prompt:
                if outcome.is_far_off:
                    # the memories that led the mask here would lead it here again
                    self._tracker.reject(self._state, OBJECT_ID)
                result = self._prompt(frame, prompt)
                for stage, spent in result.timings_ms.items():
                    timings_ms[stage] = timings_ms.get(stage, 0.0) + spent
                self._out.append(events.Corrected(frame.stamp_ns, prompt, timings_ms=said_ms))
            case Mismatch(what=what):
                result = self._tracker.reject(self._state, OBJECT_ID)
                self._out.append(events.Mistaken(frame.stamp_ns, what, timings_ms=said_ms))
        assert result is not None, "an outcome without a correction is applied to a result"
        return replace(result, timings_ms=timings_ms)

    def _prompt(self, frame: Frame, prompt: Prompt) -> TrackResult:
        try:
            return self._tracker.add_prompt(self._state, frame, OBJECT_ID, prompt)
        except ValueError as error:
            raise PromptError(str(error)) from error

    def _show(self, result: TrackResult, dropped: int) -> None:
        stamp_ns = self._shown_ns = result.stamp_ns
        self.counted_ns = max(self.counted_ns, stamp_ns)
        self._has_been_live = self._has_been_live or self._is_newest
        self._out.append(events.Tracked(stamp_ns, result, self._is_newest, dropped, timings_ms=dict(result.timings_ms)))
        if all(thing.is_lost for thing in result.objects.values()):
            self._note_lost(stamp_ns)
        elif self.lost_since_ns is not None:
            self._out.append(events.Found(stamp_ns, (stamp_ns - self.lost_since_ns) / 1e9))
            self.lost_since_ns = None

    def _note_lost(self, stamp_ns: int) -> None:
        if self.lost_since_ns is None:
            self.lost_since_ns = stamp_ns
            self._out.append(events.Lost(stamp_ns))
