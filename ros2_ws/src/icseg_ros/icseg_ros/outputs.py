"""The node's pictures and numbers on their topics. Knows messages and publishers; decides nothing.

Every message carries the header of the image it belongs to, unchanged, and every picture has that image's size.
What takes time and nobody listens to is not made.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np
from geometry_msgs.msg import Point, PointStamped
from icseg_msgs.msg import RoiStamped, Segment, SegmentArray, Target
from rclpy.node import Node
from rclpy.publisher import Publisher
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from icseg.dialogue.actions import Choice
from icseg.types import ImageU8, ObjectResult
from icseg_ros.announcer import LATCHED
from icseg_ros.compressed import jpeg, png
from icseg_ros.convert import MAX_LABELS_8_BIT, labels_to_image, mask_to_image, rgb_to_image
from icseg_ros.drawing import draw
from icseg_ros.segments import detections, segment_message
from icseg_ros.settings import check, setting

QUEUE_DEPTH = 5
"""Messages that a publisher keeps for a slow subscriber; all are reliable, which a best-effort one accepts too."""

STAGES = ("mask", "publish_mask", "target", "label", "overlay", "publish")
"""The stages of publishing, whose milliseconds are told."""


@dataclass(frozen=True)
class OutputSettings:
    """What is published beside ~/mask, ~/target, ~/roi, ~/point and ~/candidates.

    Raises:
        ConfigError: a value is out of range.
    """

    label_image: bool = setting(True, "offer ~/label_image: the number of the thing in every pixel")
    detections: bool = setting(True, "offer ~/detections, when the package vision_msgs is installed")
    overlay: bool = setting(True, "offer ~/overlay: the image with masks, for people")
    compressed: bool = setting(True, "offer ~/mask/compressed as PNG, and ~/overlay/compressed as JPEG")
    jpeg_quality: int = setting(80, "of ~/overlay/compressed", low=1, high=100, is_fixed=False)

    def __post_init__(self) -> None:
        check("publish", self)


class Outputs:
    """Publishers under the node's private name; silent until ``set_active(True)``. For one thread.

    Attributes:
        jpeg_quality: may be set at any time.
    """

    def __init__(self, node: Node, settings: OutputSettings) -> None:
        self.jpeg_quality = settings.jpeg_quality
        self._node, self._is_active = node, False
        self._publishers: dict[str, Publisher] = {}
        kinds: dict[str, tuple[type[Any], bool]] = {
            "mask": (Image, True),
            "mask/compressed": (CompressedImage, settings.compressed),
            "target": (Target, True),
            "roi": (RoiStamped, True),
            "point": (PointStamped, True),
            "candidates": (SegmentArray, True),
            "label_image": (Image, settings.label_image),
            "overlay": (Image, settings.overlay),
            "overlay/compressed": (CompressedImage, settings.overlay and settings.compressed),
        }
        self._vision_msgs = _vision_msgs(node) if settings.detections else None
        if self._vision_msgs is not None:
            kinds["detections"] = (self._vision_msgs.Detection2DArray, True)
        for name, (kind, is_offered) in kinds.items():
            if is_offered:
                # a question outlives its moment: who comes late must see what it is about
                self._publishers[name] = node.create_publisher(
                    kind, f"~/{name}", LATCHED if name == "candidates" else QUEUE_DEPTH
                )

    @property
    def topics(self) -> tuple[str, ...]:
        """Full names of what is offered."""
        return tuple(publisher.topic_name for publisher in self._publishers.values())

    def set_active(self, is_active: bool) -> None:
        """Publish from now on, or make and publish nothing."""
        self._is_active = is_active

    def close(self) -> None:
        """Take the topics down; nothing may be publishing any more."""
        self._is_active = False
        for publisher in self._publishers.values():
            self._node.destroy_publisher(publisher)
        self._publishers.clear()

    def publish_tracked(
        self,
        header: Header,
        frame_rgb: ImageU8,
        result: ObjectResult,
        *,
        dialogue_id: str,
        label: str,
        is_live: bool,
        dropped: int,
        point: tuple[Point, str] | None = None,
    ) -> dict[str, float]:
        """The target in one image.

        Args:
            header: that image's.
            frame_rgb: (H, W, 3) uint8, for the overlay.
            point: metres and the frame they are in, as `DepthInput.point_of` gives them; ~/point has the image's stamp.

        Returns:
            milliseconds by stage: mask (~/mask made), publish_mask (given to the middleware), target, label, overlay
            (made), publish (given to the middleware); empty when switched off.
        """
        if not self._is_active:
            return {}
        clock = _StageClock()
        # the mask first: a robot waits for it
        self._publish(clock, "mask", "mask", mask_to_image(result.mask, header), "publish_mask")
        segment = segment_message(result, label=label, point=None if point is None else point[0])
        target = Target(
            header=header,
            dialogue_id=dialogue_id,
            segment=segment,
            is_lost=result.is_lost,
            is_live=is_live,
            object_score=float(result.object_score),
            iou_score=float(result.iou_score),
            dropped=dropped,
        )
        self._publish(clock, "target", "target", target)
        self._publish(clock, "target", "roi", RoiStamped(header=header, roi=segment.roi))
        if point is not None:
            at = PointStamped(header=Header(stamp=header.stamp, frame_id=point[1]), point=point[0])
            self._publish(clock, "target", "point", at)
        if self._is_heard("mask/compressed"):
            # 0 and 255 as in ~/mask
            compressed = png(result.mask.view(np.uint8) * np.uint8(255), header)
            self._publish(clock, "target", "mask/compressed", compressed)
        self._publish_shared(clock, header, frame_rgb, [result], [label], [segment])
        return clock.timings_ms

    def publish_candidates(
        self,
        header: Header,
        frame_rgb: ImageU8,
        choices: Sequence[Choice],
        results: Sequence[ObjectResult],
        dialogue_id: str,
    ) -> dict[str, float]:
        """The things that a question is about, in the image that it was asked of; no choices: none is known.

        Args:
            results: the mask of each choice in that image.

        Returns:
            milliseconds by stage, as `publish_tracked`; empty when switched off.

        Raises:
            ValueError: not one result a choice, or more choices than a segment's id can count.
        """
        if len(results) != len(choices) or len(choices) > MAX_LABELS_8_BIT:
            raise ValueError(
                f"candidates: expected one result a choice and at most {MAX_LABELS_8_BIT}, "
                f"got {len(results)} for {len(choices)}"
            )
        if not self._is_active:
            return {}
        clock = _StageClock()
        segments = [
            segment_message(
                result, segment_id=number, label=choice.label, score=choice.score, attributes=choice.attributes
            )
            for number, (choice, result) in enumerate(zip(choices, results, strict=True), 1)
        ]
        said = SegmentArray(header=header, dialogue_id=dialogue_id, segments=segments)
        self._publish(clock, "target", "candidates", said)
        labels = [f"{segment.id} {segment.label}".rstrip() for segment in segments]
        self._publish_shared(clock, header, frame_rgb, results, labels, segments)
        return clock.timings_ms

    def _publish_shared(
        self,
        clock: _StageClock,
        header: Header,
        frame_rgb: ImageU8,
        results: Sequence[ObjectResult],
        labels: Sequence[str],
        segments: Sequence[Segment],
    ) -> None:
        height, width = frame_rgb.shape[:2]
        if self._is_heard("label_image"):
            labelled = labels_to_image([result.mask for result in results], header, (height, width))
            self._publish(clock, "label", "label_image", labelled)
        if self._is_heard("detections"):
            self._publish(clock, "label", "detections", detections(header, segments, self._vision_msgs))
        is_raw, is_compressed = self._is_heard("overlay"), self._is_heard("overlay/compressed")
        if not (is_raw or is_compressed):
            return
        picture = draw(frame_rgb, results, labels)
        if is_raw:
            self._publish(clock, "overlay", "overlay", rgb_to_image(picture, header))
        if is_compressed:
            self._publish(clock, "overlay", "overlay/compressed", jpeg(picture, header, self.jpeg_quality))

    def _is_heard(self, name: str) -> bool:
        return name in self._publishers and self._publishers[name].get_subscription_count() > 0

    def _publish(self, clock: _StageClock, stage: str, name: str, message: Any, given: str = "publish") -> None:
        """Called when the message is made: what passed until here belongs to the stage, what comes now to ``given``."""
        clock.end(stage)
        self._publishers[name].publish(message)
        clock.end(given)


class _StageClock:
    """Milliseconds that passed, by stage."""

    def __init__(self) -> None:
        self.timings_ms = dict.fromkeys(STAGES, 0.0)
        self._since = time.perf_counter()

    def end(self, stage: str) -> None:
        """What passed since the last end belongs to this stage."""
        now = time.perf_counter()
        self.timings_ms[stage] += (now - self._since) * 1e3
        self._since = now


def _vision_msgs(node: Node) -> ModuleType | None:
    try:
        return importlib.import_module("vision_msgs.msg")
    except ImportError:
        node.get_logger().info(
            "vision_msgs is not installed: ~/detections is not offered, ~/candidates and ~/target say the same "
            "(apt install ros-$ROS_DISTRO-vision-msgs, or publish.detections:=false)"
        )
        return None
