"""THE MAIN PATH: frames and text in, events out.

    session.push_frame(frame)      # from the camera, at any time
    session.say("the mug")         # from the person, at any time; or session.point_at(prompt)
    for event in session.step():   # from one loop: at most one tracker step, never waits for the policy
        ...

The policy thinks in an executor while the stream goes on. Its answer is about a keyframe in the past: the tracker
starts there, catches up through the buffer, and then follows the newest frame. It looks in the executor, too, whether
the mask is still on the target; a mask that was wrong is put right in its own frame and caught up in the same way.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import replace

from icseg.dialogue.actions import Ask, GiveUp
from icseg.dialogue.agent import Agent, Target
from icseg.dialogue.english.intent import is_command, is_stop
from icseg.dialogue.policy import Policy
from icseg.errors import IcsegError
from icseg.geometry import clip_prompt
from icseg.session import events
from icseg.session.config import SessionConfig
from icseg.session.dialogue_job import DialogueJob
from icseg.session.events import State
from icseg.session.following import Following
from icseg.session.inbox import Inbox, Meaning, PointedAt, Words
from icseg.session.stream import Stream, StreamRestarted
from icseg.tracker.video_tracker import VideoTracker
from icseg.types import Box, Frame, Prompt

POLICY_THREADS = 2
"""A new command is thought about at once, though a look at the old target may not be over."""


class Session:
    """One camera, one person, one target at a time.

    ``step`` belongs to one thread; what hands something over may be called from any thread and returns at once.

    Args:
        policy: decides what to ask and where the target is.
        tracker: follows the target.
        config: see ``SessionConfig``.
        executor: where the policy thinks, and looks whether the mask is still on the target; by default two threads of
            the session's own. Another one is used as it is: ``InlineExecutor`` does both within ``step``, and in a
            single thread a new command is thought about when a look that has begun is over.
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
        self._policy, self._tracker, self._clock = policy, tracker, clock
        self._owns_executor = executor is None
        self._executor = executor if executor is not None else ThreadPoolExecutor(POLICY_THREADS, "icseg-policy")
        self._inbox = Inbox(self.config.buffer.max_frames, clock)
        self._stream = Stream(self.config, clock())
        self._out: list[events.Event] = []
        self._dialogue_job: DialogueJob | None = None
        self._following: Following | None = None
        self._question: tuple[Ask, float, int] | None = None  # what was asked, until when it waits, repeats left
        self._tickets, self._ticket, self._question_id = itertools.count(1), 0, 0
        self._early: tuple[Words, float] | None = None
        self._spoken_at = clock()
        self._dropped, self._counted_ns = 0, -1

    def push_frame(self, frame: Frame) -> None:
        """Hand over a camera frame. When ``step`` is too slow for the stream, the oldest waiting frames are dropped."""
        self._inbox.put(frame)

    def say(self, text: str) -> int:
        """Hand over what the person said: a command, an answer, or "stop". Returns the words' number."""
        return self._put(Words(text, next(self._tickets)))

    def command(self, text: str, *, max_questions: int | None = None) -> int:
        """Hand over words that are a new command, whatever waits. Returns their number.

        Raises:
            ConfigError: ``max_questions`` is out of range.
        """
        if max_questions is not None:
            replace(self.config.dialogue, max_questions=max_questions)
        return self._put(Words(text, next(self._tickets), Meaning.COMMAND, max_questions=max_questions))

    def answer(self, text: str, question_id: int | None = None) -> int:
        """Hand over the answer to a question; refused when another one waits, or none. Returns the words' number."""
        return self._put(Words(text, next(self._tickets), Meaning.ANSWER, question_id))

    def point_at(self, target: Prompt | Box) -> int:
        """Hand over the target itself, as the person showed it in the newest frame: nothing is asked.

        Args:
            target: a prompt, or a box x0, y0, x1, y1 in pixels.

        Returns:
            The number that its events carry.

        Raises:
            ValueError: not a box with x1 > x0 and y1 > y0, or not finite.
        """
        prompt = target if isinstance(target, Prompt) else Prompt(target)
        return self._put(PointedAt(prompt, next(self._tickets)))

    @property
    def question_frame(self) -> Frame | None:
        """The frame that the question which waits is about; None when none waits."""
        return self._dialogue_job.newest if self._question is not None and self._dialogue_job is not None else None

    def begin_stream(self, why: str) -> None:
        """The frames from now on do not follow the ones before; for the thread that steps."""
        self._stream.buffer.clear()
        self._fail_restarted(why)

    @property
    def newest_frame(self) -> Frame | None:
        """The newest frame that was taken up; for the thread that steps."""
        return self._stream.buffer.newest

    def frame_at(self, stamp_ns: int) -> Frame | None:
        """A frame that is still kept; for the thread that steps."""
        return self._stream.buffer.at(stamp_ns)

    @property
    def is_behind(self) -> bool:
        """The tracker went back to put a mask right and catches up, showing nothing: ``step`` again at once."""
        return self._following is not None and self._following.is_behind

    def step(self) -> list[events.Event]:
        """Take what came in, let the dialogue go on if it has decided, and do at most one tracker step."""
        arrived, dropped = self._inbox.drain()
        self._dropped += dropped
        for at, item in arrived:
            match item:
                case Frame():
                    self._take_frame(item, at)
                case PointedAt():
                    self._take_prompt(item)
                case Words():
                    self._take_words(item, item.text.strip(), at)
        self._hear_early_words()
        self._watch_clocks(self._clock())
        self._go_on_talking()
        self._go_on_following()
        out, self._out = self._out, []
        return out

    def close(self) -> None:
        """Cancel everything and let every frame go."""
        self._reset(State.IDLE)
        self._stream.buffer.clear()
        self._inbox.drain()
        if self._owns_executor:
            self._executor.shutdown(wait=False, cancel_futures=True)

    def _put(self, item: Words | PointedAt) -> int:
        self._inbox.put(item)
        return item.ticket

    def _emit(self, event: events.Event) -> None:
        """Say something; unless it says otherwise, it comes of the latest command that was taken up."""
        self._out.append(event if event.ticket else replace(event, ticket=self._ticket))

    def _take_frame(self, frame: Frame, at: float) -> None:
        try:
            self._stream.take(frame, at)
        except ValueError as error:
            self._emit(events.Rejected(self._stream.stamp_ns, str(error)))
        except StreamRestarted as restart:
            self._fail_restarted(str(restart))

    def _fail_restarted(self, why: str) -> None:
        if self.state.is_busy:
            self._fail(f"the stream started anew ({why}); please say again what you want")
        self._counted_ns = -1

    def _take_words(self, words: Words, text: str, at: float) -> None:
        stamp_ns, ticket = self._stream.stamp_ns, words.ticket
        is_waiting = self.state is State.ASKING
        is_other = is_waiting and words.question_id not in (None, self._question_id)
        if not text:
            self._reject("empty text: say what to segment, answer the question, or say stop", ticket)
        elif words.meaning is Meaning.ANSWER and (not is_waiting or is_other):
            waits = f"question {self._question_id} waits" if is_waiting else "no question waits"
            self._reject(f"the answer {text!r} comes too late: {waits}", ticket)
        elif is_stop(text):
            self._early = None
            self._reset(State.IDLE)
            self._emit(events.Stopped(stamp_ns, ticket=ticket))
        elif is_waiting and (
            words.meaning is Meaning.ANSWER or not (words.meaning is Meaning.COMMAND or is_command(text))
        ):
            assert self._dialogue_job is not None
            self._spoken_at, self._question, self.state = at, None, State.THINKING
            self._emit(events.Answered(stamp_ns, text, ticket=ticket))
            self._dialogue_job.reply(text)
        elif frames := self._stream.recent():
            self._reset(State.THINKING)
            self._spoken_at, self._ticket = at, ticket
            bounds = self.config.dialogue
            if words.max_questions is not None:
                bounds = replace(bounds, max_questions=words.max_questions)
            agent = Agent(self._policy, bounds)
            self._dialogue_job = DialogueJob(agent, self._executor, text, frames)
            self._emit(events.Thinking(stamp_ns, text))
        else:
            if self._early is not None:
                self._reject("other words came before the first frame did", self._early[0].ticket)
            self._early = words, at

    def _hear_early_words(self) -> None:
        """Words that came before the first frame wait for it, as long as a camera may be silent."""
        if self._early is None:
            return
        words, at = self._early
        if self._stream.buffer.newest is not None:
            self._early = None
            self._take_words(words, words.text.strip(), at)
        elif self._clock() - at >= self.config.camera_timeout_s:
            self._early = None
            self._reject("no camera frame yet: check the camera, then say it again", words.ticket)

    def _take_prompt(self, pointed_at: PointedAt) -> None:
        keyframe = self._stream.buffer.newest
        if keyframe is None:
            self._reject("no camera frame yet: check the camera, then point again", pointed_at.ticket)
            return
        try:
            prompt = clip_prompt(pointed_at.prompt, keyframe.hw)
        except ValueError as error:
            self._reject(str(error), pointed_at.ticket)
            return
        self._begin_following(events.Targeted(keyframe.stamp_ns, prompt, ticket=pointed_at.ticket), keyframe)

    def _reject(self, error: str, ticket: int) -> None:
        self._emit(events.Rejected(self._stream.stamp_ns, error, ticket=ticket))

    def _watch_clocks(self, now: float) -> None:
        if self._question is not None and now >= self._question[1]:
            ask, _, repeats_left = self._question
            if repeats_left > 0:
                self._ask(ask, repeats_left - 1, is_repeat=True)
            else:
                self._give_up(f"nobody answered the question: {ask.question}", events.Cause.UNANSWERED)
        if self.state.is_busy and (silent_s := self._stream.newly_silent_s(now)) is not None:
            self._emit(events.CameraStalled(self._stream.stamp_ns, silent_s))

    def _go_on_talking(self) -> None:
        if self._dialogue_job is None or not self._dialogue_job.is_thinking:
            return
        try:
            outcome = self._dialogue_job.poll()
        except IcsegError as error:
            self._fail(str(error))
            return
        match outcome:
            case Ask():
                self._question_id += 1
                self._ask(outcome, self.config.dialogue.question_repeats)
            case Target():
                self._aim(outcome)
            case GiveUp():
                spent = self._dialogue_job.has_spent_its_questions
                self._give_up(outcome.reason, events.Cause.QUESTIONS_SPENT if spent else events.Cause.NOT_FOUND)

    def _ask(self, ask: Ask, repeats_left: int, *, is_repeat: bool = False) -> None:
        assert self._dialogue_job is not None
        self.state = State.ASKING
        self._question = (ask, self._clock() + self.config.dialogue.answer_timeout_s, repeats_left)
        stamp_ns, timings_ms = self._dialogue_job.newest.stamp_ns, self._response_ms()
        asked = (ask.question, ask.options, is_repeat, ask.choices, self._question_id)
        self._emit(events.Asked(stamp_ns, *asked, timings_ms=timings_ms, rates_per_s=self._rates_per_s()))

    def _aim(self, target: Target) -> None:
        prompt, keyframe = Prompt(target.box_image_px, (target.point_image_px,), (1,)), target.keyframe
        timings_ms, rates_per_s = self._response_ms(), self._rates_per_s()
        targeted = events.Targeted(
            keyframe.stamp_ns, prompt, target.label, timings_ms=timings_ms, rates_per_s=rates_per_s
        )
        self._begin_following(targeted, keyframe)

    def _begin_following(self, targeted: events.Targeted, keyframe: Frame) -> None:
        self._ticket = targeted.ticket or self._ticket
        self._emit(targeted)
        self._reset(State.TARGETING)
        config = self.config.following
        self._following = Following(
            self._tracker, keyframe, targeted.prompt, config, self._policy, self._executor, self._counted_ns
        )

    def _go_on_following(self) -> None:
        if self._following is None:
            return
        try:
            if new := self._following.advance(self._stream.buffer, self._dropped):
                for event in new:
                    self._emit(event)
                self.state = self._following.state
        except IcsegError as error:
            self._fail(str(error))
            return
        if self._following.is_search_over:
            reason = f"the target was not seen again for {self.config.following.search_timeout_s:g} s"
            self._give_up(reason, events.Cause.OUT_OF_SIGHT)

    def _give_up(self, reason: str, cause: events.Cause) -> None:
        timings_ms = self._response_ms() if self._dialogue_job is not None else {}
        rates_per_s = self._rates_per_s()
        self._reset(State.GAVE_UP)
        self._emit(events.GaveUp(self._stream.stamp_ns, reason, cause, timings_ms=timings_ms, rates_per_s=rates_per_s))

    def _fail(self, error: str) -> None:
        self._reset(State.IDLE)
        self._emit(events.Failed(self._stream.stamp_ns, error))

    def _reset(self, state: State) -> None:
        if self._dialogue_job is not None:
            self._dialogue_job.cancel()
        if self._following is not None:
            self._dropped, self._counted_ns = self._dropped + self._following.dropped, self._following.counted_ns
            self._following.cancel()
        self._dialogue_job = self._following = self._question = None
        self.state = state

    def _response_ms(self) -> dict[str, float]:
        """Stages of the policy since the person spoke, and ``response``: from the words to now."""
        assert self._dialogue_job is not None
        return {**self._dialogue_job.timings_ms, "response": (self._clock() - self._spoken_at) * 1e3}

    def _rates_per_s(self) -> dict[str, float]:
        return self._dialogue_job.rates_per_s if self._dialogue_job is not None else {}
