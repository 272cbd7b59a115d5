"""From the command line's options to a policy and a tracker."""

from __future__ import annotations

import argparse
from pathlib import Path

from icseg.assets import nano_models
from icseg.dialogue.chat_server import SERVERS
from icseg.dialogue.policy import Policy
from icseg.tracker.loading import load_tracker
from icseg.tracker.tracker import Tracker


def add_options(parser: argparse.ArgumentParser) -> None:
    """Options of every command that segments."""
    group = parser.add_argument_group("models")
    group.add_argument("--policy", choices=("candidates", "chat"), default="candidates", help="who asks and decides")
    group.add_argument("--engines", type=Path, help="folder with segmenter/ and detector/ (default: the nano models)")
    group.add_argument("--threads", type=int, default=2, help="CPU threads for inference (default 2)")
    group.add_argument("--provider", default="CPUExecutionProvider", help="ONNX Runtime execution provider")
    group.add_argument(
        "--chat-url", default="http://127.0.0.1:8000/v1", help="OpenAI-compatible server (--policy chat)"
    )
    group.add_argument("--chat-server", choices=tuple(SERVERS), default="openai", help="which server that is")
    group.add_argument("--chat-model", default="icseg", help="model name for the server")


def make_tracker(args: argparse.Namespace) -> Tracker:
    """The tracker on the chosen engines."""
    folder = args.engines if args.engines is not None else nano_models()
    return load_tracker(folder / "segmenter", providers=(args.provider,), threads=args.threads)


def make_policy(args: argparse.Namespace) -> Policy:
    """The chosen policy."""
    if args.policy == "chat":
        from icseg.dialogue.policy_chat import ChatConfig, ChatPolicy

        return ChatPolicy(ChatConfig(url=args.chat_url, server=args.chat_server, model=args.chat_model))
    from icseg.dialogue.detector_nano import load_detector
    from icseg.dialogue.policy_candidates import CandidatesPolicy

    folder = args.engines if args.engines is not None else nano_models()
    return CandidatesPolicy(load_detector(folder / "detector", providers=(args.provider,), threads=args.threads))
