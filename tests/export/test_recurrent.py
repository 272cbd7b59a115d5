"""Agreement of two trackers, and that the ladder finds the graph that is to blame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
import pytest

pytest.importorskip("onnx")

import export.ladder
from export.calibration import RecordingRunner
from export.ladder import Gates, climb
from export.recurrent import Agreement, LongStream, compare, simulated_streams
from icseg.assets import nano_models
from icseg.inference.manifest import FLOAT32, INT8
from icseg.inference.runner import Runner
from icseg.tracker.graphs import GRAPH_NAMES, MEMORY_ATTENTION
from icseg.tracker.loading import load_tracker
from icseg.tracker.tracker import Tracker
from icseg.types import Array

FRAMES = 12


class NoisyRunner:
    """Adds noise of a share of each output's spread."""

    def __init__(self, runner: Runner, share: float) -> None:
        self._runner, self._share, self._random = runner, share, np.random.default_rng(0)
        self.backend, self.inputs, self.outputs = runner.backend, runner.inputs, runner.outputs

    def run(self, feeds: Mapping[str, Array]) -> Mapping[str, Array]:
        outputs = self._runner.run(feeds)
        return {
            name: (value + self._share * value.std() * self._random.standard_normal(value.shape)).astype(np.float32)
            for name, value in outputs.items()
        }


@pytest.fixture(scope="module")
def tracker() -> Tracker:
    return load_tracker(nano_models() / "segmenter", threads=1)


@pytest.fixture(scope="module")
def streams() -> list[LongStream]:
    return list(simulated_streams(FRAMES))


def remade(tracker: Tracker, runners: Mapping[str, Runner]) -> Tracker:
    return Tracker(runners, tracker.manifest, tracker.facts, tracker.config, tracker.mask_ops)


def test_streams_go_forth_and_back_with_a_prompt_in_the_middle() -> None:
    (first, second) = simulated_streams(64)
    assert [len(first.frames), len(second.frames)] == [32, 32]
    assert sorted(first.prompts) == [0, 20]
    assert [frame.index for frame in first.frames] == list(range(32))
    stamps = [frame.stamp_ns for frame in first.frames]
    assert stamps == sorted(set(stamps))
    assert first.truth is not None
    assert first.truth(0, 1).any()


def test_a_tracker_agrees_with_itself(tracker: Tracker, streams: list[LongStream]) -> None:
    agreement = compare(tracker, tracker, iter(streams))
    assert agreement.mean_iou == agreement.min_iou == agreement.identity_kept == 1
    assert agreement.drift_per_1000 == pytest.approx(0)
    assert agreement.loss_of_j_and_f == 0
    assert all(agreement.seen)


def test_drift_and_what_there_is_to_see() -> None:
    agreement = Agreement(
        at=[0, 100, 200, 300], iou=[1.0, 0.9, 0.8, 0.0], seen=[True, True, True, False], is_swapped=[False] * 3 + [True]
    )
    assert agreement.drift_per_1000 == pytest.approx(-1.0)
    assert agreement.mean_iou == pytest.approx(0.9)
    assert agreement.min_iou == 0.8
    assert agreement.identity_kept == 0.75
    assert agreement.loss_of_j_and_f is None


def test_the_graph_to_blame_is_named(
    tracker: Tracker, streams: list[LongStream], monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = {name: RecordingRunner(runner) for name, runner in tracker.runners.items()}
    for runner in recording.values():
        runner.is_on = True
    compare(remade(tracker, recording), tracker, iter(streams))

    def same_streams(frames: int) -> Iterator[LongStream]:
        assert frames == FRAMES
        return iter(streams)

    monkeypatch.setattr(export.ladder, "simulated_streams", same_streams)
    result = climb(
        {**tracker.runners, MEMORY_ATTENTION: NoisyRunner(tracker.runners[MEMORY_ATTENTION], 5.0)},
        tracker.runners,
        tracker.runners,
        lambda runners: remade(tracker, runners),
        precision=INT8,
        precisions={name: INT8 if name != "mask_decoder" else FLOAT32 for name in GRAPH_NAMES},
        samples={name: runner.samples for name, runner in recording.items()},
        frames=FRAMES,
        gates=Gates(),
    )
    assert result.agreement.mean_iou < 0.97
    assert min(result.iou_with_one_graph, key=lambda graph: result.iou_with_one_graph[graph]) == MEMORY_ATTENTION
    assert any(failure.startswith("memory_attention: it alone takes") for failure in result.failures)
    assert any(failure.startswith("memory_attention: conditioned_features is off by") for failure in result.failures)
    assert not any(failure.startswith("image_encoder") for failure in result.failures)
    assert result.as_mapping()["is_passed"] is False


def test_too_few_frames(tracker: Tracker) -> None:
    runners = tracker.runners
    with pytest.raises(ValueError, match="expected at least 4 frames, got 3"):
        climb(
            runners,
            runners,
            runners,
            lambda one: remade(tracker, one),
            precision=INT8,
            precisions=dict.fromkeys(GRAPH_NAMES, INT8),
            samples={},
            frames=3,
        )
