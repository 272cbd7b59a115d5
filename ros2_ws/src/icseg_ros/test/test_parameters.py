"""Parameters: what is declared is what the code, the YAML file and the document say."""

from __future__ import annotations

from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rig import Rig
from sensor_msgs.msg import Image

from icseg.errors import ConfigError
from icseg.session.config import SessionConfig
from icseg_ros.node import ClarifySegmentNode
from icseg_ros.parameters import Settings, all_settings, read_all, yaml_text
from icseg_ros.reference import ACTIONS, PUBLICATIONS, SERVICES, SUBSCRIPTIONS, Topic, written

PACKAGE = Path(__file__).parents[1]
YAML = PACKAGE / "config" / "clarify_segment.yaml"
DOCUMENT = PACKAGE.parents[2] / "docs" / "ros2.md"
NAMESPACE = "/documented"
OWN = ("use_sim_time", "qos_overrides.")


@pytest.fixture
def node():
    context = Context()
    rclpy.init(context=context)
    node = ClarifySegmentNode(context=context)
    yield node
    node.close()
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_declared_parameters_are_those_of_the_settings(node: ClarifySegmentNode) -> None:
    declared = {
        name for name in node._parameters if not name.startswith(OWN) and name != "start_type_description_service"
    }
    names = [item.name for item in all_settings()]
    assert declared == set(names)
    assert len(names) == len(set(names))
    for item in all_settings():
        told = node.describe_parameter(item.name)
        assert told.description == item.meaning
        assert node.get_parameter(item.name).value == item.default, item.name


def test_the_defaults_are_a_configuration(node: ClarifySegmentNode) -> None:
    settings = read_all(node)
    assert isinstance(settings, Settings)
    assert settings.session == SessionConfig()


def test_settings_that_contradict_each_other_are_refused(node: ClarifySegmentNode) -> None:
    node.set_parameters([Parameter("speech.in.type", value="os"), Parameter("speech.in.topic", value="/voice")])
    with pytest.raises(ConfigError, match=r"speech\.in\.type"):
        read_all(node)


def test_the_yaml_file_is_what_the_code_says() -> None:
    assert YAML.read_text() == yaml_text(), "run: python -m icseg_ros.parameters > config/clarify_segment.yaml"
    values = yaml.safe_load(YAML.read_text())["/**"]["ros__parameters"]
    assert values == {item.name: item.default for item in all_settings() if item.default != []}


def test_the_yaml_file_is_read_by_ros() -> None:
    context = Context()
    rclpy.init(context=context)
    node = ClarifySegmentNode(context=context, cli_args=["--ros-args", "--params-file", str(YAML)], namespace="robot1")
    try:
        for item in all_settings():
            assert node.get_parameter(item.name).value == item.default, item.name
        assert read_all(node).session == SessionConfig()
    finally:
        node.destroy_node()
        rclpy.try_shutdown(context=context)


def test_the_document_is_what_the_code_says() -> None:
    text = DOCUMENT.read_text()
    assert written(text) == text, "run: python -m icseg_ros.reference docs/ros2.md"


def test_topics_services_and_the_action_of_a_live_node_are_those_of_the_document() -> None:
    # a namespace of its own: nodes of earlier tests with the same name may still be known
    r = Rig(parameters={"depth.enabled": True}, namespace=NAMESPACE)
    r.client.create_publisher(Image, "depth", 1)
    try:
        r.wait_for(lambda: r.client.count_subscribers("depth"))
        name, namespace = r.node.get_name(), r.node.get_namespace()
        # discovery: until every one of them is known
        r.wait_for(lambda: r.client.count_publishers(f"{NAMESPACE}/clarify_segment/dialogue"))
        r.wait_for(
            lambda: (
                f"{NAMESPACE}/clarify_segment/enable"
                in dict(r.client.get_service_names_and_types_by_node(name, namespace))
            )
        )
        published = dict(r.client.get_publisher_names_and_types_by_node(name, namespace))
        images = f"_{name}_images"
        info = f"{NAMESPACE}/camera_info"
        r.wait_for(lambda: info in dict(r.client.get_subscriber_names_and_types_by_node(images, namespace)))
        subscribed = dict(r.client.get_subscriber_names_and_types_by_node(name, namespace))
        subscribed |= dict(r.client.get_subscriber_names_and_types_by_node(images, namespace))
        served = dict(r.client.get_service_names_and_types_by_node(name, namespace))
        own = {"/rosout", "/parameter_events", f"{NAMESPACE}/clarify_segment/transition_event"}
        hidden = {topic for topic in (*published, *subscribed) if "/_action/" in topic}
        expected = {full(topic): topic for topic in PUBLICATIONS if topic.name != "~/detections"}
        assert set(published) - own - hidden == set(expected)
        for topic, told in expected.items():
            assert published[topic] == [told.type]
            assert_qos(r.client.get_publishers_info_by_topic(topic), told)
        expected = {full(topic): topic for topic in SUBSCRIPTIONS if topic.name != "image/compressed"}
        assert set(subscribed) - own - hidden == set(expected)
        for topic, told in expected.items():
            assert subscribed[topic] == [told.type]
            assert_qos(
                [i for i in r.client.get_subscriptions_info_by_topic(topic) if i.node_name in (name, images)], told
            )
        for path, kind, _ in SERVICES:
            assert served[path.replace("~", f"{NAMESPACE}/clarify_segment")] == [kind]
        for path, kind, _ in ACTIONS:
            send = served[path.replace("~", f"{NAMESPACE}/clarify_segment") + "/_action/send_goal"]
            assert send == [f"{kind}_SendGoal"]
    finally:
        r.close()


def full(topic: Topic) -> str:
    if topic.name.startswith("/"):
        return topic.name
    return topic.name.replace("~", f"{NAMESPACE}/clarify_segment") if "~" in topic.name else f"{NAMESPACE}/{topic.name}"


def assert_qos(found: list, told: Topic) -> None:
    assert found
    for info in found:
        qos = info.qos_profile
        if told.qos.startswith("as offered"):
            continue
        assert (qos.reliability == ReliabilityPolicy.RELIABLE) == told.qos.startswith("reliable"), told
        assert (qos.durability == DurabilityPolicy.TRANSIENT_LOCAL) == ("transient local" in told.qos), told
