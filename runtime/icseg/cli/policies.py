"""From the command line's options to a policy and a tracker."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from icseg.assets import nano_models
from icseg.dialogue.chat.policy import ChatConfig, ChatPolicy
from icseg.dialogue.chat.servers import SERVERS
from icseg.dialogue.policy import Policy
from icseg.policy_server.entry import ENTRY_NAME, load_entry
from icseg.tracker.loading import load_tracker
from icseg.tracker.tracker import Tracker


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of every command that segments."""
    group = parser.add_argument_group("models")
    group.add_argument("--policy", choices=("candidates", "chat"), default="candidates", help="who asks and decides")
    group.add_argument(
        "--engines", type=Path, help="folder with segmenter/, detector/ and perhaps policy/ (default: the nano models)"
    )
    group.add_argument("--threads", type=int, default=2, help="CPU threads for inference (default 2)")
    group.add_argument("--provider", default="CPUExecutionProvider", help="ONNX Runtime execution provider")
    group.add_argument(
        "--chat-config", type=Path, metavar="FILE", help="policy.json of a built policy (default: ENGINES/policy's)"
    )
    group.add_argument("--chat-url", help="OpenAI-compatible server (--policy chat; default http://127.0.0.1:8000/v1)")
    group.add_argument("--chat-server", choices=tuple(SERVERS), help="which server that is (default openai)")
    group.add_argument("--chat-model", help="model name for the server (default icseg)")


def make_tracker(args: argparse.Namespace) -> Tracker:
    """The tracker on the chosen engines."""
    folder = args.engines if args.engines is not None else nano_models()
    return load_tracker(folder / "segmenter", providers=(args.provider,), threads=args.threads)


def make_policy(args: argparse.Namespace) -> Policy:
    """The chosen policy."""
    if args.policy == "chat":
        return ChatPolicy(chat_config(args))
    from icseg.detector.nano import load_detector
    from icseg.dialogue.candidates.policy import CandidatesPolicy

    folder = args.engines if args.engines is not None else nano_models()
    return CandidatesPolicy(load_detector(folder / "detector", providers=(args.provider,), threads=args.threads))


def chat_config(args: argparse.Namespace) -> ChatConfig:
    """The server to ask: the entry of a built policy if there is one, with what the command line says instead.

    Raises:
        PlanMismatchError: the entry is missing or broken.
        ConfigError: a value is out of range.
    """
    entry_file: Path | None = args.chat_config
    if entry_file is None and args.engines is not None and (args.engines / "policy" / ENTRY_NAME).is_file():
        entry_file = args.engines / "policy" / ENTRY_NAME
    config = ChatConfig() if entry_file is None else load_entry(entry_file).chat_config()
    said = {"url": args.chat_url, "server": args.chat_server, "model": args.chat_model}
    return replace(config, **{name: value for name, value in said.items() if value is not None})
