"""What other programs read of config/: it parses and names topics of the interface; the Fast DDS profile works."""

import json
import sys
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from ament_index_python.packages import get_package_share_directory
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test_support"))

from launching import Running, command
from ros_node import Spun

from icseg_ros.demo_user import stamp_ns

CONFIG = Path(get_package_share_directory("icseg_ros")) / "config"
PROFILE = CONFIG / "fastdds_images.xml"
NAMESPACE = {"dds": "http://www.eprosima.com"}
TOPICS = {
    "/camera/image_raw",
    "/clarify_segment/overlay",
    "/clarify_segment/overlay/compressed",
    "/clarify_segment/mask",
    "/clarify_segment/dialogue",
    "/clarify_segment/question",
    "/diagnostics",
    "/command",
    "/answer",
}
"""The interface's parameters, as the launch files leave them."""


def test_rviz_shows_camera_mask_and_overlay():
    layout = yaml.safe_load((CONFIG / "icseg.rviz").read_text())
    displays = layout["Visualization Manager"]["Displays"]
    assert {one["Class"] for one in displays} == {"rviz_default_plugins/Image"}
    shown = {one["Name"]: one["Topic"]["Value"] for one in displays}
    assert shown == {
        "Camera": "/camera/image_raw",
        "Overlay": "/clarify_segment/overlay",
        "Mask": "/clarify_segment/mask",
    }
    # a mask of one grey value would be stretched to black
    (mask,) = (one for one in displays if one["Name"] == "Mask")
    assert mask["Normalize Range"] is False


def test_foxglove_shows_what_is_needed_and_every_panel_has_its_place():
    layout = json.loads((CONFIG / "foxglove_layout.json").read_text())
    panels = layout["configById"]
    assert sorted(placed(layout["layout"])) == sorted(panels)
    topics = {key: topic_of(panel) for key, panel in panels.items()}
    assert set(topics.values()) <= TOPICS
    assert {key.split("!")[0] for key in panels} == {"Image", "RawMessages", "DiagnosticSummary", "Publish"}
    for panel in panels.values():
        if "datatype" in panel:
            assert panel["datatype"] == "std_msgs/msg/String"
            assert list(json.loads(panel["value"])) == ["data"]


def topic_of(panel):
    """The topic that a panel shows or publishes."""
    for key in ("topicPath", "topicName", "topicToRender"):
        if key in panel:
            return panel[key]
    return panel["imageMode"]["imageTopic"]


def placed(node):
    """Panels of a layout."""
    return [node] if isinstance(node, str) else [*placed(node["first"]), *placed(node["second"])]


def test_the_profile_is_the_default_one_and_holds_a_whole_image():
    root = ET.parse(PROFILE).getroot()
    assert root.tag == "{http://www.eprosima.com}profiles"
    (participant,) = root.findall("dds:participant", NAMESPACE)
    assert participant.attrib["is_default_profile"] == "true"
    used = [one.text for one in participant.findall("dds:rtps/dds:userTransports/dds:transport_id", NAMESPACE)]
    transports = {
        one.findtext("dds:transport_id", namespaces=NAMESPACE): one
        for one in root.findall("dds:transport_descriptors/dds:transport_descriptor", NAMESPACE)
    }
    assert used == list(transports)
    shared = transports[used[0]]
    assert shared.findtext("dds:type", namespaces=NAMESPACE) == "SHM"
    largest = int(shared.findtext("dds:maxMessageSize", namespaces=NAMESPACE))
    assert 1920 * 1080 * 3 < largest <= int(shared.findtext("dds:segment_size", namespaces=NAMESPACE))
    assert transports[used[1]].findtext("dds:type", namespaces=NAMESPACE) == "UDPv4"


@pytest.mark.parametrize("is_subscriber_told", [False, True], ids=["camera", "both"])
def test_with_the_profile_images_arrive_at_a_best_effort_subscriber(is_subscriber_told, monkeypatch):
    """640x480 in colour is 900 KB, more than the default segment: without the profile more than half gets lost."""
    parameters = {"source": "clip", "duration_s": 1.0, "reliability": "best_effort", "stamps": "counter"}
    camera = command("demo_camera_node", parameters)
    camera = replace(camera, env=camera.env | {"FASTRTPS_DEFAULT_PROFILES_FILE": str(PROFILE)})
    if is_subscriber_told:
        monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", str(PROFILE))
    numbers = []
    qos = QoSProfile(depth=5, reliability=ReliabilityPolicy.BEST_EFFORT)
    with Spun("viewer") as spun, Running([camera]) as running:
        spun.node.create_subscription(
            Image, "image", lambda message: numbers.append(round(stamp_ns(message.header) * 30 / 1e9)), qos
        )
        spun.until(lambda: numbers and numbers[-1] - numbers[0] >= 60, "two seconds of images")
        assert running.interrupt() == {"demo_camera_node": 0}
        assert "XMLPARSER" not in running.output("demo_camera_node")
    assert len(numbers) / (numbers[-1] - numbers[0] + 1) > 0.8
