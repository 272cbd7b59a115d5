"""Settings of ``icseg.settings`` as ROS parameters: declared with range and description, and read back.

A parameter of the node's own parts has its default from the start. One of the runtime's settings has no value until
somebody gives it one: what was not said may be decided by a file or by the model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException
from rclpy.node import Node
from rclpy.parameter import Parameter

from icseg.errors import ConfigError
from icseg.settings import Said, Setting, check, described, from_values, setting

__all__ = ["check", "declare", "declare_unsaid", "described", "descriptor", "read", "said", "setting", "started_with"]

T = TypeVar("T")
SOURCE = "ROS parameters"
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


def started_with(node: Node) -> Mapping[str, Parameter]:
    """The parameters that the node was started with, declared or not; rclpy has no public way to ask for them."""
    return node._parameter_overrides  # type: ignore[no-any-return]


def declare(node: Node, group: str, settings: type) -> None:
    """Declare the parameters of a settings dataclass, each with its default.

    Raises:
        ConfigError: the node was started with a value of the wrong type or out of range.
    """
    for item in described(group, settings):
        # rclpy guesses the type of a list from its items, and an empty one has none
        value = Parameter(item.name, _TYPES[item.type], item.default).value
        given = started_with(node).get(item.name)
        try:
            if given is not None and given.type_ is _TYPES[item.type]:
                item.check(given.value if isinstance(given.value, str) or item.type is not list else list(given.value))
            node.declare_parameter(item.name, value, descriptor(item))
        except (ConfigError, InvalidParameterTypeException) as error:
            raise ConfigError(f"{SOURCE}: {error}") from error


def declare_unsaid(node: Node, items: Iterable[Setting]) -> None:
    """Declare parameters that have no value until somebody gives them one.

    Raises:
        ConfigError: the node was started with a value of the wrong type or out of range.
    """
    for item in items:
        allowed = f"; {item.range}" if item.range else ""
        told = ParameterDescriptor(
            name=item.name,
            description=f"{item.meaning} ({type(item.default).__name__}{allowed}); not set = a file's, the model's, or "
            f"{item.default!r}",
            # the only kind of parameter that may be without a value; types and ranges are checked here
            dynamic_typing=True,
        )
        value = node.declare_parameter(item.name, None, told).value
        if value is not None:
            try:
                item.check(value)
            except ConfigError as error:
                raise ConfigError(f"{SOURCE}: {error}") from error


def said(node: Node, items: Iterable[Setting]) -> Said:
    """What the node's present parameters say; those without a value say nothing."""
    values: dict[str, Any] = {item.name: node.get_parameter_or(item.name).value for item in items}
    return Said(SOURCE, {name: value for name, value in values.items() if value is not None})


def read(node: Node, group: str, settings: type[T]) -> T:
    """The node's present values of a settings dataclass.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """
    values = {item.name: node.get_parameter_or(item.name).value for item in described(group, settings)}
    # an empty list in a parameter file has no type, and leaves the parameter without a value
    return from_values(group, settings, {name: value for name, value in values.items() if value is not None})
