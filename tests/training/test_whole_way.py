"""The README of training/, line by line, in about two minutes: data, training, resuming, weights, graphs, figures."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from importlib.util import find_spec
from pathlib import Path

import pytest

# not imported: mujoco chooses its renderer when it is first imported, and SimulatedTable has to be asked before
pytestmark = pytest.mark.skipif(find_spec("mujoco") is None, reason="needs the simulated table")

ROOT = Path(__file__).resolve().parents[2]


PROCESSES = multiprocessing.get_context("forkserver")
# Seconds of imports, once and not for every script; none of them chooses a renderer.
PROCESSES.set_forkserver_preload(["torch", "transformers.models.sam2_video.modeling_sam2_video", "onnxscript"])


def run(*arguments: str) -> str:
    """A script of the repository, or after ``-m`` a module, in a process of its own; its standard output."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = PROCESSES.Process(target=run_as_main, args=(arguments, out, err))
        process.start()
        process.join()
        assert process.exitcode == 0, err.read_text()[-3000:] if err.exists() else process.exitcode
        return out.read_text()


def run_as_main(arguments: tuple[str, ...], out: Path, err: Path) -> None:
    """What ``python`` with these arguments does, in this process."""
    os.chdir(ROOT)
    with (
        out.open("w") as stdout,
        err.open("w") as stderr,
        contextlib.redirect_stdout(stdout),
        contextlib.redirect_stderr(stderr),
    ):
        try:
            if arguments[0] == "-m":
                sys.argv = list(arguments[1:])
                runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
            else:
                sys.argv = list(arguments)
                runpy.run_path(arguments[0], run_name="__main__")
        except Exception:
            traceback.print_exc()
            raise


def rows(path: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures for the segmenter."""
    return render(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def detector_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return render(tmp_path_factory.mktemp("detector-data"), "--side", "448")


def render(folder: Path, *options: str) -> Path:
    sizes = ("--train-clips", "12", "--val-clips", "6", "--clips-per-shard", "6")
    command = [sys.executable, "training/render.py", "--out", str(folder), *sizes, *options, "--workers", "2"]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    shards = sorted(path.name for path in (folder / "train").iterdir())
    assert shards == ["clips-0000.json", "clips-0000.npz", "clips-0001.json", "clips-0001.npz"]
    return folder


def test_segmenter(data: Path, tmp_path: Path) -> None:
    image = ("training/train_segmenter.py", "image", "--data", str(data), "--run", str(tmp_path / "run"))
    options = ("--every", "6", "--val-batches", "1", "--lr", "2e-3", "--threads", "1")
    run(*image, "--steps", "12", *options)
    # a longer run goes on where the shorter one ended
    run(*image, "--steps", "24", *options)
    log = rows(tmp_path / "run" / "image.jsonl")
    assert [row["step"] for row in log] == [6, 12, 18, 24]
    assert log[-1]["loss"] < 0.97 * log[0]["loss"]
    run(
        "training/train_segmenter.py",
        "clips",
        *image[2:],
        "--steps",
        "3",
        "--every",
        "3",
        "--val-batches",
        "1",
        "--threads",
        "1",
    )
    model = str(tmp_path / "model")
    run("training/train_segmenter.py", "save", "--run", str(tmp_path / "run"), "--out", model)
    graphs = run("-m", "export.sam2_to_onnx", model, model, "--name", "two-minutes")
    assert len(graphs.splitlines()) == 4
    out = ("--out", str(tmp_path / "evaluation.json"))
    run("training/eval_segmenter.py", "--engines", model, "--scenes", "1", "--seconds", "2", *out)
    report = json.loads((tmp_path / "evaluation.json").read_text())
    assert report["clips"] >= 1
    assert 0 <= report["mean_j"] < 0.9  # a model of two minutes that is good has seen the answer


def test_detector(detector_data: Path, tmp_path: Path) -> None:
    train = ("training/train_detector.py", "train", "--data", str(detector_data), "--run", str(tmp_path / "run"))
    options = ("--every", "6", "--val-batches", "1", "--batch", "8")
    run(*train, "--steps", "12", *options)
    run(*train, "--steps", "24", *options)
    log = rows(tmp_path / "run" / "detector.jsonl")
    assert [row["step"] for row in log] == [6, 12, 18, 24]
    assert log[-1]["train_centre"] < 0.8 * log[0]["train_centre"]


def test_detector_goes_on_from_weights_and_is_calibrated(detector_data: Path, tmp_path: Path) -> None:
    """What two minutes teach finds nothing, so that there is nothing to calibrate: this one begins with what ships."""
    shipped, model = ROOT / "models" / "nano" / "detector", str(tmp_path / "model")
    folders = ("--data", str(detector_data), "--run", str(tmp_path / "run"))
    options = ("--steps", "2", "--every", "2", "--val-batches", "1", "--batch", "8", "--lr", "1e-5")
    run("training/train_detector.py", "train", *folders, "--begin-with", str(shipped), *options)
    run("training/train_detector.py", "save", "--run", str(tmp_path / "run"), "--out", model)
    judge = ("--data", str(detector_data), "--model", model)
    run("training/eval_detector.py", "calibrate", *judge)
    run("-m", "export.detector_to_onnx", model, "--name", "two-minutes")
    report = json.loads(run("training/eval_detector.py", "report", *judge).splitlines()[-1])
    assert report["recall"] > 0.6  # of a few pictures; the wrong export or a lost calibration finds next to nothing
    assert report["kind_accuracy"] > 0.8
