"""What belongs to a model is in force with it, and what the user says wins: through Python and the command line."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import cv2
import pytest

from icseg import events, open_session
from icseg.assets import nano_models
from icseg.cli.main import main
from icseg.cli.options import add_options, models_of
from icseg.errors import ConfigError, PlanMismatchError
from icseg.inference.manifest import MANIFEST_NAME
from icseg.models import effective_settings, open_models, whose_tracker_settings
from icseg.session.executor import InlineExecutor
from icseg.settings import Said
from icseg.sim.clip_file import load_clip
from icseg.tracker.loading import FROM_MANIFEST, FROM_NANO, FROM_SAM2, sam2_settings
from icseg.tracker.state import TrackerConfig

NANO = TrackerConfig(
    writes_lost_frames=False, write_min_iou=0.5, max_growth=2.0, box_slack=0.05, visible_min_iou=0.5,
    write_min_share=0.3, window_scale=3.0, min_piece_share=0.1,
)  # fmt: skip


def engines(folder: Path, **changes: object) -> Path:
    """The nano engines with another manifest, as an export of other weights would have; None takes a key away."""
    shutil.copytree(nano_models(), folder, ignore=shutil.ignore_patterns("*.safetensors", "*.jsonl"))
    path = folder / "segmenter" / MANIFEST_NAME
    values = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: value for key, value in values.items() if value is not None}))
    return folder


def chosen(*arguments: str) -> tuple[TrackerConfig, str]:
    """What the command line's tracker runs, and whose settings those are."""
    parser = argparse.ArgumentParser()
    add_options(parser)
    models = models_of(parser.parse_args(arguments))
    return models.tracker.config, models.facts["tracker settings"]


def test_nano_runs_its_own_gates_and_windows() -> None:
    assert chosen() == (NANO, FROM_MANIFEST)


def test_sam2_runs_its_own_memory(tmp_path: Path) -> None:
    folder = engines(tmp_path / "sam2", settings=sam2_settings(), source_sha256="0" * 64)
    assert chosen("--engines", str(folder)) == (TrackerConfig(), FROM_MANIFEST)
    models = open_models(effective_settings([Said("a program", {"model.engines": str(folder)})]))
    assert models.tracker.config == TrackerConfig()


def test_a_manifest_of_before_is_sam2_unless_the_weights_are_nanos(tmp_path: Path) -> None:
    other = engines(tmp_path / "other", settings=None, source_sha256="0" * 64)
    nano = engines(tmp_path / "nano", settings=None)
    assert chosen("--engines", str(other)) == (TrackerConfig(), FROM_SAM2)
    assert chosen("--engines", str(nano)) == (NANO, FROM_NANO)


def test_the_users_word_wins_over_the_models(tmp_path: Path) -> None:
    file = tmp_path / "robot.toml"
    file.write_text("tracker.window_scale = 5\ntracker.max_growth = 3\n")
    config, whose = chosen("--config", str(file), "--tracker.max_growth", "4")
    assert (config.window_scale, config.max_growth, config.box_slack) == (5.0, 4.0, 0.05)
    assert whose == f"{FROM_MANIFEST}, the command line, {file}"


def test_a_manifest_with_broken_settings_is_named(tmp_path: Path) -> None:
    folder = engines(tmp_path / "broken", settings={"tracker.window_scale": 0.5})
    with pytest.raises(PlanMismatchError, match=r"manifest\.json: settings: tracker\.window_scale: expected"):
        effective_settings([Said("a program", {"model.engines": str(folder)})])


def test_a_program_opens_a_session_with_settings_by_name(tmp_path: Path) -> None:
    file = tmp_path / "robot.toml"
    file.write_text("session.dialogue.max_questions = 0\n")
    session = open_session({"session.following.every_frame": True}, config_file=file, executor=InlineExecutor())
    assert session.config.following.every_frame
    log: list[events.Event] = []
    for sim, _ in zip(load_clip(), range(20), strict=False):
        session.push_frame(sim.frame)
        if sim.frame.index == 15:
            session.say("the mug")
        log += session.step()
    session.close()
    # two mugs are in view, and no question is allowed
    assert [type(event) for event in log] == [events.Thinking, events.GaveUp]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"session.every_frame": True},
            "the program: unknown setting session.every_frame; did you mean session.following",
        ),
        ({"model.threads": -1}, r"the program: model.threads: expected an integer 0\.\.64, got -1"),
        ({"model.engines": "/nowhere"}, "the program: model.engines: no such folder: /nowhere"),
        ({"model.engines": "nowhere"}, f"the program: model.engines: no such folder: {Path('nowhere').absolute()}"),
        (
            {"tracker.conditioning_slots": 7},
            r"the program: tracker.conditioning_slots: expected at most 6 with the graphs of \S+, .*, got 7",
        ),
        (
            {"model.policy": "chat", "chat.api_key_env": "NO_SUCH_KEY"},
            "the program: chat.api_key_env: the environment variable NO_SUCH_KEY is not set",
        ),
    ],
)
def test_what_a_program_says_wrong_is_one_line(said: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        open_session(said)


def test_engines_without_a_detector_say_what_to_do(tmp_path: Path) -> None:
    folder = engines(tmp_path / "sam2")
    shutil.rmtree(folder / "detector")
    said = Said("a program", {"model.engines": str(folder)})
    with pytest.raises(
        ConfigError, match=r"model\.policy: candidates needs a detector, and \S+ has none: .* or choose chat"
    ):
        open_models(effective_settings([said]))
    models = open_models(effective_settings([said, Said("a flag", {"model.policy": "chat"})]))
    assert models.settings.model.policy == "chat"


def test_the_transcript_and_the_doctor_say_what_is_in_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--tracker.window_scale", "4"]) == 0
    (found,) = [one for one in json.loads(capsys.readouterr().out) if one["name"] == "tracker settings"]
    assert found["detail"] == f"{FROM_MANIFEST}, the command line"
    sim = next(iter(load_clip()))
    cv2.imwrite(str(tmp_path / "table.png"), sim.frame.image[:, :, ::-1])
    arguments = [
        "segment",
        str(tmp_path / "table.png"),
        "--box",
        "100",
        "100",
        "200",
        "200",
        "--out",
        str(tmp_path / "o"),
    ]
    main([*arguments, "--tracker.window_scale", "4"])
    settings = json.loads((tmp_path / "o" / "transcript.json").read_text())["settings"]
    assert settings["tracker.window_scale"] == {"value": 4.0, "source": "the command line"}
    assert settings["tracker.max_growth"] == {"value": 2.0, "source": FROM_MANIFEST}
    assert settings["session.following.every_frame"]["source"] == "icseg segment, for a recording"


def test_the_doctor_tells_what_is_wrong_with_a_setting_and_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json", "--tracker.conditioning_slots", "9"]) == 1
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert found["engines"]["detail"].startswith("the command line: tracker.conditioning_slots: expected at most 6")
    assert found["engines"]["remedy"] == ""  # other engines are not what it needs
    assert "ROS 2" in found


def test_whose_tracker_settings_are_told_without_the_defaults() -> None:
    assert whose_tracker_settings(effective_settings([])) == FROM_MANIFEST
