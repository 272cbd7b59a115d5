"""Points in space of a tilted plane that is known, and each reason to give none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from rclpy.executors import Executor
from rclpy.node import Node
from rclpy.qos import qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, Image

from icseg.errors import ConfigError
from icseg_ros.convert import pixels
from icseg_ros.depth import DepthInput, DepthSettings

FX, FY, CX, CY = 110.0, 105.0, 47.5, 35.5
HW = (72, 96)
MS, S = 1_000_000, 1_000_000_000
FRAME = "camera_color_optical_frame"
MILLIMETRE = 1e-3


def plane_depth(hw: tuple[int, int]) -> np.ndarray:
    """Metres along the optical axis of the plane z = 1 + x / 2, at any size of the same picture."""
    columns = (np.arange(hw[1]) + 0.5) * HW[1] / hw[1] - 0.5
    ray_x = (columns - CX) / FX
    return np.tile(1 / (1 - ray_x / 2), (hw[0], 1))


def depth_image(stamp_ns: int, metres: np.ndarray, encoding: str = "16UC1") -> Image:
    values = np.round(metres * 1000).astype("<u2") if encoding == "16UC1" else metres.astype("<f4")
    msg = Image(encoding=encoding, height=values.shape[0], width=values.shape[1], step=values.strides[0])
    msg.header.frame_id = FRAME
    msg.header.stamp.sec, msg.header.stamp.nanosec = divmod(stamp_ns, S)
    msg.data = pixels(values)
    return msg


def camera_info(hw: tuple[int, int] = HW) -> CameraInfo:
    scale = hw[1] / HW[1]
    cx, cy = (CX + 0.5) * scale - 0.5, (CY + 0.5) * scale - 0.5
    msg = CameraInfo(height=hw[0], width=hw[1], k=[FX * scale, 0.0, cx, 0.0, FY * scale, cy, 0.0, 0.0, 1.0])
    msg.header.frame_id = FRAME
    return msg


def blob(hw: tuple[int, int] = HW) -> np.ndarray:
    mask = np.zeros(hw, bool)
    mask[hw[0] // 4 : hw[0] // 2, hw[1] // 2 : hw[1] * 7 // 8] = True
    return mask


@pytest.fixture
def depth_input(make_node: Callable[..., Node]) -> Any:
    own = DepthInput(make_node("clarify_segment"), DepthSettings(enabled=True))
    own.set_active(True)
    yield own
    own.close()


def test_depth_and_camera_info_come_over_their_topics(
    make_node: Callable[..., Node], executor: Executor, spin_until: Callable[..., None], depth_input: DepthInput
) -> None:
    camera = make_node("camera")
    depths = camera.create_publisher(Image, "depth", qos_profile_sensor_data)
    infos = camera.create_publisher(CameraInfo, "camera_info", 10)
    spin_until(executor, lambda: depths.get_subscription_count() and infos.get_subscription_count())
    depths.publish(depth_image(S, plane_depth(HW)))
    infos.publish(camera_info())
    spin_until(executor, lambda: depth_input.point_of(blob(), S, (60, 30)) is not None)
    found = depth_input.point_of(blob(), S, (60, 30))
    assert found is not None
    point, frame_id = found
    assert frame_id == FRAME
    assert depth_input.reason == ""
    assert point.z == pytest.approx(1 + point.x / 2, abs=MILLIMETRE)
    assert (point.x / point.z, point.y / point.z) == pytest.approx(((60 - CX) / FX, (30 - CY) / FY))
    depth_input.set_active(False)
    assert depth_input.point_of(blob(), S, (60, 30)) is None


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1"])
@pytest.mark.parametrize("depth_hw", [HW, (36, 48), (144, 192)])
@pytest.mark.parametrize("info_hw", [HW, (36, 48)])
def test_the_point_lies_on_the_plane_whatever_the_sizes(
    depth_input: DepthInput, encoding: str, depth_hw: tuple[int, int], info_hw: tuple[int, int]
) -> None:
    depth_input._on_depth(depth_image(S, plane_depth(depth_hw), encoding))
    depth_input._on_camera_info(camera_info(info_hw))
    for pixel_xy in [(50, 20), (60, 30), (80, 34)]:
        found = depth_input.point_of(blob(), S, pixel_xy)
        assert found is not None
        point = found[0]
        # the median of a window is the depth of a pixel at most one coarse depth pixel away
        assert point.z == pytest.approx(1 + point.x / 2, abs=12 * MILLIMETRE)
        assert point.x / point.z == pytest.approx((pixel_xy[0] - CX) / FX)
        assert point.y / point.z == pytest.approx((pixel_xy[1] - CY) / FY)


def test_only_the_masks_measurements_count(depth_input: DepthInput) -> None:
    metres = np.full(HW, 3.0)
    mask = np.zeros(HW, bool)
    mask[20:40, 60] = True  # as thin as can be
    metres[mask] = 0.8
    metres[28:31, 60] = 0  # a hole around the pixel
    depth_input._on_depth(depth_image(S, metres))
    depth_input._on_camera_info(camera_info())
    found = depth_input.point_of(mask, S, (60, 29))
    assert found is not None
    assert found[0].z == pytest.approx(0.8, abs=MILLIMETRE)


def test_the_depth_nearest_in_time_is_used(depth_input: DepthInput) -> None:
    for number in range(12):
        depth_input._on_depth(depth_image(S + number * 30 * MS, np.full(HW, 1.0 + number)))
    depth_input._on_camera_info(camera_info())
    found = depth_input.point_of(blob(), S + 5 * 30 * MS + 10 * MS, (60, 30))
    assert found is not None
    assert found[0].z == pytest.approx(6.0)


def test_each_reason_to_give_none(depth_input: DepthInput) -> None:
    def refusal(stamp_ns: int = S, mask: np.ndarray | None = None) -> str:
        assert depth_input.point_of(blob() if mask is None else mask, stamp_ns, (60, 30)) is None
        return depth_input.reason

    assert "no depth image" in refusal()
    depth_input._on_depth(depth_image(S, plane_depth(HW)))
    assert "no camera_info" in refusal()
    depth_input._on_camera_info(camera_info())
    assert depth_input.point_of(blob(), S, (60, 30)) is not None
    assert "-0.060 s off" in refusal(S + 60 * MS)
    assert "depth.max_offset_s" in refusal(S + 60 * MS)
    depth_input.max_offset_s = 0.1
    assert depth_input.point_of(blob(), S + 60 * MS, (60, 30)) is not None
    assert "depth is 96x72 and the image 96x96" in refusal(mask=blob((96, 96)))
    depth_input._on_camera_info(CameraInfo(header=camera_info().header, height=72, width=96))
    assert "calibrate" in refusal()
    depth_input._on_camera_info(camera_info((96, 96)))
    assert "camera_info is 96x96" in refusal()
    depth_input._on_camera_info(camera_info())
    elsewhere = depth_image(2 * S, plane_depth(HW))
    elsewhere.header.frame_id = "camera_depth_optical_frame"
    depth_input._on_depth(elsewhere)
    assert "aligns to colour" in refusal(2 * S)
    depth_input._on_depth(depth_image(3 * S, np.zeros(HW)))
    assert "measured nothing" in refusal(3 * S)
    coloured = depth_image(4 * S, plane_depth(HW))
    coloured.encoding = "bgr8"
    depth_input._on_depth(coloured)
    assert "'bgr8'" in refusal(4 * S)


def test_it_subscribes_only_when_enabled(make_node: Callable[..., Node]) -> None:
    node = make_node("clarify_segment")
    off = DepthInput(node, DepthSettings())
    assert not off.is_enabled
    assert node.count_subscribers("camera_info") == 0
    off.close()
    with pytest.raises(ConfigError, match=r"0\.\.1"):
        DepthSettings(max_offset_s=1.5)
