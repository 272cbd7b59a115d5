"""A session on what ships with icseg: the nano models on ONNX Runtime, and the candidates policy. One call."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from pathlib import Path

from icseg.assets import nano_models
from icseg.config import SessionConfig
from icseg.dialogue.detector_nano import load_detector
from icseg.dialogue.policy_candidates import CandidatesPolicy
from icseg.session import Session
from icseg.tracker.loading import load_tracker


def embedded_session(
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
