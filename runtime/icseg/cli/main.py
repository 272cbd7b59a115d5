"""The ``icseg`` command: one subcommand per file, errors as one line of text, exit codes for scripts."""

from __future__ import annotations

import argparse
import sys

from icseg import __version__
from icseg.cli import config, demo, doctor, evaluate, segment, serve_policy
from icseg.errors import IcsegError


def build_parser() -> argparse.ArgumentParser:
    """All subcommands."""
    parser = argparse.ArgumentParser(
        prog="icseg", description="Segment what a person says, and ask when it is unclear."
    )
    parser.add_argument("--version", action="version", version=f"icseg {__version__}")
    commands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    for module in (demo, segment, evaluate, config, serve_policy, doctor):
        module.add_parser(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run; 0 = done, 1 = no result, 2 = wrong use or something outside icseg was wrong (the text says what)."""
    args = build_parser().parse_args(argv)
    try:
        return int(args.run(args))
    except (IcsegError, ValueError) as error:
        print(f"icseg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("icseg: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
