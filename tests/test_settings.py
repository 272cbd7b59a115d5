"""Settings as data: what is told of them, what is refused, and that every config of the runtime is made of them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest

from icseg.dialogue.chat.policy import ChatConfig
from icseg.errors import ConfigError
from icseg.session.config import SessionConfig
from icseg.settings import check, described, from_values, setting
from icseg.tracker.state import TrackerConfig


@dataclass(frozen=True, slots=True)
class Some:
    """One of each type."""

    is_on: bool = setting(True, "whether")
    count: int = setting(3, "how many", low=1, high=9)
    rate_hz: float = setting(1.5, "how often", low=0, high=10, is_fixed=False)
    gain: float = setting(1.0, "without bounds")
    mode: str = setting("", "how", choices=("", "auto"))
    words: list[str] = setting(("stop",), "which")  # noqa: RUF009

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


@pytest.mark.parametrize("config", [SessionConfig, TrackerConfig, ChatConfig])
def test_every_config_tells_its_settings_and_its_defaults_are_allowed(config: type) -> None:
    told = list(described("", config))
    assert len(told) == len(fields(config))
    for item in told:
        item.check(item.default)
        assert item.meaning
        assert not item.meaning.endswith(".")
        assert item.type not in (int, float) or item.range
