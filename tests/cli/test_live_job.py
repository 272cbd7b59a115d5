"""A camera, played by a folder's frames in a thread: commands, questions and ends as a person would meet them."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from icseg import events
from icseg.cli import live_job
from icseg.cli.people import PreparedPerson
from icseg.cli.results import ResultFolder
from icseg.cli.sources import Source
from icseg.dialogue.actions import Answer, Ask, GiveUp, SelectKeyframe
from icseg.dialogue.policy_scripted import ScriptedPolicy
from icseg.errors import SourceError
from icseg.models import Models, effective_settings
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Frame
from tests.conftest import make_frame

PERIOD_S = 0.01


@pytest.fixture
def job(tmp_path: Path) -> Iterator[live_job.LiveJob]:
    policy = ScriptedPolicy()
    models = Models(policy, ScriptedTracker(), effective_settings([]), {})  # type: ignore[arg-type]  # a double
    args = argparse.Namespace(box=None, command="the mug", at=0.0, max_frames=None)
    results = ResultFolder(tmp_path, "the mug", 100, is_image=False, write_masks=False)
    job = live_job.LiveJob(args, models, Source("camera", 100, None, True, iter(())), PreparedPerson(["red"]), results)
    job.policy = policy  # type: ignore[attr-defined]
    yield job
    results.finish({})


def camera(count: int) -> Iterator[Frame]:
    """Frames at a steady rate, then a camera that was unplugged."""
    pause = threading.Event()
    for index in range(count):
        yield make_frame(index)
        pause.wait(PERIOD_S)
    raise SourceError("camera 0 gave no more frames: was it unplugged?")


def play(job: live_job.LiveJob, count: int, *script: object) -> str | None:
    job.policy.enqueue(*script)  # type: ignore[attr-defined]
    job.source = Source("camera", 100, None, True, camera(count))
    return job.run()


def test_asks_answers_and_follows_until_the_camera_ends(job: live_job.LiveJob) -> None:
    error = play(job, 60, Ask("Red or blue?"), SelectKeyframe(0), Answer((6.4, 4.8, 19.2, 24.0), (12.8, 14.4)))
    assert error == "camera 0 gave no more frames: was it unplugged?"
    kinds = [type(event) for event in job.results.log]
    assert kinds[:4] == [events.Thinking, events.Asked, events.Answered, events.Targeted]
    live = [event for event in job.results.log if isinstance(event, events.Tracked) and event.is_live]
    assert len(live) > 5


def test_ends_when_the_dialogue_gives_up(job: live_job.LiveJob) -> None:
    assert play(job, 1000, GiveUp("I see no mug.")) is None
    assert isinstance(job.results.log[-1], events.GaveUp)


def test_ends_with_an_error_when_the_camera_breaks_in_a_way_that_nobody_expected(job: live_job.LiveJob) -> None:
    def broken() -> Iterator[Frame]:
        yield make_frame(0)
        raise RuntimeError("bad packet")

    job.source = Source("camera", 100, None, True, broken())
    with pytest.raises(RuntimeError, match="bad packet"):
        job._take_frames()
    assert job.is_over.is_set()
    assert job.run() == "the camera broke: unexpected RuntimeError: bad packet"
