"""Settings as data: a frozen dataclass is the one place that says name, default, range and meaning.

    @dataclass(frozen=True, slots=True)
    class BufferConfig:
        max_frames: int = setting(300, "images kept to catch up with a target in the past", low=1, high=100_000)

        def __post_init__(self) -> None:
            check("session.buffer", self)

A class may hold others (``buffer: BufferConfig = group(BufferConfig)``); a setting's name is its path through them,
``session.buffer.max_frames``. What somebody said about settings is a ``Said``: values by name, and who said them. What
is not in it was not said, which is not the same as the default. ``merge`` lays one over the other and builds the class.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import Field, dataclass, field, fields
from typing import Any, Generic, TypeVar

from icseg.errors import ConfigError

T = TypeVar("T")
DEFAULT = "default"
"""Who said a value that nobody said."""
MAX_SHOWN_CHARS = 200
"""How much of a refused value the text of an error quotes."""
_KINDS = {bool: "true or false", int: "an integer", float: "a number", str: "a text", list: "a list of texts"}


def setting(
    default: Any,
    meaning: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] = (),
    is_fixed: bool = True,
    short: str = "",
) -> Any:
    """A field of a settings dataclass.

    Args:
        default: bool, int, float, str, or a tuple of str; its type is the setting's.
        meaning: what it is, with its unit, and what empty means.
        low, high: of a number, inclusive; both or none.
        choices: of a text.
        is_fixed: it takes effect when its owner is made; False: it may change while that runs.
        short: a second, shorter name on the command line, without dashes: ``engines`` for ``model.engines``.
    """
    metadata = {
        "meaning": meaning, "low": low, "high": high, "choices": tuple(choices), "is_fixed": is_fixed, "short": short
    }  # fmt: skip
    return field(default=default, metadata=metadata)


def group(kind: type) -> Any:
    """A field of a settings dataclass that holds another one with its own defaults."""
    return field(default_factory=kind, metadata={"group": kind})


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as others see it.

    Attributes:
        name: with its groups, e.g. ``session.buffer.max_frames``.
        default: a tuple is a list here.
        meaning, low, high, choices, is_fixed, short: as in ``setting``.
    """

    name: str
    default: Any
    meaning: str
    low: float | None
    high: float | None
    choices: tuple[str, ...]
    is_fixed: bool
    short: str

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
            raise ConfigError(f"{self.name}: expected {allowed}, got {_shown(value)}")

    def parse(self, text: str) -> Any:
        """The value that a text from a command line stands for; a list is separated by commas.

        Raises:
            ConfigError: it stands for no allowed value.
        """
        value: Any = text
        try:
            if self.type is bool:
                value = {"true": True, "false": False}.get(text.lower(), text)
            elif self.type is list:
                value = [item.strip() for item in text.split(",") if item.strip()]
            elif self.type is not str:
                value = self.type(text)
        except ValueError:
            pass  # the check below says what was expected
        self.check(value)
        return value

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


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody said about settings.

    Attributes:
        source: who, for people: ``the command line``, or a file's name.
        values: by a setting's full name; what is missing was not said.
    """

    source: str
    values: Mapping[str, Any]

    def of(self, group: str) -> Said:
        """What was said of one group, e.g. ``model``."""
        return Said(self.source, {name: value for name, value in self.values.items() if name.startswith(f"{group}.")})


@dataclass(frozen=True, slots=True)
class Effective(Generic[T]):
    """Settings with where each value came from.

    Attributes:
        settings: the values.
        sources: full name -> who said it, ``DEFAULT`` where nobody did; every setting is in it.
    """

    settings: T
    sources: Mapping[str, str]

    def rows(self) -> list[tuple[Setting, Any, str]]:
        """Each setting with its value and its source, in the order of the classes; a tuple is a list here."""
        rows = []
        for item in described("", type(self.settings)):
            value: Any = self.settings
            for part in item.name.split("."):
                value = getattr(value, part)
            rows.append((item, list(value) if isinstance(value, tuple) else value, self.sources[item.name]))
        return rows

    def record(self) -> dict[str, dict[str, Any]]:
        """Full name -> value and source: what a run leaves in its files."""
        return {item.name: {"value": value, "source": source} for item, value, source in self.rows()}


def described(prefix: str, settings: type) -> Iterator[Setting]:
    """The settings of a dataclass and of the groups in it, in their order. ``prefix`` may be empty."""
    for item in fields(settings):
        name = f"{prefix}.{item.name}" if prefix else item.name
        if "group" in item.metadata:
            yield from described(name, item.metadata["group"])
        else:
            yield _described(name, item)


def check(prefix: str, settings: Any) -> None:
    """For ``__post_init__`` of a settings dataclass: the one validator.

    Raises:
        ConfigError: the first value that is of the wrong type or out of range, or a group of another class.
    """
    for item in fields(settings):
        name, value = f"{prefix}.{item.name}" if prefix else item.name, getattr(settings, item.name)
        if "group" not in item.metadata:
            _described(name, item).check(value)
        elif not isinstance(value, item.metadata["group"]):
            raise ConfigError(f"{name}: expected {item.metadata['group'].__name__}, got {value!r}")


def from_values(prefix: str, settings: type[T], values: Mapping[str, Any]) -> T:
    """Settings from values by full name; those that are missing keep their defaults, others are not looked at.

    Raises:
        ConfigError: a value is of the wrong type or out of range, or two contradict each other.
    """
    given: dict[str, Any] = {}
    for item in fields(settings):  # type: ignore[arg-type]  # a dataclass
        name = f"{prefix}.{item.name}" if prefix else item.name
        if "group" in item.metadata:
            given[item.name] = from_values(name, item.metadata["group"], values)
        elif name in values:
            described_item, value = _described(name, item), values[name]
            described_item.check(value if isinstance(value, str) or not isinstance(value, Sequence) else list(value))
            kind = described_item.type
            given[item.name] = tuple(value) if kind is list else float(value) if kind is float else value
    return settings(**given)


def merge(settings: type[T], said: Sequence[Said], renamed: Mapping[str, str] | None = None) -> Effective[T]:
    """Lay what was said over the defaults, weakest first: a later one wins.

    Args:
        settings: the class that is built.
        said: what was said, by whom.
        renamed: names of before -> the names that took their place: whoever says one is told the other.

    Raises:
        ConfigError: as ``check_said``, or two values contradict each other; it names who said so.
    """
    check_said(settings, said, renamed)
    values: dict[str, Any] = {}
    sources = dict.fromkeys((item.name for item in described("", settings)), DEFAULT)
    for one in said:
        values |= one.values
        sources |= dict.fromkeys(one.values, one.source)
    with told_by(sources):
        return Effective(from_values("", settings, values), sources)


@contextmanager
def told_by(sources: Mapping[str, str]) -> Iterator[None]:
    """Errors about a setting, which begin with its name, say who said it; of a default, who said others of its group.

    Args:
        sources: full name -> who said it.

    Raises:
        ConfigError: the one that was raised within, with that in front.
    """
    try:
        yield
    except ConfigError as error:
        name = str(error).split(":")[0]
        if name not in sources:
            raise
        beside = [source for other, source in sources.items() if other.rpartition(".")[0] == name.rpartition(".")[0]]
        who = [sources[name]] if sources[name] != DEFAULT else dict.fromkeys(beside)
        told = ", ".join(one for one in who if one != DEFAULT)
        raise ConfigError(f"{told}: {error}" if told else str(error)) from error


def check_said(settings: type, said: Sequence[Said], renamed: Mapping[str, str] | None = None) -> None:
    """Refuse what nobody may say, each value by itself; arguments as ``merge``.

    Raises:
        ConfigError: a name that is no setting, or a value of the wrong type or out of range; it names who said so.
    """
    known = {item.name: item for item in described("", settings)}
    for one in said:
        for name, value in one.values.items():
            if name not in known:
                raise ConfigError(f"{one.source}: {unknown_setting(name, known, renamed or {})}")
            try:
                known[name].check(value)
            except ConfigError as error:
                raise ConfigError(f"{one.source}: {error}") from error


def unknown_setting(name: str, known: Collection[str], renamed: Mapping[str, str]) -> str:
    """What is said of a name that is no setting, with the nearest one that is."""
    if name in renamed:
        return f"{name} is called {renamed[name]} now"
    if inside := [one for one in known if one.startswith(f"{name}.")]:
        return f"{name} is a group of settings, and no setting; one in it is {inside[0]}"
    near = difflib.get_close_matches(name, known, n=1)
    near = near or [one for one in known if one.endswith(f".{name.rsplit('.', 1)[-1]}")][:1]
    hint = f"did you mean {near[0]}?" if near else "`icseg config` lists them all"
    # a file can hold names of several lines
    return f"unknown setting {name if name.isprintable() else repr(name)}; {hint}"


def _described(name: str, item: Field[Any]) -> Setting:
    default = list(item.default) if isinstance(item.default, tuple) else item.default
    return Setting(name, default, **item.metadata)


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer of thousands of digits, lists in lists without end
        return "one that is too long to be shown"
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}..."
