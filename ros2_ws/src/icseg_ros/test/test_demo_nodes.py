"""The simulated camera as an installed executable over real DDS, its ground truth, and the demo without its node."""

import os
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import String

from icseg.errors import BackendError
from icseg.sim.table import SimulatedTable

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test_support"))

from launching import Running, command, launch_file, resolve
from ros_node import Spun

from icseg_ros.demo_truth import parse_things
from icseg_ros.demo_user import mono8, stamp_ns

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
KEPT = QoSProfile(depth=30)
CAMERA, PERSON = "demo_camera_node", "demo_user_node"
TOPICS = {
    "image": Image,
    "image/compressed": CompressedImage,
    "camera_info": CameraInfo,
    "ground_truth/label_image": Image,
    "ground_truth/label_image/compressed": CompressedImage,
}
CLIP = {"source": "clip", "duration_s": 2.0}


class Seen:
    """Everything that the camera published, by topic, and then by stamp."""

    def __init__(self, node, reliability=ReliabilityPolicy.RELIABLE):
        self.by_topic = {topic: {} for topic in TOPICS}
        self.order = []
        self.things = {}
        for topic, kind in TOPICS.items():
            qos = QoSProfile(depth=30, reliability=reliability if "truth" not in topic else ReliabilityPolicy.RELIABLE)
            node.create_subscription(kind, topic, lambda message, topic=topic: self._take(topic, message), qos)
        node.create_subscription(String, "ground_truth/things", self._take_things, LATCHED)

    def _take(self, topic, message):
        self.by_topic[topic][stamp_ns(message.header)] = message
        if topic == "image":
            self.order.append(stamp_ns(message.header))

    def _take_things(self, message):
        self.things = parse_things(message.data)

    def complete(self):
        """Stamps of which everything came."""
        return sorted(set.intersection(*(set(messages) for messages in self.by_topic.values())))


@pytest.mark.alone
def test_the_camera_publishes_like_a_driver_and_ends_with_ctrl_c():
    with Spun("viewer") as spun, Running([command(CAMERA, CLIP)]) as running:
        seen = Seen(spun.node)
        spun.until(lambda: len(seen.complete()) >= 70 and seen.things, "70 images with all that belongs to them")
        codes = running.interrupt()
        assert codes == {CAMERA: 0}
        assert running.left_behind() == []
        assert running.last_line(CAMERA)["published"] >= 70
    assert seen.order == sorted(set(seen.order))
    periods_ms = np.diff(seen.order) / 1e6
    assert 17 < np.median(periods_ms) < 67
    for stamp in seen.complete()[::10]:
        image, jpeg, info, labels, png = (seen.by_topic[topic][stamp] for topic in TOPICS)
        assert {message.header.frame_id for message in (image, jpeg, info, labels, png)} == {"camera_optical_frame"}
        assert (image.encoding, image.height, image.width, image.step) == ("rgb8", 480, 640, 1920)
        assert (info.height, info.width) == (labels.height, labels.width) == (480, 640)
        assert info.k[0] == info.k[4] > 480
        assert (info.k[2], info.k[5]) == (319.5, 239.5)
        assert jpeg.format == "rgb8; jpeg compressed bgr8"
        rgb = np.frombuffer(image.data, np.uint8).reshape(480, 640, 3)
        decoded = cv2.imdecode(np.frombuffer(jpeg.data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]
        assert np.abs(rgb.astype(int) - decoded).mean() < 4
        again = cv2.imdecode(np.frombuffer(png.data, np.uint8), cv2.IMREAD_UNCHANGED)
        assert (again == mono8(labels)).all()
        ids = set(np.unique(mono8(labels)).tolist()) - {0}
        assert ids
        assert ids <= set(seen.things)


def test_the_truth_belongs_to_its_image():
    """A red thing's pixels are red in the very image that has its stamp."""
    with Spun("viewer") as spun, Running([command(CAMERA, CLIP)]):
        seen = Seen(spun.node)
        spun.until(lambda: len(seen.complete()) >= 10 and seen.things, "10 images and the things")
    (red, *_) = [thing.id for thing in seen.things.values() if thing.colour == "red"]
    for stamp in seen.complete():
        rgb = np.frombuffer(seen.by_topic["image"][stamp].data, np.uint8).reshape(480, 640, 3).astype(int)
        inside = rgb[mono8(seen.by_topic["ground_truth/label_image"][stamp]) == red]
        assert len(inside) > 50
        assert np.median(inside[:, 0]) > np.median(inside[:, 1:]) + 30


def test_counted_stamps_go_on_when_the_film_begins_anew():
    parameters = {"source": "clip", "duration_s": 0.5, "stamps": "counter", "loop": "again", "frame_id": "here"}
    parameters |= {"encoding": "bgra8", "reliability": "best_effort"}
    with Spun("viewer") as spun, Running([command(CAMERA, parameters)]):
        seen = Seen(spun.node, ReliabilityPolicy.BEST_EFFORT)
        spun.until(lambda: seen.order and seen.order[-1] > 1.2e9, "more than two rounds")
        (offer,) = spun.node.get_publishers_info_by_topic("image")
    assert offer.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT
    images = seen.by_topic["image"]
    period = 1e9 / 30
    assert all(abs(stamp / period - round(stamp / period)) < 1e-3 for stamp in images)
    message = next(iter(images.values()))
    assert (message.encoding, message.step, message.header.frame_id) == ("bgra8", 2560, "here")
    assert set(np.frombuffer(message.data, np.uint8)[3::4].tolist()) == {255}


def test_a_film_that_is_over_leaves_the_camera_silent():
    with Spun("viewer") as spun, Running([command(CAMERA, CLIP | {"duration_s": 0.5, "loop": "off"})]) as running:
        spun.until(lambda: "falls silent" in running.output(CAMERA), "the end of the film")
        assert running.interrupt() == {CAMERA: 0}
        assert running.last_line(CAMERA) == {"published": 15}


def test_without_opengl_the_camera_plays_the_clip_and_says_so():
    broken = replace(command(CAMERA, {"duration_s": 0.5}), env=os.environ | {"MUJOCO_GL": "broken"})
    with Running([broken]) as running, Spun("viewer") as spun:
        spun.until(lambda: "recorded clip of the simulated table: 15 images" in running.output(CAMERA), "the clip")
        assert "playing the recorded clip instead" in running.output(CAMERA)
        assert running.interrupt() == {CAMERA: 0}


def test_a_rendered_film_can_be_interrupted_while_it_is_made():
    try:
        SimulatedTable().close()
    except BackendError as error:
        pytest.skip(str(error))
    parameters = {"source": "render", "duration_s": 20.0, "size": "160x120", "kind": "can", "seed": 3}
    with Spun("viewer") as spun, Running([command(CAMERA, parameters)]) as running:
        spun.until(lambda: "25 %" in running.output(CAMERA), "a quarter of the film")
        assert "simulated table, test scene 3" in running.output(CAMERA)
        assert running.interrupt() == {CAMERA: 0}
        assert running.left_behind() == []


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"kind": "elephant"}, "kind: expected one of mug"),
        ({"size": "640"}, "size: expected"),
        ({"rate_hz": 500.0}, "rate_hz"),
    ],
)
def test_a_wrong_parameter_ends_the_camera_with_a_reason(parameters, words):
    with Running([command(CAMERA, parameters)]) as running:
        assert running.wait(CAMERA, 20) == 2
        assert words in running.output(CAMERA)


def test_the_demo_without_a_node_waits_and_ends_with_ctrl_c():
    """Camera and person of the demo's launch file; nobody answers, so the person has nothing to say."""
    commands = [one for one in resolve(launch_file("demo.launch.py"), {"source": "clip"}) if "demo" in one.executable]
    with Spun("viewer") as spun, Running(commands) as running:
        images = []
        spun.node.create_subscription(Image, "/camera/image_raw", images.append, KEPT)
        spun.until(lambda: len(images) > 5, "images on the launch file's topic")
        spun.until(lambda: spun.node.count_publishers("/command"), "the person")
        assert running.interrupt() == {CAMERA: 0, PERSON: 0}
        assert running.left_behind() == []
        assert running.last_line(PERSON)["masks"] == 0
