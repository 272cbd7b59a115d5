"""The worker's rounds, with doubles for the camera and for all that publishes: who is told what, and in which order."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
from icseg_msgs.action import ClarifySegment
from sessions import QUESTION, TARGET, frame
from std_msgs.msg import Header

import icseg_ros.worker
from icseg import events
from icseg.dialogue.actions import SelectKeyframe
from icseg.dialogue.dialogue import Dialogue
from icseg.dialogue.policy import PolicyOutput
from icseg.dialogue.policy_scripted import ScriptedPolicy, Step
from icseg.session.config import SessionConfig
from icseg.session.executor import InlineExecutor
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Prompt
from icseg_ros.answers import GivenAnswer
from icseg_ros.camera import Taken
from icseg_ros.goals import GoalResult
from icseg_ros.happened import Happened
from icseg_ros.stills import MAX_STILLS, StillRequest
from icseg_ros.traffic import Traffic
from icseg_ros.worker import Worker

BOX = Prompt((10.0, 10.0, 30.0, 40.0))
PATIENCE_S = 10.0
"""For a thread on a busy machine."""


class Camera:
    """Gives the images that the test puts in; each has its number as the frame of its header."""

    def __init__(self) -> None:
        self.waiting: list[Taken] = []
        self.headers: dict[int, Header] = {}

    def put(self, index: int, *, has_jumped: bool = False) -> None:
        image = frame(index)
        self.headers[image.stamp_ns] = header = Header(frame_id=str(index))
        self.waiting.append(Taken(image, header, has_jumped, 0.0, 0.0, 0.0))

    def take(self) -> Taken | None:
        return self.waiting.pop(0) if self.waiting else None

    def header_of(self, stamp_ns: int) -> Header | None:
        return self.headers.get(stamp_ns)

    def counts(self) -> Any:
        return SimpleNamespace(overwritten=0)

    def wake(self) -> None:
        pass


class Bystanders:
    """Announcer and outputs in one: what they were given, in the order in which it came."""

    def __init__(self) -> None:
        self.breaks_at_masks = False
        self.told: list[str] = []
        self.happened: list[Happened] = []

    def take(self, happened: Happened) -> None:
        self.happened.append(happened)
        self.told.append(type(happened.event).__name__)

    def withdraw(self) -> None:
        self.told.append("withdrawn")

    def report(self, *state: Any, **more: Any) -> bool:
        return False

    def publish_tracked(self, *mask: Any, **more: Any) -> dict[str, float]:
        if self.breaks_at_masks:
            raise ValueError("no such encoding")
        self.told.append("mask out")
        return {}

    def publish_candidates(self, *candidates: Any) -> None:
        self.told.append("candidates out")


class Rounds:
    """A worker whose thread is never started: the test makes its rounds."""

    def __init__(self, *script: Step, policy: ScriptedPolicy | None = None) -> None:
        self.camera, self.bystanders, self.traffic = Camera(), Bystanders(), Traffic()
        self.logged: list[str] = []
        parts: Any = SimpleNamespace(
            models=SimpleNamespace(policy=policy or ScriptedPolicy(*script), tracker=ScriptedTracker()),
            settings=SimpleNamespace(session=SessionConfig(), spoken=SimpleNamespace(language="en")),
            camera=self.camera,
            depth=SimpleNamespace(is_enabled=False),
            outputs=self.bystanders,
            announcer=self.bystanders,
        )
        self.worker = Worker(parts, self.traffic, self.logged.append, count(1))

    def run(self, rounds: int = 4) -> list[str]:
        """What the bystanders are told in some rounds."""
        self.bystanders.told.clear()
        for _ in range(rounds):
            self.worker._turn()
        return self.bystanders.told

    def begin_goal(self, *, has_picture: bool = False) -> None:
        picture = (frame(0), Header(frame_id="own")) if has_picture else None
        goal = ClarifySegment.Goal(command="the mug", max_turns=-1)
        self.worker.begin_goal(goal, picture, self._end, lambda: None)

    def _end(self, result: GoalResult) -> None:
        self.bystanders.told.append(f"goal {result.outcome}")


@pytest.fixture(autouse=True)
def policy_decides_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def inline(*_: Any) -> Executor:
        return InlineExecutor()

    monkeypatch.setattr(icseg_ros.worker, "ThreadPoolExecutor", inline)


def test_a_question_is_put_before_its_candidates_are_segmented() -> None:
    rounds = Rounds(QUESTION)
    rounds.camera.put(0)
    rounds.worker.say("find the mug")
    assert rounds.run() == ["Thinking", "Asked", "candidates out"]


def test_a_goal_ends_after_its_mask_is_out() -> None:
    rounds = Rounds(SelectKeyframe(0), TARGET)
    rounds.camera.put(0)
    rounds.begin_goal()
    told = rounds.run()
    assert told.index("Tracked") < told.index("mask out") < told.index(f"goal {ClarifySegment.Result.SEGMENTED}")


def test_every_event_carries_its_own_image() -> None:
    rounds = Rounds()
    rounds.camera.put(0)
    rounds.run(1)
    rounds.worker.point_at(BOX)
    for index in (1, 2):
        rounds.camera.put(index)
        rounds.run(2)
    tracked = [one for one in rounds.bystanders.happened if type(one.event).__name__ == "Tracked"]
    assert len(tracked) == 3
    for one in tracked:
        assert one.frame is not None
        assert one.frame.stamp_ns == one.event.stamp_ns
        assert one.header == rounds.camera.headers[one.event.stamp_ns]
        assert one.is_live
        assert one.is_addressed


def test_a_goals_picture_is_addressed_before_the_stream_and_ends_with_its_session() -> None:
    rounds = Rounds(SelectKeyframe(0), TARGET)
    rounds.camera.put(0)
    rounds.begin_goal(has_picture=True)
    told = rounds.run()
    of_picture = [one for one in rounds.bystanders.happened if not one.is_live]
    assert of_picture
    assert all(one.is_addressed and one.header == Header(frame_id="own") for one in of_picture)
    assert "mask out" not in told, "masks on the topics are the stream's"
    assert told[-2:] == ["withdrawn", f"goal {ClarifySegment.Result.SEGMENTED}"]
    assert rounds.worker._goals.picture_session is None


def test_a_refusal_is_counted_and_logged_and_known_to_have_a_reply() -> None:
    rounds = Rounds()
    rounds.camera.put(0)
    rounds.worker.say_answer("blue")
    assert rounds.run() == ["Rejected"]
    assert rounds.bystanders.happened[0].has_reply
    assert rounds.traffic.facts().faults == 1
    assert len(rounds.logged) == 2, "once as trouble, once as the refusal of the words"


def test_a_stream_that_jumps_back_begins_anew() -> None:
    rounds = Rounds()
    rounds.camera.put(90)
    rounds.run(1)
    rounds.worker.point_at(BOX)
    rounds.run(1)
    rounds.camera.put(0, has_jumped=True)
    assert "Failed" in rounds.run()
    assert rounds.traffic.facts().faults == 2, "the jump, and what it cost"


def test_what_breaks_in_one_subscriber_is_told_and_costs_neither_the_others_nor_the_target() -> None:
    rounds = Rounds(SelectKeyframe(0), TARGET)
    rounds.bystanders.breaks_at_masks = True
    rounds.camera.put(0)
    rounds.begin_goal()
    told = rounds.run()
    assert told[-1] == f"goal {ClarifySegment.Result.SEGMENTED}"
    for index in (1, 2):
        rounds.camera.put(index)
        assert rounds.run(1) == ["Tracked"]
    assert (rounds.traffic.facts().faults, rounds.traffic.facts().last_fault) == (
        3,
        "unexpected ValueError: no such encoding",
    )
    assert len(rounds.logged) == 1, "the same again is counted, and not written again"
    rounds.worker.point_at(BOX)
    rounds.run(1)
    assert len(rounds.logged) == 2, "but for the next target"
    rounds.bystanders.breaks_at_masks = False
    rounds.camera.put(3)
    assert rounds.run(1) == ["Tracked", "mask out"]


def test_the_node_begins_anew_though_whoever_is_told_of_it_breaks_too() -> None:
    rounds = Rounds(QUESTION)

    def hang_up(result: GoalResult) -> None:
        raise KeyError("the client is gone")

    rounds.camera.put(0)
    rounds.worker.begin_goal(ClarifySegment.Goal(command="the mug", max_turns=-1), None, hang_up, lambda: None)
    rounds.run()
    live = rounds.worker._live
    rounds.worker._start_over(ValueError("broken"))
    assert rounds.worker._live is not live
    assert rounds.traffic.facts().faults == 2
    assert [text.splitlines()[-1] for text in rounds.logged] == ["ValueError: broken", "KeyError: 'the client is gone'"]


def test_an_answer_to_a_picture_whose_goal_ends_before_it_is_heard_is_refused() -> None:
    rounds, replies = Rounds(QUESTION), list[tuple[bool, str]]()
    rounds.begin_goal(has_picture=True)
    rounds.run()
    rounds.worker.answer(GivenAnswer("blue"), lambda is_accepted, why: replies.append((is_accepted, why)))
    rounds.worker.cancel()
    rounds.run()
    assert replies == [(False, "the goal that the question was about is over")]


class Undecided(ScriptedPolicy):
    """Thinks about a cup until it may stop, and asks at once about anything else."""

    def __init__(self) -> None:
        super().__init__()
        self.may_stop = threading.Event()

    def next_action(self, dialogue: Dialogue) -> PolicyOutput:
        if dialogue.command == "find the cup":
            self.may_stop.wait(PATIENCE_S)
        return PolicyOutput(QUESTION)


def test_no_number_of_stills_keeps_the_stream_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    pools: list[Executor] = []

    def of_threads(*arguments: Any) -> Executor:
        pools.append(ThreadPoolExecutor(*arguments))
        return pools[-1]

    monkeypatch.setattr(icseg_ros.worker, "ThreadPoolExecutor", of_threads)
    policy = Undecided()
    rounds = Rounds(policy=policy)
    rounds.camera.put(0)
    for _ in range(MAX_STILLS):
        rounds.worker.segment(StillRequest((frame(0), Header()), "find the cup", (), 60.0), lambda *_: None)
    rounds.run()
    rounds.worker.say("find the mug")
    until = time.monotonic() + PATIENCE_S / 2
    has_asked = False
    while not has_asked and time.monotonic() < until:
        rounds.run(1)
        has_asked = any(isinstance(one.event, events.Asked) for one in rounds.bystanders.happened)
        time.sleep(0.001)
    policy.may_stop.set()
    rounds.worker._close()
    for pool in pools:
        pool.shutdown(cancel_futures=True)
    assert has_asked
