"""What goes wrong is logged, and nothing else."""

from __future__ import annotations

from sessions import happened, run, session_of

from icseg import events
from icseg.dialogue.actions import GiveUp
from icseg.errors import BackendError
from icseg_ros.trouble_log import TroubleLog


def test_failures_refusals_and_losses_are_written_down() -> None:
    written: list[str] = []
    log, logged = TroubleLog(written.append), session_of(BackendError("the server is gone"))
    logged.command("the mug")
    for event in (*run(logged), events.Rejected(0, "refused"), events.Degraded(0, "no rechecks")):
        log.take(happened(logged, event))
    assert written == ["the server is gone", "refused", "no rechecks"]


def test_a_dialogue_that_finds_nothing_is_no_trouble() -> None:
    written: list[str] = []
    log, logged = TroubleLog(written.append), session_of(GiveUp("I see no mug."))
    logged.command("the mug")
    for event in (*run(logged), events.CameraStalled(0, 3.0)):
        log.take(happened(logged, event))
    assert written == []
