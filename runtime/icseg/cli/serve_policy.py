"""``icseg serve-policy FOLDER``: serve a built policy on this machine's loopback address until Ctrl-C."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from icseg.cli.options import add_options, said_by
from icseg.errors import BackendError, ConfigError
from icseg.policy_server.config import PolicyServerConfig
from icseg.policy_server.entry import LOOPBACK, PolicyEntry, load_entry
from icseg.policy_server.process import ServerProcess, find_program, terminate_as_interrupt
from icseg.runtime_settings import RENAMED, RuntimeSettings
from icseg.settings import check_said, merge

PROGRAM = "tensorrt-edgellm-serve"
LOG_NAME = "serve.log"


def add_parser(commands: Any) -> None:
    """Register the command."""
    parser = commands.add_parser(
        "serve-policy",
        help="serve a vision-language policy that export/build_policy.py built",
        description=__doc__,
        epilog="example: icseg serve-policy engines/qwen3-vl-2b/policy",
    )
    parser.add_argument("folder", type=Path, help="holds policy.json")
    parser.add_argument("--tools", type=Path, help=f"folder with {PROGRAM} (default: beside this Python, then PATH)")
    parser.add_argument("--log", type=Path, help=f"the server's output (default: FOLDER/{LOG_NAME})")
    parser.add_argument("--json", action="store_true", help="print one JSON line when it is ready")
    add_options(parser, groups=("policy_server",))
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted (0), or until the server ends by itself (1)."""
    config = _config_of(args)
    entry = load_entry(args.folder)
    if config.port:
        entry = replace(entry, url=f"http://{LOOPBACK}:{config.port}/v1")
    command = entry.serve_command(_folder_of(args.folder, entry), find_program(PROGRAM, args.tools))
    log = args.log if args.log is not None else _folder_of(args.folder, entry) / LOG_NAME
    try:
        with terminate_as_interrupt(), _server(command, log, entry, config) as server:
            return _serve(server, entry, args, config.ready_timeout_s)
    except KeyboardInterrupt:
        print("icseg: the policy server was stopped", file=sys.stderr)
        return 0


def _config_of(args: argparse.Namespace) -> PolicyServerConfig:
    """Without the models that a file may choose: they need not be on the machine that serves a policy."""
    said = said_by(args)
    check_said(RuntimeSettings, said, RENAMED)
    return merge(RuntimeSettings, [one.of("policy_server") for one in said]).settings.policy_server


def _server(command: list[str], log: Path, entry: PolicyEntry, config: PolicyServerConfig) -> ServerProcess:
    return ServerProcess(command, log, port=entry.port, stop_timeout_s=config.stop_timeout_s)


def _serve(server: ServerProcess, entry: PolicyEntry, args: argparse.Namespace, ready_timeout_s: float) -> int:
    shown = sys.stderr.isatty()
    seconds = server.wait_until_ready(ready_timeout_s, _show_progress if shown else None)
    if shown:
        print("\r\033[K", end="", file=sys.stderr)
    if args.json:
        print(json.dumps({"url": entry.url, "model": entry.model, "ready_s": round(seconds, 3)}), flush=True)
    else:
        print(f"{entry.model} is ready at {entry.url} after {seconds:.1f} s; Ctrl-C stops it", flush=True)
    code = server.wait()
    raise BackendError(f"the server ended with code {code}; see {server.log}")


def _show_progress(seconds: float, line: str) -> None:
    print(f"\r\033[K{seconds:6.0f} s  {line[:100]}", end="", file=sys.stderr, flush=True)


def _folder_of(path: Path, entry: PolicyEntry) -> Path:
    folder = (path if path.is_dir() else path.parent).absolute()
    if not (folder / entry.checkpoint).is_dir():
        raise ConfigError(f"{folder / entry.checkpoint}: not found; policy.json names it. Copy the whole folder")
    return folder
