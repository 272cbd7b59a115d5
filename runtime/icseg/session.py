"""THE MAIN PATH: frames and text in, events out.

    session.push_frame(frame)      # from the camera, at any time
    session.say("the mug")         # from the person, at any time; or session.point_at(box)
    for event in session.step():   # from one loop: at most one tracker step, never waits for the policy
        ...

The policy thinks in an executor while the stream goes on. Its answer is about a keyframe in the past: the tracker
starts there, catches up through the buffer, and then follows the newest frame.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor

from icseg import events
from icseg.config import SessionConfig
from icseg.conversation import Conversation
from icseg.dialogue.actions import Ask, GiveUp
from icseg.dialogue.agent import Agent, Target
from icseg.dialogue.policy import Policy
from icseg.errors import IcsegError
from icseg.geometry import box_area, clip_box
from icseg.inbox import Inbox
from icseg.intent import is_command, is_stop
from icseg.pursuit import Pursuit, VideoTracker
from icseg.state import State
from icseg.stream import Stream, StreamRestarted
from icseg.types import Box, Frame, Prompt


class Session:
    """One camera, one person, one target at a time.

    ``push_frame``, ``say`` and ``point_at`` may be called from any thread and return at once. ``step`` belongs to one
    thread.

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
        self._owns_executor = executor is None
        self._executor = executor if executor is not None else ThreadPoolExecutor(1, "icseg-policy")
        self._inbox = Inbox(self.config.buffer_frames, clock)
        self._stream = Stream(self.config, clock())
        self._out: list[events.Event] = []
        self._conversation: Conversation | None = None
        self._pursuit: Pursuit | None = None
        self._question: tuple[Ask, float, int] | None = None  # what was asked, until when it waits, repeats left
        self._spoken_at = clock()
        self._dropped = 0

    def push_frame(self, frame: Frame) -> None:
        """Hand over a camera frame. When ``step`` is too slow for the stream, the oldest waiting frames are dropped."""
        self._inbox.put(frame)

    def say(self, text: str) -> None:
        """Hand over what the person said: a command, an answer, or "stop"."""
        self._inbox.put(text)

    def point_at(self, box_image_px: Box) -> None:
        """Hand over the target itself, as a box that the person drew around it in the newest frame: nothing is asked.

        Raises:
            ValueError: not a box with x1 > x0 and y1 > y0, or not finite.
        """
        self._inbox.put(Prompt(box_image_px))

    def step(self) -> list[events.Event]:
        """Take what came in, let the dialogue go on if it has decided, and do at most one tracker step."""
        arrived, dropped = self._inbox.drain()
        self._dropped += dropped
        for at, item in arrived:
            match item:
                case Frame():
                    self._take_frame(item, at)
                case Prompt():
                    self._take_prompt(item)
                case str():
                    self._take_text(item.strip(), at)
        self._watch_clocks(self._clock())
        self._go_on_talking()
        self._go_on_tracking()
        out, self._out = self._out, []
        return out

    def close(self) -> None:
        """Cancel everything and let every frame go."""
        self._reset(State.IDLE)
        self._stream.buffer.clear()
        self._inbox.drain()
        if self._owns_executor:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _take_frame(self, frame: Frame, at: float) -> None:
        try:
            self._stream.take(frame, at)
        except ValueError as error:
            self._out.append(events.Rejected(self._stream.stamp_ns, str(error)))
        except StreamRestarted as restart:
            if self.state.is_busy:
                self._fail(f"the stream started anew ({restart}); please say again what you want")

    def _take_text(self, text: str, at: float) -> None:
        stamp_ns = self._stream.stamp_ns
        if not text:
            error = "empty text: say what to segment, answer the question, or say stop"
            self._out.append(events.Rejected(stamp_ns, error))
        elif is_stop(text):
            self._reset(State.IDLE)
            self._out.append(events.Stopped(stamp_ns))
        elif self.state is State.ASKING and self._conversation is not None and not is_command(text):
            self._spoken_at, self._question, self.state = at, None, State.THINKING
            self._out.append(events.Answered(stamp_ns, text))
            self._conversation.reply(text)
        elif frames := self._stream.recent():
            self._reset(State.THINKING)
            self._spoken_at = at
            self._conversation = Conversation(self._agent, self._executor, text, frames)
            self._out.append(events.Thinking(stamp_ns, text))
        else:
            error = "no camera frame yet: check the camera, then say it again"
            self._out.append(events.Rejected(stamp_ns, error))

    def _take_prompt(self, prompt: Prompt) -> None:
        keyframe, box = self._stream.buffer.newest, prompt.box_image_px
        if keyframe is None:
            error = "no camera frame yet: check the camera, then point again"
            self._out.append(events.Rejected(self._stream.stamp_ns, error))
            return
        assert box is not None
        height, width = keyframe.hw
        inside = clip_box(box, keyframe.hw)
        if box_area(inside) == 0:
            error = f"the box {box} lies outside the image of {width}x{height} pixels: draw it around the thing"
            self._out.append(events.Rejected(keyframe.stamp_ns, error))
            return
        self._pursue(events.Targeted(keyframe.stamp_ns, inside, None), keyframe)

    def _watch_clocks(self, now: float) -> None:
        if self._question is not None and now >= self._question[1]:
            ask, _, repeats_left = self._question
            if repeats_left > 0:
                self._ask(ask, repeats_left - 1, is_repeat=True)
            else:
                self._give_up(f"nobody answered the question: {ask.question}")
        if self.state.is_busy and (silent_s := self._stream.newly_silent_s(now)) is not None:
            self._out.append(events.CameraStalled(self._stream.stamp_ns, silent_s))

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
        stamp_ns, timings_ms = self._conversation.stamp_ns, self._response_ms()
        self._out.append(events.Asked(stamp_ns, ask.question, ask.options, is_repeat, timings_ms=timings_ms))

    def _aim(self, target: Target) -> None:
        box, point, keyframe = target.box_image_px, target.point_image_px, target.keyframe
        self._pursue(events.Targeted(keyframe.stamp_ns, box, point, timings_ms=self._response_ms()), keyframe)

    def _pursue(self, targeted: events.Targeted, keyframe: Frame) -> None:
        self._out.append(targeted)
        self._reset(State.TARGETING)
        self._pursuit = Pursuit(self._tracker, keyframe, targeted.prompt, self.config, self._agent.policy)

    def _go_on_tracking(self) -> None:
        if self._pursuit is None:
            return
        try:
            if new := self._pursuit.advance(self._stream.buffer, self._dropped):
                self._out += new
                self.state = self._pursuit.state
        except IcsegError as error:
            self._fail(str(error))
            return
        if self._pursuit.is_search_over:
            self._give_up(f"the target was not seen again for {self.config.search_timeout_s:g} s")

    def _give_up(self, reason: str) -> None:
        timings_ms = self._response_ms() if self._conversation is not None else {}
        self._reset(State.GAVE_UP)
        self._out.append(events.GaveUp(self._stream.stamp_ns, reason, timings_ms=timings_ms))

    def _fail(self, error: str) -> None:
        self._reset(State.IDLE)
        self._out.append(events.Failed(self._stream.stamp_ns, error))

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
