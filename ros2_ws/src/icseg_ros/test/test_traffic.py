"""Counts and times of what goes through the node; nothing of the images stays in them."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from sessions import happened, run, session_of
from std_msgs.msg import Header

from icseg import events
from icseg.dialogue.actions import GiveUp
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Frame, Prompt
from icseg_ros.camera import Taken
from icseg_ros.traffic import MASKS_KEPT, Traffic


def taken(index: int) -> Taken:
    frame = Frame(np.zeros((8, 8, 3), np.uint8), index * 1000, index)
    return Taken(frame, Header(), False, wait_ms=2.0, convert_ms=1.0, received_at=0.0)


def tracked(image: Taken, *, is_live: bool = True) -> events.Tracked:
    tracker = ScriptedTracker()
    result = tracker.add_prompt(tracker.new_state(), image.frame, 1, Prompt((1, 1, 5, 5)))
    timings_ms = {"image_encoder": 10.0, "mask_decoder": 4.0, "postprocess": 1.5}
    return events.Tracked(result.stamp_ns, result, is_live, 7, timings_ms=timings_ms)


def test_times_by_stage() -> None:
    traffic, image = Traffic(), taken(3)
    traffic.took(image)
    traffic.published(tracked(image), {"mask": 0.25, "publish": 0.5})
    facts = traffic.facts()
    assert (facts.masks, facts.dropped, facts.faults) == (1, 7, 0)
    medians = {stage: median for stage, (median, _) in facts.timings_ms.items()}
    assert medians.pop("total") > 0
    assert medians == pytest.approx({"wait": 2, "convert": 1, "model": 14, "postprocess": 1.5, "publish": 0.75})


def test_masks_of_the_past_have_no_times_of_their_own() -> None:
    traffic, image = Traffic(), taken(3)
    traffic.took(image)
    traffic.published(tracked(image, is_live=False), {})
    traffic.published(tracked(taken(9)), {})
    assert (traffic.facts().masks, traffic.facts().timings_ms) == (2, {})


def test_no_image_is_held() -> None:
    traffic = Traffic()
    image = taken(0)
    pixels = weakref.ref(image.frame.image)
    traffic.took(image)
    del image
    gc.collect()
    assert pixels() is None


def test_it_is_bounded() -> None:
    traffic = Traffic()
    for index in range(2 * MASKS_KEPT):
        image = taken(index)
        traffic.took(image)
        traffic.published(tracked(image), {})
    assert len(traffic._arrivals) == len(traffic._timings_ms) == MASKS_KEPT
    assert traffic.facts().masks == 2 * MASKS_KEPT


def test_the_last_fault_is_told() -> None:
    traffic = Traffic()
    traffic.fault("first")
    traffic.fault("second")
    facts = traffic.facts()
    assert (facts.faults, facts.last_fault) == (2, "second")
    assert 0 <= facts.last_fault_s < 60


def test_failures_refusals_losses_and_a_silent_camera_are_faults() -> None:
    traffic, logged = Traffic(), session_of(GiveUp("I see no mug."))
    logged.command("the mug")
    for event in run(logged):
        traffic.take(happened(logged, event))
    assert traffic.facts().faults == 0, "that nothing fits is no fault"
    for event in (events.Failed(0, "a"), events.Rejected(0, "b"), events.Degraded(0, "c")):
        traffic.take(happened(logged, event))
    traffic.take(happened(logged, events.CameraStalled(0, 2.5)))
    facts = traffic.facts()
    assert (facts.faults, facts.last_fault) == (4, "no image for 2.5 s while something is going on")
