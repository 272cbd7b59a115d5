"""What is published: the source's header and size, encodings that viewers know, nothing that nobody asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from geometry_msgs.msg import Point, PointStamped
from icseg_msgs.msg import RoiStamped, SegmentArray, Target
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

import icseg_ros.outputs
from icseg.dialogue.actions import Choice
from icseg.errors import ConfigError
from icseg.types import ObjectResult
from icseg_ros.compressed import compressed_to_rgb
from icseg_ros.convert import image_to_rgb
from icseg_ros.outputs import Outputs, OutputSettings
from icseg_ros.segments import detections, roi, segment_message

HW = (48, 64)
TOPICS: dict[str, type[Any]] = {
    "mask": Image, "mask/compressed": CompressedImage, "label_image": Image, "candidates": SegmentArray,
    "target": Target, "roi": RoiStamped, "point": PointStamped, "overlay": Image, "overlay/compressed": CompressedImage,
}  # fmt: skip
JPEG_TOLERANCE = 40  # grey levels at a mask's edge, quality 80


def make_header() -> Header:
    header = Header(frame_id="camera_color_optical_frame")
    header.stamp.sec, header.stamp.nanosec = 1_700_000_000, 123_456_789
    return header


def result_of(mask: np.ndarray, object_id: int = 1, iou_score: float = 0.75) -> ObjectResult:
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return ObjectResult(object_id, mask, None, 0, -3.0, iou_score, True)
    box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    return ObjectResult(object_id, mask, box, int(mask.sum()), 2.5, iou_score, False)


def block(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    mask = np.zeros(HW, bool)
    mask[y0:y1, x0:x1] = True
    return mask


FRAME_RGB = np.full((*HW, 3), (30, 60, 90), np.uint8)
TRACKED = {"dialogue_id": "d1", "label": "red mug", "is_live": True, "dropped": 3}


class Rig:
    """`Outputs` of a node, and one that subscribes to what the test asks for."""

    def __init__(self, make_node: Callable[..., Node], executor: Executor, spin_until: Callable[..., None]) -> None:
        self.node, self.listener = make_node("clarify_segment"), make_node("listener")
        self.executor, self.spin_until = executor, spin_until
        self.heard: dict[str, list[Any]] = {}
        self.outputs: Outputs

    def start(self, *names: str, settings: OutputSettings | None = None, best_effort: bool = False) -> Outputs:
        self.outputs = Outputs(self.node, settings or OutputSettings())
        self.outputs.set_active(True)
        reliability = ReliabilityPolicy.BEST_EFFORT if best_effort else ReliabilityPolicy.RELIABLE
        for name in names:
            self.heard[name] = []
            qos = QoSProfile(depth=5, reliability=reliability)
            self.listener.create_subscription(TOPICS[name], f"/clarify_segment/{name}", self.heard[name].append, qos)
        self.spin_until(
            self.executor,
            lambda: (
                all(self.node.count_subscribers(f"/clarify_segment/{name}") == 1 for name in names)
                and all(self.outputs._is_heard(name) for name in names)
            ),
        )
        return self.outputs

    def hear(self, count: int = 1, without: tuple[str, ...] = ()) -> dict[str, Any]:
        names = [name for name in self.heard if name not in without]
        self.spin_until(self.executor, lambda: all(len(self.heard[name]) >= count for name in names))
        return {name: self.heard[name][-1] for name in names}


@pytest.fixture
def rig(make_node: Callable[..., Node], executor: Executor, spin_until: Callable[..., None]) -> Any:
    own = Rig(make_node, executor, spin_until)
    yield own
    own.outputs.close()


def pixels_of(msg: Image) -> np.ndarray:
    assert msg.step == msg.width * (3 if msg.encoding == "rgb8" else 1)
    return np.frombuffer(msg.data, np.uint8).reshape(msg.height, msg.step)


def assert_same_header(got: Header, expected: Header) -> None:
    assert got.stamp.sec == expected.stamp.sec
    assert got.stamp.nanosec == expected.stamp.nanosec
    assert got.frame_id == expected.frame_id


def test_a_tracked_target_goes_out_on_every_topic_under_its_images_header(rig: Rig) -> None:
    outputs = rig.start(*TOPICS)
    mask, before = block(10, 5, 30, 25), FRAME_RGB.copy()
    point = (Point(x=0.1, y=-0.2, z=0.9), make_header().frame_id)
    timings_ms = outputs.publish_tracked(make_header(), FRAME_RGB, result_of(mask), **TRACKED, point=point)
    heard = rig.hear(without=("candidates",))
    assert heard.keys() == TOPICS.keys() - {"candidates"}
    assert rig.heard["candidates"] == []
    for message in heard.values():
        assert_same_header(message.header, make_header())
    assert (heard["mask"].encoding, heard["label_image"].encoding, heard["overlay"].encoding) == (
        "mono8", "mono8", "rgb8",
    )  # fmt: skip
    np.testing.assert_array_equal(pixels_of(heard["mask"]), np.where(mask, 255, 0))
    np.testing.assert_array_equal(pixels_of(heard["label_image"]), mask)
    decoded = cv2.imdecode(np.frombuffer(heard["mask/compressed"].data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(decoded, np.where(mask, 255, 0))
    assert heard["mask/compressed"].format == "mono8; png compressed "
    assert heard["overlay/compressed"].format == "rgb8; jpeg compressed bgr8"
    assert bytes(heard["overlay/compressed"].data[:2]) == b"\xff\xd8"
    drawn = image_to_rgb(heard["overlay"])
    assert drawn.shape == FRAME_RGB.shape
    np.testing.assert_array_equal(FRAME_RGB, before)
    np.testing.assert_array_equal(drawn[30:], FRAME_RGB[30:])
    assert (drawn[12:24, 12:28] != FRAME_RGB[12:24, 12:28]).any(-1).all()
    assert np.abs(compressed_to_rgb(heard["overlay/compressed"])[35:].astype(int) - drawn[35:]).max() <= JPEG_TOLERANCE
    target = heard["target"]
    assert (target.dialogue_id, target.is_live, target.is_lost, target.dropped) == ("d1", True, False, 3)
    assert (target.object_score, target.iou_score, target.segment.score) == (2.5, 0.75, 0.75)
    assert (target.segment.id, target.segment.label, target.segment.area_px) == (1, "red mug", 400)
    assert (target.segment.centroid_x, target.segment.centroid_y) == (20.0, 15.0)
    assert target.segment.has_point
    assert target.segment.point == heard["point"].point == point[0]
    box = heard["roi"].roi
    assert (box.x_offset, box.y_offset, box.width, box.height, box.do_rectify) == (10, 5, 20, 20, False)
    assert target.segment.roi == box
    assert timings_ms.keys() == set(icseg_ros.outputs.STAGES)
    assert all(value > 0 for value in timings_ms.values())


def test_a_lost_target_is_all_zero_and_says_so(rig: Rig) -> None:
    outputs = rig.start("mask", "target", "roi", "label_image", "point", "overlay")
    outputs.publish_tracked(make_header(), FRAME_RGB, result_of(np.zeros(HW, bool)), **TRACKED)
    heard = rig.hear(without=("point",))
    assert rig.heard["point"] == []
    assert not pixels_of(heard["mask"]).any()
    assert not pixels_of(heard["label_image"]).any()
    target = heard["target"]
    assert target.is_lost
    assert (target.segment.roi.width, target.segment.area_px, target.segment.score) == (0, 0, 0.0)
    assert np.isnan([target.segment.centroid_x, target.segment.centroid_y]).all()
    assert not target.segment.has_point
    assert heard["roi"].roi.width == 0
    np.testing.assert_array_equal(image_to_rgb(heard["overlay"])[30:], FRAME_RGB[30:])


def test_nothing_is_drawn_or_encoded_when_nobody_listens(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    for name in ("draw", "png", "jpeg", "labels_to_image"):
        original = getattr(icseg_ros.outputs, name)
        monkeypatch.setattr(
            icseg_ros.outputs, name, lambda *args, name=name, original=original: made.append(name) or original(*args)
        )
    outputs = rig.start("mask")
    timings_ms = outputs.publish_tracked(make_header(), FRAME_RGB, result_of(block(1, 1, 5, 5)), **TRACKED)
    rig.hear()
    assert made == []
    assert timings_ms["overlay"] == timings_ms["label"] == 0
    rig.outputs.close()
    outputs = rig.start("overlay/compressed")
    outputs.publish_tracked(make_header(), FRAME_RGB, result_of(block(1, 1, 5, 5)), **TRACKED)
    rig.hear(without=("mask",))
    assert made == ["draw", "jpeg"]


def test_candidates_are_numbered_as_in_the_label_image(rig: Rig) -> None:
    outputs = rig.start("candidates", "label_image", "overlay", "mask")
    choices = [
        Choice((4, 4, 20, 20), "red mug", 0.6, (("colour", "red"), ("kind", "mug")), (0,)),
        Choice((30, 4, 50, 20), "blue mug", 0.4, (("colour", "blue"),), (1,)),
        Choice((60, 40, 64, 48), "hidden mug", 0.0),
    ]
    results = [result_of(block(4, 4, 20, 20)), result_of(block(16, 10, 50, 20)), result_of(np.zeros(HW, bool))]
    outputs.publish_candidates(make_header(), FRAME_RGB, choices, results, "d7")
    heard = rig.hear(without=("mask",))
    for message in heard.values():
        assert_same_header(message.header, make_header())
    assert rig.heard["mask"] == []
    segments = heard["candidates"].segments
    assert heard["candidates"].dialogue_id == "d7"
    assert [(one.id, one.label, round(one.score, 6)) for one in segments] == [
        (1, "red mug", 0.6), (2, "blue mug", 0.4), (3, "hidden mug", 0.0),
    ]  # fmt: skip
    assert segments[0].attributes == ["colour=red", "kind=mug"]
    assert segments[2].roi.width == 0
    labels = pixels_of(heard["label_image"])
    assert (labels[4:20, 4:20] == 1).all()
    assert (labels[10:20, 20:50] == 2).all()
    assert labels.max() == 2
    outputs.publish_candidates(make_header(), FRAME_RGB, (), (), "d8")
    rig.hear(2, without=("mask",))
    assert rig.heard["candidates"][-1].segments == []
    assert not pixels_of(rig.heard["label_image"][-1]).any()
    np.testing.assert_array_equal(image_to_rgb(rig.heard["overlay"][-1]), FRAME_RGB)


def test_candidates_without_a_mask_each_are_refused(rig: Rig) -> None:
    outputs = rig.start()
    with pytest.raises(ValueError, match="one result a choice"):
        outputs.publish_candidates(make_header(), FRAME_RGB, [Choice((1, 1, 2, 2), "mug", 1.0)], [], "d1")


def test_switched_off_it_publishes_nothing(rig: Rig) -> None:
    outputs = rig.start("mask")
    outputs.set_active(False)
    assert outputs.publish_tracked(make_header(), FRAME_RGB, result_of(block(1, 1, 5, 5)), **TRACKED) == {}
    assert outputs.publish_candidates(make_header(), FRAME_RGB, (), (), "d1") == {}
    outputs.set_active(True)
    outputs.publish_tracked(make_header(), FRAME_RGB, result_of(block(1, 1, 9, 9)), **TRACKED)
    assert pixels_of(rig.hear()["mask"])[8, 8] == 255
    assert len(rig.heard["mask"]) == 1


def test_a_best_effort_subscriber_gets_masks_too(rig: Rig) -> None:
    outputs = rig.start("mask", best_effort=True)
    outputs.publish_tracked(make_header(), FRAME_RGB, result_of(block(1, 1, 5, 5)), **TRACKED)
    assert_same_header(rig.hear()["mask"].header, make_header())


def test_only_what_the_settings_name_is_offered(rig: Rig) -> None:
    outputs = rig.start(settings=OutputSettings(label_image=False, overlay=False, compressed=False, detections=False))
    always = {"mask", "target", "roi", "point", "candidates"}
    assert set(outputs.topics) == {f"/clarify_segment/{name}" for name in always}
    outputs.publish_tracked(make_header(), FRAME_RGB, result_of(block(1, 1, 5, 5)), **TRACKED)
    with pytest.raises(ConfigError, match=r"publish\.jpeg_quality.*1\.\.100"):
        OutputSettings(jpeg_quality=0)


def test_a_missing_vision_msgs_is_said_once(make_node: Callable[..., Node], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vision_msgs.msg", None)
    node, said = make_node("clarify_segment"), []
    monkeypatch.setattr(node, "get_logger", lambda: SimpleNamespace(info=said.append))
    outputs = Outputs(node, OutputSettings())
    outputs.set_active(True)
    for _ in range(2):
        outputs.publish_tracked(make_header(), FRAME_RGB, result_of(block(1, 1, 5, 5)), **TRACKED)
    assert len(said) == 1
    assert "vision_msgs" in said[0]
    assert not any(topic.endswith("/detections") for topic in outputs.topics)
    outputs.close()


def look_alike() -> Any:
    """The fields of vision_msgs 4 that are written, as plain objects."""

    def box() -> Any:
        return SimpleNamespace(center=SimpleNamespace(position=SimpleNamespace(x=0.0, y=0.0)), size_x=0.0, size_y=0.0)

    def outcome() -> Any:
        pose = SimpleNamespace(pose=SimpleNamespace(position=None))
        return SimpleNamespace(hypothesis=SimpleNamespace(class_id="", score=0.0), pose=pose)

    return SimpleNamespace(
        BoundingBox2D=box,
        ObjectHypothesisWithPose=outcome,
        Detection2D=lambda **given: SimpleNamespace(results=[], **given),
        Detection2DArray=lambda header: SimpleNamespace(header=header, detections=[]),
    )


def test_detections_say_what_the_visible_segments_say() -> None:
    point = Point(x=1.0, y=2.0, z=3.0)
    segments = [
        segment_message(result_of(block(10, 6, 30, 16)), segment_id=1, label="mug", score=0.5, point=point),
        segment_message(result_of(np.zeros(HW, bool)), segment_id=2, label="bowl"),
    ]
    found = detections(make_header(), segments, look_alike())
    assert_same_header(found.header, make_header())
    (one,) = found.detections
    assert_same_header(one.header, make_header())
    assert (one.id, one.bbox.center.position.x, one.bbox.center.position.y) == ("1", 20.0, 11.0)
    assert (one.bbox.size_x, one.bbox.size_y) == (20.0, 10.0)
    assert (one.results[0].hypothesis.class_id, one.results[0].hypothesis.score) == ("mug", 0.5)
    assert one.results[0].pose.pose.position == point


def test_a_region_holds_every_pixel_that_the_box_touches() -> None:
    box = roi((1.2, 2.9, 4.1, 5.0), HW)
    assert (box.x_offset, box.y_offset, box.width, box.height) == (1, 2, 4, 3)
    clipped = roi((-5, -5, 100, 100), HW)
    assert (clipped.x_offset, clipped.y_offset, clipped.height, clipped.width) == (0, 0, *HW)
    for nothing in (None, (70, 0, 80, 5), (0, -9, 4, -1)):
        assert roi(nothing, HW).width == 0


def test_scores_stay_between_0_and_1() -> None:
    for given, said in ((1.2, 1.0), (-0.1, 0.0), (0.5, 0.5)):
        assert segment_message(result_of(block(1, 1, 3, 3), iou_score=given)).score == said
