"""The arithmetic of bench_ros: rows of three processes, joined by stamp."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.ros_split import STAGES, case_numbers, frame_numbers, goals_of, mask_times, relay_numbers, too_old

PERIOD_MS = 100.0


def rows() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Four images 100 ms apart from second 10 on: the third is overwritten, the model takes 120 ms."""
    sent = {stamp: 10.0 + 0.1 * stamp for stamp in range(4)}
    came = {stamp: at + 0.002 for stamp, at in sent.items()}
    starts = {0: came[0], 1: came[0] + 0.130, 3: came[3]}
    session = {"preprocess": 2.0, "image_encoder": 90.0, "memory_attention": 20.0, "recheck": 10.0, "postprocess": 1.0}
    publishing = {"mask": 0.5, "publish_mask": 1.5, "target": 0.5, "publish": 0.5}
    masks = [
        # convert 3 + the stages above + 1 ms of its own, then 3 ms of publishing
        {
            "stamp_ns": stamp,
            "is_live": True,
            "published_at": at + 0.130,
            "stages_ms": session,
            "publishing_ms": publishing,
        }
        for stamp, at in starts.items()
    ]
    node = {
        "camera": {"received": 4, "taken": 3, "overwritten": 1, "rate_limited": 0, "rejected": 0},
        "images": {str(stamp): [came[stamp], (at - came[stamp]) * 1e3, 3.0] for stamp, at in starts.items()},
        "masks": masks,
    }
    heard = [[mask["stamp_ns"], mask["published_at"] + 0.004, 480, 640] for mask in masks]
    return {"sent": list(sent.items())}, node, {"heard": heard}


def test_stages_add_up_to_the_latency() -> None:
    camera, node, listener = rows()
    times = mask_times(camera, node, listener, 0.0)
    assert [one.stamp_ns for one in times] == [0, 1, 3]
    first = times[0]
    assert first.stages_ms == pytest.approx(
        {"transport_in": 2, "wait": 0, "convert": 3, "preprocess": 2, "model": 120, "postprocess": 1, "other": 1,
         "publish": 2, "transport_out": 5}, abs=1e-6
    )  # fmt: skip
    assert tuple(first.stages_ms) == STAGES
    assert first.latency_ms == pytest.approx(136)
    assert first.without_model_ms == pytest.approx(16)
    assert all(one.latency_ms == pytest.approx((listener["heard"][k][1] - camera["sent"][one.stamp_ns][1]) * 1e3)
               for k, one in enumerate(times))  # fmt: skip


def test_waiting_for_the_model_is_told_apart() -> None:
    times = mask_times(*rows(), 0.0)
    second, last = times[1:]
    assert second.stages_ms["wait"] == pytest.approx(30)
    # the node had the image before for 30 ms after this one came: 27 - 1 ms of it in the model
    assert second.model_was_busy_ms == pytest.approx(26)
    assert last.model_was_busy_ms == 0
    numbers = case_numbers(times, PERIOD_MS, 20.0)
    assert numbers["without_model"]["max_ms"] == pytest.approx(46)
    assert not numbers["without_model"]["is_met"]
    assert numbers["without_model_and_its_queue"]["max_ms"] == pytest.approx(20)


def test_an_image_is_too_old_beyond_a_period_and_the_model_before_it() -> None:
    camera, node, listener = rows()
    assert too_old(mask_times(camera, node, listener, 0.0), PERIOD_MS) == 0
    node["images"]["3"][1] = PERIOD_MS + 120.0 - 2.0 + 0.1
    assert too_old(mask_times(camera, node, listener, 0.0), PERIOD_MS) == 1


def test_only_live_masks_of_images_after_the_warm_up_count() -> None:
    camera, node, listener = rows()
    assert [one.stamp_ns for one in mask_times(camera, node, listener, 10.05)] == [1, 3]
    node["masks"][1]["is_live"] = False
    assert [one.stamp_ns for one in mask_times(camera, node, listener, 10.05)] == [3]
    with pytest.raises(ValueError, match="no mask was heard"):
        case_numbers([], PERIOD_MS, 20.0)


def test_where_the_images_went() -> None:
    camera, node, listener = rows()
    listener["heard"] = [listener["heard"][place] for place in (0, 0, 2)]
    found = frame_numbers(camera, node, listener, 10.05, 0.3)
    assert found["after_warm_up"] == {"sent": 3, "processed": 2, "heard": 1, "masks_per_s": 6.67}
    assert found["all"] == {
        "sent": 4,
        "lost_on_the_way_in": 0,
        "overwritten_by_a_newer_one": 1,
        "over_max_rate_hz": 0,
        "refused": 0,
        "taken": 3,
        "taken_without_a_mask": 0,
        "masks": 3,
        "masks_heard_twice": 1,
        "masks_out_of_order": 1,
        "masks_lost_on_the_way_out": 1,
    }


def case_with(p95_ms: float, too_old: int = 0, **case: object) -> dict[str, Any]:
    row = {"p95_ms": p95_ms, "goal_p95_ms": 12.0, "is_met": p95_ms <= 12}
    fields = {"size": "480x640", "rate_hz": 30.0, "has_profile": True, "reliability": "reliable"}
    return {
        "case": fields | case,
        "without_model_and_its_queue": row,
        "age_when_begun": {"too_old": too_old},
    }


def test_goals_are_of_the_worst_case_with_the_profile() -> None:
    goals = goals_of(
        [
            case_with(10.0),
            case_with(13.0),
            case_with(99.0, 2, has_profile=False),
            case_with(99.0, 1, reliability="best_effort"),
            case_with(7.0, rate_hz=5.0),
        ]
    )
    assert [(goal["value"], goal["is_met"]) for goal in goals] == [(13.0, False), (7.0, True), (3, False)]
    assert "480x640 at 30 Hz" in goals[0]["what"]
    assert "worst of 2" in goals[0]["what"]


def test_the_relay() -> None:
    camera = {"sent": [[1, 10.0], [2, 10.1]]}
    relay = {"masks": [[1, 10.003, 10.004], [2, 10.103, 10.104]]}
    listener = {"heard": [[2, 10.106, 480, 640]]}
    found = relay_numbers(camera, relay, listener, 0.0)
    assert found["latency"]["median_ms"] == pytest.approx(6)
    assert found["split"]["transport_in"]["median_ms"] == pytest.approx(3)
    assert found["frames"] == {"sent": 2, "heard": 1}
