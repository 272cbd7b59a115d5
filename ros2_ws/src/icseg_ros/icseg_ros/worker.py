"""The one thread that owns the model: takes the newest image, steps the talks, hands over what came of it.

Knows no rclpy: images come from a camera, results go to outputs and an announcer, requests come as calls that are done
between two steps. Nothing here waits for the policy, for a person or for a publisher.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from icseg_msgs.action import ClarifySegment
from icseg_msgs.msg import DialogueState
from std_msgs.msg import Header

from icseg import events
from icseg.dialogue.english.intent import is_command, is_stop
from icseg.mask_ops.native import distance_peak
from icseg.session.events import State
from icseg.session.session import Session
from icseg.types import Frame, Prompt
from icseg_ros.announcer import state_code
from icseg_ros.answers import Answers, Reply
from icseg_ros.goal_runner import GoalRunner, Picture
from icseg_ros.goals import GoalResult
from icseg_ros.logged_session import Talk
from icseg_ros.parts import Parts
from icseg_ros.still import Still, StillOutcome, StillResult
from icseg_ros.stills import Stills
from icseg_ros.traffic import Traffic

NAP_S = 0.02
"""How long the worker sleeps when nothing happens: a policy's answer waits no longer."""
POLICY_THREADS = 3
"""A still's policy, the live dialogue's, and a look at the target that was followed wait for none of the others."""


class Worker:
    """Runs from ``start`` to ``stop``; every other method may be called from any thread and returns at once.

    Args:
        parts: of the configured node.
        traffic: counts and times, for diagnostics.
        log: takes what people should know.
        numbers: of dialogues: an answer from before the node was activated must not fit a question after it.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        parts: Parts,
        traffic: Traffic,
        log: Callable[[str], None],
        numbers: Iterator[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models, self._settings = parts.models, parts.settings
        self._camera, self._depth = parts.camera, parts.depth
        self._outputs, self._announcer = parts.outputs, parts.announcer
        self._traffic, self._log, self._clock = traffic, log, clock
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._policy_threads = ThreadPoolExecutor(POLICY_THREADS, "icseg-policy")
        self._numbers, self._question_id = numbers, 0
        self._live = self._new_talk()
        self._stills, self._answers = Stills(), Answers()
        self._goals = GoalRunner(self._new_talk, self._announcer.withdraw, clock)
        self._header: Header | None = None
        self._last_shown: Frame | None = None
        self._reported: tuple[object, ...] = ()
        self._is_enabled = True
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="icseg-worker", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End: whatever waits is told, and the thread is gone when this returns."""
        self._is_over.set()
        self._camera.wake()
        self._thread.join()
        self._policy_threads.shutdown(wait=False, cancel_futures=True)

    def say(self, text: str) -> None:
        """What a person said or typed."""
        self._post(lambda: self._take_words(text))

    def say_answer(self, text: str) -> None:
        """Words that can only be an answer."""
        self._post(lambda: self._answers.give(self._current(), text, None, self._log_refusal))

    def point_at(self, prompt: Prompt) -> None:
        """A target that was shown in the live image."""
        self._post(lambda: self._live.point_at(prompt))

    def answer(self, dialogue_id: str, question_id: int, text: str, option: int, reply: Reply) -> None:
        """An answer that names its question; ``reply`` is called in the worker's thread."""
        self._post(lambda: self._take_answer(dialogue_id, question_id, text, option, reply))

    def begin_goal(
        self,
        request: ClarifySegment.Goal,
        picture: Picture | None,
        done: Callable[[GoalResult], None],
        progress: Callable[[], None],
    ) -> None:
        """A goal of the action: pre-empts the one before it. The worker's thread calls ``done`` and ``progress``."""
        self._post(lambda: self._begin_goal(request, picture, done, progress))

    def cancel_goal(self, done: Callable[[GoalResult], None]) -> None:
        """End the goal with this ``done``, and what it began."""
        self._post(lambda: self._goals.cancel(done))

    def segment(
        self,
        picture: Picture | None,
        request: Prompt | str,
        answers: Sequence[str],
        timeout_s: float,
        done: Callable[[StillResult, Header], None],
    ) -> None:
        """One picture, by default the newest image; ``done`` is called in the worker's thread."""
        self._post(lambda: self._segment(picture, request, answers, timeout_s, done))

    def cancel(self) -> None:
        """Stop what goes on; the stream goes on."""
        self._post(self._stop_everything)

    def reset(self) -> None:
        """Forget everything, the kept images too."""
        self._post(self._reset)

    def set_enabled(self, is_enabled: bool) -> None:
        """Take images, or rest: nothing is computed then."""
        self._post(lambda: self._enable(is_enabled))

    @property
    def state(self) -> State:
        """Of the live talk."""
        return self._live.state

    def _post(self, call: Callable[[], None]) -> None:
        self._calls.put(call)
        self._camera.wake()

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                if not self._turn():
                    self._camera.wait(NAP_S)
            except Exception as error:  # noqa: BLE001  # nothing that is wrong in one image or answer may end the node
                self._traffic.fault(f"unexpected {type(error).__name__}: {error}")
                self._log(traceback.format_exc())
                self._goals.end(ClarifySegment.Result.FAILED, f"unexpected {type(error).__name__}: {error}")
                self._reset()
        self._close()

    def _turn(self) -> bool:
        """One round; whether anything was done."""
        has_called = self._make_calls()
        has_image = self._take_image()
        new = self._live.step()
        for event in new:
            self._take_event(self._live, event)
        has_more = self._step_picture()
        self._stills.step()
        self._goals.watch()
        self._report()
        return has_called or has_image or bool(new) or has_more or self._live.session.is_behind

    def _make_calls(self) -> bool:
        has_called = False
        while not self._calls.empty():
            self._calls.get()()
            has_called = True
        return has_called

    def _take_image(self) -> bool:
        taken = self._camera.take()
        if taken is None:
            return False
        self._header = taken.header
        self._traffic.took(taken)
        if taken.jumped_back:
            self._traffic.fault("stamps went back: the stream began anew")
            self._live.session.begin_stream("its stamps went back")
        self._live.session.push_frame(taken.frame)
        return True

    def _take_event(self, talk: Talk, event: events.Event) -> None:
        header = self._header_of(talk, event.stamp_ns)
        if talk is self._current() and talk.dialogue.question is None:
            self._announcer.withdraw()
        match event:
            case events.Asked():
                self._ask(talk, event, header)
            case events.Tracked() if talk is self._live and header is not None:
                self._publish(talk, event, header)
            case events.Thinking() if talk is self._live and self._goals.picture_talk is not None:
                self._goals.end(ClarifySegment.Result.PREEMPTED, "another command came")
            case events.GaveUp():
                self._announcer.tell(event.reason, talk.dialogue.language)
            case events.Failed():
                self._traffic.fault(event.error)
                self._log(event.error)
                self._announcer.tell(event.error, talk.dialogue.language)
            case events.Rejected() | events.Degraded():
                self._traffic.fault(event.error)
                self._log(event.error)
                if event.ticket > talk.dialogue.ticket and (talk, event.ticket) not in self._answers:
                    self._announcer.tell(event.error, talk.dialogue.language or self._settings.spoken.language)
            case events.CameraStalled():
                self._traffic.fault(f"no image for {event.silent_s:.1f} s while something is going on")
        self._answers.resolve(talk, event)
        self._goals.take(talk, event, header)

    def _header_of(self, talk: Talk, stamp_ns: int) -> Header | None:
        return self._goals.header_of(talk) or self._camera.header_of(stamp_ns)

    def _ask(self, talk: Talk, asked: events.Asked, header: Header | None) -> None:
        if not asked.is_repeat:
            self._question_id += 1
        header = header if header is not None else Header()
        self._announcer.ask(header, talk.dialogue, asked, self._question_id)
        frame = talk.session.question_frame
        if frame is not None and asked.choices and not asked.is_repeat:
            prompts = [Prompt(choice.box_image_px) for choice in asked.choices]
            things = list(self._models.tracker.segment(frame, prompts).objects.values())
            self._outputs.publish_candidates(header, frame.image, asked.choices, things, talk.dialogue.id)

    def _publish(self, talk: Talk, event: events.Tracked, header: Header) -> None:
        (thing,) = event.result.objects.values()
        frame = talk.session.frame_at(event.stamp_ns)
        if frame is None:
            return  # the keyframe of a long dialogue: older than what is kept, and of no use to a robot any more
        last = self._last_shown
        if last is not None and frame.stamp_ns < last.stamp_ns and talk.session.frame_at(last.stamp_ns) is last:
            return  # a new target on its way through images for which the old one had masks: time does not go back
        self._last_shown = frame
        point = None
        if self._depth.is_enabled and not thing.is_lost and (peak := distance_peak(thing.mask)) is not None:
            point = self._depth.point_of(thing.mask, event.stamp_ns, (peak[0], peak[1]))
        spent_ms = self._outputs.publish_tracked(
            header,
            frame.image,
            thing,
            dialogue_id=talk.dialogue.id,
            label=talk.dialogue.label,
            is_live=event.is_live,
            dropped=event.dropped + self._camera.counts().overwritten,
            point=point,
        )
        self._traffic.published(event, spent_ms)

    def _take_words(self, text: str) -> None:
        talk = self._goals.picture_talk
        is_for_it = talk is not None and (is_stop(text) or (talk.state is State.ASKING and not is_command(text)))
        (talk if talk is not None and is_for_it else self._live).session.say(text)

    def _current(self) -> Talk:
        """The talk whose question waits: a goal's own picture comes before the stream."""
        return self._goals.picture_talk or self._live

    def _take_answer(self, dialogue_id: str, question_id: int, text: str, option: int, reply: Reply) -> None:
        talk = self._current()
        asked = talk.dialogue.question
        if asked is None:
            reply(False, "no question waits")
        elif dialogue_id not in ("", talk.dialogue.id) or question_id not in (0, self._question_id):
            reply(
                False,
                f"question {self._question_id} of dialogue {talk.dialogue.id} waits, "
                f"not {question_id} of {dialogue_id!r}",
            )
        elif not text and option >= len(asked.options):
            reply(
                False,
                f"option: expected 0..{len(asked.options) - 1}, got {option}"
                if asked.options
                else "the question offers no options: answer it in words",
            )
        else:
            self._answers.give(talk, text or asked.options[option], asked.question_id, reply)

    def _log_refusal(self, is_accepted: bool, why: str) -> None:
        if not is_accepted:
            self._log(why)

    def _begin_goal(
        self,
        request: ClarifySegment.Goal,
        picture: Picture | None,
        done: Callable[[GoalResult], None],
        progress: Callable[[], None],
    ) -> None:
        if not self._is_enabled and picture is None:
            self._goals.end(ClarifySegment.Result.PREEMPTED, "another goal came")
            done(GoalResult(ClarifySegment.Result.FAILED, "the node is not enabled: call ~/enable"))
            return
        self._goals.begin(request, picture, self._live, done, progress)

    def _step_picture(self) -> bool:
        talk = self._goals.picture_talk
        if talk is None:
            return False
        new = talk.step()
        for event in new:
            if self._goals.picture_talk is talk:
                self._take_event(talk, event)
        return bool(new)

    def _segment(
        self,
        picture: Picture | None,
        request: Prompt | str,
        answers: Sequence[str],
        timeout_s: float,
        done: Callable[[StillResult, Header], None],
    ) -> None:
        if picture is None:
            newest = self._live.session.newest_frame
            if newest is None or self._header is None:
                done(StillResult(StillOutcome.NO_IMAGE, "no image came yet: check the camera"), Header())
                return
            picture = newest, self._camera.header_of(newest.stamp_ns) or self._header
        frame, header = picture
        if self._stills.is_full:
            done(StillResult(StillOutcome.FAILED, "too many such requests are being worked on: try again"), header)
            return
        still = Still(
            frame,
            self._models.policy,
            self._models.tracker,
            self._policy_threads,
            self._clock,
            timeout_s=timeout_s,
            answers=answers,
        )
        self._stills.begin(still, request, lambda result: done(result, header))

    def _stop_everything(self) -> None:
        self._goals.end(ClarifySegment.Result.CANCELED, "~/cancel was called")
        self._live.session.say("stop")

    def _reset(self) -> None:
        self._goals.end(ClarifySegment.Result.CANCELED, "the node was reset")
        self._live.close()
        self._answers.refuse("the node was reset")
        self._live = self._new_talk()
        self._announcer.withdraw()

    def _enable(self, is_enabled: bool) -> None:
        if is_enabled != self._is_enabled:
            self._is_enabled = is_enabled
            self._camera.set_active(is_enabled)
            self._reset()

    def _report(self) -> None:
        talk = self._current()
        dialogue = talk.dialogue
        code = state_code(talk.state, dialogue) if self._is_enabled else DialogueState.INACTIVE
        if code == DialogueState.IDLE and self._announcer.is_listening:
            code = DialogueState.LISTENING
        now = (code, dialogue.id, dialogue.turns, dialogue.reason, len(dialogue.transcript))
        if now != self._reported:
            self._reported = now
            self._announcer.report(code, dialogue, self._header)
            self._goals.progress()

    def _new_talk(self) -> Talk:
        session = Session(
            self._models.policy,
            self._models.tracker,
            self._settings.session,
            executor=self._policy_threads,
            clock=self._clock,
        )
        return Talk(session, lambda: str(next(self._numbers)), self._settings.spoken.language)

    def _close(self) -> None:
        self._make_calls()
        self._goals.end(ClarifySegment.Result.FAILED, "the node was deactivated")
        self._stills.close("the node was deactivated")
        self._answers.refuse("the node was deactivated")
        self._live.close()
        self._announcer.withdraw()
        self._announcer.report(DialogueState.INACTIVE, self._live.dialogue, self._header)
