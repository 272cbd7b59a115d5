"""``icseg config``: every setting with the value in force, and who said it; as TOML, to be kept and changed."""

from __future__ import annotations

import argparse
import json
from typing import Any

from icseg.cli.options import add_options, said_by
from icseg.models import effective_settings


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "config",
        help="print every setting, its value and where that comes from",
        description=__doc__,
        epilog="What was not said in the file or by a flag is a comment: a file kept this way says no more than that. "
        "example: icseg config --engines engines/sam2.1-tiny --config robot.toml",
    )
    parser.add_argument("--describe", action="store_true", help="with the meaning and the range of each")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    add_options(parser, groups=("model", "chat", "policy_server"))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print them; 0."""
    said = said_by(args)  # once: a file may be a pipe
    effective = effective_settings(said)
    chosen = {name for one in said for name in one.values}
    if args.json:
        print(json.dumps(effective.record()))
        return 0
    for item, value, source in effective.rows():
        if args.describe:
            print(f"\n# {item.meaning}" + (f" ({item.range})" if item.range else ""))
        line = f"{item.name} = {_as_toml(value)}"
        # the name of a file can hold what ends a comment
        who = source if source.isprintable() else repr(source)
        print(f"{'' if item.name in chosen else '# '}{line:<56}# {who}")
    return 0


def _as_toml(value: object) -> str:
    """TOML writes texts, lists, booleans and finite numbers as JSON does, but for two things that it does not allow."""
    # characters in two halves, and this one as it is
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
