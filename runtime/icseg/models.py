"""The one place that turns settings and a folder of engines into a policy and a tracker.

The command line, the ROS node and other programs come here: what they said about settings is laid over what belongs to
the models, and what that chooses is loaded once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from icseg.assets import nano_models
from icseg.detector.nano import load_detector
from icseg.dialogue.candidates.policy import CandidatesPolicy
from icseg.dialogue.chat.policy import ChatPolicy
from icseg.dialogue.policy import Policy
from icseg.errors import ConfigError
from icseg.inference.manifest import MANIFEST_NAME, read_manifest
from icseg.policy_server.entry import ENTRY_NAME, load_entry
from icseg.runtime_settings import RENAMED, ModelSettings, RuntimeSettings, home_expanded, read_settings_file
from icseg.session.session import Session
from icseg.settings import DEFAULT, Effective, Said, check_said, described, merge, told_by
from icseg.tracker.loading import KIND as SEGMENTER
from icseg.tracker.loading import load_tracker, model_settings
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker
from icseg.types import Frame, Prompt

WARM_UP_HW = (480, 640)
"""Height and width of the image that the graphs run on before the first one of a camera."""


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """What was loaded.

    Attributes:
        policy: decides.
        tracker: follows.
        effective: the settings in force, with where each came from.
        facts: for people: the models, the policy, engine and precision of each graph, whose tracker settings are in
            force.
    """

    policy: Policy
    tracker: Tracker
    effective: Effective[RuntimeSettings]
    facts: Mapping[str, str]

    @property
    def settings(self) -> RuntimeSettings:
        """The settings in force."""
        return self.effective.settings


def effective_settings(said: Sequence[Said]) -> Effective[RuntimeSettings]:
    """What is in force: defaults, then what belongs to the models, then what was said, weakest first.

    Raises:
        ConfigError: an unknown name, a value out of range, or a folder that is not there; says who said it.
        PlanMismatchError: a manifest or policy.json is broken.
    """
    # what is wrong in it is told before a folder is looked at; what fits together depends on the models too
    check_said(RuntimeSettings, said, RENAMED)
    model = merge(RuntimeSettings, [one.of("model") for one in said])
    with told_by(model.sources):
        by_models = _said_by_models(model.settings.model)
    return merge(RuntimeSettings, [*by_models, *said], RENAMED)


def model_folder(model: ModelSettings) -> Path:
    """The folder that the settings choose.

    Raises:
        ConfigError: it is not there.
    """
    folder = home_expanded(model.engines) if model.engines else nano_models()
    if not folder.is_dir():
        raise ConfigError(f"model.engines: no such folder: {folder.absolute()}; make it with export/build_engines.py")
    return folder


def open_models(effective: Effective[RuntimeSettings], *, warm_up: bool = False) -> Models:
    """Load what the settings choose.

    Args:
        effective: from ``effective_settings``.
        warm_up: run every graph once, so that the first image is no slower than the others.

    Raises:
        ConfigError: a folder is not there, the chat server's key is not set, or the tracker is to remember more than
            the graphs can; says who said it.
        PlanMismatchError: a model file is not what its manifest says, or is for another machine.
        BackendError: an engine or a provider is not available.
    """
    settings, folder = effective.settings, model_folder(effective.settings.model)
    engine = {"providers": (settings.model.provider,), "threads": settings.model.threads}
    policy: Policy
    with told_by(effective.sources):
        tracker = load_tracker(folder / SEGMENTER, config=settings.tracker, **engine)  # type: ignore[arg-type]
        if settings.model.policy == "chat":
            policy = ChatPolicy(settings.chat)
        else:
            if not (folder / "detector").is_dir():
                raise ConfigError(
                    f"model.policy: candidates needs a detector, and {folder.absolute()} has none: build one into it "
                    "(export/build_engines.py --policy nano), or choose chat"
                )
            detector = load_detector(folder / "detector", config=settings.detector, **engine)  # type: ignore[arg-type]
            policy = CandidatesPolicy(detector, settings.candidates)
    if warm_up:
        _warm_up(tracker)
    facts = {"models": folder.name, "policy": policy.name, "tracker settings": whose_tracker_settings(effective)}
    facts |= {
        f"graph {name}": f"{backend}, {tracker.manifest.files[name].precision}"
        for name, backend in tracker.backends.items()
    }
    return Models(policy, tracker, effective, facts)


def open_session(
    settings: Mapping[str, Any] | None = None,
    *,
    config_file: Path | str | None = None,
    executor: Executor | None = None,
) -> Session:
    """Open a session; without arguments on the models that ship, with no server and no download.

    Args:
        settings: by name, e.g. ``{"session.following.every_frame": True}`` for recordings; they win over the file.
        config_file: a TOML file of settings.
        executor: where the policy runs; ``InlineExecutor()`` for recordings, threads of the session's own when None.

    Raises:
        ConfigError: an unknown name, a value out of range, or a folder that is not there.
        PlanMismatchError: a model file is not what its manifest says.
        BackendError: an engine or a provider is not available.
    """
    said = [read_settings_file(Path(config_file))] if config_file is not None else []
    models = open_models(effective_settings([*said, Said("the program", settings or {})]))
    return Session(models.policy, models.tracker, models.settings.session, executor=executor)


def whose_tracker_settings(effective: Effective[RuntimeSettings]) -> str:
    """Where the tracker's settings come from, for people; more than one source is separated by commas."""
    names = [item.name for item in described("tracker", TrackerConfig)]
    sources = dict.fromkeys(effective.sources[name] for name in names)
    return ", ".join(source for source in sources if source != DEFAULT) or DEFAULT


def _said_by_models(model: ModelSettings) -> list[Said]:
    """What the segmenter's manifest says of the tracker, and a built policy's entry of its server."""
    said, folder = [], model_folder(model)
    if (segmenter := folder / SEGMENTER).is_dir():
        own = model_settings(read_manifest(segmenter), path=segmenter / MANIFEST_NAME)
        said.append(Said(own.source, own.values))
    entry = home_expanded(model.policy_entry) if model.policy_entry else folder / "policy" / ENTRY_NAME
    if model.policy_entry or entry.is_file():
        said.append(Said(str(entry), load_entry(entry).chat_settings()))
    return said


def _warm_up(tracker: Tracker) -> None:
    """Every graph once: a prompt and a step."""
    height, width = WARM_UP_HW
    image = np.zeros((height, width, 3), np.uint8)
    state = tracker.start(Frame(image, 0, 0), Prompt((width / 4, height / 4, width / 2, height / 2)))
    tracker.step(state, Frame(image, 1, 1))
