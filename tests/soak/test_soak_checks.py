"""The rules that a soak holds every mask to."""

from __future__ import annotations

import pytest

from ros2_ws.soak import checks as rules
from ros2_ws.soak.checks import MaskChecks

HW = (480, 640)


def sent(*stamps: int, hw: tuple[int, int] = HW) -> MaskChecks:
    checks = MaskChecks()
    for stamp in stamps:
        checks.send(stamp, hw)
    return checks


def test_masks_in_order_with_gaps_are_right() -> None:
    checks = sent(1, 2, 3, 4)
    assert [checks.mask(stamp, HW) for stamp in (1, 3, 4)] == ["", "", ""]
    assert (checks.n_images, checks.n_masks, sum(checks.summary.values())) == (4, 3, 0)


@pytest.mark.parametrize(
    ("masks", "rule"),
    [
        ([(7, HW)], rules.NEVER_SENT),
        ([(2, (640, 480))], rules.OTHER_SIZE),
        ([(3, HW), (2, HW)], rules.REORDERED),
    ],
)
def test_a_broken_rule_is_named_and_counted(masks: list[tuple[int, tuple[int, int]]], rule: str) -> None:
    checks = sent(1, 2, 3)
    assert [checks.mask(*mask) for mask in masks][-1] == rule
    assert checks.summary[rule] == 1
    assert str(masks[-1][0]) in checks.texts[0]
    assert checks.mask(3, HW) == "" or masks[0][0] == 3


def test_an_image_has_one_mask_for_each_target() -> None:
    checks = sent(1, 2)
    for dialogue in ("1", "2"):
        assert checks.mask(2, HW) == ""
        assert checks.target(2, dialogue) == ""
    assert checks.n_shared == 1
    assert checks.target(2, "2") == rules.TWICE
    assert (checks.n_masks, checks.n_targets, checks.summary[rules.TWICE]) == (2, 3, 1)


def test_a_mask_of_a_broken_image() -> None:
    checks = sent(1)
    checks.send(2, HW, is_readable=False)
    assert checks.mask(2, HW) == rules.OF_NO_IMAGE


def test_a_loop_repeats_stamps_once() -> None:
    checks = sent(1, 2, 3)
    checks.mask(3, HW)
    checks.begin_stream()
    for stamp in (1, 2):
        checks.send(stamp, HW)
    assert checks.mask(1, HW) == ""
    assert checks.mask(2, HW) == ""
    assert checks.mask(1, HW) == rules.REORDERED
    assert checks.mask(3, HW) == rules.OF_OLD_STREAM
    assert checks.n_streams == 2


def test_the_last_mask_of_the_old_stream_may_come_after_the_new_one_began() -> None:
    checks = sent(1, 2, 3)
    checks.mask(1, HW)
    checks.begin_stream()
    checks.send(1, HW)
    assert checks.mask(3, HW) == ""
    assert checks.mask(1, HW) == ""


def test_two_cameras_with_one_stamp() -> None:
    checks = sent(1)
    checks.send(1, (240, 320))
    assert checks.mask(1, (240, 320)) == ""
