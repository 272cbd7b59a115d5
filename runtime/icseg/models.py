"""From settings to what a session needs: a policy and a tracker, loaded once and warmed up. Knows no ROS."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from icseg.assets import nano_models
from icseg.detector.nano import load_detector
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.dialogue.chat.policy import ChatConfig, ChatPolicy
from icseg.dialogue.policy import Policy
from icseg.errors import ConfigError
from icseg.policy_server.entry import ENTRY_NAME, load_entry
from icseg.session.config import SessionConfig
from icseg.session.session import Session
from icseg.settings import check, setting
from icseg.tracker.loading import load_tracker
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker
from icseg.types import Frame, Prompt

WARM_UP_HW = (480, 640)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which models run, and on what."""

    engines: str = setting(
        "",
        "folder with segmenter/, detector/ and perhaps policy/, as export/build_engines.py makes it; empty = the nano "
        "models that ship",
    )
    policy: str = setting(
        "candidates",
        "who asks and decides: candidates = a detector and arithmetic; chat = a vision-language model behind a server",
        choices=("candidates", "chat"),
    )
    provider: str = setting("CPUExecutionProvider", "execution provider of ONNX Runtime; TensorRT plans take none")
    threads: int = setting(2, "CPU threads of one graph; 0 = as many as ONNX Runtime likes", low=0, high=64)

    def __post_init__(self) -> None:
        check("model", self)


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """What was loaded.

    Attributes:
        policy: decides.
        tracker: follows.
        facts: for diagnostics: engine and precision of each graph, the policy, the folder.
    """

    policy: Policy
    tracker: Tracker
    facts: Mapping[str, str]


def load_models(settings: ModelSettings, tracker: TrackerConfig, chat: ChatConfig) -> Models:
    """Load and warm up: the first image is then no slower than the others.

    Args:
        settings: which.
        tracker: how the tracker remembers.
        chat: of the server; where it is as by default, what a built policy's entry says holds instead.

    Raises:
        ConfigError: a folder is not there.
        PlanMismatchError: a model file is not what its manifest says, or is for another machine.
        BackendError: an engine or a provider is not available.
    """
    folder = Path(settings.engines).expanduser() if settings.engines else nano_models()
    if not folder.is_dir():
        raise ConfigError(f"model.engines: no such folder: {folder}; make it with export/build_engines.py")
    providers = (settings.provider,)
    follower = load_tracker(folder / "segmenter", providers=providers, threads=settings.threads, config=tracker)
    policy: Policy
    if settings.policy == "chat":
        policy = ChatPolicy(_chat_config(folder, chat))
    else:
        policy = CandidatesPolicy(load_detector(folder / "detector", providers=providers, threads=settings.threads))
    _warm_up(follower)
    facts = {"models": folder.name, "policy": policy.name}
    facts |= {
        f"graph {name}": f"{backend}, {follower.manifest.files[name].precision}"
        for name, backend in follower.backends.items()
    }
    return Models(policy, follower, facts)


def open_session(
    config: SessionConfig | None = None,
    *,
    engines: Path | None = None,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    threads: int = 2,
    executor: Executor | None = None,
) -> Session:
    """Open a session that needs no server and no download.

    Args:
        config: how it behaves; ``SessionConfig(every_frame=True)`` for recordings.
        engines: folder with ``segmenter/`` and ``detector/``; the nano models when None.
        providers: ONNX Runtime's execution providers, most wanted first.
        threads: CPU threads per graph.
        executor: where the policy runs; ``InlineExecutor()`` for recordings, a thread of its own when None.

    Raises:
        ConfigError: the model folder is not there.
        PlanMismatchError: a model file is not what its manifest says.
        BackendError: a provider is not available.
    """
    folder = engines if engines is not None else nano_models()
    policy = CandidatesPolicy(load_detector(folder / "detector", providers=providers, threads=threads))
    tracker = load_tracker(folder / "segmenter", providers=providers, threads=threads)
    return Session(policy, tracker, config, executor=executor)


def _chat_config(folder: Path, chat: ChatConfig) -> ChatConfig:
    """The built policy's server, with what was set otherwise than by default."""
    entry = folder / "policy" / ENTRY_NAME
    if not entry.is_file():
        return chat
    values = {item.name: (getattr(chat, item.name), item.default) for item in fields(ChatConfig)}
    said = {name: value for name, (value, default) in values.items() if value != default}
    return replace(load_entry(entry).chat_config(), **said)


def _warm_up(tracker: Tracker) -> None:
    """Every graph once: a prompt and a step."""
    height, width = WARM_UP_HW
    image = np.zeros((height, width, 3), np.uint8)
    state = tracker.start(Frame(image, 0, 0), Prompt((width / 4, height / 4, width / 2, height / 2)))
    tracker.step(state, Frame(image, 1, 1))
