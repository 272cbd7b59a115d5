"""The whole robot in processes of their own, started by the installed launch file, over real DDS."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import rclpy
from icseg_msgs.msg import DialogueState, Target
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import CompressedImage, Image

from icseg_ros.announcer import LATCHED

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test_support"))
from launching import Running, launch_file, resolve

MASKS = 60
DEADLINE_S = 90.0


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"image_transport": "compressed", "answer_by": "service", "fastdds_profile": "images"},
    ],
)
def test_command_question_answer_masks(arguments: dict[str, str]) -> None:
    commands = resolve(launch_file("demo.launch.py"), {"source": "clip", "masks": str(MASKS), **arguments})
    with Running(commands) as running:
        codes = running.finish(DEADLINE_S)
        summary = running.last_line("demo_user_node")
        assert not running.left_behind()
    assert set(codes.values()) == {0}, codes
    assert summary["questions"]
    assert summary["masks"] >= MASKS, summary
    assert summary["mean_j"] >= 0.8
    assert (summary["unknown_stamps"], summary["wrong_sizes"]) == (0, 0)


def test_every_mask_is_of_an_image_of_the_camera(tmp_path: Path) -> None:
    commands = resolve(launch_file("demo.launch.py"), {"source": "clip"})
    images: dict[tuple[int, int], Image] = {}
    masks: list[Image] = []
    targets: list[Target] = []
    states: list[str] = []
    overlays: list[CompressedImage] = []
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("observer", context=context)
    node.create_subscription(Image, "/camera/image_raw", lambda m: images.setdefault(stamp(m), m), 200)
    node.create_subscription(Image, "/clarify_segment/mask", masks.append, 200)
    node.create_subscription(Target, "/clarify_segment/target", targets.append, 5)
    node.create_subscription(CompressedImage, "/clarify_segment/overlay/compressed", overlays.append, 5)
    node.create_subscription(DialogueState, "/clarify_segment/dialogue", lambda m: states.append(m.name), LATCHED)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    try:
        with Running(commands) as running:
            end = node.get_clock().now().nanoseconds + DEADLINE_S * 1e9
            while len(masks) < MASKS and node.get_clock().now().nanoseconds < end:
                executor.spin_once(0.1)
            codes = running.interrupt()
            assert not running.left_behind()
    finally:
        executor.shutdown()
        node.destroy_node()
        rclpy.try_shutdown(context=context)
    assert set(codes.values()) == {0}, codes
    assert len(masks) >= MASKS
    stamps = [stamp(mask) for mask in masks]
    assert stamps == sorted(set(stamps))
    matched = [(mask, images[stamp(mask)]) for mask in masks if stamp(mask) in images]
    assert len(matched) > len(masks) / 2, "the observer itself may miss images, not most of them"
    for mask, image in matched:
        assert mask.header == image.header
        assert (mask.height, mask.width) == (image.height, image.width)
    dropped = [target.dropped for target in targets]
    assert dropped == sorted(dropped)
    assert "asking" in states
    assert states[-1] in ("tracking", "lost")
    assert overlays
    assert overlays[-1].format.startswith("rgb8; jpeg")


def stamp(message: Image | CompressedImage) -> tuple[int, int]:
    return message.header.stamp.sec, message.header.stamp.nanosec


def test_the_summary_is_json() -> None:
    # what scripts read: one document on the last line
    commands = resolve(launch_file("demo.launch.py"), {"source": "clip", "masks": "5", "min_mean_j": "0.0"})
    with Running(commands) as running:
        running.finish(DEADLINE_S)
        assert json.dumps(running.last_line("demo_user_node"))
