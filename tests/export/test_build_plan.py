"""Real plans from a real builder, for a GPU that is not here: what is accepted, refused, measured and kept."""

from __future__ import annotations

import json
import os
import platform
import resource
import signal
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from export import build_plan as module
from export.build_log import BuildProgress
from export.build_plan import build_plan, convert_beside, log_path, main
from export.graph.half_graph import to_half
from export.graph.half_policy import DEFAULT_POLICY
from export.plan_options import PlanOptions, Profile, parse_profile
from icseg.errors import BackendError, PlanMismatchError
from icseg.inference.manifest import sha256_of
from tests.export.graph.small_graphs import NANO_GRAPHS, make_model, nano_graph, quantized_model

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"),
    reason="the builder that needs no GPU, TensorRT for RTX, has wheels for x86_64 Linux only",
)
FP32 = PlanOptions("float32", engine="tensorrt_rtx", compute_capability="8.6")
FP16 = PlanOptions("float16", engine="tensorrt_rtx", compute_capability="8.6")
INT8 = PlanOptions("int8", engine="tensorrt_rtx", compute_capability="8.6")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    """A small FP32 graph: y = softmax(x @ w)."""
    weights = {"w": np.eye(8, dtype=np.float32)}
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"]), helper.make_node("Softmax", ["a"], ["y"])]
    onnx.save(make_model(nodes, weights, {"x": (2, 8)}, {"y": (2, 8)}), tmp_path / "small.onnx")
    return tmp_path / "small.onnx"


def save(model: onnx.ModelProto, path: Path) -> Path:
    onnx.save(model, path)
    return path


@pytest.mark.parametrize("name", NANO_GRAPHS)
def test_nano_graphs_become_plans_in_both_precisions(name: str, tmp_path: Path) -> None:
    source = nano_graph(name)
    full = build_plan(source, tmp_path / "full.plan", FP32)
    half = build_plan(convert_beside(source, tmp_path / "half.plan", name), tmp_path / "half.plan", FP16)
    assert set(full.products) == {"float32"}
    assert half.products["float16"] > 4 * half.products.get("float32", 0)
    assert sum(half.products.values()) == sum(full.products.values())
    for facts, path in ((full, tmp_path / "full.plan"), (half, tmp_path / "half.plan")):
        assert (facts.engine, facts.compute_capability) == ("tensorrt_rtx", "8.6")
        assert facts.sha256 == sha256_of(path)
        assert facts.plan_bytes == path.stat().st_size > 10_000
        assert facts.layers > facts.nodes // 2
        assert "VERBOSE  Parsing node: " in log_path(path).read_text()
    assert full.weights_bytes is not None
    assert half.weights_bytes is not None
    assert half.weights_bytes < full.weights_bytes
    assert full.activation_bytes is not None
    assert half.activation_bytes is not None
    # the builder lays the mask decoder out in another way in FP16, whatever is kept in FP32
    assert half.activation_bytes < full.activation_bytes or name == "mask_decoder"


def test_quantized_products_are_int8_and_nothing_else_is(tmp_path: Path) -> None:
    quantized = save(quantized_model(), tmp_path / "quantized.onnx")
    assert build_plan(quantized, tmp_path / "a.plan", INT8).products == {"int8": 1}
    mixed = save(to_half(quantized_model(), DEFAULT_POLICY).model, tmp_path / "mixed.onnx")
    assert build_plan(mixed, tmp_path / "b.plan", INT8).products == {"int8": 1}
    with pytest.raises(PlanMismatchError, match=r"asked for float16, .* would be int8; convert the graph"):
        build_plan(mixed, tmp_path / "c.plan", FP16)
    # one factor through Q and DQ, the other not: such a product runs in floats
    pretended = save(quantized_model(weights_too=False), tmp_path / "pretended.onnx")
    with pytest.raises(PlanMismatchError, match=r"asked for int8, .*'float32': 1.* would be float32; quantize"):
        build_plan(pretended, tmp_path / "c.plan", INT8)
    assert not (tmp_path / "c.plan").exists()


def test_a_plan_is_not_called_after_what_is_not_in_it(graph: Path, tmp_path: Path) -> None:
    with pytest.raises(PlanMismatchError, match=r"small.onnx: asked for float16, .* would be float32; convert"):
        build_plan(graph, tmp_path / "a.plan", FP16)
    half = convert_beside(graph, tmp_path / "a.plan", "small")
    assert convert_beside(half, tmp_path / "b.plan", "small") == half, "FP16 already"
    with pytest.raises(PlanMismatchError, match=r"asked for float32, .* would be float16; give the FP32 graph"):
        build_plan(half, tmp_path / "a.plan", FP32)


def test_what_the_parser_refuses_is_named(tmp_path: Path) -> None:
    node = helper.make_node("Det", ["x"], ["y"], "determinant")
    refused = save(make_model([node], {}, {"x": (2, 8, 8)}, {"y": (2,)}), tmp_path / "refused.onnx")
    with pytest.raises(BackendError, match=r"refused.onnx: TensorRT's parser refuses it: node determinant: "):
        build_plan(refused, tmp_path / "a.plan", FP32)


def test_dynamic_shapes_want_a_profile(tmp_path: Path) -> None:
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    model = make_model([node], {"w": np.eye(8, dtype=np.float32)}, {"x": ("n", 8)}, {"y": ("n", 8)})
    dynamic = save(model, tmp_path / "dynamic.onnx")

    def build(**profiles: Profile) -> None:
        build_plan(dynamic, tmp_path / "a.plan", PlanOptions("float32", "tensorrt_rtx", "8.6", profiles))

    build(x=Profile((1, 8), (4, 8), (16, 8)))
    with pytest.raises(ValueError, match=r"a profile for each input of dynamic shape, \['x'\], and no other; got \[\]"):
        build()
    with pytest.raises(ValueError, match=r"input x: expected shapes that fit \(-1, 8\), got "):
        build(x=Profile((1, 4), (4, 8), (16, 8)))
    with pytest.raises(ValueError, match=r"\['x'\], and no other; got \['x', 'z'\]"):
        build(x=Profile((1, 8), (4, 8), (16, 8)), z=Profile((1,), (1,), (1,)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=1x8:4x8", "NAME=LEAST:USUAL:MOST"),
        ("1x8:4x8:16x8", "NAME=LEAST:USUAL:MOST"),
        ("x=1xa:4x8:16x8", "NAME=LEAST:USUAL:MOST"),
        ("x=4x8:1x8:16x8", "least <= usual <= most"),
        ("x=8:1x8:16x8", "of one rank"),
    ],
)
def test_profiles_of_a_command_line(text: str, message: str) -> None:
    assert parse_profile("x=1x8:4x8:16x8") == ("x", Profile((1, 8), (4, 8), (16, 8)))
    with pytest.raises(ValueError, match=message):
        parse_profile(text)


def test_targets(graph: Path, tmp_path: Path) -> None:
    assert build_plan(graph, tmp_path / "a.plan", PlanOptions("float32", "tensorrt_rtx", "12.0")).layers > 0
    with pytest.raises(ValueError, match=r"tensorrt_rtx builds for .*8\.6.*, got 8\.7"):
        build_plan(graph, tmp_path / "a.plan", PlanOptions("float32", "tensorrt_rtx", "8.7"))


def test_products_in_another_type_are_refused(tmp_path: Path) -> None:
    model = make_model([helper.make_node("MatMul", ["x", "w"], ["y"])], {}, {"x": (2, 8), "w": (8, 8)}, {"y": (2, 8)})
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.elem_type = onnx.TensorProto.BFLOAT16
    with pytest.raises(PlanMismatchError, match=r"expected products in float32, float16, int8, got DataType\.BF16"):
        build_plan(save(model, tmp_path / "b.onnx"), tmp_path / "a.plan", FP32)


class TimingCacheDouble:
    """A builder's configuration that knows one timing cache; None for what it cannot read, as TensorRT gives it."""

    def __init__(self) -> None:
        self.used: list[bytes] = []

    def create_timing_cache(self, content: bytes) -> bytes | None:
        return None if content == b"noise" else content

    def set_timing_cache(self, cache: bytes, *, ignore_mismatch: bool) -> bool:
        self.used.append(cache)
        return cache != b"of another GPU"


@pytest.mark.parametrize(
    ("content", "used", "warnings"),
    [
        (None, [b""], 0),
        (b"measured", [b"measured"], 0),
        (b"of another GPU", [b"of another GPU", b""], 1),
        (b"noise", [b""], 1),
    ],
)
def test_a_timing_cache_is_used_or_begun_anew(
    tmp_path: Path, content: bytes | None, used: list[bytes], warnings: int
) -> None:
    if content is not None:
        (tmp_path / "timing.cache").write_bytes(content)
    config, lines = TimingCacheDouble(), []
    module._read_timing_cache(config, tmp_path / "timing.cache", lines)
    assert config.used == used
    assert [line.split(";")[-1] for line in lines] == [" begun anew"] * warnings


def test_wrong_options_are_named() -> None:
    with pytest.raises(ValueError, match=r"precision: expected one of .* got 'fp16'"):
        PlanOptions("fp16")
    with pytest.raises(ValueError, match="engine: expected tensorrt or tensorrt_rtx, got 'onnxruntime'"):
        PlanOptions("float16", engine="onnxruntime")
    with pytest.raises(ValueError, match="workspace_mb: expected at least 1, got 0"):
        PlanOptions("float16", workspace_mb=0)


def test_a_full_disk_leaves_the_old_plan(graph: Path, tmp_path: Path) -> None:
    plan = tmp_path / "a.plan"
    build_plan(graph, plan, FP32)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for write in (lambda: build_plan(graph, plan, FP32), lambda: module.write_atomically(plan, before["a.plan"])):
        # no file may grow beyond this: a write fails as on a full disk, by an error of the system
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                write()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_ctrl_c_stops_the_builder_and_leaves_the_old_plan(
    graph: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = tmp_path / "a.plan"
    plan.write_bytes(b"old")
    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(BuildProgress, "_step", lambda self, name, step: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        build_plan(graph, plan, FP32)
    assert plan.read_bytes() == b"old"
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_command(graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "out" / "small.plan"
    target = ["--target", "8.6", "--engine", "tensorrt_rtx"]
    assert main([str(graph), str(plan), "--fp16", "--workspace-mb", "256", "--json", *target]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["precision"] == "float16"
    assert facts["products"] == {"float16": 1}
    assert sorted(path.name for path in plan.parent.iterdir()) == ["small.fp16.onnx", "small.plan", "small.plan.log"]
    assert main([str(graph), str(plan), *target]) == 0
    assert "float32\n2 nodes, " in capsys.readouterr().out
    assert main([str(graph), str(plan), "--int8", *target]) == 1
    assert "build_plan: " in capsys.readouterr().err
    assert main([str(tmp_path / "absent.onnx"), str(plan), *target]) == 1
    assert "absent.onnx" in capsys.readouterr().err
