"""Which masks and candidates are published, with doubles for the publishers and the depth camera."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from geometry_msgs.msg import Point
from sessions import CHOICES, QUESTION, frame, happened, run, session_of
from std_msgs.msg import Header

from icseg import events
from icseg.dialogue.actions import Ask
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Prompt
from icseg_ros.logged_session import LoggedSession
from icseg_ros.mask_output import MaskOutput

BOX = Prompt((10.0, 10.0, 30.0, 40.0))
TIMINGS_MS = {"mask": 0.5}


class Recorded:
    """Outputs, depth and traffic that keep what they are given."""

    def __init__(self, *, has_depth: bool = False) -> None:
        self.masks: list[dict[str, Any]] = []
        self.candidates: list[tuple[Any, ...]] = []
        self.published: list[tuple[events.Tracked, Any]] = []
        self.tracker = ScriptedTracker()
        depth = SimpleNamespace(is_enabled=has_depth, point_of=lambda *pixel: (Point(z=0.5), "camera"))
        self.output = MaskOutput(
            self,  # type: ignore[arg-type]
            depth,  # type: ignore[arg-type]
            self.tracker,  # type: ignore[arg-type]
            lambda: 4,
            lambda *mask: self.published.append(mask),
        )

    def publish_tracked(self, header: Header, frame_rgb: Any, thing: Any, **fields: Any) -> dict[str, float]:
        self.masks.append({"header": header, "thing": thing, **fields})
        return TIMINGS_MS

    def publish_candidates(self, *candidates: Any) -> None:
        self.candidates.append(candidates)


def tracked(logged: LoggedSession) -> list[events.Tracked]:
    """The events of a session that is shown its target."""
    logged.point_at(BOX)
    return [event for event in run(logged) if isinstance(event, events.Tracked)]


def test_a_mask_goes_out_with_its_images_header_and_all_drops_and_is_counted() -> None:
    recorded, logged = Recorded(), session_of()
    (event,) = tracked(logged)
    header = Header(frame_id="optical")
    recorded.output.take(happened(logged, event, header=header))
    (mask,) = recorded.masks
    assert mask["header"] is header
    assert (mask["dialogue_id"], mask["is_live"], mask["dropped"]) == ("1", True, event.dropped + 4)
    assert mask["thing"].box_image_px == BOX.box_image_px
    assert mask["point"] is None
    assert recorded.published == [(event, TIMINGS_MS)]


@pytest.mark.parametrize("missing", [{"header": None}, {"frame": None}, {"is_live": False}])
def test_masks_of_forgotten_images_and_of_a_goals_picture_stay_inside(missing: dict[str, Any]) -> None:
    recorded, logged = Recorded(), session_of()
    (event,) = tracked(logged)
    recorded.output.take(happened(logged, event, **missing))
    assert (recorded.masks, recorded.published) == ([], [])


@pytest.mark.parametrize("is_visible", [True, False])
def test_a_point_in_space_is_given_for_what_is_seen(is_visible: bool) -> None:
    recorded = Recorded(has_depth=True)
    logged = session_of(tracker=ScriptedTracker(lambda _: is_visible))
    for event in tracked(logged):
        recorded.output.take(happened(logged, event))
    assert [mask["point"] is not None for mask in recorded.masks] == [is_visible]


def test_time_does_not_go_back_in_one_stream_and_may_in_the_next() -> None:
    recorded, logged = Recorded(), session_of()
    (old,) = tracked(logged)
    logged.session.push_frame(frame(1))
    (new,) = (event for event in run(logged) if isinstance(event, events.Tracked))
    recorded.output.take(happened(logged, new))
    recorded.output.take(happened(logged, old))
    assert len(recorded.masks) == 1, "a mask of an earlier image of the same stream"
    other = session_of()
    (event,) = tracked(other)
    recorded.output.take(happened(other, event))
    assert len(recorded.masks) == 2, "another stream has other images"


def asked(question: Ask) -> tuple[LoggedSession, events.Asked]:
    logged = session_of(question)
    logged.command("the mug")
    (event,) = (event for event in run(logged) if isinstance(event, events.Asked))
    return logged, event


def test_a_question_shows_the_masks_of_what_it_is_about() -> None:
    recorded = Recorded()
    logged, event = asked(QUESTION)
    recorded.output.take(happened(logged, event, is_live=False))
    ((_, _, choices, things, dialogue_id),) = recorded.candidates
    assert (choices, dialogue_id) == (CHOICES, "1")
    assert [thing.box_image_px for thing in things] == [choice.box_image_px for choice in CHOICES]


def test_a_repeated_question_and_one_about_nothing_that_is_known_show_nothing() -> None:
    recorded = Recorded()
    logged, event = asked(Ask("Which one?"))
    recorded.output.take(happened(logged, event))
    logged, event = asked(QUESTION)
    repeat = events.Asked(event.stamp_ns, event.question, event.options, True, event.choices, event.question_id)
    recorded.output.take(happened(logged, repeat))
    assert recorded.candidates == []
    assert recorded.tracker.history == []
