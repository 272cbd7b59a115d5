"""Settings of ``icseg.settings`` as ROS parameters: declared with range and description, and read back."""

from __future__ import annotations

from typing import TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

from icseg.settings import Setting, check, described, from_values, setting

__all__ = ["check", "declare", "described", "descriptor", "from_values", "read", "setting"]

T = TypeVar("T")
_TYPES = {
    bool: Parameter.Type.BOOL,
    int: Parameter.Type.INTEGER,
    float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING,
    list: Parameter.Type.STRING_ARRAY,
}


def descriptor(item: Setting) -> ParameterDescriptor:
    """What ``ros2 param describe`` tells of a setting."""
    told = ParameterDescriptor(name=item.name, type=_TYPES[item.type].value, description=item.meaning)
    if item.choices:
        told.additional_constraints = f"one of {item.range}"
    if item.low is not None and item.high is not None:
        if item.type is float:
            told.floating_point_range = [FloatingPointRange(from_value=float(item.low), to_value=float(item.high))]
        else:
            told.integer_range = [IntegerRange(from_value=int(item.low), to_value=int(item.high), step=1)]
    return told


def declare(node: Node, group: str, settings: type) -> None:
    """Declare the parameters of a settings dataclass."""
    for item in described(group, settings):
        # rclpy guesses the type of a list from its items, and an empty one has none
        value = Parameter(item.name, _TYPES[item.type], item.default).value
        node.declare_parameter(item.name, value, descriptor(item))


def read(node: Node, group: str, settings: type[T]) -> T:
    """The node's present values of a settings dataclass.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """
    values = {item.name: node.get_parameter_or(item.name).value for item in described(group, settings)}
    # an empty list in a parameter file has no type, and leaves the parameter without a value
    return from_values(group, settings, {name: value for name, value in values.items() if value is not None})
