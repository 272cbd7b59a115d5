"""Settings as data: what is told of them, what is refused, and whose word counts."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from icseg.errors import ConfigError
from icseg.settings import DEFAULT, Said, check, described, from_values, group, merge, setting


@dataclass(frozen=True, slots=True)
class Some:
    """One of each type."""

    is_on: bool = setting(True, "whether")
    count: int = setting(3, "how many", low=1, high=9)
    rate_hz: float = setting(1.5, "how often", low=0, high=10, is_fixed=False)
    gain: float = setting(1.0, "without bounds")
    mode: str = setting("", "how", choices=("", "auto"))
    words: list[str] = setting(("stop",), "which")

    def __post_init__(self) -> None:
        check("some", self)


def test_what_is_told() -> None:
    told = {item.name: item for item in described("some", Some)}
    assert list(told) == [f"some.{name}" for name in ("is_on", "count", "rate_hz", "gain", "mode", "words")]
    assert [item.type for item in told.values()] == [bool, int, float, float, str, list]
    assert [item.range for item in told.values()] == ["", "1..9", "0..10", "", '"", auto', ""]
    assert not told["some.rate_hz"].is_fixed
    assert told["some.words"].default == ["stop"]
    assert next(iter(described("", Some))).name == "is_on"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"is_on": 1}, "some.is_on: expected true or false, got 1"),
        ({"count": 0}, r"some.count: expected an integer 1..9, got 0"),
        ({"count": 2.0}, "some.count: expected an integer"),
        ({"count": True}, "some.count: expected an integer"),
        ({"rate_hz": float("nan")}, r"some.rate_hz: expected a number 0..10, got nan"),
        ({"gain": float("inf")}, "some.gain: expected a number, got inf"),
        ({"gain": "1"}, "some.gain: expected a number, got '1'"),
        ({"mode": "never"}, "some.mode: expected one of \"\", auto, got 'never'"),
        ({"words": ("a", 1)}, "some.words: expected a list of texts"),
        ({"words": "stop"}, "some.words: expected a list of texts, got 'stop'"),
    ],
)
def test_wrong_values_are_refused_by_name(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Some(**values)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        from_values("some", Some, {f"some.{name}": value for name, value in values.items()})


def test_values_by_full_name_fill_in_what_they_name() -> None:
    some = from_values("some", Some, {"some.rate_hz": 4, "some.words": ["halt"], "other.count": 7})
    assert some == Some(rate_hz=4.0, words=("halt",))  # type: ignore[arg-type]
    assert isinstance(some.rate_hz, float)


@dataclass(frozen=True, slots=True)
class Whole:
    """A group and a setting of its own."""

    some: Some = group(Some)
    note: str = setting("", "a note", short="n")

    def __post_init__(self) -> None:
        check("", self)


def test_a_setting_is_named_by_its_path() -> None:
    told = [item.name for item in described("", Whole)]
    assert told[0] == "some.is_on"
    assert told[-1] == "note"
    whole = from_values("", Whole, {"some.count": 4, "note": "x"})
    assert whole == Whole(Some(count=4), "x")
    with pytest.raises(ConfigError, match="some: expected Some, got 3"):
        Whole(some=3)  # type: ignore[arg-type]


def test_later_ones_win_and_what_nobody_said_is_no_choice() -> None:
    said = [
        Said("a file", {"some.count": 4, "some.rate_hz": 2}),
        Said("a flag", {"some.count": 3}),  # the default, chosen by somebody
        Said("nobody", {}),
    ]
    effective = merge(Whole, said)
    assert effective.settings == Whole(Some(count=3, rate_hz=2.0))
    assert effective.sources["some.count"] == "a flag"
    assert effective.sources["some.rate_hz"] == "a file"
    assert effective.sources["note"] == DEFAULT
    assert merge(Whole, said[1:2] + said[:1]).settings.some.count == 4
    record = effective.record()
    assert record["some.count"] == {"value": 3, "source": "a flag"}
    assert record["some.words"] == {"value": ["stop"], "source": DEFAULT}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"some.cuont": 1}, "a file: unknown setting some.cuont; did you mean some.count?"),
        ({"other.rate_hz": 1}, "a file: unknown setting other.rate_hz; did you mean some.rate_hz?"),
        ({"zzz": 1}, "a file: unknown setting zzz; `icseg config` lists them all"),
        ({"old.count": 1}, "a file: old.count is called some.count now"),
        ({"some.count": 12}, "a file: some.count: expected an integer 1..9, got 12"),
        ({"some": 12}, "a file: some is a group of settings, and no setting; one in it is some.is_on"),
    ],
)
def test_who_said_what_is_wrong_is_told(values: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        merge(Whole, [Said("a file", values)], {"old.count": "some.count"})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("is_on", "false", False), ("is_on", "True", True), ("count", "7", 7), ("rate_hz", "2", 2.0),
        ("mode", "auto", "auto"), ("words", "stop, halt,", ["stop", "halt"]), ("words", "", []),
    ],
)  # fmt: skip
def test_a_text_stands_for_a_value(name: str, text: str, value: object) -> None:
    (item,) = [item for item in described("", Some) if item.name == name]
    assert item.parse(text) == value


@pytest.mark.parametrize(("name", "text"), [("is_on", "1"), ("count", "2.5"), ("rate_hz", "nan"), ("mode", "x")])
def test_a_text_that_stands_for_nothing_is_refused(name: str, text: str) -> None:
    (item,) = [item for item in described("", Some) if item.name == name]
    with pytest.raises(ConfigError, match=f"{name}: expected .*, got "):
        item.parse(text)
