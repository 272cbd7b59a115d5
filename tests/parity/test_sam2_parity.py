"""The exported graphs and the tracker over them against transformers' streaming session, with the same random weights.

With two conditioning frames besides six recent memories and fifteen recent pointers the graphs need 8 and 17 slots.
"""

# ruff: noqa: E402  (imports follow the check that the export extra is installed)
from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import onnx
from sam2_session import build_reference, make_clip
from streams import compare_stream, make_tracker
from transformers import Sam2VideoModel

from export.difference import relative_error
from export.sam2_to_onnx import FORBIDDEN_OPERATORS, TOLERANCE, sample_feeds
from icseg.inference.manifest import load_manifest
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from icseg.tracker.graphs import (
    GRAPH_NAMES,
    LABEL_PADDING,
    MASK_DECODER,
    MASKED,
    MEMORY_ATTENTION,
    SegmenterFacts,
    graph_specs,
)
from icseg.tracker.loading import load_tracker, sam2_settings
from icseg.tracker.state import TrackerConfig
from icseg.types import Array, Prompt

PROMPTS = {
    0: (1, Prompt((70.0, 60.0, 190.0, 170.0), ((120.0, 110.0),), (1,))),
    10: (2, Prompt(points_image_px=((230.0, 130.0),), point_labels=(1,))),
    25: (1, Prompt((100.0, 70.0, 200.0, 200.0))),
}
SCORE_TOLERANCE = 2e-5
"""For object score logits, whose size is about 1. Sums in another order give 1e-6; the smallest fault that was tried,
pointers one frame too old, gives 5e-5, and a temporal code off by one 6e-4."""
MIN_IOU = 0.999
"""Rounding moves a pixel or two on the edge of a mask; a temporal code off by one gives 0.997."""
LONG = pytest.mark.skipif("ICSEG_LONG_TESTS" not in os.environ, reason="minutes long; set ICSEG_LONG_TESTS to run it")


@pytest.fixture(scope="module")
def reference() -> Sam2VideoModel:
    torch.set_num_threads(1)
    return build_reference()


@pytest.fixture(scope="module")
def exported(reference: Sam2VideoModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The graphs, by the command line; in this process pytest's log capture would make it several times slower."""
    folder = tmp_path_factory.mktemp("nano")
    reference.save_pretrained(folder / "weights")
    command = [sys.executable, "-m", "export.sam2_to_onnx", str(folder / "weights"), str(folder)]
    done = subprocess.run(
        [*command, "--name", "random", "--memory-slots", "8", "--pointer-slots", "17"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )
    # the exporter compares every graph with torch, and fails where one differs
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(GRAPH_NAMES)
    return folder


@pytest.mark.parametrize("has_choice", [False, True], ids=["one-mask", "multimask-and-stability"])
@pytest.mark.parametrize("count", [45, pytest.param(200, marks=LONG)])
def test_stream_equals_transformers(reference: Sam2VideoModel, exported: Path, has_choice: bool, count: int) -> None:
    manifest = load_manifest(exported, kind="segmenter")
    facts = replace(
        SegmenterFacts.from_mapping(manifest.image_size, manifest.facts),
        multimask_for_prompts=has_choice,
        multimask_for_tracking=has_choice,
        stability_fallback=has_choice,
    )
    reference.config.multimask_output_in_sam = reference.config.multimask_output_for_tracking = has_choice
    reference.mask_decoder.dynamic_multimask_via_stability = has_choice
    agreement = compare_stream(reference, make_tracker(exported, facts), make_clip(count), PROMPTS, SCORE_TOLERANCE)
    assert len(agreement.ious) == 2 * count - 10
    assert agreement.meaningful > 0.5, "random weights gave degenerate masks: the comparison means nothing"
    assert min(agreement.ious) >= MIN_IOU


def test_exported_graphs_match_their_manifest(exported: Path) -> None:
    tracker = load_tracker(exported)
    assert tracker.manifest.name == "random"
    assert (tracker.manifest.settings, tracker.config) == (sam2_settings(), TrackerConfig())
    assert (tracker.facts.memory_slots, tracker.facts.pointer_slots, tracker.facts.prompt_tokens) == (8, 17, 11)
    assert set(tracker.backends.values()) == {"onnxruntime/CPUExecutionProvider"}


@pytest.mark.parametrize("name", GRAPH_NAMES)
def test_exported_graphs_are_plain(exported: Path, name: str) -> None:
    model = onnx.load(exported / f"{name}.onnx")
    graph = model.graph
    assert not {node.op_type for node in graph.node} & FORBIDDEN_OPERATORS
    assert {node.domain for node in graph.node} == {""}
    complex_types = {onnx.TensorProto.COMPLEX64, onnx.TensorProto.COMPLEX128}
    assert not {value.type.tensor_type.elem_type for value in graph.value_info} & complex_types
    assert not any(item.metadata_props or item.doc_string for item in (*graph.node, *graph.value_info, graph))


def test_padding_changes_nothing(exported: Path) -> None:
    """Coordinates of padded prompt tokens, and contents of masked memories, do not reach the result, bit for bit."""
    tracker = make_tracker(exported)
    specs, random = graph_specs(tracker.facts), np.random.default_rng(0)
    feeds = sample_feeds(specs[MASK_DECODER], tracker.facts)
    other = {**feeds, "point_coords": feeds["point_coords"].copy()}
    other["point_coords"][feeds["point_labels"] == LABEL_PADDING] += 50
    run_twice(exported / "mask_decoder.onnx", feeds, other)

    feeds = sample_feeds(specs[MEMORY_ATTENTION], tracker.facts)
    other = {name: value.copy() for name, value in feeds.items()}
    is_masked = feeds["memory_mask"] == MASKED
    other["memory_features"][is_masked] = random.normal(size=other["memory_features"][is_masked].shape) * 30
    other["memory_temporal_index"][is_masked] = 0
    other["object_pointers"][feeds["pointer_mask"] == MASKED] *= 40
    run_twice(exported / "memory_attention.onnx", feeds, other)


def run_twice(path: Path, feeds: dict[str, Array], other: dict[str, Array]) -> None:
    runner = OnnxRuntimeRunner(path, threads=1)
    expected = {name: value.copy() for name, value in runner.run(feeds).items()}
    for name, value in runner.run(other).items():
        np.testing.assert_array_equal(value, expected[name])


def test_prompts_equal_the_prompt_encoder(reference: Sam2VideoModel, exported: Path) -> None:
    """Masked padding against leaving tokens out, and a mask prompt against none: transformers' own prompt path."""
    tracker = make_tracker(exported)
    feeds = sample_feeds(graph_specs(tracker.facts)[MASK_DECODER], tracker.facts)
    feeds["lacks_memory"] = np.zeros(1, np.float32)
    runner = OnnxRuntimeRunner(exported / "mask_decoder.onnx", threads=1)
    for has_mask in (0, 1):
        feeds["has_mask_input"] = np.full(1, has_mask, np.float32)
        tensors = {name: torch.from_numpy(value) for name, value in feeds.items()}
        with torch.no_grad():
            sparse, dense = reference.prompt_encoder(
                tensors["point_coords"][:, None, :3],
                tensors["point_labels"][:, None, :3],
                None,
                tensors["mask_input"] if has_mask else None,
            )
            expected, _, _, _ = reference.mask_decoder(
                tensors["conditioned_features"],
                reference.get_image_wide_positional_embeddings(),
                sparse,
                dense,
                True,
                [tensors["high_res_s0"], tensors["high_res_s1"]],
            )
        got = runner.run(feeds)["mask_logits"][:, 1:]
        assert relative_error(got, expected[:, 0].numpy()) <= TOLERANCE
