"""The camera's input over real DDS: newest wins, every image is accounted for, reliability as offered, clocks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.publisher import Publisher
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from icseg.errors import ConfigError
from icseg_ros.camera import CameraInput, CameraSettings, Taken
from icseg_ros.compressed import jpeg
from icseg_ros.convert import pixels

RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
TOPIC = "/robot/image_raw"
REMAPS = ["--ros-args", "-r", f"image:={TOPIC}"]
MS = 1_000_000
S = 1000 * MS
NO_LIMIT = CameraSettings(max_rate_hz=1000.0)


def header_at(stamp_ns: int) -> Header:
    header = Header(frame_id="camera_optical")
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, S)
    return header


def image_at(stamp_ns: int, value: int = 0, encoding: str = "mono8", hw: tuple[int, int] = (6, 8)) -> Image:
    step = hw[1] * {"mono8": 1, "rgb8": 3, "bgra8": 4, "yuv422": 2}[encoding]
    msg = Image(header=header_at(stamp_ns), encoding=encoding, height=hw[0], width=hw[1], step=step)
    msg.data = pixels(np.full(hw[0] * step, value, np.uint8))
    return msg


class Rig:
    """A camera node and a `CameraInput` that is switched on."""

    def __init__(self, make_node: Callable[..., Node], executor: Executor, spin_until: Callable[..., None]) -> None:
        self.node = make_node("clarify_segment", cli_args=REMAPS)
        self.camera_node = make_node("camera")
        self.executor, self.spin_until = executor, spin_until
        self.input: CameraInput

    def start(self, settings: CameraSettings = NO_LIMIT) -> CameraInput:
        self.input = CameraInput(self.node, settings)
        self.input.set_active(True)
        return self.input

    def publisher(self, reliability: ReliabilityPolicy = RELIABLE, kind: type[Any] = Image, topic: str = TOPIC) -> Any:
        return self.camera_node.create_publisher(kind, topic, QoSProfile(depth=10, reliability=reliability))

    def matched(self, publisher: Publisher, count: int = 1) -> Publisher:
        self.spin_until(self.executor, lambda: publisher.get_subscription_count() >= count)
        return publisher

    def receive(self, publisher: Publisher, *messages: Any) -> None:
        """Publish one after the other, each when the one before it was received."""
        for message in messages:
            before = self.input.counts().received
            publisher.publish(message)
            self.spin_until(self.executor, lambda before=before: self.input.counts().received > before)

    def taken(self, publisher: Publisher, message: Any) -> Taken:
        self.receive(publisher, message)
        taken = self.input.take()
        assert taken is not None
        return taken


@pytest.fixture
def rig(make_node: Callable[..., Node], executor: Executor, spin_until: Callable[..., None]) -> Any:
    own = Rig(make_node, executor, spin_until)
    yield own
    own.input.close()


def test_an_image_becomes_a_frame_under_its_header(rig: Rig) -> None:
    camera = rig.start()
    publisher = rig.matched(rig.publisher())
    assert camera.take() is None
    assert not camera.wait(0)
    first = rig.taken(publisher, image_at(7 * S, 90))
    assert camera.topic == TOPIC
    assert (first.frame.stamp_ns, first.frame.index, first.frame.hw) == (7 * S, 0, (6, 8))
    assert (first.frame.image == 90).all()
    assert first.header == header_at(7 * S)
    assert camera.header_of(7 * S) == header_at(7 * S)
    assert camera.header_of(7 * S + 1) is None
    assert not first.jumped_back
    assert min(first.wait_ms, first.convert_ms) >= 0
    assert camera.take() is None
    counts = camera.counts()
    assert (counts.received, counts.taken, counts.encoding) == (1, 1, "mono8")
    assert (counts.width, counts.height, counts.reliability) == (8, 6, "reliable")
    assert counts.fps > 0
    assert counts.latency_p50_ms > 0
    assert counts.last_received_monotonic == first.received_at


def test_the_newest_wins_and_every_image_is_accounted_for(rig: Rig) -> None:
    camera = rig.start()
    publisher = rig.matched(rig.publisher())
    rig.receive(publisher, *(image_at(S + number * 33 * MS, number) for number in range(5)))
    assert camera.wait(0)
    taken = camera.take()
    assert taken is not None
    assert (taken.frame.index, taken.frame.image[0, 0, 0]) == (4, 4)
    rig.receive(publisher, image_at(2 * S), image_at(2 * S + 33 * MS, encoding="yuv422"))
    assert camera.take() is None  # rejected
    rig.receive(publisher, image_at(0), image_at(3 * S))
    camera.set_active(False)
    counts = camera.counts()
    assert (counts.received, counts.taken, counts.overwritten, counts.rejected, counts.discarded) == (9, 1, 5, 2, 1)
    assert counts.received == counts.taken + counts.overwritten + counts.rejected + counts.discarded
    assert camera.take() is None


def test_a_waiting_thread_is_woken(rig: Rig) -> None:
    camera = rig.start()
    publisher = rig.matched(rig.publisher())
    frames: list[int] = []

    def work() -> None:
        while len(frames) < 3 and camera.wait(15.0):
            taken = camera.take()
            if taken is not None:
                frames.append(taken.frame.stamp_ns)

    worker = threading.Thread(target=work)
    worker.start()
    for number in range(1, 4):
        publisher.publish(image_at(number * S))
        rig.spin_until(rig.executor, lambda number=number: len(frames) == number)
    worker.join(15.0)
    assert frames == [S, 2 * S, 3 * S]


def test_it_is_off_until_it_is_switched_on(rig: Rig) -> None:
    camera = rig.start()
    publisher = rig.matched(rig.publisher())
    camera.set_active(False)
    seen: list[Image] = []
    rig.camera_node.create_subscription(Image, TOPIC, seen.append, 1)
    rig.matched(publisher, 2)
    publisher.publish(image_at(S))
    rig.spin_until(rig.executor, lambda: seen)
    assert camera.counts().received == 0
    camera.set_active(True)
    assert rig.taken(publisher, image_at(2 * S)).frame.stamp_ns == 2 * S


def test_encoding_and_size_may_change_in_the_stream(rig: Rig) -> None:
    camera = rig.start()
    publisher = rig.matched(rig.publisher())
    for number, (encoding, hw) in enumerate([("mono8", (6, 8)), ("rgb8", (6, 8)), ("bgra8", (3, 5))], 1):
        taken = rig.taken(publisher, image_at(number * S, 40, encoding, hw))
        assert taken.frame.hw == hw
        assert (taken.frame.image == 40).all()
        assert camera.counts().encoding == encoding
    rig.receive(publisher, image_at(5 * S, encoding="yuv422"))
    assert camera.take() is None
    assert "yuv422" in camera.counts().last_error
    assert TOPIC in camera.counts().last_error
    rig.taken(publisher, image_at(6 * S))
    assert camera.counts().last_error == ""


def test_an_image_without_a_stamp_is_rejected(rig: Rig) -> None:
    camera = rig.start()
    publisher = rig.matched(rig.publisher())
    rig.receive(publisher, image_at(0))
    assert camera.take() is None
    counts = camera.counts()
    assert counts.rejected == 1
    assert "header.stamp" in counts.last_error


def test_compressed_images_stand_beside_the_remapped_topic(rig: Rig) -> None:
    camera = rig.start(CameraSettings(transport="compressed", max_rate_hz=1000.0))
    assert camera.topic == f"{TOPIC}/compressed"
    publisher = rig.matched(rig.publisher(BEST_EFFORT, CompressedImage, f"{TOPIC}/compressed"))
    whole = jpeg(np.full((16, 24, 3), 200, np.uint8), header_at(S), 90)
    taken = rig.taken(publisher, whole)
    assert taken.frame.hw == (16, 24)
    assert camera.counts().encoding == "rgb8; jpeg compressed bgr8"
    cut = CompressedImage(header=header_at(2 * S), format=whole.format, data=whole.data[:100])
    rig.receive(publisher, cut)
    assert camera.take() is None
    assert "cut off" in camera.counts().last_error
    assert rig.taken(publisher, jpeg(np.zeros((8, 8, 3), np.uint8), header_at(3 * S), 90)).frame.hw == (8, 8)


@pytest.mark.parametrize(
    ("offered", "expected"),
    [([RELIABLE], "reliable"), ([BEST_EFFORT], "best_effort"), ([RELIABLE, BEST_EFFORT], "best_effort")],
)
def test_auto_takes_what_all_publishers_offer(rig: Rig, offered: list[ReliabilityPolicy], expected: str) -> None:
    camera = rig.start()
    assert camera.counts().reliability == ""
    publishers = [rig.publisher(reliability) for reliability in offered]
    rig.spin_until(rig.executor, lambda: camera.counts().reliability == expected)
    for number, publisher in enumerate(publishers, 1):
        rig.taken(rig.matched(publisher), image_at(number * S))
    assert camera.counts().qos_error == ""


def test_auto_follows_a_camera_that_comes_back_with_another_offer(rig: Rig) -> None:
    camera = rig.start()
    first = rig.publisher(RELIABLE)
    rig.taken(rig.matched(first), image_at(S))
    rig.camera_node.destroy_publisher(first)
    second = rig.publisher(BEST_EFFORT)
    rig.spin_until(rig.executor, lambda: camera.counts().reliability == "best_effort")
    rig.taken(rig.matched(second), image_at(2 * S))
    assert camera.counts().qos_error == ""
    rig.camera_node.destroy_publisher(second)
    third = rig.matched(rig.publisher(RELIABLE), 2)  # both subscriptions match it, one is passed over
    rig.spin_until(rig.executor, lambda: camera.counts().reliability == "reliable")
    rig.taken(third, image_at(3 * S))
    rig.receive(third, image_at(4 * S))
    assert camera.counts().received == 4


def test_a_fixed_reliability_says_what_does_not_match(rig: Rig) -> None:
    camera = rig.start(CameraSettings(reliability="reliable"))
    assert camera.counts().reliability == "reliable"
    rig.publisher(BEST_EFFORT)
    rig.spin_until(rig.executor, lambda: camera.counts().incompatible_qos == 1)
    assert "RELIABILITY" in camera.counts().qos_error
    assert TOPIC in camera.counts().qos_error


def test_the_rate_is_bounded_by_stamps_with_room_for_jitter(rig: Rig) -> None:
    camera = rig.start(CameraSettings(max_rate_hz=10.0))
    publisher = rig.matched(rig.publisher())
    jitter_ms = [0, 15, -15, 20, -20, 0]
    rig.receive(publisher, *(image_at(S + (100 * n + late) * MS) for n, late in enumerate(jitter_ms)))
    assert camera.counts().rate_limited == 0
    rig.receive(publisher, *(image_at(2 * S + 33 * n * MS) for n in range(30)))
    kept = 30 - camera.counts().rate_limited
    assert 10 <= kept <= 11  # of 0.96 s
    camera.max_rate_hz = 1000.0
    rig.receive(publisher, *(image_at(4 * S + 33 * n * MS) for n in range(5)))
    assert 30 - camera.counts().rate_limited == kept


def test_an_image_with_the_stamp_of_the_one_before_is_refused_and_told(rig: Rig) -> None:
    camera = rig.start()
    publisher = rig.matched(rig.publisher())
    rig.receive(publisher, image_at(S), image_at(S))
    assert camera.take() is not None
    assert camera.take() is None
    counts = camera.counts()  # taken after the other had come: it tells of the other all the same
    assert (counts.rejected, counts.rate_limited, counts.backward) == (1, 0, 0)
    assert f"{TOPIC}: two images with the stamp {S} ns" in counts.last_error
    rig.taken(publisher, image_at(S + 33 * MS))
    assert camera.counts().last_error == ""


def test_a_jump_back_is_told_once_even_when_its_first_image_is_bad(rig: Rig) -> None:
    camera = rig.start()
    publisher = rig.matched(rig.publisher())
    rig.taken(publisher, image_at(100 * S))
    late = rig.taken(publisher, image_at(100 * S - 500 * MS))
    assert not late.jumped_back
    rig.receive(publisher, image_at(5 * S, encoding="yuv422"))
    assert camera.take() is None
    assert rig.taken(publisher, image_at(5 * S + 33 * MS)).jumped_back
    assert camera.header_of(100 * S) is None
    assert not rig.taken(publisher, image_at(5 * S + 66 * MS)).jumped_back
    counts = camera.counts()
    assert (counts.backward, counts.jumps) == (2, 1)


def test_a_jump_back_survives_being_overwritten(rig: Rig) -> None:
    camera = rig.start()
    publisher = rig.matched(rig.publisher())
    rig.taken(publisher, image_at(100 * S))
    rig.receive(publisher, image_at(5 * S), image_at(6 * S))
    taken = camera.take()
    assert taken is not None
    assert taken.jumped_back
    assert taken.frame.stamp_ns == 6 * S


def test_after_the_clock_was_set_back_a_short_step_back_is_a_jump(rig: Rig) -> None:
    rig.start()
    publisher = rig.matched(rig.publisher())
    rig.node.set_parameters([Parameter("use_sim_time", value=True)])
    clock = rig.matched(rig.camera_node.create_publisher(Clock, "/clock", 10))

    def set_clock(sec: int) -> None:
        message = Clock()
        message.clock.sec = sec
        clock.publish(message)
        rig.spin_until(rig.executor, lambda: rig.node.get_clock().now().nanoseconds == sec * S)

    set_clock(50)
    rig.taken(publisher, image_at(50 * S))
    set_clock(49)
    assert rig.taken(publisher, image_at(50 * S - 400 * MS)).jumped_back
    assert not rig.taken(publisher, image_at(50 * S - 500 * MS)).jumped_back


def test_headers_are_kept_for_the_last_600(rig: Rig) -> None:
    camera = rig.start()
    for number in range(1, 602):
        rig.input._on_image(image_at(number * S))
        assert camera.take() is not None
    assert camera.header_of(S) is None
    assert camera.header_of(2 * S) == header_at(2 * S)
    assert camera.header_of(601 * S) == header_at(601 * S)


def test_it_can_be_made_again_after_it_was_closed(rig: Rig) -> None:
    publisher = rig.publisher()
    for stamp in (1, 2):
        rig.start()
        rig.matched(publisher)
        rig.taken(publisher, image_at(stamp * S))
        rig.input.close()
        rig.spin_until(rig.executor, lambda: publisher.get_subscription_count() == 0)


def test_settings_out_of_range_are_refused() -> None:
    for wrong, said in (({"transport": "theora"}, "transport"), ({"max_rate_hz": 0.0}, "0.1..1000")):
        with pytest.raises(ConfigError, match=said):
            CameraSettings(**wrong)  # type: ignore[arg-type]
