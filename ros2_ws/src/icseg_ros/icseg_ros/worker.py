"""The one thread that owns the models: takes the newest image, steps the sessions, hands on what happened.

Requests come as calls that are done between two steps. What is said, published, counted and answered is the
subscribers' matter. Nothing here waits for the policy, for a person or for a publisher. Knows no rclpy.
"""

from __future__ import annotations

import queue
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

from icseg_msgs.action import ClarifySegment
from std_msgs.msg import Header

from icseg import events
from icseg.session.session import Session
from icseg.types import Prompt
from icseg_ros.answers import Answers, GivenAnswer, Reply
from icseg_ros.goal_runner import GoalRunner, Picture
from icseg_ros.goals import GoalResult
from icseg_ros.happened import Happened, Subscriber
from icseg_ros.logged_session import LoggedSession
from icseg_ros.mask_output import MaskOutput
from icseg_ros.parts import Parts
from icseg_ros.stills import Done, StillRequest, Stills
from icseg_ros.traffic import Traffic
from icseg_ros.trouble_log import TroubleLog

IDLE_WAIT_S = 0.02
"""How long the worker sleeps when nothing happens: a policy's answer waits no longer."""
POLICY_THREADS = 3
"""The live dialogue, that of a goal's picture, and a look at the target wait for none of the others."""
STILL_THREADS = 2
"""Stills are thought about beside all that, some at a time: any number of them keeps nobody else waiting."""


class Worker:
    """Runs from ``start`` to ``stop``; every other method may be called from any thread and returns at once.

    Args:
        parts: the configured node's.
        traffic: counts and times, for diagnostics.
        log: takes what people should know.
        dialogue_numbers: for the whole life of the node: an answer from before it was activated must not fit a question
            after it.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        parts: Parts,
        traffic: Traffic,
        log: Callable[[str], None],
        dialogue_numbers: Iterator[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._models, self._settings, self._camera = parts.models, parts.settings, parts.camera
        self._announcer, self._traffic, self._log, self._clock = parts.announcer, traffic, log, clock
        self._calls: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._policy_threads = ThreadPoolExecutor(POLICY_THREADS, "icseg-policy")
        self._still_threads = ThreadPoolExecutor(STILL_THREADS, "icseg-still")
        self._dialogue_numbers, self._question_numbers = dialogue_numbers, count(1)
        self._live = self._new_session()
        self._newest_header: Header | None = None
        self._answers = Answers()
        self._goals = GoalRunner(self._new_session, self._picture_closed, clock)
        # stills are not among the subscribers: their sessions concern nobody but whoever asked
        self._stills = Stills(parts.models.policy, parts.models.tracker, self._still_threads, clock)
        self._subscribers = self._subscribe(parts)
        self._is_enabled = True
        self._last_unexpected = ""
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="icseg-worker", daemon=True)

    def _subscribe(self, parts: Parts) -> tuple[Subscriber, ...]:
        """Who takes what happens, in this order.

        First who only writes it down, so that it is written whatever comes after. A question is put before the
        pictures of what it is about are made, which takes the tracker's time. Programs are told last, when all that
        they may go on with is published; the goals after all others, because a goal's end closes its picture's session.
        """
        masks = MaskOutput(
            parts.outputs,
            parts.depth,
            parts.models.tracker,
            lambda: parts.camera.counts().overwritten,
            self._traffic.published,
        )
        return self._traffic, TroubleLog(self._log), self._announcer, masks, self._answers, self._goals

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End: whatever waits is told, and the thread is gone when this returns."""
        self._is_over.set()
        self._camera.wake()
        self._thread.join()
        for threads in (self._policy_threads, self._still_threads):
            threads.shutdown(wait=False, cancel_futures=True)

    def say(self, text: str) -> None:
        """What a person said or typed."""
        self._post(lambda: self._goals.listener_to(text, self._live).session.say(text))

    def say_answer(self, text: str) -> None:
        """Words that can only be an answer."""
        self._post(lambda: self._answers.give(self._goals.addressed(self._live), text, None, self._log_refusal))

    def answer(self, given: GivenAnswer, reply: Reply) -> None:
        """An answer that may name its question; the worker's thread calls ``reply``."""
        self._post(lambda: self._answers.answer(self._goals.addressed(self._live), given, reply))

    def point_at(self, prompt: Prompt) -> None:
        """A target that was shown in the live image."""
        self._post(lambda: self._live.point_at(prompt))

    def begin_goal(
        self,
        request: ClarifySegment.Goal,
        picture: Picture | None,
        done: Callable[[GoalResult], None],
        progress: Callable[[], None],
    ) -> None:
        """A goal of the action: pre-empts the one before it. The worker's thread calls ``done`` and ``progress``."""
        self._post(
            lambda: self._goals.begin(request, picture, self._live if self._is_enabled else None, done, progress)
        )

    def cancel_goal(self, done: Callable[[GoalResult], None]) -> None:
        """End the goal with this ``done``, and what it began."""
        self._post(lambda: self._goals.cancel(done))

    def segment(self, request: StillRequest, done: Done) -> None:
        """One picture, by default the newest image; the worker's thread calls ``done``."""
        self._post(lambda: self._stills.begin(request, self._newest_picture(), done))

    def cancel(self) -> None:
        """Stop what goes on; the stream goes on."""
        self._post(self._stop_everything)

    def reset(self) -> None:
        """Forget everything, the kept images too."""
        self._post(self._reset)

    def set_enabled(self, is_enabled: bool) -> None:
        """Take images, or rest: nothing is computed then."""
        self._post(lambda: self._enable(is_enabled))

    def _post(self, call: Callable[[], None]) -> None:
        self._calls.put(call)
        self._camera.wake()

    def _run(self) -> None:
        while not self._is_over.is_set():
            try:
                if not self._turn():
                    self._camera.wait(IDLE_WAIT_S)
            except Exception as error:  # noqa: BLE001  # nothing that is wrong in one image or answer may end the node
                self._start_over(error)
        self._close()

    def _start_over(self, error: Exception) -> None:
        """After a fault in the round itself nobody knows what a session or a model is worth: all begin anew."""
        self._note_unexpected(error)
        reason = f"unexpected {type(error).__name__}: {error}"
        for call in (lambda: self._goals.end(ClarifySegment.Result.FAILED, reason), self._reset):
            try:
                call()
            except Exception as another:  # noqa: BLE001  # whoever is told of the end may fail, too
                self._note_unexpected(another)

    def _note_unexpected(self, error: Exception) -> None:
        self._traffic.fault(f"unexpected {type(error).__name__}: {error}")
        text = "".join(traceback.format_exception(error))
        if text != self._last_unexpected:  # once a command: what goes wrong in every image would bury all else
            self._log(text)
        self._last_unexpected = text

    def _turn(self) -> bool:
        """One round; whether anything was done."""
        has_called = self._make_calls()
        has_image = self._take_image()
        has_stepped = self._step(self._live)
        picture = self._goals.picture_session
        has_stepped_picture = picture is not None and self._step(picture)
        self._stills.step()
        self._goals.watch()
        if self._announcer.report(self._goals.addressed(self._live), self._newest_header, is_enabled=self._is_enabled):
            self._goals.progress()
        has_more = self._live.session.is_behind
        return has_called or has_image or has_stepped or has_stepped_picture or has_more

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
        self._newest_header = taken.header
        self._traffic.took(taken)
        if taken.jumped_back:
            self._traffic.fault("stamps went back: the stream began anew")
            self._live.session.begin_stream("its stamps went back")
        self._live.session.push_frame(taken.frame)
        return True

    def _step(self, logged: LoggedSession) -> bool:
        """One step of a session, whose events go to every subscriber; whether there were any."""
        new = logged.step()
        for event in new:
            if logged not in (self._live, self._goals.picture_session):
                break  # the event before this one ended the goal, and its picture with it
            if isinstance(event, events.Thinking | events.Targeted):
                self._last_unexpected = ""
            happened = self._happened(logged, event)
            for subscriber in self._subscribers:
                try:
                    subscriber.take(happened)
                except Exception as error:  # noqa: BLE001  # the others get their event, and the session goes on
                    self._note_unexpected(error)
        return bool(new)

    def _happened(self, logged: LoggedSession, event: events.Event) -> Happened:
        return Happened(
            logged,
            event,
            self._goals.header_of(logged) or self._camera.header_of(event.stamp_ns),
            logged.frame_of(event),
            is_live=logged is self._live,
            is_addressed=logged is self._goals.addressed(self._live),
            has_reply=self._answers.awaits(logged, event.ticket),
        )

    def _newest_picture(self) -> Picture | None:
        newest = self._live.session.newest_frame
        header = self._camera.header_of(newest.stamp_ns) if newest is not None else None
        header = header or self._newest_header
        return None if newest is None or header is None else (newest, header)

    def _picture_closed(self, logged: LoggedSession) -> None:
        self._answers.refuse("the goal that the question was about is over", logged)
        self._announcer.withdraw()

    def _log_refusal(self, is_accepted: bool, why: str) -> None:
        if not is_accepted:
            self._log(why)

    def _stop_everything(self) -> None:
        self._goals.end(ClarifySegment.Result.CANCELED, "~/cancel was called")
        self._live.session.say("stop")

    def _reset(self) -> None:
        self._goals.end(ClarifySegment.Result.CANCELED, "the node was reset")
        self._live.close()
        self._answers.refuse("the node was reset")
        self._live = self._new_session()
        self._announcer.withdraw()

    def _enable(self, is_enabled: bool) -> None:
        if is_enabled != self._is_enabled:
            self._is_enabled = is_enabled
            self._camera.set_active(is_enabled)
            self._reset()

    def _new_session(self) -> LoggedSession:
        session = Session(
            self._models.policy,
            self._models.tracker,
            self._settings.session,
            executor=self._policy_threads,
            clock=self._clock,
        )
        return LoggedSession(session, self._dialogue_numbers, self._question_numbers, self._settings.spoken.language)

    def _close(self) -> None:
        self._make_calls()
        self._goals.end(ClarifySegment.Result.FAILED, "the node was deactivated")
        self._stills.close("the node was deactivated")
        self._answers.refuse("the node was deactivated")
        self._live.close()
        self._announcer.withdraw()
        self._announcer.report(self._live, self._newest_header, is_enabled=False)
