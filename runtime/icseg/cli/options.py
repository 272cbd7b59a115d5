"""The flags of every command that opens models: made from the settings classes, one flag a setting.

Plain argparse, because a flag that is not there must stay "not said": libraries that fill whole dataclasses from a
command line hand back defaults that look as if somebody had chosen them, and are more code than this file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from icseg.errors import ConfigError
from icseg.models import Models, effective_settings, open_models
from icseg.runtime_settings import RENAMED, RuntimeSettings, read_settings_file
from icseg.settings import Effective, Said, Setting, described, unknown_setting

COMMAND_LINE = "the command line"


def add_options(parser: argparse.ArgumentParser, groups: Collection[str] = ("model", "chat")) -> None:
    """The settings file, and a flag for every setting.

    Args:
        parser: of the command.
        groups: the first words of settings whose short names the command takes and ``--help`` shows.
    """
    group = parser.add_argument_group(
        "settings",
        "A settings file and the flags below. Every other setting is a flag of its name too, for example "
        "--session.dialogue.max_questions 3; `icseg config` lists them.",
    )
    group.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="TOML file of settings; flags win over it, and of several files the later ones",
    )
    parser.set_defaults(said={})
    # half a name could be the beginning of another one tomorrow
    parser.allow_abbrev = False
    for item in described("", RuntimeSettings):
        short = item.short if item.name.split(".")[0] in groups else ""
        allowed = f" ({item.range})" if item.range else ""
        group.add_argument(
            f"--{item.name}",
            *([f"--{short}"] if short else []),
            action=_Say,
            type=_parser_of(item),
            metavar=short.rsplit("-", 1)[-1].upper() or "VALUE",
            dest=item.name,
            default=argparse.SUPPRESS,
            help=f"{item.meaning}{allowed}".replace("%", "%%") if short else argparse.SUPPRESS,
        )
    for old, new in RENAMED.items():
        group.add_argument(f"--{old}", action=_Renamed, dest=new, default=argparse.SUPPRESS, help=argparse.SUPPRESS)


def unknown_flag(flag: str) -> str:
    """What is said of an argument that no command knows; of one that looks like a setting, the nearest one."""
    name = flag.partition("=")[0].removeprefix("--")
    if not flag.startswith("--") or "." not in name:
        return f"unrecognized argument: {flag}; --help lists them"
    return unknown_setting(name, [item.name for item in described("", RuntimeSettings)], RENAMED)


def said_by(args: argparse.Namespace) -> list[Said]:
    """What the settings files and the flags say, weakest first.

    Raises:
        ConfigError: as ``read_settings_file``.
    """
    return [*(read_settings_file(path) for path in args.config), Said(COMMAND_LINE, args.said)]


def effective_of(args: argparse.Namespace, *, weaker: Said | None = None) -> Effective[RuntimeSettings]:
    """What is in force for a command.

    Args:
        args: of a parser with ``add_options``.
        weaker: what the command itself prefers; a file and flags win over it.

    Raises:
        ConfigError, PlanMismatchError: as ``effective_settings``.
    """
    return effective_settings([*([] if weaker is None else [weaker]), *said_by(args)])


def models_of(args: argparse.Namespace, *, weaker: Said | None = None) -> Models:
    """The models for a command; arguments as ``effective_of``.

    Raises:
        IcsegError: as ``effective_of`` and ``open_models``.
    """
    return open_models(effective_of(args, weaker=weaker))


class _Say(argparse.Action):
    """Writes down what was said, apart from the command's own arguments."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        # a new mapping: the default one is shared by every parse
        namespace.said = {**namespace.said, self.dest: values}


class _Renamed(argparse.Action):
    """Refuses a name of before with the name that took its place."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        parser.error(f"{option} is called --{self.dest} now")


def _parser_of(item: Setting) -> Callable[[str], Any]:
    def parse(text: str) -> Any:
        try:
            return item.parse(text)
        except ConfigError as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{item.name}: ")) from error

    return parse
