"""Weights are found under every name that a command line may use, and what is wrong with them is said."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch

from export.sam2_to_onnx import main
from export.segmenter_source import find_segmenter
from icseg.assets import nano_models
from icseg.errors import ConfigError, PlanMismatchError
from icseg.tracker.loading import sam2_settings
from tests.export.meta_layout import meta_shapes

NANO = nano_models() / "segmenter"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(NANO / name, tmp_path / name)
    return tmp_path


def test_the_model_that_ships_and_a_folder(folder: Path) -> None:
    shipped, copied = find_segmenter("nano"), find_segmenter(str(folder))
    assert (shipped.name, copied.name) == ("icseg-nano-segmenter", folder.name)
    assert shipped.fingerprint == copied.fingerprint
    model = copied.load()
    assert model.config.image_size == 320
    assert next(model.parameters()).dtype == torch.float32
    with (folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"x")
    assert find_segmenter(str(folder)).fingerprint != shipped.fingerprint


def test_a_folder_at_another_resolution(folder: Path) -> None:
    model = find_segmenter(str(folder), resolution=256).load()
    assert model.config.image_size == 256
    with torch.no_grad():
        maps = model.vision_encoder(torch.zeros(1, 3, 256, 256), return_dict=True).fpn_hidden_states
    assert [level.shape[-1] for level in maps] == [64, 32, 16]


def test_a_checkpoint_of_metas(tmp_path: Path) -> None:
    torch.save({"model": {name: torch.zeros(shape) for name, shape in meta_shapes("tiny").items()}}, tmp_path / "a.pt")
    source = find_segmenter(str(tmp_path / "a.pt"), resolution=512)
    assert source.name == "a"
    assert source.load().config.image_size == 512
    assert source.settings == sam2_settings()


def test_settings_stand_beside_the_weights(folder: Path) -> None:
    assert find_segmenter("nano").settings["tracker.window_scale"] == 3.0
    assert find_segmenter(str(folder)).settings == sam2_settings()
    (folder / "settings.json").write_text('{"tracker.window_scale": 4.5}')
    source = find_segmenter(str(folder))
    assert source.settings == {"tracker.window_scale": 4.5}
    assert source.fingerprint == find_segmenter("nano").fingerprint  # the weights are the same


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON"),
        ("[]", r"expected full names and plain values, got \[\]"),
        ('{"tracker.window": 3}', "settings: tracker.window = 3: this version of icseg has no such setting"),
        ('{"tracker.window_scale": 0}', "settings: tracker.window_scale: expected a number 1.5..100, got 0"),
    ],
)
def test_broken_settings_beside_the_weights(folder: Path, text: str, message: str) -> None:
    (folder / "settings.json").write_text(text)
    with pytest.raises(PlanMismatchError, match=rf"settings\.json: {message}.*; correct it, or delete it"):
        find_segmenter(str(folder))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("missing.pt", "no such file; expected a checkpoint such as"),
        ("nobody/nothing", "none is there. To fetch a hub id: hf download nobody/nothing"),
        ("not a name/at/all", "expected nano, a folder, a .pt file, or a hub id"),
    ],
)
def test_nothing_is_there(text: str, message: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match=message):
        find_segmenter(text)


def test_wrong_folders(folder: Path) -> None:
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PlanMismatchError, match="cannot be read as weights of this model"):
        find_segmenter(str(folder)).load()
    (folder / "model.safetensors").unlink()
    with pytest.raises(PlanMismatchError, match=r"model\.safetensors is missing"):
        find_segmenter(str(folder))
    (folder / "model.safetensors").write_bytes(whole)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(PlanMismatchError, match="expected a model of type sam2_video, got 'bert'"):
        find_segmenter(str(folder))
    (folder / "config.json").write_text("{")
    with pytest.raises(PlanMismatchError, match="not a model's configuration"):
        find_segmenter(str(folder))


def test_the_command_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([str(tmp_path / "none.pt"), str(tmp_path / "out")])
    assert "no such file" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["nano", str(tmp_path / "out"), "--resolution", "333"])
    assert "multiple of 32, got 333" in capsys.readouterr().err
