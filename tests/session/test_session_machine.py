"""Any order of frames, words, silences, cancels and faults: the session stays legal, loses no event, leaks no frame."""

from __future__ import annotations

import gc
import itertools
import weakref

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from icseg import events
from icseg.dialogue.actions import Answer, Ask, GiveUp, SelectKeyframe
from icseg.dialogue.config import DialogueConfig
from icseg.dialogue.dialogue import Dialogue
from icseg.dialogue.policy import Mismatch, PolicyOutput
from icseg.errors import BackendError, ModelOutputError
from icseg.session.config import BufferConfig, FollowingConfig, SessionConfig
from icseg.session.events import State
from icseg.session.session import Session
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Box, Frame, Prompt
from tests.conftest import FakeClock, ManualExecutor, make_frame

BUFFER_FRAMES = 5
TEXTS = ("the mug", "red", "find the bowl", "stop", "never mind", "", "  ", "neither", "\x00", "é" * 300)
MOVES = ("ask", "keyframe", "wrong keyframe", "answer", "give up", "nonsense", "dead")
SPOKEN_TO = {State.THINKING, State.ASKING, State.TARGETING, State.TRACKING, State.LOST}


class WaywardPolicy:
    """Does what the machine says next; gives up when it has nothing to do."""

    name = "wayward"

    def __init__(self) -> None:
        self.moves: list[str] = []
        self.watch_says = "right"

    def next_action(self, dialogue: Dialogue) -> PolicyOutput:
        move = self.moves.pop(0) if self.moves else "give up"
        match move:
            case "ask":
                return PolicyOutput(
                    Ask(f"question {len(dialogue.turns)}?", ("red", "blue")), timings_ms={"decide": 1.0}
                )
            case "keyframe":
                return PolicyOutput(SelectKeyframe(next(iter(dialogue.frames))))
            case "wrong keyframe":
                return PolicyOutput(SelectKeyframe(10**6))
            case "answer":
                return PolicyOutput(Answer((6.4, 4.8, 38.4, 28.8), (19.2, 14.4)))
            case "nonsense":
                raise ModelOutputError("the reply has no action")
            case "dead":
                raise BackendError("the server is gone")
        return PolicyOutput(GiveUp("nothing fits"))

    def watch(self, keyframe: Frame, box_image_px: Box) -> WaywardPolicy | None:
        """Watches itself, unless it is blind."""
        self._say("watch")
        return None if self.watch_says == "blind" else self

    def check(self, frame: Frame, box_image_px: Box | None) -> Prompt | Mismatch | None:
        self._say("check")
        if self.watch_says == "mistaken":
            return Mismatch("the red box")
        return Prompt((20.0, 10.0, 40.0, 30.0), ((30.0, 20.0),), (1,)) if self.watch_says == "wrong" else None

    def _say(self, call: str) -> None:
        if self.watch_says == f"{call} dies":
            raise BackendError("the detector died")


class SessionMachine(RuleBasedStateMachine):
    """Drives a session; ``log`` holds every event it ever said."""

    @initialize()
    def begin(self) -> None:
        self.clock, self.executor = FakeClock(), ManualExecutor()
        self.policy, self.visible, self.engine_dies = WaywardPolicy(), True, False
        config = SessionConfig(
            dialogue=DialogueConfig(answer_timeout_s=3),
            buffer=BufferConfig(max_frames=BUFFER_FRAMES),
            following=FollowingConfig(catch_up_frames=2, search_timeout_s=0.5, recheck_s=0.1, recheck_doubt_s=0.1),
            camera_timeout_s=4,
        )
        tracker = ScriptedTracker(self._is_visible)
        self.session = Session(self.policy, tracker, config, executor=self.executor, clock=self.clock)
        self.log: list[events.Event] = []
        self.frames: list[weakref.ref[object]] = []
        self.next_index = 0

    def _is_visible(self, stamp_ns: int) -> bool:
        if self.engine_dies:
            raise BackendError("the engine died")
        return self.visible

    def _push(self, index: int, hw: tuple[int, int] = (48, 64)) -> None:
        frame = make_frame(index, hw)
        self.frames.append(weakref.ref(frame.image))
        self.session.push_frame(frame)

    @rule(count=st.integers(1, 8))
    def camera(self, count: int) -> None:
        for _ in range(count):
            self._push(self.next_index)
            self.next_index += 1

    @rule(back=st.integers(1, 4))
    def stale_frame(self, back: int) -> None:
        self._push(max(0, self.next_index - back))

    @rule()
    def odd_frame(self) -> None:
        self._push(self.next_index, (24, 32))
        self.next_index += 1

    @rule(text=st.sampled_from(TEXTS))
    def say(self, text: str) -> None:
        self.session.say(text)

    @rule(text=st.sampled_from(TEXTS), max_questions=st.sampled_from((None, 0, 1)))
    def command(self, text: str, max_questions: int | None) -> None:
        self.session.command(text, max_questions=max_questions)

    @rule(text=st.sampled_from(TEXTS), question_id=st.sampled_from((None, 1, 2, 99)))
    def answer(self, text: str, question_id: int | None) -> None:
        ticket = self.session.answer(text, question_id)
        before = self.session.state
        out = self.session.step()
        self.log += out
        self._explain(before, out)
        fates = [type(event) for event in out if event.ticket == ticket]
        assert fates in ([events.Answered], [events.Stopped], [events.Rejected]), "an answer begins nothing new"

    @rule()
    def new_stream(self) -> None:
        before = self.session.state
        self.session.begin_stream("the clock was set back")
        self.next_index = 0
        out = self.session.step()
        self.log += out
        self._explain(before, out)

    @rule(left=st.sampled_from((0.0, 20.0, 63.5, 64.0)))
    def point(self, left: float) -> None:
        self.session.point_at((left, 10.0, left + 20.0, 30.0))

    @rule(moves=st.lists(st.sampled_from(MOVES), min_size=1, max_size=4))
    def plan(self, moves: list[str]) -> None:
        self.policy.moves += moves

    @rule()
    def plan_success(self) -> None:
        self.policy.moves = ["ask", "keyframe", "answer"]

    @rule()
    def think(self) -> None:
        self.executor.run()

    @rule(seconds=st.sampled_from((0.1, 2.0, 3.5)))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule(visible=st.booleans(), engine_dies=st.integers(0, 5))
    def world(self, visible: bool, engine_dies: int) -> None:
        self.visible, self.engine_dies = visible, engine_dies == 0

    @rule(says=st.sampled_from(("right", "wrong", "mistaken", "blind", "watch dies", "check dies")))
    def watch(self, says: str) -> None:
        self.policy.watch_says = says

    @rule(says=st.sampled_from(("wrong", "mistaken", "right", "check dies")), meanwhile=st.integers(1, 6))
    def look(self, says: str, meanwhile: int) -> None:
        """A look ends after some frames, and what it finds is followed to now."""
        if self.session.state not in (State.TRACKING, State.TARGETING, State.LOST):
            self.policy.watch_says = "right"
            self.camera(1)
            self.session.point_at((10.0, 10.0, 30.0, 30.0))
            self.step(1)
            self.executor.run()
        self.policy.watch_says = says
        for _ in range(meanwhile):
            self.camera(1)
            self.step(1)
        self.executor.run()
        self.step(1)
        for _ in range(BUFFER_FRAMES):
            if self.session.is_behind:
                self.step(1)
        assert not self.session.is_behind, "catching up takes more steps than there are frames"

    @rule(count=st.integers(1, 4))
    def step(self, count: int) -> None:
        for _ in range(count):
            before = self.session.state
            out = self.session.step()
            self.log += out
            self._explain(before, out)

    def _explain(self, before: State, out: list[events.Event]) -> None:
        """Every change of state was said, and what was said fits the state."""
        after = self.session.state
        said = {type(event) for event in out}
        if after is State.ASKING and before is not State.ASKING:
            assert events.Asked in said
        if after is State.GAVE_UP and before is not State.GAVE_UP:
            assert events.GaveUp in said
        if before in SPOKEN_TO and after is State.IDLE:
            assert said & {events.Stopped, events.Failed}
        if after in (State.TRACKING, State.TARGETING, State.LOST) and before not in (
            State.TRACKING,
            State.TARGETING,
            State.LOST,
        ):
            assert {events.Targeted, events.Tracked} <= said
        for event in out:
            assert event.stamp_ns >= -1
            assert all(spent >= 0 for spent in event.timings_ms.values())
        live = [event for event in out if isinstance(event, events.Tracked)]
        assert len(live) <= 1, "more than one tracker step in a step"
        if events.Mistaken in said:
            assert after in (State.LOST, State.GAVE_UP)
        if said & {events.Corrected, events.Mistaken}:
            assert not live, "the frame of a look that was waited for by nobody was shown before"

    @invariant()
    def frames_are_bounded(self) -> None:
        if not hasattr(self, "session"):
            return
        alive = sum(ref() is not None for ref in self.frames)
        # buffer, inbox, the frames of one running and one cancelled dialogue, the keyframe, and one that was looked at
        assert alive <= 2 * BUFFER_FRAMES + 6 + 6 * len(self.executor.jobs) + 3

    @invariant()
    def masks_get_newer_and_drops_more(self) -> None:
        dropped, shown_ns = 0, -1
        for event in getattr(self, "log", []):
            match event:
                case events.Targeted():
                    shown_ns = -1
                case events.Tracked():
                    assert event.stamp_ns > shown_ns
                    assert event.dropped >= dropped
                    shown_ns, dropped = event.stamp_ns, event.dropped
                case events.Corrected() | events.Mistaken():
                    assert event.stamp_ns <= shown_ns, "nobody looked at a frame that was not shown"

    @invariant()
    def one_thing_at_a_time_is_waited_for(self) -> None:
        if hasattr(self, "session"):
            assert sum(not job.cancelled() for job, _ in self.executor.jobs) <= 1

    @invariant()
    def lost_and_found_alternate(self) -> None:
        log = getattr(self, "log", [])
        marks = [type(e) for e in log if isinstance(e, events.Lost | events.Found | events.Targeted)]
        for first, second in itertools.pairwise(marks):
            assert (first, second) not in ((events.Lost, events.Lost), (events.Found, events.Found))
            assert (first, second) != (events.Targeted, events.Found)

    def teardown(self) -> None:
        if not hasattr(self, "session"):
            return
        self.session.close()
        assert self.session.state is State.IDLE
        self.executor.run()
        self.log.clear()
        gc.collect()
        assert [ref for ref in self.frames if ref() is not None] == []


TestSessionMachine = SessionMachine.TestCase
TestSessionMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
