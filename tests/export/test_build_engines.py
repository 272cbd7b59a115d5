"""``build_engines.py``: a whole INT8 build of the nano model, and everything that may go wrong with one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import export.build_plans
import export.build_segmenter
import export.calibration
import export.segmenter_source
from export.build_engines import main
from export.build_segmenter import SegmenterBuild
from export.graph.sensitivity import main as sensitivity
from export.verify import main as verify
from icseg.assets import nano_models
from icseg.cli.results import write_png
from icseg.detector.nano import load_detector
from icseg.errors import BackendError
from icseg.inference.manifest import FLOAT16, INT8, TENSORRT_RTX, load_manifest
from icseg.inference.tensorrt_module import load_tensorrt
from icseg.sim.clip_file import load_clip
from icseg.tracker.graphs import GRAPH_NAMES, IMAGE_ENCODER, MEMORY_ATTENTION
from icseg.tracker.loading import load_tracker
from icseg.types import Prompt

Capture = pytest.CaptureFixture[str]
FEW = ("--verify-frames", "24", "--max-loss", "0.03", "--threads", "1")
FEWER = ("--verify-frames", "8", "--max-loss", "0.03", "--threads", "1")


@pytest.fixture(scope="module")
def short_calibration() -> pytest.MonkeyPatch:
    """One short scene: enough to calibrate on, quick enough for a test."""
    patch = pytest.MonkeyPatch()
    for module in (export.calibration, export.build_segmenter):
        patch.setattr(module, "SCENES", 1)
        patch.setattr(module, "FRAMES", 20)
    return patch


@pytest.fixture(scope="module")
def built(short_calibration: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("engines") / "nano-int8"
    assert main(["--int8", "--output", str(output), *FEW]) == 0
    return output


def stages(capsys: Capture, *args: str) -> dict[str, bool]:
    assert main([*args, "--json"]) == 0
    return {row["name"]: row["ran"] for row in json.loads(capsys.readouterr().out)["stages"]}


def test_the_runtime_runs_on_it(built: Path) -> None:
    tracker = load_tracker(built / "segmenter", threads=1)
    assert tracker.manifest.precision == INT8
    got = {name: file.precision for name, file in tracker.manifest.files.items()}
    assert {name for name, precision in got.items() if precision == INT8} == {IMAGE_ENCODER, MEMORY_ATTENTION}
    assert len(tracker.manifest.calibration_sha256) == 64
    assert tracker.manifest.settings == load_manifest(nano_models() / "segmenter", kind="segmenter").settings
    assert tracker.config.window_scale == 3.0
    sim = next(iter(load_clip()))
    mug = next(number for number, thing in sim.things.items() if thing.kind == "mug")
    box = sim.box_image_px(mug)
    assert box is not None
    mask = tracker.start(sim.frame, Prompt(box)).latest.objects[1].mask  # type: ignore[union-attr]
    assert np.count_nonzero(mask & sim.mask(mug)) / np.count_nonzero(mask | sim.mask(mug)) > 0.8
    assert load_detector(built / "detector", threads=1).detect(sim.frame.image)


def test_it_proves_itself(built: Path) -> None:
    report = json.loads((built / "report.json").read_text())
    assert report["is_passed"]
    assert report["graph_reference"] == "torch/cpu"
    assert [check["graph"] for check in report["graphs"]] == list(GRAPH_NAMES)
    errors = {check["graph"]: check["relative_l2"] for check in report["graphs"]}
    assert errors["memory_encoder"] < 1e-5 < 1e-3 < errors[IMAGE_ENCODER] < 0.15
    assert report["streams"]["mean_iou"] > 0.97
    assert report["streams"]["loss_of_j_and_f"] is not None
    assert (built / "report.png").stat().st_size > 5000
    assert "| image_encoder | int8 |" in (built / "report.md").read_text()
    chosen = json.loads((built / "quantized" / "calibrators.json").read_text())["graphs"]
    for graph in chosen.values():
        assert graph["relative_l2_error"][graph["calibrator"]] == min(graph["relative_l2_error"].values())


def test_nothing_of_the_machine_is_in_it(built: Path) -> None:
    for path in built.rglob("*"):
        if path.is_file():
            assert str(built).encode() not in path.read_bytes(), path
            assert str(Path.home()).encode() not in path.read_bytes(), path


def test_finished_stages_are_not_done_again(built: Path, capsys: Capture) -> None:
    assert not any(stages(capsys, "--int8", "--output", str(built), *FEW).values())
    (built / "segmenter" / "mask_decoder.onnx").write_bytes(b"damaged")
    ran = stages(capsys, "--int8", "--output", str(built), *FEW)
    assert [name for name, has_run in ran.items() if has_run] == ["segmenter"]


def test_a_dry_run_says_why(built: Path, capsys: Capture) -> None:
    before = sorted(path.stat().st_mtime_ns for path in built.rglob("*"))
    assert main(["--int8", "--output", str(built), "--verify-frames", "40", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "quantize       done before" in out
    assert "verify         run: changed: frames" in out
    assert sorted(path.stat().st_mtime_ns for path in built.rglob("*")) == before


def test_below_a_gate_it_fails_and_names_the_graph(built: Path, tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "copy"
    shutil.copytree(built, output)
    args = ["--int8", "--output", str(output), *FEWER]
    assert main([*args, "--min-iou", "1"]) == 2
    error = capsys.readouterr().err
    assert "expected 1" in error
    assert "it alone takes the mean IoU to" in error
    assert "FAILED" in (output / "report.md").read_text()
    assert main(args) == 0


def test_verify_and_sensitivity_as_commands(built: Path, capsys: Capture) -> None:
    assert verify([str(built), "--frames", "8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["graph_reference"] == "onnxruntime/CPUExecutionProvider"
    assert verify([str(built), "--frames", "8", "--max-loss", "2"]) == 2
    assert "--max-loss: expected 0..1, got 2.0" in capsys.readouterr().err
    assert sensitivity([str(built), "--threads", "1"]) == 0
    rows = json.loads((built / "sensitivity.json").read_text())
    assert len(rows) > 50
    assert [row["error"] for row in rows] == sorted((row["error"] for row in rows), reverse=True)
    assert "vision_encoder.backbone.blocks.0.attn.qkv" in {row["layer"] for row in rows}


def test_ctrl_c_keeps_what_is_finished(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    output = tmp_path / "copy"
    shutil.copytree(built, output)
    shutil.rmtree(output / "quantized")
    args = ["--int8", "--output", str(output), "--no-verify", "--policy", "none", "--threads", "1"]

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(SegmenterBuild, "_quantize", interrupted)
        assert main(args) == 130
    assert "the same command goes on" in capsys.readouterr().err
    assert load_tracker(output / "segmenter", threads=1)
    assert not list(output.glob(".unfinished*"))
    assert stages(capsys, *args) == {"graphs": False, "calibration": False, "quantize": True, "segmenter": False}


def test_frames_of_the_users_own(built: Path, tmp_path: Path, capsys: Capture) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    for sim, index in zip(load_clip(), range(16), strict=False):
        write_png(frames / f"{index:04d}.png", sim.frame.image)
    output = tmp_path / "out"
    shutil.copytree(built, output)
    args = ["--int8", "--output", str(output), "--calibration", str(frames), "--no-verify", "--threads", "1"]
    assert main(args) == 0
    ours = json.loads((output / "segmenter" / "manifest.json").read_text())
    theirs = json.loads((built / "segmenter" / "manifest.json").read_text())
    assert ours["calibration_sha256"] != theirs["calibration_sha256"]
    (frames / "0003.png").write_bytes(b"no image")
    assert main(args) == 2
    assert "0003.png: it is not an image" in capsys.readouterr().err
    assert json.loads((output / "segmenter" / "manifest.json").read_text()) == ours


def test_fp16_for_the_cpu(built: Path, tmp_path: Path) -> None:
    output = tmp_path / "fp16"
    shutil.copytree(built, output)
    assert main(["--fp16", "--output", str(output), *FEWER]) == 0
    tracker = load_tracker(output / "segmenter", threads=1)
    assert {file.precision for file in tracker.manifest.files.values()} == {FLOAT16}
    assert json.loads((output / "report.json").read_text())["is_passed"]


def test_a_jetson_is_prepared_here_and_finished_there(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    output = tmp_path / "orin"
    shutil.copytree(built, output)
    args = ["--int8", "--output", str(output), *FEWER, "--target", "jetson-orin"]
    assert main(args) == 0
    assert f"{output}/typed/ON_DEVICE.md" in capsys.readouterr().out
    commands = (output / "typed" / "ON_DEVICE.md").read_text()
    assert "python export/build_engines.py --target jetson-orin --int8 --output orin" in commands
    monkeypatch.setattr(export.build_plans, "is_jetson", lambda: True)
    assert main(args) == 2
    assert "tensorrt" in capsys.readouterr().err  # JetPack's is not here
    assert main([*args, "--fp16"][1:]) == 2
    assert "prepared for int8, asked for float16" in capsys.readouterr().err
    try:
        load_tensorrt(TENSORRT_RTX)  # its builder stands in for that of JetPack
    except BackendError as error:
        pytest.skip(str(error))
    monkeypatch.setitem(export.build_plans.ENGINE_OF, "jetson-orin", TENSORRT_RTX)
    monkeypatch.setattr(export.segmenter_source, "find_segmenter", None)  # no weights on the device
    assert main([*args, "--compute-capability", "8.6"]) == 0
    manifest = load_manifest(output / "tensorrt" / "segmenter", kind="segmenter")
    got = {name: file.precision for name, file in manifest.files.items()}
    assert got == {name: INT8 if name in (IMAGE_ENCODER, MEMORY_ATTENTION) else FLOAT16 for name in GRAPH_NAMES}
    assert manifest.settings == load_manifest(built / "segmenter", kind="segmenter").settings
    assert {(file.engine, file.compute_capability) for file in manifest.files.values()} == {(TENSORRT_RTX, "8.6")}
    assert (output / "tensorrt" / "detector" / "manifest.json").is_file()
    with pytest.raises(BackendError, match=r"GPU|driver|CUDA"):
        load_tracker(output / "tensorrt" / "segmenter")


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("--segmenter", "missing.pt"), "missing.pt: no such file"),
        (("--segmenter", "someone/nothing"), "hf download someone/nothing"),
        (("--policy", "someone/nothing"), "someone/nothing"),
        (
            ("--target", "onnxruntime", "--compute-capability", "8.6"),
            "--compute-capability: onnxruntime builds no plans",
        ),
        (("--resolution", "500"), "--resolution: expected a positive multiple of 32, got 500"),
        (("--memory-slots", "1"), "--memory-slots: expected 2..16, got 1"),
        (("--verify-frames", "1"), "--verify-frames: expected at least 4, got 1"),
        (("--min-iou", "1.5"), "--min-iou: expected 0..1, got 1.5"),
        (("--int8", "--calibration", "nowhere"), "--calibration nowhere: no such folder"),
        (("--threads", "-1"), "--threads: expected 0 or more"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_done(
    args: tuple[str, ...], said: str, tmp_path: Path, capsys: Capture
) -> None:
    output = tmp_path / "out"
    assert main([*args, "--output", str(output)]) == 2
    assert said in capsys.readouterr().err
    assert not output.exists() or not any(output.iterdir())


def test_a_truncated_checkpoint_and_another_architecture(tmp_path: Path, capsys: Capture) -> None:
    short = tmp_path / "sam2.1_hiera_tiny.pt"
    short.write_bytes(b"PK\x03\x04 cut off")
    assert main(["--segmenter", str(short), "--output", str(tmp_path / "a")]) == 2
    assert "sam2.1_hiera_tiny.pt" in capsys.readouterr().err
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "resnet"}')
    (other / "model.safetensors").write_bytes(b"")
    assert main(["--segmenter", str(other), "--output", str(tmp_path / "b")]) == 2
    assert "expected a model of type sam2_video, got 'resnet'" in capsys.readouterr().err


def test_an_empty_calibration_folder(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "frames").mkdir()
    args = ["--int8", "--calibration", str(tmp_path / "frames"), "--output", str(tmp_path / "out")]
    assert main(args) == 2
    assert "expected at least 13 images of one stream, in the order of their names, got 0" in capsys.readouterr().err
