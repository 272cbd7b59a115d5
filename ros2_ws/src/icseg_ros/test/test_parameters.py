"""Parameters: what is declared is what the code, the YAML file and the document say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.lifecycle import TransitionCallbackReturn
from rclpy.parameter import Parameter
from rclpy.qos import DurabilityPolicy, ReliabilityPolicy
from rig import Rig
from sensor_msgs.msg import Image

from icseg.errors import ConfigError
from icseg.policy_server.entry import write_entry
from icseg.session.config import SessionConfig
from icseg_ros.main import main
from icseg_ros.node import ClarifySegmentNode
from icseg_ros.parameters import Settings, own_settings, read_all, runtime_settings, yaml_text
from icseg_ros.reference import ACTIONS, PUBLICATIONS, SERVICES, SUBSCRIPTIONS, Topic, written
from icseg_ros.settings import SOURCE
from tests.every_setting import said_alone
from tests.policy_server.test_entry import make_entry

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
    items = [*own_settings(), *runtime_settings()]
    assert declared == {item.name for item in items}
    assert len(items) == len(declared)
    for item in items:
        assert node.describe_parameter(item.name).description.startswith(item.meaning)
    for item in own_settings():
        assert node.get_parameter(item.name).value == item.default, item.name
    for item in runtime_settings():
        assert node.get_parameter(item.name).value is None, item.name


def test_the_defaults_are_a_configuration(node: ClarifySegmentNode) -> None:
    settings = read_all(node)
    assert isinstance(settings, Settings)
    assert settings.session == SessionConfig()
    assert SOURCE not in settings.runtime.sources.values()


def test_every_setting_of_the_runtime_is_set_by_its_parameter_which_wins_over_the_file(
    node: ClarifySegmentNode, tmp_path: Path
) -> None:
    write_entry(tmp_path, make_entry())
    file = tmp_path / "robot.toml"
    defaults = {item.name: item.default for item in runtime_settings()}
    file.write_text("".join(f"{item.name} = {json.dumps(item.default)}\n" for item in runtime_settings()))
    node.set_parameters([Parameter("config_file", value=str(file))])
    for item in runtime_settings():
        given = said_alone(item, str(tmp_path))
        done = node.set_parameters([Parameter(name, value=value) for name, value in given.items()])
        assert all(one.successful for one in done), done
        runtime = read_all(node).runtime
        assert runtime.record()[item.name] == {"value": given[item.name], "source": SOURCE}
        node.set_parameters([Parameter(name, value=defaults[name]) for name in given])


def test_a_file_says_nothing_about_the_nodes_own_parts(node: ClarifySegmentNode, tmp_path: Path) -> None:
    file = tmp_path / "robot.toml"
    file.write_text("[camera]\nmax_rate_hz = 5.0\n")
    node.set_parameters([Parameter("config_file", value=str(file))])
    with pytest.raises(ConfigError, match=r"robot.toml: camera.max_rate_hz is the node's alone: give it as a ROS par"):
        read_all(node)


def test_what_the_graphs_cannot_do_leaves_the_node_unconfigured(node: ClarifySegmentNode) -> None:
    node.set_parameters([Parameter("tracker.conditioning_slots", value=9)])
    assert node.trigger_configure() is TransitionCallbackReturn.FAILURE
    assert node.parts is None


def test_a_parameter_that_is_deleted_says_nothing_any_more(node: ClarifySegmentNode) -> None:
    node.set_parameters([Parameter("chat.seed", value=7)])
    assert read_all(node).runtime.settings.chat.seed == 7
    node.set_parameters([Parameter("chat.seed")])
    assert read_all(node).runtime.record()["chat.seed"] == {"value": 0, "source": "default"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("track.buffer_mb:=64",), "ROS parameters: track.buffer_mb is called session.buffer.max_mb now"),
        (("dialogue.language:=de",), "ROS parameters: dialogue.language is called speech.language now"),
        (("chat.max_token:=5",), "ROS parameters: unknown setting chat.max_token; did you mean chat.max_tokens?"),
        (("chat.max_tokens:=0",), "ROS parameters: chat.max_tokens: expected an integer 1..32768, got 0"),
        (("session.following.recheck_s:=often",), "ROS parameters: session.following.recheck_s: expected a number"),
        (("camera.max_rate_hz:=0.0",), "ROS parameters: camera.max_rate_hz: expected a number 0.1..1000, got 0.0"),
        (("camera.max_rate_hz:=fast",), "ROS parameters: "),
    ],
)
def test_wrong_parameters_at_the_start_are_one_line_that_names_them(arguments: tuple[str, ...], message: str) -> None:
    context = Context()
    rclpy.init(context=context)
    given = [text for argument in arguments for text in ("-p", argument)]
    try:
        with pytest.raises(ConfigError) as caught:
            ClarifySegmentNode(context=context, cli_args=["--ros-args", *given])
    finally:
        rclpy.try_shutdown(context=context)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_parameters_of_rclpy_itself_are_none_of_our_business() -> None:
    context = Context()
    rclpy.init(context=context)
    given = ["-p", "use_sim_time:=true", "-p", "qos_overrides./x.publisher.depth:=3"]
    node = ClarifySegmentNode(context=context, cli_args=["--ros-args", *given])
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_a_wrong_parameter_ends_the_program_with_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["--ros-args", "-p", "chat.max_token:=5"]) == 2
    error = capfd.readouterr().err
    assert "cannot start: ROS parameters: unknown setting chat.max_token; did you mean chat.max_tokens?" in error
    assert "Traceback" not in error


def test_a_whole_number_is_a_good_number_of_seconds() -> None:
    context = Context()
    rclpy.init(context=context)
    node = ClarifySegmentNode(context=context, cli_args=["--ros-args", "-p", "session.following.search_timeout_s:=20"])
    assert read_all(node).session.following.search_timeout_s == 20.0
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def test_settings_that_contradict_each_other_are_refused(node: ClarifySegmentNode) -> None:
    node.set_parameters([Parameter("speech.in.type", value="os"), Parameter("speech.in.topic", value="/voice")])
    with pytest.raises(ConfigError, match=r"speech\.in\.type"):
        read_all(node)


def test_the_yaml_file_is_what_the_code_says() -> None:
    assert YAML.read_text() == yaml_text(), "run: python -m icseg_ros.parameters > config/clarify_segment.yaml"
    values = yaml.safe_load(YAML.read_text())["/**"]["ros__parameters"]
    assert values == {item.name: item.default for item in own_settings() if item.default != []}


def test_the_yaml_file_is_read_by_ros() -> None:
    context = Context()
    rclpy.init(context=context)
    node = ClarifySegmentNode(context=context, cli_args=["--ros-args", "--params-file", str(YAML)], namespace="robot1")
    try:
        for item in own_settings():
            assert node.get_parameter(item.name).value == item.default, item.name
        # the file that the launch loads decides nothing that belongs to a model
        assert SOURCE not in read_all(node).runtime.sources.values()
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
