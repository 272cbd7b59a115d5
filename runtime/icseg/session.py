"""THE MAIN PATH: frames and text in, events out.

    session.push_frame(frame)      # from the camera, at any time
    session.say("the mug")         # from the person, at any time
    for event in session.step():   # from one loop: at most one tracker step, never waits for the policy
        ...

The policy thinks in an executor; the stream goes on meanwhile. The answer is about a keyframe in the past: the tracker
starts there, catches up through the buffer, and then follows the newest frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from enum import Enum

from icseg import events
from icseg.config import SessionConfig
from icseg.conversation import Conversation
from icseg.dialogue.actions import Ask, GiveUp
from icseg.dialogue.agent import Agent, Target
from icseg.dialogue.policy import Policy
from icseg.errors import IcsegError
from icseg.frames import FrameBuffer
from icseg.inbox import Inbox
from icseg.intent import is_command, is_stop
from icseg.pursuit import Pursuit, VideoTracker
from icseg.types import Frame, Prompt


class State(Enum):
    """What a session is doing."""

    IDLE = "idle"
    THINKING = "thinking"
    ASKING = "asking"
    TARGETING = "targeting"
    TRACKING = "tracking"
    LOST = "lost"
    GAVE_UP = "gave up"


class Session:
    """One camera, one person, one target at a time.

    ``push_frame`` and ``say`` may be called from any thread and return at once. ``step`` belongs to one thread.

    Args:
        policy: decides what to ask and where the target is.
        tracker: follows the target.
        config: see ``SessionConfig``.
        executor: where the policy runs; by default one thread of the session's own.
        clock: seconds, monotonic: for time-outs of people and cameras. Frames carry their own stamps.
    """

    def __init__(
        self,
        policy: Policy,
        tracker: VideoTracker,
        config: SessionConfig | None = None,
        *,
        executor: Executor | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.config = config if config is not None else SessionConfig()
        self.state = State.IDLE
        self._agent, self._tracker, self._clock = Agent(policy), tracker, clock
        self._own_executor = None if executor else ThreadPoolExecutor(1, thread_name_prefix="icseg-policy")
        self._executor = executor or self._own_executor
        self._buffer = FrameBuffer(self.config.buffer_frames, self.config.buffer_mb * 10**6)
        self._inbox = Inbox(self.config.buffer_frames, clock)
        self._out: list[events.Event] = []
        self._conversation: Conversation | None = None
        self._pursuit: Pursuit | None = None
        self._question: tuple[Ask, float, int] | None = None  # what was asked, until when it waits, repeats left
        self._spoken_at = self._frame_at = clock()
        self._refused = self._dropped = 0
        self._is_stalled = False

    def push_frame(self, frame: Frame) -> None:
        """Hand over a camera frame. When ``step`` is too slow for the stream, the oldest waiting frames are dropped."""
        self._inbox.put(frame)

    def say(self, text: str) -> None:
        """Hand over what the person said: a command, an answer, or "stop"."""
        self._inbox.put(text)

    def step(self) -> list[events.Event]:
        """Take what came in, let the dialogue go on if it has decided, and do at most one tracker step."""
        arrived, dropped = self._inbox.drain()
        self._dropped += dropped
        for at, item in arrived:
            if isinstance(item, Frame):
                self._take_frame(item, at)
            else:
                self._take_text(item, at)
        self._watch_clocks()
        self._go_on_talking()
        self._go_on_tracking()
        out, self._out = self._out, []
        return out

    def close(self) -> None:
        """Cancel everything and let every frame go."""
        self._reset(State.IDLE)
        self._buffer.clear()
        self._inbox.drain()
        if self._own_executor is not None:
            self._own_executor.shutdown(wait=False, cancel_futures=True)

    # ---- what comes in

    def _take_frame(self, frame: Frame, at: float) -> None:
        self._frame_at, self._is_stalled = at, False
        try:
            self._buffer.push(frame)
        except ValueError as error:
            self._refused += 1
            if self._refused < self.config.restart_after_frames:
                self._say(events.Rejected, error=str(error))
                return
            if self.state not in (State.IDLE, State.GAVE_UP):
                self._say(events.Failed, error=f"the stream started anew ({error}); please say again what you want")
            self._reset(State.IDLE)
            self._buffer.clear()
            self._buffer.push(frame)
        self._refused = 0

    def _take_text(self, text: str, at: float) -> None:
        if not text.strip():
            self._say(events.Rejected, error="empty text: say what to segment, answer the question, or say stop")
        elif is_stop(text):
            self._reset(State.IDLE)
            self._say(events.Stopped)
        elif self.state is State.ASKING and self._conversation is not None and not is_command(text):
            self._spoken_at, self._question = at, None
            self._say(events.Answered, text=text.strip())
            self._conversation.reply(text)
            self.state = State.THINKING
        else:
            self._take_command(text.strip(), at)

    def _take_command(self, command: str, at: float) -> None:
        newest = self._buffer.newest
        if newest is None:
            self._say(events.Rejected, error="no camera frame yet: check the camera, then say it again")
            return
        self._reset(State.THINKING)
        self._spoken_at = at
        oldest_ns = newest.stamp_ns - int(self.config.look_back_s * 1e9)
        assert self._executor is not None
        recent = [frame for frame in self._buffer if frame.stamp_ns >= oldest_ns]
        self._conversation = Conversation(self._agent, self._executor, command, recent)
        self._say(events.Thinking, command=command)

    # ---- what goes on by itself

    def _watch_clocks(self) -> None:
        now, waiting = self._clock(), self._question
        if waiting is not None and now >= waiting[1]:
            ask, _, repeats_left = waiting
            if repeats_left > 0:
                self._ask(ask, repeats_left - 1, is_repeat=True)
            else:
                self._give_up(f"nobody answered the question: {ask.question}")
        silent_s = now - self._frame_at
        if self.state not in (State.IDLE, State.GAVE_UP) and silent_s >= self.config.camera_timeout_s:
            if not self._is_stalled:
                self._say(events.CameraStalled, silent_s=silent_s)
            self._is_stalled = True

    def _go_on_talking(self) -> None:
        if self._conversation is None or not self._conversation.is_thinking:
            return
        try:
            outcome = self._conversation.poll()
        except IcsegError as error:
            self._fail(str(error))
            return
        match outcome:
            case Ask():
                self._ask(outcome, self.config.question_repeats)
            case Target():
                self._aim(outcome)
            case GiveUp():
                self._give_up(outcome.reason)

    def _ask(self, ask: Ask, repeats_left: int, *, is_repeat: bool = False) -> None:
        assert self._conversation is not None
        self.state = State.ASKING
        self._question = (ask, self._clock() + self.config.answer_timeout_s, repeats_left)
        self._out.append(
            events.Asked(
                self._conversation.stamp_ns, ask.question, ask.options, is_repeat, timings_ms=self._response_ms()
            )
        )

    def _aim(self, target: Target) -> None:
        self._out.append(
            events.Targeted(
                target.keyframe.stamp_ns, target.box_image_px, target.point_image_px, timings_ms=self._response_ms()
            )
        )
        self._reset(State.TARGETING)
        self._pursuit = Pursuit(
            self._tracker,
            target.keyframe,
            Prompt(target.box_image_px, (target.point_image_px,), (1,)),
            catch_up_frames=self.config.catch_up_frames,
            every_frame=self.config.every_frame,
        )

    def _go_on_tracking(self) -> None:
        if self._pursuit is None:
            return
        try:
            new = self._pursuit.advance(self._buffer, self._dropped)
        except IcsegError as error:
            self._fail(str(error))
            return
        if not new:
            return
        self._out += new
        lost_since_ns = self._pursuit.lost_since_ns
        if lost_since_ns is None:
            self.state = State.TRACKING if self._pursuit.is_live else State.TARGETING
        else:
            self.state = State.LOST
            if self._pursuit.stamp_ns - lost_since_ns >= self.config.search_timeout_s * 1e9:
                self._give_up(f"the target was not seen again for {self.config.search_timeout_s:g} s")

    # ---- small things

    def _give_up(self, reason: str) -> None:
        timings = self._response_ms() if self._conversation is not None else {}
        self._reset(State.GAVE_UP)
        self._out.append(events.GaveUp(self._stamp_ns(), reason, timings_ms=timings))

    def _fail(self, error: str) -> None:
        self._reset(State.IDLE)
        self._say(events.Failed, error=error)

    def _reset(self, state: State) -> None:
        if self._conversation is not None:
            self._conversation.cancel()
        if self._pursuit is not None:
            self._dropped += self._pursuit.dropped
        self._conversation = self._pursuit = self._question = None
        self.state = state

    def _response_ms(self) -> dict[str, float]:
        """Stages of the policy since the person spoke, and ``response``: from the words to now."""
        assert self._conversation is not None
        return {**self._conversation.timings_ms, "response": (self._clock() - self._spoken_at) * 1e3}

    def _stamp_ns(self) -> int:
        return self._buffer.newest.stamp_ns if self._buffer.newest is not None else -1

    def _say(self, kind: type[events.Event], **facts: object) -> None:
        self._out.append(kind(self._stamp_ns(), **facts))  # type: ignore[arg-type]  # fields of the event class
