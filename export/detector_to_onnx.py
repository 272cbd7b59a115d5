"""Export the nano detector to one graph with static shapes, and check it against torch.

    python -m export.detector_to_onnx models/nano/detector

The folder holds model.safetensors and model.json, calibrated; detector.onnx and manifest.json are written beside them.
"""

from __future__ import annotations

import argparse
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from export.difference import relative_error
from export.graph.graph_file import tidy, tool_versions
from icseg.detector.graph import GRAPH_NAME, IMAGE, MANIFEST_KIND, OUTPUT_NAMES, DetectorFacts, detector_specs
from icseg.inference.manifest import (
    FLOAT32,
    ONNXRUNTIME,
    Manifest,
    ModelFile,
    check_specs,
    sha256_of,
    write_manifest,
)
from icseg.inference.runner_onnxruntime import OnnxRuntimeRunner
from training.detector_model import WEIGHTS_NAME, DetectorGraph, load_detector_net
from training.nano_config import IMAGE_MEAN, IMAGE_STD

OPSET = 18
TOLERANCE = 1e-4
"""Relative L2 error of an output against torch, both in FP32: batch norms folded into convolutions and sums in another
order give 1e-6 to 1e-5; a wrong operator gives 1e-2 and more."""


def export_detector(folder: Path, *, name: str) -> dict[str, float]:
    """Write detector.onnx and manifest.json beside the weights.

    Returns:
        Output name -> relative error against torch.

    Raises:
        PlanMismatchError: model.json is not calibrated, or its values are out of range.
        RuntimeError: the graph differs from torch.
    """
    net, config = load_detector_net(folder)
    facts_keys = DetectorFacts.__dataclass_fields__.keys() & config.keys()
    facts = DetectorFacts.from_mapping({key: config[key] for key in facts_keys})
    path = folder / f"{GRAPH_NAME}.onnx"
    image = torch.from_numpy(np.random.default_rng(0).normal(0, 1, (1, 3, *[config["image_size"]] * 2))).float()
    module = DetectorGraph(net).eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = module(image)
        torch.onnx.export(
            module,
            (image,),
            str(path),
            input_names=[IMAGE],
            output_names=list(OUTPUT_NAMES),
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            optimize=True,
            verbose=False,
        )
    tidy(path)
    runner = OnnxRuntimeRunner(path, threads=torch.get_num_threads())
    manifest = _manifest(facts, path, name, config["image_size"])
    check_specs(runner, *detector_specs(facts, config["image_size"]), path=path, manifest=manifest)
    got = runner.run({IMAGE: image.numpy()})
    errors = {key: relative_error(got[key], value.numpy()) for key, value in zip(OUTPUT_NAMES, expected, strict=True)}
    worst = max(errors, key=lambda key: errors[key])
    if not errors[worst] <= TOLERANCE:
        raise RuntimeError(f"{path.name}: output {worst} differs from torch by {errors[worst]:.2e} > {TOLERANCE:.0e}")
    write_manifest(folder, manifest)
    return errors


def _manifest(facts: DetectorFacts, path: Path, name: str, image_size: int) -> Manifest:
    return Manifest(
        kind=MANIFEST_KIND,
        name=name,
        built_by="export/detector_to_onnx.py",
        files={GRAPH_NAME: ModelFile(path.name, sha256_of(path), ONNXRUNTIME, FLOAT32)},
        image_size=image_size,
        image_mean=IMAGE_MEAN,
        image_std=IMAGE_STD,
        precision=FLOAT32,
        source_sha256=sha256_of(path.with_name(WEIGHTS_NAME)),
        calibration_sha256="",
        tools=tool_versions(),
        facts=facts.as_mapping(),
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Command line entry."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="holds model.safetensors and a calibrated model.json")
    parser.add_argument("--name", default="icseg-nano-detector", help="the model's name, for people")
    options = parser.parse_args(argv)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    for output, error in export_detector(options.folder, name=options.name).items():
        print(f"{output:16} relative error against torch {error:.1e}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
