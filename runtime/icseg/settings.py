"""Settings as data: a frozen dataclass is the one place that says name, default, range and meaning.

    @dataclass(frozen=True, slots=True)
    class CameraSettings:
        max_rate_hz: float = setting(30.0, "images a second that are processed at most", low=0.1, high=1000)

        def __post_init__(self) -> None:
            check("camera", self)

What reads settings from elsewhere (a file, ROS parameters) and what documents them asks ``described``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from icseg.errors import ConfigError

T = TypeVar("T")
_KINDS = {bool: "true or false", int: "an integer", float: "a number", str: "a text", list: "a list of texts"}


def setting(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    is_fixed: bool = True,
) -> Any:
    """A field of a settings dataclass.

    Args:
        default: bool, int, float, str, or a tuple of str; its type is the setting's.
        meaning: what it is, with its unit, and what empty means.
        low, high: of a number, inclusive; both or none.
        choices: of a text.
        is_fixed: it takes effect when its owner is made; False: it may change while that runs.
    """
    metadata = {"meaning": meaning, "low": low, "high": high, "choices": tuple(choices), "is_fixed": is_fixed}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as others see it.

    Attributes:
        name: with its group, e.g. ``camera.max_rate_hz``.
        default: a tuple is a list here.
        meaning, low, high, choices, is_fixed: as in ``setting``.
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
        if self.low is None or self.high is None:
            return ""
        return f"{self.low}..{self.high}" if self.type is int else f"{self.low:g}..{self.high:g}"

    def check(self, value: object) -> None:
        """Refuse a value.

        Raises:
            ConfigError: it is of the wrong type or out of range.
        """
        if not self._allows(list(value) if isinstance(value, tuple) else value):
            allowed = f"one of {self.range}" if self.choices else f"{_KINDS[self.type]} {self.range}".strip()
            raise ConfigError(f"{self.name}: expected {allowed}, got {value!r}")

    def _allows(self, value: Any) -> bool:
        kinds = (int, float) if self.type is float else (self.type,)
        if isinstance(value, bool) is not (self.type is bool) or not isinstance(value, kinds):
            return False
        if isinstance(value, list) and not all(isinstance(item, str) for item in value):
            return False
        if self.choices and value not in self.choices:
            return False
        if isinstance(value, float) and not math.isfinite(value):
            return False
        return self.low is None or self.high is None or bool(self.low <= value <= self.high)  # type: ignore[operator]


def described(group: str, settings: type) -> Iterator[Setting]:
    """The settings of a dataclass, in its order. ``group`` may be empty."""
    for item in fields(settings):
        yield _described(group, item)


def check(group: str, settings: Any) -> None:
    """For ``__post_init__``.

    Raises:
        ConfigError: the first value that is of the wrong type or out of range.
    """
    for item in fields(settings):
        _described(group, item).check(getattr(settings, item.name))


def from_values(group: str, settings: type[T], values: Mapping[str, Any]) -> T:
    """Settings from values by full name; those that are missing keep their defaults, others are not looked at.

    Raises:
        ConfigError: a value is of the wrong type or out of range.
    """
    given = {}
    for item in described(group, settings):
        if item.name in values:
            value = values[item.name]
            item.check(value if isinstance(value, str) or not isinstance(value, Sequence) else list(value))
            short = item.name.removeprefix(f"{group}.")
            given[short] = tuple(value) if item.type is list else float(value) if item.type is float else value
    return settings(**given)


def _described(group: str, item: Field[Any]) -> Setting:
    default = list(item.default) if isinstance(item.default, tuple) else item.default
    return Setting(f"{group}.{item.name}" if group else item.name, default, **item.metadata)
