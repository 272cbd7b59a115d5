"""Export a SAM 2 video model to the four graphs of icseg's tracker, and check each against torch.

    python -m export.sam2_to_onnx MODEL OUT_DIR

MODEL is a folder that transformers' ``save_pretrained`` wrote, a checkpoint in Meta's layout
(``sam2.1_hiera_tiny.pt``), a hub id whose files are in the local cache (``facebook/sam2.1-hiera-tiny``), or ``nano``,
the model that ships. OUT_DIR receives one .onnx file per graph and manifest.json.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
import transformers
from torch import nn
from transformers import Sam2VideoModel

from export.difference import relative_error
from export.graph.graph_file import tidy, tool_versions
from export.sam2_memory_attention import MemoryAttention
from export.sam2_wrappers import ImageEncoder, MaskDecoder, MemoryEncoder
from export.segmenter_source import find_segmenter
from icseg.errors import IcsegError
from icseg.inference.manifest import (
    FLOAT32,
    ONNXRUNTIME,
    Manifest,
    ModelFile,
    SettingValue,
    sha256_of,
    write_manifest,
)
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from icseg.tracker.graphs import (
    FIXED_TOKENS,
    GRAPH_NAMES,
    IMAGE_ENCODER,
    LABEL_PADDING,
    MASK_DECODER,
    MASKED,
    MEMORY_ATTENTION,
    MEMORY_ENCODER,
    GraphSpec,
    SegmenterFacts,
    graph_specs,
)
from icseg.tracker.loading import sam2_settings
from icseg.types import Array

OPSET = 18
IMAGE_MEAN = (0.485, 0.456, 0.406)
IMAGE_STD = (0.229, 0.224, 0.225)
TOLERANCE = 1e-4
"""Relative L2 error of an output against torch, both in FP32: sums in another order over at most 30,000 keys give
1e-6 to 1e-5; a wrong operator gives 1e-2 and more."""

_CONDITIONING = "tracker.conditioning_slots"

FORBIDDEN_OPERATORS = frozenset({"If", "Loop", "Scan", "OneHot", "NonZero", "Shape", "Range", "Where", "ScatterND"})
"""Data-dependent control flow or shapes, which TensorRT refuses or runs slowly; none is needed."""


def facts_of(model: Sam2VideoModel, *, memory_slots: int, pointer_slots: int, max_points: int) -> SegmenterFacts:
    """What the runtime has to know about a model."""
    config, decoder = model.config, model.config.mask_decoder_config
    return SegmenterFacts(
        image_size=int(config.image_size),
        hidden_width=int(model.hidden_dim),
        memory_width=int(model.mem_dim),
        memory_slots=memory_slots,
        pointer_slots=pointer_slots,
        temporal_codes=int(config.num_maskmem),
        pointer_span=int(config.max_object_pointers_in_encoder),
        prompt_tokens=max_points + FIXED_TOKENS,
        multimask_for_prompts=bool(config.multimask_output_in_sam),
        multimask_for_tracking=bool(config.multimask_output_in_sam and config.multimask_output_for_tracking),
        multimask_min_points=int(config.multimask_min_pt_num),
        multimask_max_points=int(config.multimask_max_pt_num),
        stability_fallback=bool(decoder.dynamic_multimask_via_stability),
        stability_delta=float(decoder.dynamic_multimask_stability_delta),
        stability_threshold=float(decoder.dynamic_multimask_stability_thresh),
    )


def graph_modules(model: Sam2VideoModel) -> dict[str, nn.Module]:
    """The four modules, in inference mode."""
    modules = {
        IMAGE_ENCODER: ImageEncoder(model),
        MASK_DECODER: MaskDecoder(model),
        MEMORY_ATTENTION: MemoryAttention(model),
        MEMORY_ENCODER: MemoryEncoder(model),
    }
    return {name: module.eval() for name, module in modules.items()}


def sample_feeds(spec: GraphSpec, facts: SegmenterFacts, seed: int = 0) -> dict[str, Array]:
    """Random inputs of one graph that are valid: labels, indices and masks are what the runtime would feed."""
    random = np.random.default_rng(seed)
    feeds: dict[str, Array] = {
        name: random.standard_normal(tensor.shape).astype(tensor.dtype) for name, tensor in spec.inputs.items()
    }
    if "point_labels" in feeds:
        labels = np.full(feeds["point_labels"].shape, LABEL_PADDING, np.int32)
        labels[0, :4] = (2, 3, 1, -1)
        feeds["point_labels"] = labels
        feeds["point_coords"] = random.uniform(0, facts.image_size, feeds["point_coords"].shape).astype(np.float32)
        feeds["has_mask_input"] = np.zeros(1, np.float32)
    if "memory_mask" in feeds:
        slots, pointers = facts.memory_slots, facts.pointer_slots
        feeds["memory_temporal_index"] = np.arange(slots, dtype=np.int32)[::-1] % facts.temporal_codes
        feeds["memory_temporal_index"] = np.ascontiguousarray(feeds["memory_temporal_index"])
        feeds["memory_mask"] = np.where(np.arange(slots) < 2, 0, MASKED).astype(np.float32)
        feeds["pointer_mask"] = np.where(np.arange(pointers) < 2, 0, MASKED).astype(np.float32)
        feeds["pointer_offsets"] = np.arange(pointers).astype(np.float32)
    if "binarize" in feeds:
        feeds["binarize"] = np.zeros(1, np.float32)
        feeds["mask_logits"] = feeds["mask_logits"] * 4
    return feeds


def export_graph(module: nn.Module, spec: GraphSpec, feeds: dict[str, Array], path: Path) -> float:
    """Write one graph and compare it with its module.

    Returns:
        The largest relative error over the outputs.

    Raises:
        RuntimeError: the graph holds a forbidden operator, or the error is above the tolerance.
    """
    inputs = tuple(torch.from_numpy(feeds[name]) for name in spec.inputs)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = module(*inputs)
        torch.onnx.export(
            module,
            inputs,
            str(path),
            input_names=list(spec.inputs),
            output_names=list(spec.outputs),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            optimize=True,
            verbose=False,
        )
    graph = tidy(path)
    found = {node.op_type for node in graph.node} & FORBIDDEN_OPERATORS
    if found:
        raise RuntimeError(f"{path.name}: operators {sorted(found)} must not be in an exported graph")
    expected = outputs if isinstance(outputs, tuple) else (outputs,)
    got = OnnxRuntimeRunner(path, threads=torch.get_num_threads()).run(feeds)
    errors = {name: relative_error(got[name], value.numpy()) for name, value in zip(got, expected, strict=True)}
    worst = max(errors, key=lambda name: errors[name])
    if not errors[worst] <= TOLERANCE:
        raise RuntimeError(f"{path.name}: output {worst} differs from torch by {errors[worst]:.2e} > {TOLERANCE:.0e}")
    return errors[worst]


def export_segmenter(
    model: Sam2VideoModel,
    out_dir: Path,
    *,
    name: str,
    source_sha256: str,
    settings: Mapping[str, SettingValue] | None = None,
    memory_slots: int = 7,
    pointer_slots: int = 16,
    max_points: int = 8,
    progress: Callable[[], object] = lambda: None,
) -> dict[str, float]:
    """Write the four graphs and the manifest of one model.

    Args:
        model: float32.
        out_dir: made if it is not there.
        name: for people.
        source_sha256: fingerprint of the weights, for the manifest.
        settings: of the runtime, for which the model was tuned, by full name; what is not named is as SAM 2 has it.
        memory_slots, pointer_slots: frames and object pointers that memory attention sees.
        max_points: most points of one prompt, besides its box.
        progress: called after each graph.

    Returns:
        Graph name -> relative error against torch.

    Raises:
        PlanMismatchError: the model has a shape that the runtime cannot use.
        RuntimeError: a graph holds a forbidden operator or differs from torch.
    """
    facts = facts_of(model, memory_slots=memory_slots, pointer_slots=pointer_slots, max_points=max_points)
    specs = graph_specs(facts)
    out_dir.mkdir(parents=True, exist_ok=True)
    previous = model.config._attn_implementation
    # eager attention is plain matrix products and a softmax, which every engine fuses for itself
    model.set_attn_implementation("eager")
    try:
        modules = graph_modules(model.eval())
        errors = {}
        for graph in GRAPH_NAMES:
            feeds = sample_feeds(specs[graph], facts)
            errors[graph] = export_graph(modules[graph], specs[graph], feeds, out_dir / f"{graph}.onnx")
            progress()
    finally:
        model.set_attn_implementation(previous)
    own = sam2_settings() | dict(settings or {})
    # a slot has to be left for frames that hold no prompt
    own[_CONDITIONING] = min(int(own[_CONDITIONING]), memory_slots - 1, pointer_slots - 1)
    write_manifest(out_dir, _manifest_of(out_dir, name, source_sha256, facts, own))
    return errors


def _manifest_of(
    out_dir: Path, name: str, source_sha256: str, facts: SegmenterFacts, settings: dict[str, SettingValue]
) -> Manifest:
    files = {graph: f"{graph}.onnx" for graph in GRAPH_NAMES}
    return Manifest(
        kind="segmenter",
        name=name,
        built_by="export/sam2_to_onnx.py",
        files={
            graph: ModelFile(file, sha256_of(out_dir / file), ONNXRUNTIME, FLOAT32) for graph, file in files.items()
        },
        image_size=facts.image_size,
        image_mean=IMAGE_MEAN,
        image_std=IMAGE_STD,
        precision=FLOAT32,
        source_sha256=source_sha256,
        calibration_sha256="",
        tools=tool_versions(),
        facts=facts.as_mapping(),
        settings=settings,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder, .pt file, hub id in the local cache, or nano")
    parser.add_argument("out_dir", type=Path, help="where the graphs and manifest.json go")
    parser.add_argument("--memory-slots", type=int, default=7, help="frames that memory attention sees")
    parser.add_argument("--pointer-slots", type=int, default=16, help="object pointers that memory attention sees")
    parser.add_argument("--max-points", type=int, default=8, help="points of one prompt, besides its box")
    parser.add_argument("--resolution", type=int, help="side of the input in pixels; default: that of the weights")
    parser.add_argument("--name", help="the model's name; default: that of MODEL")
    options = parser.parse_args(argv)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    transformers.logging.set_verbosity_error()
    try:
        source = find_segmenter(options.model, options.resolution)
        model = source.load()
    except (IcsegError, ValueError) as error:
        parser.error(str(error))
    errors = export_segmenter(
        model,
        options.out_dir,
        name=options.name or source.name,
        source_sha256=source.fingerprint,
        settings=source.settings,
        memory_slots=options.memory_slots,
        pointer_slots=options.pointer_slots,
        max_points=options.max_points,
    )
    for graph, error in errors.items():
        size_mb = (options.out_dir / f"{graph}.onnx").stat().st_size / 1e6
        print(f"{graph:18} {size_mb:8.2f} MB   relative error against torch {error:.1e}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
