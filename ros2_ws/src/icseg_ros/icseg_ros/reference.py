"""What ``docs/ros2.md`` tells of topics, services, the action and parameters, as data; a test asks a live node.

``python -m icseg_ros.reference docs/ros2.md`` writes the tables between their markers anew.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from icseg.settings import Setting
from icseg_ros.parameters import own_settings, runtime_settings


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic of the node.

    Attributes:
        name: relative to the namespace; ``~/`` is the node's own; ``/`` absolute.
        type: the type of its messages.
        qos: in words: reliability, durability, depth.
        meaning: what it carries.
        when: it is only there under this condition; empty = always.
    """

    name: str
    type: str
    qos: str
    meaning: str
    when: str = ""


RELIABLE_5, RELIABLE_10 = "reliable, depth 5", "reliable, depth 10"
LATCHED = "reliable, transient local, depth 1"

SUBSCRIPTIONS = (
    Topic(
        "image",
        "sensor_msgs/msg/Image",
        "as offered, depth 1",
        "the camera: rgb8, bgr8, rgba8, bgra8, mono8",
        "camera.transport is raw",
    ),
    Topic(
        "image/compressed",
        "sensor_msgs/msg/CompressedImage",
        "as offered, depth 1",
        "the camera as JPEG or PNG",
        "camera.transport is compressed",
    ),
    Topic(
        "depth",
        "sensor_msgs/msg/Image",
        "as offered, depth 1",
        "16UC1 mm or 32FC1 m, registered to the image",
        "depth.enabled",
    ),
    Topic(
        "camera_info",
        "sensor_msgs/msg/CameraInfo",
        "best effort, depth 1",
        "intrinsics, for points in 3D",
        "depth.enabled",
    ),
    Topic(
        "command",
        "std_msgs/msg/String",
        RELIABLE_10,
        'what a person says or types: a command; the answer while a question waits; "stop"',
    ),
    Topic(
        "answer",
        "std_msgs/msg/String",
        RELIABLE_10,
        "words that can only be the answer; refused when no question waits",
    ),
    Topic(
        "target_roi",
        "icseg_msgs/msg/RoiStamped",
        RELIABLE_10,
        "the target itself as a box in the newest image: nothing is asked",
    ),
)
PUBLICATIONS = (
    Topic("~/mask", "sensor_msgs/msg/Image", RELIABLE_5, "mono8, 0 or 255; all zero when the target is lost"),
    Topic("~/mask/compressed", "sensor_msgs/msg/CompressedImage", RELIABLE_5, "the same as PNG, when somebody listens"),
    Topic(
        "~/target",
        "icseg_msgs/msg/Target",
        RELIABLE_5,
        "box, area, centroid, scores, whether it is lost; with every mask",
    ),
    Topic("~/roi", "icseg_msgs/msg/RoiStamped", RELIABLE_5, "the target's box"),
    Topic(
        "~/label_image",
        "sensor_msgs/msg/Image",
        RELIABLE_5,
        "mono8: while tracking 1 = the target; with a question k = candidate k",
    ),
    Topic("~/candidates", "icseg_msgs/msg/SegmentArray", LATCHED, "the things that a question is about"),
    Topic(
        "~/detections",
        "vision_msgs/msg/Detection2DArray",
        RELIABLE_5,
        "the same boxes for others' tools",
        "vision_msgs is installed",
    ),
    Topic(
        "~/point",
        "geometry_msgs/msg/PointStamped",
        RELIABLE_5,
        "grasp hint in the camera's optical frame, metres",
        "depth.enabled",
    ),
    Topic("~/overlay", "sensor_msgs/msg/Image", RELIABLE_5, "rgb8, the mask drawn on the image, when somebody listens"),
    Topic(
        "~/overlay/compressed", "sensor_msgs/msg/CompressedImage", RELIABLE_5, "the same as JPEG, when somebody listens"
    ),
    Topic("~/question", "icseg_msgs/msg/Question", LATCHED, "the question that waits; an empty text = none"),
    Topic(
        "~/dialogue",
        "icseg_msgs/msg/DialogueState",
        LATCHED,
        "what the node is doing for the person, and what was said",
    ),
    Topic("~/say", "std_msgs/msg/String", RELIABLE_10, "words to be spoken"),
    Topic(
        "/diagnostics",
        "diagnostic_msgs/msg/DiagnosticArray",
        RELIABLE_10,
        "camera, masks, models, speech; once a second, in every state",
    ),
)
SERVICES = (
    ("~/segment", "icseg_msgs/srv/Segment", "one picture, one answer; nothing is tracked and nobody is asked"),
    (
        "~/answer",
        "icseg_msgs/srv/Answer",
        "the answer to a question by its number; one to an older question is refused",
    ),
    ("~/listen", "std_srvs/srv/Trigger", "listen for a command: for speech interfaces that listen on demand"),
    ("~/cancel", "std_srvs/srv/Trigger", "stop the dialogue and the tracking"),
    ("~/reset", "std_srvs/srv/Trigger", "the same, and forget the kept images"),
    ("~/enable", "std_srvs/srv/SetBool", "false: take no images and compute nothing, models stay loaded"),
)
ACTIONS = (
    (
        "~/clarify_segment",
        "icseg_msgs/action/ClarifySegment",
        "a command as a goal: feedback with the question, ends with the first mask",
    ),
)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in lines)


def tables() -> dict[str, str]:
    """Every generated table by the name of its marker."""

    def of_topics(topics: Sequence[Topic]) -> str:
        rows = [
            (f"`{t.name}`", f"`{t.type}`", t.qos, t.meaning + (f" (only if {t.when})" if t.when else ""))
            for t in topics
        ]
        return table(("topic", "type", "QoS", "what"), rows)

    def of_calls(calls: Sequence[tuple[str, str, str]]) -> str:
        return table(("name", "type", "what"), [(f"`{name}`", f"`{kind}`", what) for name, kind, what in calls])

    def of_settings(items: Iterable[Setting]) -> list[tuple[str, ...]]:
        return [
            (
                f"`{item.name}`",
                f"`{item.default!r}`" if item.default != "" else '`""`',
                item.range,
                item.meaning,
                "" if item.is_fixed else "yes",
            )
            for item in items
        ]

    return {
        "subscriptions": of_topics(SUBSCRIPTIONS),
        "publications": of_topics(PUBLICATIONS),
        "services": of_calls(SERVICES),
        "actions": of_calls(ACTIONS),
        "parameters": table(("parameter", "default", "range", "what", "while configured"), of_settings(own_settings())),
        "settings": table(
            ("setting", "default", "range", "what"), [row[:-1] for row in of_settings(runtime_settings())]
        ),
    }


def written(text: str) -> str:
    """A document with its tables made anew.

    Raises:
        ValueError: a marker is missing.
    """
    for name, made in tables().items():
        pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text, count = pattern.subn(lambda found, made=made: f"{found[1]}{made}\n{found[2]}", text)
        if count != 1:
            raise ValueError(f"expected one marker <!-- {name} --> with an <!-- end -->, got {count}")
    return text


def main() -> None:
    """Rewrite a document."""
    parser = argparse.ArgumentParser(description="Write the generated tables of a document anew.")
    parser.add_argument("document", type=Path)
    document = parser.parse_args().document
    document.write_text(written(document.read_text()))


if __name__ == "__main__":
    main()
