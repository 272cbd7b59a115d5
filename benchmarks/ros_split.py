"""From the rows of the three parties, joined by stamp, to one case's numbers. Pure; knows no ROS.

Every mask's time from stamp to arrival is cut into stages that add up to it:

    transport_in   the image is given to the middleware -> the node's callback
    wait           in the node's slot, until the worker has time
    convert        message -> RGB
    preprocess     resized and normalized for the model
    model          the graphs of the tracker, and the detector when the mask is rechecked
    postprocess    logits -> mask, box, area
    other          whatever else the node does before it publishes
    publish        mask -> message, given to the middleware
    transport_out  -> the listener's callback
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.timing import summary_ms

STAGES = (
    "transport_in", "wait", "convert", "preprocess", "model", "postprocess", "other", "publish", "transport_out"
)  # fmt: skip
STAGES_AROUND_THE_MODEL = ("preprocess", "postprocess")
"""Those of the session's stages that are not the model's."""
Rows = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class MaskTimes:
    """One mask's way.

    Attributes:
        stamp_ns: the stamp of its image.
        stages_ms: by the names of ``STAGES``.
        age_ms: how old the image was when its processing began.
        model_was_busy_ms: the part of ``wait`` in which the model had the image before.
    """

    stamp_ns: int
    stages_ms: Mapping[str, float]
    age_ms: float
    model_was_busy_ms: float

    @property
    def latency_ms(self) -> float:
        """From stamp to arrival."""
        return sum(self.stages_ms.values())

    @property
    def without_model_ms(self) -> float:
        """Everything but the model."""
        return self.latency_ms - self.stages_ms["model"]


def mask_times(camera: Rows, node: Rows, listener: Rows, begin_s: float) -> list[MaskTimes]:
    """Every live mask that was heard, of images sent from ``begin_s`` on, in the order of publication.

    Args:
        camera, listener: what ``ros_ends.py`` wrote.
        node: what ``ros_timed_node.py`` wrote.
        begin_s: monotonic.
    """
    sent = {stamp: at for stamp, at in camera["sent"] if at >= begin_s}
    heard = {row[0]: row[1] for row in listener["heard"]}
    images = {int(stamp): row for stamp, row in node["images"].items()}
    out = []
    free_at = 0.0
    for mask in node["masks"]:
        stamp, publishing = mask["stamp_ns"], mask["publishing_ms"]
        publish_began_at = mask["published_at"] - sum(publishing.values()) / 1e3
        was_free_at, free_at = free_at, publish_began_at - mask["stages_ms"].get("postprocess", 0.0) / 1e3
        if not mask["is_live"] or stamp not in sent or stamp not in heard:
            continue
        came_at, wait_ms, convert_ms = images[stamp]
        session = mask["stages_ms"]
        model_ms = sum(value for name, value in session.items() if name not in STAGES_AROUND_THE_MODEL)
        pre_ms, post_ms = (session.get(name, 0.0) for name in STAGES_AROUND_THE_MODEL)
        publish_ms = publishing["mask"] + publishing["publish_mask"]
        in_node_ms = (publish_began_at - came_at) * 1e3
        stages = {
            "transport_in": (came_at - sent[stamp]) * 1e3,
            "wait": wait_ms,
            "convert": convert_ms,
            "preprocess": pre_ms,
            "model": model_ms,
            "postprocess": post_ms,
            "other": in_node_ms - wait_ms - convert_ms - pre_ms - model_ms - post_ms,
            "publish": publish_ms,
            "transport_out": (heard[stamp] - publish_began_at) * 1e3 - publish_ms,
        }
        busy_ms = min(max((was_free_at - came_at) * 1e3, 0.0), wait_ms)
        out.append(MaskTimes(stamp, stages, stages["transport_in"] + wait_ms, busy_ms))
    return out


def too_old(times: Sequence[MaskTimes], period_ms: float) -> int:
    """Images that were older, when their processing began, than a camera period plus the model's time before it."""
    before = [times[0].stages_ms["model"], *(one.stages_ms["model"] for one in times)]
    return sum(one.age_ms > period_ms + model_ms for one, model_ms in zip(times, before, strict=False))


def case_numbers(times: Sequence[MaskTimes], period_ms: float, goal_ms: float) -> dict[str, Any]:
    """A case's latencies.

    Raises:
        ValueError: no mask was heard.
    """
    if not times:
        raise ValueError("no mask was heard of an image that was sent after the warm-up")

    def judged(samples_ms: Sequence[float]) -> dict[str, Any]:
        is_met = bool(np.percentile(samples_ms, 95) <= goal_ms)
        return {**summary_ms(samples_ms), "goal_p95_ms": goal_ms, "is_met": is_met}

    return {
        "latency": summary_ms([one.latency_ms for one in times]),
        "split": {name: summary_ms([one.stages_ms[name] for one in times]) for name in STAGES},
        "without_model": judged([one.without_model_ms for one in times]),
        "without_model_and_its_queue": judged([one.without_model_ms - one.model_was_busy_ms for one in times]),
        "age_when_begun": {**summary_ms([one.age_ms for one in times]), "too_old": too_old(times, period_ms)},
    }


def goals_of(cases: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What was aimed at, of the worst case of every size and camera rate with the profile and a reliable camera.

    While the model is busy with one image the next ones wait: that is the model's time too. It is bounded by a goal of
    its own, the age of an image when its processing begins, and told with the rest as ``without_model``.
    """
    judged: dict[tuple[str, float], list[Mapping[str, Any]]] = {}
    for one in cases:
        case = one["case"]
        if case["has_profile"] and case["reliability"] == "reliable":
            judged.setdefault((case["size"], case["rate_hz"]), []).append(one["without_model_and_its_queue"])
    goals = [
        {
            "what": f"{size} at {rate_hz:g} Hz: all but the model and the wait for it, p95 ms, worst of {len(of)}",
            "value": max(one["p95_ms"] for one in of),
            "goal": of[0]["goal_p95_ms"],
            "is_met": all(one["is_met"] for one in of),
        }
        for (size, rate_hz), of in judged.items()
    ]
    old = sum(one["age_when_begun"]["too_old"] for one in cases)
    what = "images older, when their processing began, than a camera period and the model's time before, in all cases"
    return [*goals, {"what": what, "value": old, "goal": 0, "is_met": old == 0}]


def relay_numbers(camera: Rows, relay: Rows, listener: Rows, begin_s: float) -> dict[str, Any]:
    """The same path without icseg.

    Raises:
        ValueError: no mask was heard.
    """
    sent = {stamp: at for stamp, at in camera["sent"] if at >= begin_s}
    heard = {row[0]: row[1] for row in listener["heard"]}
    rows = [row for row in relay["masks"] if row[0] in sent and row[0] in heard]
    if not rows:
        raise ValueError("the relay's masks were not heard")
    return {
        "latency": summary_ms([(heard[stamp] - sent[stamp]) * 1e3 for stamp, _, _ in rows]),
        "split": {
            "transport_in": summary_ms([(came_at - sent[stamp]) * 1e3 for stamp, came_at, _ in rows]),
            "publish": summary_ms([(given_at - came_at) * 1e3 for _, came_at, given_at in rows]),
            "transport_out": summary_ms([(heard[stamp] - given_at) * 1e3 for stamp, _, given_at in rows]),
        },
        "frames": {"sent": len(sent), "heard": len(rows)},
    }


def frame_numbers(camera: Rows, node: Rows, listener: Rows, begin_s: float, seconds: float) -> dict[str, Any]:
    """Where the images went: of those after the warm-up, and of all, by cause."""
    counts, sent = node["camera"], {stamp for stamp, at in camera["sent"] if at >= begin_s}
    masks = {row["stamp_ns"] for row in node["masks"]}
    heard = [row[0] for row in listener["heard"]]
    taken = {int(stamp) for stamp in node["images"]}
    return {
        "after_warm_up": {
            "sent": len(sent),
            "processed": len(sent & masks),
            "heard": len(sent.intersection(heard)),
            "masks_per_s": round(len(sent & masks) / seconds, 2),
        },
        "all": {
            "sent": len(camera["sent"]),
            "lost_on_the_way_in": len(camera["sent"]) - counts["received"],
            "overwritten_by_a_newer_one": counts["overwritten"],
            "over_max_rate_hz": counts["rate_limited"],
            "refused": counts["rejected"],
            "taken": counts["taken"],
            "taken_without_a_mask": len(taken - masks),
            "masks": len(node["masks"]),
            "masks_heard_twice": len(heard) - len(set(heard)),
            "masks_out_of_order": sum(later <= earlier for earlier, later in pairwise(heard)),
            "masks_lost_on_the_way_out": len(masks.difference(heard)),
        },
    }
