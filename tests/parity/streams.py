"""A stream through our tracker and through transformers' session, frame by frame.

Two things of that session are no part of SAM 2's algorithm, and are removed so that the comparison is fair:

- it encodes the memories of all objects in one batch and binarises them all where one object was prompted:
  ``PerObjectMemory`` encodes object by object;
- it rounds memories to bfloat16 when it stores them: ``RoundingRunner`` rounds ours the same way.

It attends to all conditioning frames, ours to two: prompt each object at most twice. A prompt in a new frame is decoded
without memory by both. Both are fed the tracker's own preprocessed image; its resize is tested elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from sam2_session import reference_masks
from transformers import Sam2VideoModel
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoInferenceSession

from icseg.evaluation.metrics import jaccard
from icseg.inference.manifest import load_manifest
from icseg.inference.runner import Runner
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from icseg.mask_ops import native
from icseg.tracker.graphs import GRAPH_NAMES, MEMORY_ENCODER, SegmenterFacts
from icseg.tracker.state import TrackerConfig
from icseg.tracker.tracker import Tracker
from icseg.types import Array, Frame, Prompt, TrackResult

Prompts = Mapping[int, tuple[int, Prompt]]
"""Index of a frame -> object id and prompt."""


@dataclass(frozen=True)
class Agreement:
    """Over every object in every frame: IoU of the two masks, the larger of their areas as a share of the picture."""

    ious: list[float]
    areas: list[float]

    @property
    def meaningful(self) -> float:
        """Share of masks that are neither nearly nothing nor nearly everything."""
        return sum(0.01 < area < 0.99 for area in self.areas) / len(self.areas)


class RoundingRunner:
    """Rounds every output to bfloat16, as transformers' session does with what it stores."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.backend, self.inputs, self.outputs = runner.backend, runner.inputs, runner.outputs

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        return {
            name: torch.from_numpy(value).to(torch.bfloat16).float().numpy()
            for name, value in self._runner.run(feeds).items()
        }


def make_tracker(folder: Path, facts: SegmenterFacts | None = None, *, conditioning_slots: int = 2) -> Tracker:
    """A tracker that remembers as the session does."""
    manifest = load_manifest(folder, kind="segmenter")
    runners: dict[str, Runner] = {
        name: OnnxRuntimeRunner(folder / manifest.files[name].file, threads=1) for name in GRAPH_NAMES
    }
    runners[MEMORY_ENCODER] = RoundingRunner(runners[MEMORY_ENCODER])
    facts = facts or SegmenterFacts.from_mapping(manifest.image_size, manifest.facts)
    return Tracker(runners, manifest, facts, TrackerConfig(conditioning_slots=conditioning_slots), native)


def compare_stream(
    model: Sam2VideoModel, tracker: Tracker, frames: Sequence[Frame], prompts: Prompts, score_tolerance: float
) -> Agreement:
    """Track through both; object scores are compared on the way."""
    session, state = Sam2VideoInferenceSession(dtype=torch.float32), tracker.new_state()
    agreement = Agreement([], [])
    for frame in frames:
        prompt = prompts.get(frame.index)
        expected, scores = reference_masks(model, session, tracker.manifest, frame, prompt)
        got: TrackResult = (
            tracker.step(state, frame) if prompt is None else tracker.add_prompt(state, frame, prompt[0], prompt[1])
        )
        assert got.objects.keys() == expected.keys()
        for object_id, result in got.objects.items():
            assert result.object_score == pytest.approx(scores[object_id], abs=score_tolerance)
            agreement.ious.append(jaccard(result.mask, expected[object_id]))
            agreement.areas.append(max(result.area_px, int(expected[object_id].sum())) / result.mask.size)
        session.processed_frames[frame.index] = None  # transformers keeps every frame for ever
    return agreement
