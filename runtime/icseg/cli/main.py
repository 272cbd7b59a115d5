"""The ``icseg`` command: one subcommand per file, errors as one line of text, exit codes for scripts."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import NoReturn

from icseg import __version__
from icseg.cli import config, demo, doctor, evaluate, segment, serve_policy
from icseg.cli.options import unknown_flag
from icseg.errors import IcsegError


class Parser(argparse.ArgumentParser):
    """One whose errors are one line: there is a flag for every setting, and the usage would be a page."""

    def format_help(self) -> str:
        """Docstrings mark code with two of these."""
        return super().format_help().replace("``", "`")

    def error(self, message: str) -> NoReturn:
        """End with code 2."""
        self.exit(2, f"{self.prog}: {message}; {self.prog} --help tells more\n")


def build_parser() -> Parser:
    """All subcommands."""
    parser = Parser(prog="icseg", description="Segment what a person says, and ask when it is unclear.")
    parser.add_argument("--version", action="version", version=f"icseg {__version__}")
    commands = parser.add_subparsers(dest="subcommand", required=True, metavar="COMMAND")
    for module in (demo, segment, evaluate, config, serve_policy, doctor):
        module.add_parser(commands)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run; 0 = done, 1 = no result, 2 = wrong use or something outside icseg was wrong (the text says what)."""
    parser = build_parser()
    args, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.exit(2, f"icseg {args.subcommand}: {unknown_flag(unknown[0])}\n")
    try:
        code = int(args.run(args))
        # what cannot be written is told here, not when Python ends
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # whoever read it has enough, as ``head`` has; nothing must be left to be written at the end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except (IcsegError, ValueError, OSError) as error:
        print(f"icseg: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("icseg: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
