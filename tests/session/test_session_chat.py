"""The chat policy in a session: a real server on loopback, several turns, and what happens when it dies."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from icseg import events
from icseg.dialogue.chat.config import ChatConfig
from icseg.dialogue.chat.policy import ChatPolicy
from icseg.session.events import State
from icseg.session.session import Session
from icseg.tracker.scripted import ScriptedTracker
from tests.conftest import make_frame
from tests.dialogue.chat.loopback_server import LoopbackServer, recorded_bodies, recording, replay, silent

PATIENCE_S = 10.0
"""For a server on loopback and a thread on a busy machine."""


@pytest.fixture
def server() -> Iterator[LoopbackServer]:
    server = LoopbackServer()
    yield server
    server.stop()


@pytest.fixture
def session(server: LoopbackServer) -> Iterator[Session]:
    policy = ChatPolicy(ChatConfig(url=server.url, server="vllm", max_retries=0, first_token_timeout_s=3))
    session = Session(policy, ScriptedTracker())
    for index in range(25):
        session.push_frame(make_frame(index))
    yield session
    session.close()


def wait_for(session: Session, is_there: Callable[[events.Event], bool]) -> list[events.Event]:
    """Step until an event comes; everything that was said up to then."""
    log: list[events.Event] = []
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        log += session.step()
        if any(map(is_there, log)):
            return log
        time.sleep(0.005)
    raise AssertionError(f"did not come within {PATIENCE_S} s; seen: {log}")


def test_several_turns_to_a_tracked_target(server: LoopbackServer, session: Session) -> None:
    server.steps.extend(replay(body) for body in recorded_bodies(recording("mug_vllm")))
    session.say("the mug")
    asked = wait_for(session, lambda event: isinstance(event, events.Asked))[-1]
    assert isinstance(asked, events.Asked)
    assert asked.question == "Is the target blue or white?"
    assert {"first_token", "total", "response"} <= set(asked.timings_ms)
    assert asked.timings_ms["response"] >= asked.timings_ms["first_token"]
    session.say("the blue one")
    log = wait_for(session, lambda event: isinstance(event, events.Tracked))
    (target,) = [event for event in log if isinstance(event, events.Targeted)]
    assert target.stamp_ns == make_frame(24).stamp_ns
    assert target.prompt.box_image_px == pytest.approx((6.4, 12.0, 19.2, 36.0))
    assert len(server.bodies) == 3


def test_the_stream_goes_on_and_stop_works_while_the_server_is_silent(server: LoopbackServer, session: Session) -> None:
    server.steps.append(silent(PATIENCE_S))
    session.say("the mug")
    wait_for(session, lambda event: isinstance(event, events.Thinking))
    session.push_frame(make_frame(25))
    assert session.step() == []
    assert session.state is State.THINKING
    session.say("stop")
    wait_for(session, lambda event: isinstance(event, events.Stopped))
    assert session.state is State.IDLE


def test_a_server_that_dies_between_turns_fails_the_dialogue_and_not_the_session(
    server: LoopbackServer, session: Session
) -> None:
    server.steps.append(replay(recorded_bodies(recording("mug_vllm"))[0]))
    session.say("the mug")
    wait_for(session, lambda event: isinstance(event, events.Asked))
    url = server.url
    server.stop()
    session.say("the blue one")
    failed = wait_for(session, lambda event: isinstance(event, events.Failed))[-1]
    assert isinstance(failed, events.Failed)
    assert url in failed.error
    session.say("the mug")
    assert isinstance(wait_for(session, lambda event: isinstance(event, events.Failed))[-1], events.Failed)
