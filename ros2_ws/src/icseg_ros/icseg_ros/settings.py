"""Settings that are ROS parameters: a frozen dataclass is the one place that says name, default, range and meaning.

    @dataclass(frozen=True, slots=True)
    class TrackSettings:
        max_rate_hz: float = setting(30.0, "images a second that are processed at most", low=0.1, high=1000.0)

    declare(node, "track", TrackSettings)   # track.max_rate_hz, with its range and description
    settings = read(node, "track", TrackSettings)

Nothing here knows what the settings mean.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from icseg.errors import ConfigError
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.node import Node
from rclpy.parameter import Parameter

T = TypeVar("T")
_KINDS = {bool: "true or false", int: "an integer", float: "a number", str: "a text", list: "a list of texts"}
_TYPES = {
    bool: Parameter.Type.BOOL, int: Parameter.Type.INTEGER, float: Parameter.Type.DOUBLE,
    str: Parameter.Type.STRING, list: Parameter.Type.STRING_ARRAY,
}  # fmt: skip


def setting(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    is_fixed: bool = True,
) -> Any:
    """A dataclass field that is a parameter.

    Args:
        default: bool, int, float, str, or a tuple of str (a string array). Its type is the parameter's.
        meaning: what it is, with its unit; what empty means.
        low, high: of a number, inclusive.
        choices: of a text.
        is_fixed: it takes effect when the node is configured; False: at once.
    """
    metadata = {"meaning": meaning, "low": low, "high": high, "choices": tuple(choices), "is_fixed": is_fixed}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Declared:
    """One parameter as it is declared.

    Attributes:
        name: with its group, e.g. ``track.max_rate_hz``.
        default: as ROS has it: a tuple is a list here.
        meaning: for people.
        low, high: of a number; None without bounds.
        choices: of a text; empty without.
        is_fixed: takes effect when the node is configured.
    """

    name: str
    default: Any
    meaning: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    is_fixed: bool

    @property
    def type(self) -> type:
        """bool, int, float, str or list."""
        return type(self.default)

    @property
    def range(self) -> str:
        """What is allowed, for people; empty without bounds."""
        if self.choices:
            return ", ".join(choice or '""' for choice in self.choices)
        return "" if self.low is None else f"{self.low:g}..{self.high:g}"

    def check(self, value: object) -> None:
        """Refuse a value.

        Raises:
            ConfigError: it is of the wrong type or out of range.
        """
        got = list(value) if isinstance(value, tuple) else value
        is_right = isinstance(got, self.type) and isinstance(got, bool) == (self.type is bool)
        if self.type is float and isinstance(got, int) and not isinstance(got, bool):
            is_right = True
        if is_right and self.type is list:
            is_right = all(isinstance(item, str) for item in got)  # type: ignore[union-attr]
        if is_right and self.low is not None and self.high is not None:
            is_right = math.isfinite(got) and self.low <= got <= self.high  # type: ignore[arg-type,operator]
        if is_right and self.choices:
            is_right = got in self.choices
        if not is_right:
            allowed = f"one of {self.range}" if self.choices else f"{_KINDS[self.type]} {self.range}".strip()
            raise ConfigError(f"{self.name}: expected {allowed}, got {value!r}")

    def descriptor(self) -> ParameterDescriptor:
        """For ``ros2 param describe``. Range steps are left open."""
        told = ParameterDescriptor(name=self.name, type=_TYPES[self.type].value, description=self.meaning)
        if self.choices:
            told.additional_constraints = f"one of {self.range}"
        if self.low is not None and self.type is float:
            told.floating_point_range = [FloatingPointRange(from_value=float(self.low), to_value=float(self.high or 0))]
        elif self.low is not None:
            told.integer_range = [IntegerRange(from_value=int(self.low), to_value=int(self.high or 0), step=1)]
        return told


def declared(group: str, settings: type) -> Iterator[Declared]:
    """The parameters of a dataclass, in its order. ``group`` may be empty."""
    for item in fields(settings):
        yield _declared(group, item)


def _declared(group: str, item: Field[Any]) -> Declared:
    default = list(item.default) if isinstance(item.default, tuple) else item.default
    return Declared(f"{group}.{item.name}" if group else item.name, default, **item.metadata)


def check(group: str, settings: object) -> None:
    """For ``__post_init__``: refuse values that are out of range.

    Raises:
        ConfigError: the first one that is.
    """
    for item in fields(settings):  # type: ignore[arg-type]
        _declared(group, item).check(getattr(settings, item.name))


def declare(node: Node, group: str, settings: type) -> None:
    """Declare the parameters of a dataclass, with ranges and descriptions."""
    for parameter in declared(group, settings):
        # an empty list tells no type: the type is given with the default
        default = Parameter(parameter.name, _TYPES[parameter.type], parameter.default)
        node.declare_parameter(parameter.name, default.value, parameter.descriptor())


def from_values(group: str, settings: type[T], values: Mapping[str, Any]) -> T:
    """Settings from parameter values by full name; those that are missing keep their defaults.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """
    given = {}
    for parameter in declared(group, settings):
        if parameter.name in values:
            value = values[parameter.name]
            parameter.check(value if isinstance(value, str) or not isinstance(value, Sequence) else list(value))
            given[parameter.name.removeprefix(f"{group}.")] = _as_field(parameter, value)
    return settings(**given)


def read(node: Node, group: str, settings: type[T]) -> T:
    """The node's present values of a dataclass's parameters.

    Raises:
        ConfigError: a value is out of range.
    """
    names = [parameter.name for parameter in declared(group, settings)]
    return from_values(group, settings, {name: node.get_parameter(name).value for name in names})


def _as_field(parameter: Declared, value: Any) -> Any:
    if parameter.type is list:
        return tuple(value)
    return float(value) if parameter.type is float else value
