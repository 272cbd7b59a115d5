"""What goes wrong with a camera: its driver, its cable, its clock, the bag that takes its place."""

from __future__ import annotations

import time

from ros2_ws.soak.camera import HW
from ros2_ws.soak.faults import Act, Fault, Surroundings, counts, either, reads, says

SIZES = (HW, (360, 640), (240, 320))
"""None larger than the first: what the node keeps of the stream stays below one bound."""
BAG_LENGTH_S, CLOCK_ERROR_S = 5.0, 3600.0
IMAGES_OF_A_BURST, LATE_IMAGES = 60, 10


def _manner(**changes: object) -> Act:
    def act(around: Surroundings) -> None:
        for name, value in changes.items():
            setattr(around.robot.camera.manner, name, value)

    return act


def _mend(around: Surroundings) -> None:
    around.robot.camera.reset()


def _change_size(around: Surroundings) -> None:
    manner = around.robot.camera.manner
    manner.hw = SIZES[(SIZES.index(manner.hw) + 1) % len(SIZES)]


def _leave(reliability: str) -> Act:
    return lambda around: around.robot.camera.offer(reliability)


def _burst(around: Surroundings) -> None:
    for _ in range(IMAGES_OF_A_BURST):
        around.robot.camera.send_one()
        time.sleep(0.001)


def _strays(around: Surroundings) -> None:
    for _ in range(IMAGES_OF_A_BURST // 2):
        around.robot.camera.send_one((120, 160))
        time.sleep(1 / 30)


def _late(around: Surroundings) -> None:
    for _ in range(LATE_IMAGES):
        around.robot.camera.send_one(late_s=0.3)
        time.sleep(1 / LATE_IMAGES)


_UNREADABLE_ENCODING = "yuv422_yuy2"
_CLOCK_JUMPS = Fault(
    "clock_jumps_forward_and_back",
    f"stamps {CLOCK_ERROR_S:g} s ahead, and after 2 s back again",
    lambda around: around.robot.camera.set_forward(CLOCK_ERROR_S),
    counts("masks/masks"),
    end=lambda around: around.robot.camera.set_back(CLOCK_ERROR_S),
    recovers="box",
)

CAMERA_FAULTS = (
    Fault(
        "camera_stops",
        "no image for 5 s",
        _manner(is_running=False),
        says(r"no image for"),
        end=_mend,
        lasts_s=5.0,
    ),
    Fault(
        "camera_changes_size",
        "another size from one image to the next: 480x640, 360x640, 240x320",
        _change_size,
        says(r"size"),
        recovers="box",
    ),
    Fault("camera_sends_bgr8", "bgr8", _manner(encoding="bgr8"), reads("camera/encoding", "bgr8"), end=_mend),
    Fault("camera_sends_mono8", "mono8", _manner(encoding="mono8"), reads("camera/encoding", "mono8"), end=_mend),
    Fault(
        "camera_sends_unknown_encoding",
        f"{_UNREADABLE_ENCODING} for 3 s",
        _manner(encoding=_UNREADABLE_ENCODING),
        says(_UNREADABLE_ENCODING),
        end=_mend,
        lasts_s=3.0,
    ),
    Fault(
        "images_truncated",
        "a quarter of the data is missing, for 2 s",
        _manner(is_truncated=True),
        says(r"bytes of data, got"),
        end=_mend,
    ),
    Fault(
        "stamps_zero",
        "stamps of 0 for 2 s",
        _manner(has_stamps=False),
        says(r"stamp 0 ns"),
        end=_mend,
    ),
    Fault(
        "stamps_twice",
        "every image twice, for 3 s",
        _manner(copies=2),
        either(says(r"two images with the stamp"), counts("camera/refused")),
        end=_mend,
        lasts_s=3.0,
    ),
    Fault(
        "bag_loops",
        f"the stamps of {BAG_LENGTH_S:g} s ago come again, to the nanosecond",
        lambda around: around.robot.camera.set_back(BAG_LENGTH_S),
        says(r"started anew|stamps went back"),
        recovers="box",
    ),
    _CLOCK_JUMPS,
    Fault(
        "images_out_of_order",
        f"{LATE_IMAGES} images within a second with stamps 0.3 s old",
        _late,
        counts("camera/stamps that went back"),
    ),
    Fault(
        "camera_returns_best_effort",
        "the driver starts again, best effort, and after 4 s reliable",
        _leave("best_effort"),
        reads("camera/reliability", "best_effort"),
        end=_leave("reliable"),
        lasts_s=4.0,
    ),
    Fault(
        "images_of_another_camera",
        "160x120 between the others for a second, as of a second driver on the topic",
        _strays,
        either(says(r"size"), counts("camera/over max_rate_hz")),
        recovers="box",
    ),
    Fault(
        "burst_of_images",
        f"{IMAGES_OF_A_BURST} images within 0.1 s",
        _burst,
        either(counts("camera/overwritten by a newer one"), counts("camera/over max_rate_hz")),
    ),
    Fault(
        "camera_too_fast",
        "60 images a second for 2 s",
        _manner(per_period=2),
        counts("camera/over max_rate_hz"),
        end=_mend,
    ),
)
