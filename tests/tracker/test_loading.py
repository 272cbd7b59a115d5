"""Settings that belong to a model travel in its manifest: who decides how a tracker remembers, and what is refused."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_graphs import NANO

from icseg.assets import nano_models
from icseg.errors import PlanMismatchError
from icseg.inference.manifest import SettingValue, load_manifest, read_manifest, write_manifest
from icseg.models import effective_settings
from icseg.settings import Said
from icseg.tracker.loading import (
    FROM_MANIFEST,
    FROM_NANO,
    FROM_SAM2,
    load_tracker,
    model_config,
    model_settings,
    sam2_settings,
)
from icseg.tracker.state import TrackerConfig

SHIPPED = nano_models() / "segmenter"
NANO_VALUES = {
    "tracker.box_slack": 0.05,
    "tracker.conditioning_slots": 2,
    "tracker.max_growth": 2.0,
    "tracker.min_piece_share": 0.1,
    "tracker.visible_min_iou": 0.5,
    "tracker.window_scale": 3.0,
    "tracker.write_min_iou": 0.5,
    "tracker.write_min_share": 0.3,
    "tracker.writes_lost_frames": False,
}
OTHER_WEIGHTS = "ab" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the graphs that ship, whose manifest a test may change."""
    for path in SHIPPED.iterdir():
        if path.suffix == ".onnx" or path.name == "manifest.json":
            shutil.copy(path, tmp_path / path.name)
    return tmp_path


def declare(folder: Path, settings: dict[str, SettingValue] | None, source_sha256: str | None = None) -> None:
    manifest = read_manifest(folder)
    changed = replace(manifest, settings=settings, source_sha256=source_sha256 or manifest.source_sha256)
    write_manifest(folder, changed)


def test_the_nano_model_brings_its_gates_and_windows() -> None:
    own = model_settings(read_manifest(SHIPPED))
    assert (own.values, own.source) == (NANO_VALUES, FROM_MANIFEST)
    assert load_tracker(SHIPPED, threads=1).config == NANO
    assert TrackerConfig(8, 2, False, 0.5, 2.0, 0.05, 0.5, 0.3, 3.0, 0.1) == NANO
    beside_the_weights = Path(__file__).parents[2] / "models" / "nano" / "segmenter" / "settings.json"
    assert json.loads(beside_the_weights.read_text()) == NANO_VALUES


def test_sam2s_own_memory_is_what_nothing_else_decides() -> None:
    assert sam2_settings() == {
        "tracker.box_slack": 100.0,
        "tracker.conditioning_slots": 2,
        "tracker.max_growth": 100.0,
        "tracker.min_piece_share": 0.0,
        "tracker.visible_min_iou": 0.0,
        "tracker.window_scale": 100.0,
        "tracker.write_min_iou": 0.0,
        "tracker.write_min_share": 0.0,
        "tracker.writes_lost_frames": True,
    }


def test_a_sam2_export_runs_sam2s_own_memory_unless_told_otherwise(folder: Path) -> None:
    declare(folder, sam2_settings(), OTHER_WEIGHTS)
    assert model_settings(read_manifest(folder)).source == FROM_MANIFEST
    assert load_tracker(folder, threads=1).config == TrackerConfig()
    chosen = TrackerConfig(window_scale=4.0)
    assert load_tracker(folder, threads=1, config=chosen).config is chosen


def test_what_a_manifest_leaves_out_is_as_sam2_has_it(folder: Path) -> None:
    declare(folder, {"tracker.window_scale": 5})
    assert load_tracker(folder, threads=1).config == TrackerConfig(window_scale=5.0)
    declare(folder, {})
    assert model_settings(read_manifest(folder)).source == FROM_MANIFEST
    assert load_tracker(folder, threads=1).config == TrackerConfig()


def test_a_manifest_of_before_is_nanos_by_its_weights_and_else_sam2s(folder: Path) -> None:
    declare(folder, None)
    assert "settings" not in json.loads((folder / "manifest.json").read_text())
    own = model_settings(load_manifest(folder, kind="segmenter"))
    assert (own.values, own.source) == (NANO_VALUES, FROM_NANO)
    assert load_tracker(folder, threads=1).config == NANO
    declare(folder, None, OTHER_WEIGHTS)
    own = model_settings(load_manifest(folder, kind="segmenter"))
    assert (own.values, own.source) == (sam2_settings(), FROM_SAM2)
    assert load_tracker(folder, threads=1).config == TrackerConfig()


def test_without_the_nano_models_a_manifest_of_before_is_sam2s(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    declare(folder, None)
    monkeypatch.setenv("ICSEG_MODELS", str(tmp_path / "nowhere"))
    assert model_settings(read_manifest(folder)).source == FROM_SAM2
    monkeypatch.setenv("ICSEG_MODELS", str(tmp_path))  # a folder without a segmenter
    assert model_settings(read_manifest(folder)).source == FROM_SAM2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (3, "settings: expected full names and values, got 3"),
        (None, "settings: expected full names and values, got None"),
        ({"tracker.max_growth": [2]}, r"settings: tracker.max_growth: expected one plain value, got \[2\]"),
        ({"tracker.window": 3}, "settings: tracker.window = 3: this version of icseg has no such setting of a tracker"),
        ({"window_scale": 3}, "settings: window_scale = 3: this version of icseg has no such setting"),
        ({"tracker.window_scale": 1.0}, "settings: tracker.window_scale: expected a number 1.5..100, got 1.0"),
        ({"tracker.window_scale": "3"}, "settings: tracker.window_scale: expected a number 1.5..100, got '3'"),
        ({"tracker.writes_lost_frames": 1}, "settings: tracker.writes_lost_frames: expected true or false, got 1"),
    ],
)
def test_broken_settings_are_refused_by_file_name_and_value(folder: Path, settings: object, message: str) -> None:
    path = folder / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"settings": settings}))
    with pytest.raises(PlanMismatchError, match=message) as caught:
        load_tracker(folder, threads=1)
    assert str(caught.value).startswith(f"{path}: settings: ")
    assert str(caught.value).endswith("; rebuild the folder with export/sam2_to_onnx.py")


def test_they_are_refused_without_a_folder_too() -> None:
    manifest = replace(read_manifest(SHIPPED), settings={"tracker.max_objects": 0})
    with pytest.raises(PlanMismatchError, match=r"^manifest.json: settings: tracker.max_objects: expected an integer"):
        model_config(manifest)


def test_programs_open_models_with_their_own_settings_and_the_user_wins(folder: Path, tmp_path: Path) -> None:
    effective = effective_settings([Said("the program", {"tracker.max_objects": 3, "tracker.window_scale": 4.0})])
    assert effective.settings.tracker == replace(NANO, max_objects=3, window_scale=4.0)
    assert effective.sources["tracker.window_scale"] == "the program"
    assert effective.sources["tracker.max_growth"] == FROM_MANIFEST
    engines = tmp_path / "engines"
    engines.mkdir()
    shutil.copytree(folder, engines / "segmenter", ignore=shutil.ignore_patterns("engines"))
    declare(engines / "segmenter", None, OTHER_WEIGHTS)
    effective = effective_settings([Said("the program", {"model.engines": str(engines)})])
    assert effective.settings.tracker == TrackerConfig()
    assert effective.sources["tracker.max_growth"] == FROM_SAM2
