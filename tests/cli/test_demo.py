"""The demo: on the recorded clip, on a fresh scene, and where nothing can be rendered."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from icseg.cli.demo import GOOD_J
from icseg.cli.main import main
from icseg.cli.sources import read_image
from icseg.errors import BackendError


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, dict[str, object], str]:
    code = main(["demo", "--json", "--out", str(tmp_path), *args])
    out, err = capsys.readouterr()
    return code, json.loads(out), err


def test_recorded_clip(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, summary, _ = run(tmp_path, capsys, "--clip")
    assert summary["mean_j"] >= GOOD_J
    assert (code, summary["passed"]) == (0, True)
    assert len(summary["questions"]) >= 1  # several mugs: it never guesses
    assert summary["frames_tracked"] > 100
    assert read_image(tmp_path / "contact_sheet.png").shape[1] == 1600
    transcript = json.loads((tmp_path / "transcript.json").read_text())
    spoken = [row["event"] for row in transcript["events"]]
    assert spoken[0] == "Thinking"
    assert "Targeted" in spoken
    assert json.loads((tmp_path / "timings.json").read_text())["Tracked"]["total"]["n"] == summary["frames_tracked"]


@pytest.mark.parametrize("seed", [0, 5])
def test_fresh_scene(tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int) -> None:
    code, summary, _ = run(tmp_path, capsys, "--seed", str(seed))
    assert (code, summary["passed"]) == (0, True), summary["mean_j"]
    assert summary["scene"] == f"simulated table, test scene {seed}"
    assert summary["frames_tracked"] > 100
    assert summary["answers"], "several mugs: it never guesses"


def test_without_a_renderer_it_plays_the_clip_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: object) -> None:
        raise BackendError("simulated table: no OpenGL context; install: libosmesa6")

    monkeypatch.setattr("icseg.sim.table.SimulatedTable.__init__", broken)
    # nothing to follow: how the clip is followed is tested above
    _, summary, err = run(tmp_path, capsys, "--command", "the stapler")
    assert summary["scene"] == "recorded clip of the simulated table"
    assert "install: libosmesa6" in err
    assert "playing the recorded clip instead" in err


def test_failing_to_find_what_was_meant_is_exit_code_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, summary, _ = run(tmp_path, capsys, "--clip", "--command", "the stapler")
    assert code == 1
    assert (summary["passed"], summary["frames_tracked"]) == (False, 0)


def test_doctor_finds_this_machine_fit(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["doctor", "--json"])
    findings = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert code == 0
    assert findings["engines"]["is_ok"]
    assert findings["native mask ops"]["is_ok"]
    assert all(row["is_ok"] or row["remedy"] for row in findings.values())


def test_doctor_says_how_to_get_tensorrt(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "cannot be loaded; engines of ONNX graphs do not need it" in out
    assert "on a Jetson it comes with JetPack" in out


def test_doctor_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ICSEG_MODELS", str(tmp_path / "nowhere"))
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "NO  engines" in out
    assert f"no model folder at {tmp_path / 'nowhere'}: set ICSEG_MODELS" in out
