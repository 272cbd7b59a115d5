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
        ("[sesion]", "unknown setting sesion; "),
        ("[chat.seed]", "chat.seed: expected an integer 0..2147483647, got {}"),
        ("[[chat]]\nseed = 1", "chat is a group of settings, and no setting; one in it is chat.url"),
        ("chat.seed = 2020-01-01", "chat.seed: expected an integer 0..2147483647, got datetime"),
        ('"chat.seed" = 7\n[chat]\nseed = 8', "'chat.seed' is said twice"),
        ('"a\\nb" = 1', r"unknown setting 'a\nb'; "),
        (f"chat.seed = 1{'0' * 5000}", "not TOML: "),
        (f"chat.seed = 0x1{'0' * 5000}", "chat.seed: expected an integer 0..2147483647, got one that is too long"),
        (f"chat.seed = {'[' * 3000}{']' * 3000}", "not TOML: nested too deeply"),
        (f"{'a.' * 3000}b = 1", "not TOML: nested too deeply"),
        ("chat.repetition_penalty = 1.1", "chat.repetition_penalty: openai has none, expected 1, got 1.1"),
        ("candidates.target_watch.min_touch = 0.9", "candidates.target_watch.min_fit: expected at least min_touch 0.9"),
        ("chat.url = 'here'", "chat.url: expected an address like "),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "robot.toml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        effective_settings([read_settings_file(path)])
    assert str(caught.value).startswith(f"{path}: {message}")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 400


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.toml", "cannot be read: No such file"),
        (".", "cannot be read: Is a directory"),
        ("~no-such-person/x", "no such home folder"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, message: str) -> None:
    path = Path(name) if name.startswith("~") else tmp_path / name
    with pytest.raises(ConfigError, match=f"^{path}: {message}"):
        read_settings_file(path)


def test_files_as_editors_leave_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a mark of the byte order, empty, with an empty table of a group; in the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "robot.toml").write_text("chat.seed = 7\n[session]\n[session.buffer]\n", encoding="utf-8-sig")
    (tmp_path / "empty.toml").write_text("")
    assert read_settings_file(Path("~/robot.toml")).values == {"chat.seed": 7}
    assert read_settings_file(tmp_path / "empty.toml").values == {}


def test_relative_paths_in_a_file_begin_at_its_folder(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "robot.toml").write_text("model.engines = '.'\nmodel.policy_entry = 'policy.json'\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    effective = effective_settings([read_settings_file(Path("../robot.toml"))])
    assert effective.settings.chat.model == "qwen3-vl-2b"
    assert Path(effective.settings.model.policy_entry).samefile(folder / "policy.json")


def test_what_fits_together_is_judged_with_the_models(folder: Path) -> None:
    """The server is the built policy's, not the default's."""
    with pytest.raises(ConfigError, match=r"^a flag: chat\.repetition_penalty: edge-llm has none"):
        effective_settings([Said("a flag", {"model.policy_entry": str(folder), "chat.repetition_penalty": 1.1})])


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


def test_of_several_files_the_later_ones_win(tmp_path: Path) -> None:
    for name, text in (("robot.toml", "chat.seed = 1\nchat.max_retries = 1\n"), ("here.toml", "chat.seed = 2\n")):
        (tmp_path / name).write_text(text)
    effective = effective_of(parse(*(f"--config={tmp_path / name}" for name in ("robot.toml", "here.toml"))))
    assert (effective.settings.chat.seed, effective.settings.chat.max_retries) == (2, 1)
    assert effective.sources["chat.max_retries"] == str(tmp_path / "robot.toml")


def test_parsing_twice_shares_nothing() -> None:
    assert parse("--chat.seed", "3").said == {"chat.seed": 3}
    assert parse("--config", "a.toml").config == [Path("a.toml")]
    assert (parse().said, parse().config) == ({}, [])


def test_names_of_before_lead_somewhere() -> None:
    known = {item.name for item in described("", RuntimeSettings)}
    assert not known & set(RENAMED)
    assert set(RENAMED.values()) <= known
    assert set(effective_settings([]).sources.values()) >= {DEFAULT}
