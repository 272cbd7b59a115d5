"""The installed launch files: what they start, for which arguments, and that the double covers all they use."""

import ast
import importlib
import json
import re
import sys
from pathlib import Path

import pytest
import rclpy
import yaml
from ament_index_python.packages import get_package_prefix, get_package_share_directory
from rclpy.context import Context

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "test_support"))

from launching import DOUBLE, IS_REAL, Command, launch_file, resolve

from icseg.assets import nano_models
from icseg.runtime_settings import RuntimeSettings
from icseg.settings import from_values
from icseg.tracker.loading import sam2_settings
from icseg.tracker.state import TrackerConfig
from icseg_ros.node import ClarifySegmentNode
from icseg_ros.parameters import read_all

SHARE = Path(get_package_share_directory("icseg_ros"))
LIB = Path(get_package_prefix("icseg_ros")) / "lib" / "icseg_ros"
LAUNCH_FILES = sorted((SHARE / "launch").glob("*.launch.py"))
NODE = "clarify_segment.launch.py"
DEMO = "demo.launch.py"
ALLOWED = {"pathlib"}


def only(**arguments: str) -> Command:
    (command,) = resolve(launch_file(NODE), arguments)
    return command


def test_by_default_one_node_on_the_usual_camera_topic():
    command = only()
    assert command.argv == [
        str(LIB / "clarify_segment_node"), "--ros-args", "--log-level", "info",
        "-r", "__node:=clarify_segment", "-r", "__ns:=/",
        "--params-file", str(SHARE / "config" / "clarify_segment.yaml"),
        "--params-file", str(SHARE / "config" / "speech" / "plain.yaml"),
        "--params-file", str(command.params_files[-1]),
        "-r", "image:=/camera/image_raw", "-r", "image/compressed:=/camera/image_raw/compressed",
    ]  # fmt: skip
    assert command.parameters() == {"camera.transport": "raw", "autostart": True, "use_sim_time": False}


def test_every_argument_arrives_with_its_type(tmp_path):
    params_file = tmp_path / "mine.yaml"
    params_file.write_text("/**: {ros__parameters: {autostart: true}}\n")
    (tmp_path / "robot.toml").write_text("chat.seed = 7\n")
    command = only(
        namespace="robot/left", image_topic="/cam/color", image_transport="compressed", depth_topic="/cam/depth",
        camera_info_topic="/cam/info", params_file=str(params_file), engines=str(tmp_path), language="no",
        config_file=str(tmp_path / "robot.toml"),
        speech="ros4hri", log_level="debug", use_sim_time="true", autostart="False",
    )  # fmt: skip
    assert ("--log-level", "debug") in command.ros_args
    assert command.remappings == {
        "__node": "clarify_segment",
        "__ns": "/robot/left",
        "image": "/cam/color",
        "image/compressed": "/cam/color/compressed",
        "depth": "/cam/depth",
        "camera_info": "/cam/info",
    }
    assert command.params_files[:-1] == [params_file, SHARE / "config" / "speech" / "ros4hri.yaml"]
    assert command.parameters() == {
        "camera.transport": "compressed",
        "depth.enabled": True,
        "model.engines": str(tmp_path),
        "speech.language": "no",
        "config_file": str(tmp_path / "robot.toml"),
        "autostart": False,
        "use_sim_time": True,
    }


def settings_of(command: Command) -> RuntimeSettings:
    """The settings in force in the node that a command would start."""
    context = Context()
    rclpy.init(context=context)
    node = ClarifySegmentNode(context=context, cli_args=command.argv[1:])
    try:
        return read_all(node).runtime.settings
    finally:
        node.destroy_node()
        rclpy.try_shutdown(context=context)


def test_each_model_brings_its_own_tracker_settings_and_the_user_wins_over_both(tmp_path):
    # a folder of SAM 2.1 engines, as far as settings are read from it
    (tmp_path / "segmenter").mkdir()
    nano = json.loads((nano_models() / "segmenter" / "manifest.json").read_text())
    sam2 = nano | {"settings": sam2_settings(), "source_sha256": "0" * 64}
    (tmp_path / "segmenter" / "manifest.json").write_text(json.dumps(sam2))
    assert settings_of(only()).tracker == from_values("tracker", TrackerConfig, nano["settings"])
    assert settings_of(only(engines=str(tmp_path))).tracker == TrackerConfig()
    file = tmp_path / "robot.toml"
    file.write_text("tracker.window_scale = 4\n")
    chosen = settings_of(only(engines=str(tmp_path), config_file=str(file))).tracker
    assert chosen == TrackerConfig(window_scale=4.0)
    params_file = tmp_path / "mine.yaml"
    params_file.write_text("/**: {ros__parameters: {tracker.window_scale: 5}}\n")
    chosen = settings_of(only(config_file=str(file), params_file=str(params_file))).tracker
    assert (chosen.window_scale, chosen.max_growth) == (5.0, 2.0)


def test_paths_are_meant_from_where_the_launch_is_started(tmp_path, monkeypatch):
    (tmp_path / "engines").mkdir()
    (tmp_path / "mine.yaml").write_text("/**: {ros__parameters: {}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for engines, params_file in (("engines", "mine.yaml"), ("~/engines", "~/mine.yaml")):
        command = only(engines=engines, params_file=params_file)
        assert command.parameters()["model.engines"] == str(tmp_path / "engines")
        assert command.params_files[0] == tmp_path / "mine.yaml"


def test_parameters_are_keyed_by_the_node_in_its_namespace():
    said = yaml.safe_load(only(namespace="robot").params_files[-1].read_text())
    assert list(said) == ["/robot/clarify_segment"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"image_transport": "theora"},
        {"speech": "loud"},
        {"log_level": "chatty"},
        {"use_sim_time": "sometimes"},
        {"params_file": "/nowhere/params.yaml"},
        {"engines": "/nowhere/engines"},
        {"config_file": "/nowhere/robot.toml"},
        {"fastdds_profile": "/nowhere/profile.xml"},
    ],
)
def test_a_wrong_argument_starts_nothing_and_is_named(arguments):
    (value,) = arguments.values()
    with pytest.raises((RuntimeError, ValueError, FileNotFoundError), match=value):
        only(**arguments)


def test_the_profile_is_set_in_the_environment(monkeypatch, tmp_path):
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    assert not set(names) & set(only().env)
    own = tmp_path / "own.xml"
    own.write_text("<profiles/>")
    for given, expected in (("images", SHARE / "config" / "fastdds_images.xml"), (str(own), own)):
        env = only(fastdds_profile=given).env
        assert [env[name] for name in names] == [str(expected)] * 2
        assert Path(env[names[0]]).is_file()


def test_the_demo_starts_camera_and_person_beside_the_node():
    node, camera, user = resolve(launch_file(DEMO), {"fastdds_profile": "images"})
    assert node.argv[:-4] == [*only().argv[:-5], str(node.params_files[-1])]
    assert node.remappings["image"] == camera.remappings["image"] == "/camera/image_raw"
    assert camera.argv == [
        str(LIB / "demo_camera_node"), "--ros-args", "-r", "__node:=demo_camera",
        "--params-file", str(camera.params_files[-1]),
        "-r", "image:=/camera/image_raw", "-r", "image/compressed:=/camera/image_raw/compressed",
        "-r", "camera_info:=/camera/camera_info",
    ]  # fmt: skip
    assert user.argv == [
        str(LIB / "demo_user_node"), "--ros-args", "-r", "__node:=demo_user",
        "--params-file", str(user.params_files[-1]),
    ]  # fmt: skip
    # of the sender the profile is needed most
    assert camera.env["FASTRTPS_DEFAULT_PROFILES_FILE"] == str(SHARE / "config" / "fastdds_images.xml")
    assert [command.ends_all for command in (node, camera, user)] == [False, False, True]


def test_the_demo_passes_its_arguments_on():
    node, camera, user = resolve(
        launch_file(DEMO),
        {
            "seed": "7", "kind": "can", "size": "1280x720", "rate_hz": "15", "source": "clip", "speech": "sound_play",
            "image_transport": "compressed", "answer_by": "service", "masks": "90", "min_mean_j": "1",
        },
    )  # fmt: skip
    assert node.parameters()["camera.transport"] == "compressed"
    assert node.params_files[1].name == "sound_play.yaml"
    expected = {"seed": 7, "kind": "can", "size": "1280x720", "rate_hz": 15.0, "source": "clip"}
    assert camera.parameters() == expected
    assert isinstance(camera.parameters()["rate_hz"], float)
    assert user.parameters() == {
        "seed": 7, "command": "the can", "answer_by": "service", "exit_after_masks": 90, "min_mean_j": 1.0,
    }  # fmt: skip


def test_without_the_simulated_person_you_are_the_person():
    commands = resolve(launch_file(DEMO), {"user": "false"})
    assert [command.executable for command in commands] == ["clarify_segment_node", "demo_camera_node"]


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_every_argument_is_described(path):
    tree = ast.parse(path.read_text())
    declared = [
        n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "DeclareLaunchArgument"
    ]
    assert declared
    for call in declared:
        given = {keyword.arg: keyword.value for keyword in call.keywords}
        assert {"default_value", "description"} <= set(given), ast.unparse(call)
        assert ast.literal_eval(given["description"]).endswith("."), ast.unparse(call)


@pytest.mark.parametrize("path", LAUNCH_FILES, ids=lambda path: path.name)
def test_launch_files_import_only_what_the_double_covers(path):
    for node in ast.walk(ast.parse(path.read_text())):
        assert not isinstance(node, ast.Import), f"{path.name}: import names one by one: {ast.unparse(node)}"
        if isinstance(node, ast.ImportFrom) and node.module not in ALLOWED:
            assert node.module is not None
            file = DOUBLE / node.module.replace(".", "/")
            file = file / "__init__.py" if file.is_dir() else file.with_suffix(".py")
            covered = exported(file)
            assert {name.name for name in node.names} <= covered, f"{path.name}: {ast.unparse(node)}"


def exported(file: Path) -> set[str]:
    """What a module of the double says that it covers."""
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


@pytest.mark.skipif(IS_REAL, reason="the real launch package is installed and in use")
def test_the_double_refuses_what_it_does_not_cover():
    actions = importlib.import_module("launch.actions")
    with pytest.raises(AttributeError):
        _ = actions.TimerAction
    with pytest.raises(TypeError, match="respawn"):
        importlib.import_module("launch_ros.actions").Node(package="a", executable="b", respawn=True)


def test_what_the_guide_tells_to_type_exists():
    """Every launch argument and every file of the package that docs/jetson.md names."""
    guide = Path(__file__).resolve().parents[4] / "docs" / "jetson.md"
    if not guide.is_file():
        pytest.skip("the package was checked out without docs/")
    text = guide.read_text().replace("\\\n", " ")
    typed = re.findall(r"ros2 launch icseg_ros (\S+\.launch\.py)(.*)", text)
    assert len(typed) > 3
    for name, rest in typed:
        declared = set(re.findall(r'DeclareLaunchArgument\(\s*"(\w+)"', launch_file(name).read_text()))
        assert set(re.findall(r"(\w+):=", rest)) <= declared
    files = re.findall(r"--share icseg_ros\)/([\w./]+\w)", text)
    assert files
    assert all((SHARE / file).is_file() for file in files)
