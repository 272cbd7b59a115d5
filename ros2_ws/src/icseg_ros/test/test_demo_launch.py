"""The whole robot in processes of their own, started by the installed launch file, over real DDS."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import rclpy
from icseg_msgs.msg import DialogueState, Target
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from icseg_ros.announcer import LATCHED

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test_support"))
from launching import Running, launch_file, resolve

MASKS = 60
MIN_MEAN_J = 0.5
"""The right thing; how well it is segmented depends on how many images a loaded machine gets to see."""
DEADLINE_S = 90.0

pytestmark = pytest.mark.alone


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"image_transport": "compressed", "answer_by": "service", "fastdds_profile": "images"},
    ],
)
def test_command_question_answer_masks(arguments: dict[str, str]) -> None:
    bounds = {"masks": str(MASKS), "min_mean_j": str(MIN_MEAN_J)}
    commands = resolve(launch_file("demo.launch.py"), {"source": "clip", **bounds, **arguments})
    with Running(commands) as running:
        codes = running.finish(DEADLINE_S)
        summary = running.last_line("demo_user_node")  # what scripts read: one JSON document on the last line
        assert not running.left_behind()
    assert set(codes.values()) == {0}, (codes, summary)
    assert summary["questions"]
    assert summary["masks"] >= MASKS, summary
    assert (summary["unknown_stamps"], summary["wrong_sizes"]) == (0, 0)


def test_every_mask_is_of_an_image_of_the_camera(tmp_path: Path) -> None:
    commands = resolve(launch_file("demo.launch.py"), {"source": "clip"})
    images: dict[tuple[int, int], CameraInfo] = {}
    masks: list[Image] = []
    targets: list[Target] = []
    states: list[DialogueState] = []
    overlays: list[CompressedImage] = []
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("observer", context=context)
    # small messages with the header of each image: the observer takes nothing from the camera's bandwidth
    node.create_subscription(CameraInfo, "/camera/camera_info", lambda m: images.setdefault(stamp(m), m), 200)
    node.create_subscription(Image, "/clarify_segment/mask", masks.append, 200)
    node.create_subscription(Target, "/clarify_segment/target", targets.append, 5)
    node.create_subscription(CompressedImage, "/clarify_segment/overlay/compressed", overlays.append, 5)
    node.create_subscription(DialogueState, "/clarify_segment/dialogue", states.append, LATCHED)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        with Running(commands) as running:
            end = node.get_clock().now().nanoseconds + DEADLINE_S * 1e9
            while node.get_clock().now().nanoseconds < end:
                executor.spin_once(0.1)
                if len(masks) >= MASKS and len(between(masks, images)) > MASKS / 4:
                    break
            codes = running.interrupt()
            assert not running.left_behind()
            said = running.output("clarify_segment_node")
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown(context=context)
    assert set(codes.values()) == {0}, codes
    assert "Traceback" not in said, said
    assert len(masks) >= MASKS
    stamps = [stamp(mask) for mask in masks]
    assert stamps == sorted(set(stamps))
    judged = between(masks, images)
    assert len(judged) > MASKS / 4, (len(masks), len(images))
    for mask in judged:
        image = images[stamp(mask)]
        assert mask.header == image.header
        assert (mask.height, mask.width) == (image.height, image.width)
    dropped = [target.dropped for target in targets]
    assert dropped == sorted(dropped)
    # a latched topic shows the state of now, and all that was said
    assert states[-1].name in ("tracking", "lost")
    assert (states[-1].turns, states[-1].transcript[1][:12]) == (1, "icseg: Which")
    assert overlays
    assert overlays[-1].format.startswith("rgb8; jpeg")


def between(masks: list[Image], images: dict[tuple[int, int], CameraInfo]) -> list[Image]:
    """Masks from the first to the last image that the observer knows of.

    Under load it finds the camera later than the node, and waits for the newest of the camera's messages.
    """
    if not images:
        return []
    first, last = min(images), max(images)
    return [mask for mask in masks if first <= stamp(mask) <= last]


def stamp(message: Image | CompressedImage | CameraInfo) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec
