"""Every setting of the runtime, one by one: by file, by flag, in Python; and what the classes promise of each."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from icseg.cli.options import COMMAND_LINE, add_options, effective_of
from icseg.errors import ConfigError
from icseg.models import effective_settings
from icseg.policy_server.entry import write_entry
from icseg.runtime_settings import RENAMED, RuntimeSettings, read_settings_file
from icseg.settings import DEFAULT, Effective, Said, Setting, described
from tests.every_setting import SETTINGS, said_alone
from tests.policy_server.test_entry import make_entry

every_setting = pytest.mark.parametrize("item", SETTINGS, ids=lambda item: item.name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Engines enough for settings to be read: they hold a policy's entry."""
    write_entry(tmp_path, make_entry())
    return tmp_path


def value_of(effective: Effective[RuntimeSettings], name: str) -> object:
    return effective.record()[name]["value"]


def as_toml(values: Mapping[str, Any]) -> str:
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return parser.parse_args(arguments)


def flags(values: Mapping[str, Any]) -> list[str]:
    texts = {
        name: ",".join(value)
        if isinstance(value, list)
        else str(value).lower()
        if value in (True, False)
        else str(value)
        for name, value in values.items()
    }
    return [text for name, value in texts.items() for text in (f"--{name}", value)]


@every_setting
def test_it_is_set_by_file(item: Setting, folder: Path) -> None:
    said = said_alone(item, str(folder))
    (folder / "robot.toml").write_text(as_toml(said))
    effective = effective_settings([read_settings_file(folder / "robot.toml")])
    assert value_of(effective, item.name) == said[item.name] != item.default
    assert effective.sources[item.name] == str(folder / "robot.toml")


@every_setting
def test_it_is_set_by_flag_which_wins_over_the_file(item: Setting, folder: Path) -> None:
    said = said_alone(item, str(folder))
    (folder / "robot.toml").write_text(as_toml({item.name: item.default}))
    effective = effective_of(parse("--config", str(folder / "robot.toml"), *flags(said)))
    assert value_of(effective, item.name) == said[item.name]
    assert effective.sources[item.name] == COMMAND_LINE


@every_setting
def test_saying_the_default_is_saying_something(item: Setting) -> None:
    effective = effective_settings([Said("a program", {item.name: item.default})])
    assert value_of(effective, item.name) == item.default
    assert effective.sources[item.name] == "a program"


@every_setting
def test_its_class_tells_what_it_is(item: Setting) -> None:
    item.check(item.default)
    assert item.meaning
    assert not item.meaning.endswith(".")
    assert item.type not in (int, float) or item.range


def test_every_group_checks_itself_under_its_own_name() -> None:
    """The prefix in each class's check is the path at which it stands."""
    for item in SETTINGS:
        if item.type not in (int, float) or item.high is None:
            continue
        owner: Any = RuntimeSettings()
        *groups, name = item.name.split(".")
        for part in groups:
            owner = getattr(owner, part)
        with pytest.raises(ConfigError, match=f"^{item.name}: expected "):
            type(owner)(**{name: type(item.default)(item.high + 1)})


def test_a_built_policy_is_weaker_than_a_choice_that_equals_the_default(folder: Path) -> None:
    entry = {"model.policy_entry": str(folder / "policy.json")}
    effective = effective_settings([Said("a program", {**entry, "chat.server": "openai"})])
    assert effective.settings.chat.model == "qwen3-vl-2b"
    assert effective.sources["chat.model"] == str(folder / "policy.json")
    assert effective.settings.chat.server == "openai"


def test_tables_and_dotted_keys_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[session.buffer]\nmax_mb = 64\n[chat]\nseed = 7\n")
    (tmp_path / "b.toml").write_text("session.buffer.max_mb = 64\nchat.seed = 7\n")
    first, second = (read_settings_file(tmp_path / name).values for name in ("a.toml", "b.toml"))
    assert first == second == {"session.buffer.max_mb": 64, "chat.seed": 7}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("chat.seed = ", "not TOML: "),
        ("chat.sede = 1", "unknown setting chat.sede; did you mean chat.seed?"),
        ("chat.seed = -1", "chat.seed: expected an integer 0..2147483647, got -1"),
        ("track.buffer_mb = 64", "track.buffer_mb is called session.buffer.max_mb now"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "robot.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        effective_settings([read_settings_file(path)])
    assert str(caught.value).startswith(f"{path}: {message}")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_settings_file(tmp_path / "none.toml")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--chat.max_tokens", "0"), "--chat.max_tokens: expected an integer 1..32768, got 0"),
        (("--chat.max_token", "5"), "unrecognized arguments: --chat.max_token"),
        (("--session.following.every_frame", "yes"), "expected true or false, got 'yes'"),
        (("--track.buffer_mb", "64"), "--track.buffer_mb is called --session.buffer.max_mb now"),
    ],
)
def test_a_wrong_flag_is_refused(arguments: tuple[str, str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(*arguments)
    assert message in capsys.readouterr().err


def test_parsing_twice_shares_nothing() -> None:
    assert parse("--chat.seed", "3").said == {"chat.seed": 3}
    assert parse().said == {}


def test_names_of_before_lead_somewhere() -> None:
    known = {item.name for item in described("", RuntimeSettings)}
    assert not known & set(RENAMED)
    assert {new for new in RENAMED.values() if new.startswith("session.")} <= known
    assert set(effective_settings([]).sources.values()) >= {DEFAULT}
