"""The manifest's engine decides which runner loads a graph, and what does not fit this machine says what to rebuild."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from cuda_double import CudaDouble
from tensorrt_double import PLAN, TensorRtDouble

from icseg.assets import nano_models
from icseg.detector.graph import GRAPH_NAME, MANIFEST_KIND, DetectorFacts, detector_specs
from icseg.detector.nano import load_detector
from icseg.errors import BackendError, PlanMismatchError
from icseg.inference.graph_loading import load_graph
from icseg.inference.manifest import load_manifest, sha256_of
from icseg.inference.runner_tensorrt import TensorRtRunner
from icseg.inference.tensorrt_module import load_tensorrt
from icseg.tracker.loading import load_tracker


def with_plans(kind: str, folder: Path, **entry: str) -> Path:
    """A copy of the model that ships whose manifest names plans instead of ONNX graphs."""
    shutil.copytree(nano_models() / kind, folder, ignore=shutil.ignore_patterns("*.onnx", "*.safetensors"))
    values = json.loads((folder / "manifest.json").read_text())
    for name, file in values["files"].items():
        path = folder / f"{name}.plan"
        path.write_bytes(PLAN)
        file |= {"file": path.name, "sha256": sha256_of(path), "precision": "float16"} | entry
    (folder / "manifest.json").write_text(json.dumps(values))
    return folder


@pytest.fixture
def trt(monkeypatch: pytest.MonkeyPatch, cuda: CudaDouble) -> TensorRtDouble:
    """An engine that says it is the detector's."""
    manifest = load_manifest(nano_models() / "detector", kind=MANIFEST_KIND)
    inputs, outputs = detector_specs(DetectorFacts.from_mapping(manifest.facts), manifest.image_size)
    double = TensorRtDouble(cuda, inputs, outputs, lambda feeds: dict.fromkeys(outputs, -9.0))
    monkeypatch.setitem(sys.modules, "tensorrt", double)
    return double


HERE = {"engine": "tensorrt", "engine_version": "10.3.0", "compute_capability": "8.7"}


def test_a_detector_on_a_plan(trt: TensorRtDouble, tmp_path: Path) -> None:
    detector = load_detector(with_plans("detector", tmp_path / "detector", **HERE))
    assert detector.backend == "tensorrt/10.3.0/8.7"
    assert load_detector(nano_models() / "detector", threads=1).backend == "onnxruntime/CPUExecutionProvider"


def test_a_plan_with_other_tensors(trt: TensorRtDouble, tmp_path: Path) -> None:
    folder = with_plans("detector", tmp_path / "detector", **HERE)
    manifest = load_manifest(folder, kind=MANIFEST_KIND)
    options: dict[str, Any] = {"providers": (), "threads": 0}
    runner = load_graph(folder, manifest, GRAPH_NAME, inputs=trt.inputs, outputs=trt.outputs, **options)
    assert isinstance(runner, TensorRtRunner)
    message = r"detector\.plan: outputs differ .* rebuild the folder with export/detector_to_onnx\.py"
    with pytest.raises(PlanMismatchError, match=message):
        load_graph(folder, manifest, GRAPH_NAME, inputs=trt.inputs, outputs={}, **options)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"engine_version": "10.7.0"}, r"built by tensorrt 10\.7\.0, which no other version loads; .* has 10\.3\.0"),
        ({"compute_capability": "8.9"}, r"built for a GPU of compute capability 8\.9, this one has 8\.7"),
    ],
)
def test_plans_of_another_machine_are_to_be_rebuilt(
    trt: TensorRtDouble, tmp_path: Path, change: dict[str, str], message: str
) -> None:
    folder = with_plans("segmenter", tmp_path / "segmenter", **HERE | change)
    with pytest.raises(PlanMismatchError, match=rf"\.plan: {message}; rebuild the folder with export/sam2_to_onnx\.py"):
        load_tracker(folder)
    assert not trt.calls


@pytest.mark.skipif(
    not (importlib.util.find_spec("tensorrt_rtx_bindings") and importlib.util.find_spec("cuda")),
    reason="needs TensorRT for RTX and cuda-python: pip install 'icseg[tensorrt]'",
)
def test_a_plan_on_a_machine_without_a_gpu(tmp_path: Path) -> None:
    from cuda.bindings import runtime

    if runtime.cudaGetDeviceCount()[0] == runtime.cudaError_t.cudaSuccess:
        pytest.skip("this machine has a GPU")
    version = load_tensorrt("tensorrt_rtx").__version__
    entry = {"engine": "tensorrt_rtx", "engine_version": version, "compute_capability": "8.6"}
    folder = with_plans("segmenter", tmp_path / "segmenter", **entry)
    with pytest.raises(BackendError, match="a plan needs an NVIDIA GPU and its driver: use the ONNX engines"):
        load_tracker(folder)
