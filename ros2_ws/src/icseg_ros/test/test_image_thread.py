"""Images come in through a thread of their own: whatever the node's executor does, and with the node's names."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
import rclpy
from rclpy.context import Context
from rclpy.node import Node
from sensor_msgs.msg import Image

from icseg_ros.camera import CameraInput, CameraSettings
from icseg_ros.image_thread import ImageThread

DEADLINE_S = 10.0


def wait_for(is_true: Callable[[], object]) -> None:
    ends_at = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < ends_at, "not in time"
        time.sleep(0.01)


@pytest.fixture
def owner() -> Iterator[Node]:
    """Nothing spins it."""
    context = Context()
    rclpy.init(context=context)
    remaps = ["--ros-args", "-r", "image:=/camera/image_raw", "-r", "__node:=renamed", "-r", "__ns:=/robot"]
    node = Node("owner", context=context, cli_args=remaps)
    yield node
    node.destroy_node()
    rclpy.try_shutdown(context=context)


def image(stamp: int) -> Image:
    message = Image(height=1, width=1, encoding="mono8", step=1, data=b"x")
    message.header.stamp.sec = stamp
    return message


def test_images_come_though_nobody_spins_their_owner(owner: Node) -> None:
    publisher = owner.create_publisher(Image, "/camera/image_raw", 1)
    thread = ImageThread(owner)
    camera = CameraInput(owner, CameraSettings(max_rate_hz=1000.0), spun=thread.node)
    camera.set_active(True)
    assert thread.node.get_fully_qualified_name() == "/robot/_renamed_images"
    assert camera.topic == "/camera/image_raw"
    wait_for(publisher.get_subscription_count)
    publisher.publish(image(1))
    assert camera.wait(DEADLINE_S)
    taken = camera.take()
    assert taken is not None
    assert taken.header.stamp.sec == 1
    thread.stop()
    camera.close()
    thread.close()
    assert not [one for one in threading.enumerate() if one.name == "icseg-images"]


def test_a_callback_that_fails_does_not_end_the_images(owner: Node) -> None:
    publisher = owner.create_publisher(Image, "/camera/image_raw", 10)
    thread, stamps = ImageThread(owner), []

    def take(message: Image) -> None:
        stamps.append(message.header.stamp.sec)
        if len(stamps) == 1:
            raise ZeroDivisionError("a defect")

    thread.node.create_subscription(Image, "/camera/image_raw", take, 10)
    wait_for(publisher.get_subscription_count)
    for stamp in (1, 2):
        publisher.publish(image(stamp))
    wait_for(lambda: stamps == [1, 2])
    thread.close()
    thread.close()


def test_it_ends_with_the_context(owner: Node) -> None:
    thread = ImageThread(owner)
    rclpy.shutdown(context=owner.context)
    wait_for(lambda: not [one for one in threading.enumerate() if one.name == "icseg-images"])
    thread.close()
