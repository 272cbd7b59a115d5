"""How the node's executor is kept spinning."""

from __future__ import annotations

from typing import Any, cast

import pytest
from rclpy.exceptions import InvalidHandle
from rclpy.executors import Executor, ExternalShutdownException
from rclpy.impl.implementation_singleton import rclpy_implementation

from icseg_ros.main import spin


class Scripted:
    """An executor whose ``spin`` ends as told, one after the other."""

    def __init__(self, *ends: Exception | None) -> None:
        self.ends = list(ends)

    def spin(self) -> None:
        end = self.ends.pop(0)
        if end is not None:
            raise end


def spun(*ends: Any) -> int:
    """How many of the ends were not come to."""
    executor = Scripted(*ends)
    spin(cast(Executor, executor))
    return len(executor.ends)


def test_something_destroyed_meanwhile_does_not_end_the_node() -> None:
    invalid_action = rclpy_implementation.RCLError("action client pointer is invalid")
    assert spun(InvalidHandle("destruction was requested"), invalid_action, InvalidHandle("again"), None) == 0


@pytest.mark.parametrize("end", [None, ExternalShutdownException()])
def test_it_ends_with_the_executor_and_with_the_context(end: Exception | None) -> None:
    assert spun(end, None) == 1


@pytest.mark.parametrize("defect", [ZeroDivisionError("a defect"), rclpy_implementation.RCLError("no memory")])
def test_a_defect_ends_it(defect: Exception) -> None:
    with pytest.raises(type(defect)):
        spun(defect, None)
