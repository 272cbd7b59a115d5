"""The node `clarify_segment` on a camera: says which arguments there are and what each becomes.

    ros2 launch icseg_ros clarify_segment.launch.py image_topic:=/camera/color/image_raw speech:=ros4hri

`ros2 launch icseg_ros clarify_segment.launch.py --show-args` lists the arguments. Parameters come from `params_file`,
then from the speech preset, then from the arguments that are not empty: the last one counts.
"""

from pathlib import Path

from launch import LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

CONFIG = PathJoinSubstitution([FindPackageShare("icseg_ros"), "config"])
SPEECH = ["plain", "ros4hri", "pal_ask", "mgonzs13", "sound_play"]
# Fast DDS up to 2.14 (Humble, Jazzy) reads the first name, from 3 on (Kilted) the second
PROFILE_VARIABLES = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")

ARGUMENTS = [
    DeclareLaunchArgument("namespace", default_value="", description="Namespace of the node; empty = none."),
    DeclareLaunchArgument(
        "image_topic", default_value="/camera/image_raw", description="The camera's image topic, without a transport."
    ),
    DeclareLaunchArgument(
        "image_transport",
        default_value="raw",
        choices=["raw", "compressed"],
        description="raw = sensor_msgs/Image from image_topic; compressed = JPEG or PNG from image_topic/compressed.",
    ),
    DeclareLaunchArgument(
        "depth_topic",
        default_value="",
        description="Depth image in the camera's frame (16UC1 mm or 32FC1 m), for 3D points; empty = none.",
    ),
    DeclareLaunchArgument(
        "camera_info_topic",
        default_value="/camera/camera_info",
        description="The camera's intrinsics; used with depth_topic.",
    ),
    DeclareLaunchArgument(
        "params_file",
        default_value=PathJoinSubstitution([CONFIG, "clarify_segment.yaml"]),
        description="YAML of parameters, keyed by /** so that it holds in any namespace.",
    ),
    DeclareLaunchArgument(
        "engines",
        default_value="",
        description="Folder that export/build_engines.py made; empty = what params_file says.",
    ),
    DeclareLaunchArgument(
        "config_file",
        default_value="",
        description="TOML file of the runtime's settings (icseg config --describe); empty = what params_file says.",
    ),
    DeclareLaunchArgument(
        "language", default_value="", description="IETF tag of the questions; empty = what params_file says."
    ),
    DeclareLaunchArgument(
        "speech",
        default_value="plain",
        choices=SPEECH,
        description="How it speaks and listens: a preset of config/speech.",
    ),
    DeclareLaunchArgument(
        "log_level",
        default_value="info",
        choices=["debug", "info", "warn", "error", "fatal"],
        description="Least severity that is logged.",
    ),
    DeclareLaunchArgument(
        "use_sim_time", default_value="false", description="true = time comes from /clock (a simulator or a bag)."
    ),
    DeclareLaunchArgument(
        "fastdds_profile",
        default_value="",
        description="Fast DDS profile for this launch: images = room for whole images in shared memory, which the "
        "camera's process needs too; else a path; empty = none.",
    ),
    DeclareLaunchArgument(
        "autostart",
        default_value="true",
        description="true = the node configures and activates itself; false = somebody else does.",
    ),
]


def generate_launch_description() -> LaunchDescription:
    """The arguments, then the node."""
    return LaunchDescription([*ARGUMENTS, OpaqueFunction(function=start)])


def start(context: LaunchContext) -> list:
    """The node with what the arguments say.

    Raises:
        FileNotFoundError: params_file, config_file, engines or fastdds_profile do not exist: the launcher would only
            warn.
    """
    return [*profile(context), node(context)]


def profile(context: LaunchContext) -> list:
    """The environment that makes Fast DDS read the profile; of this process and of all that are started after it."""
    given = text(context, "fastdds_profile")
    if not given:
        return []
    path = Path(CONFIG.perform(context)) / "fastdds_images.xml" if given == "images" else whole_path(given)
    if not path.is_file():
        raise FileNotFoundError(f"fastdds_profile: expected images, or the path of an XML file, got {given!r}")
    return [SetEnvironmentVariable(name, str(path)) for name in PROFILE_VARIABLES]


def node(context: LaunchContext) -> Node:
    """The node itself."""
    params_file, engines, depth = (text(context, name) for name in ("params_file", "engines", "depth_topic"))
    if not whole_path(params_file).is_file():
        raise FileNotFoundError(f"params_file: expected the path of a YAML file, got {params_file!r}")
    image = text(context, "image_topic")
    remappings = [("image", image), ("image/compressed", f"{image}/compressed")]
    parameters = {
        "camera.transport": typed("image_transport", str),
        "autostart": typed("autostart", bool),
        "use_sim_time": typed("use_sim_time", bool),
    }
    if engines:
        if not whole_path(engines).is_dir():
            raise FileNotFoundError(f"engines: expected a folder that export/build_engines.py made, got {engines!r}")
        parameters["model.engines"] = str(whole_path(engines))
    if config_file := text(context, "config_file"):
        if not whole_path(config_file).is_file():
            raise FileNotFoundError(f"config_file: expected the path of a TOML file, got {config_file!r}")
        parameters["config_file"] = str(whole_path(config_file))
    if text(context, "language"):
        parameters["speech.language"] = typed("language", str)
    if depth:
        parameters["depth.enabled"] = True
        remappings += [("depth", depth), ("camera_info", text(context, "camera_info_topic"))]
    return Node(
        package="icseg_ros",
        executable="clarify_segment_node",
        name="clarify_segment",
        namespace=LaunchConfiguration("namespace"),
        parameters=[
            str(whole_path(params_file)),
            PathJoinSubstitution([CONFIG, "speech", f"{text(context, 'speech')}.yaml"]),
            parameters,
        ],
        remappings=remappings,
        ros_arguments=["--log-level", LaunchConfiguration("log_level")],
        output="screen",
        emulate_tty=True,
    )


def text(context: LaunchContext, name: str) -> str:
    """An argument as it was given."""
    return LaunchConfiguration(name).perform(context)


def whole_path(given: str) -> Path:
    """A path as the shell's user means it: the node may run elsewhere, and no shell expands ~ after :=."""
    return Path(given).expanduser().absolute()


def typed(name: str, kind: type) -> ParameterValue:
    """An argument as a parameter of a type: untyped, the launcher would read 15 as an integer and no as false."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)
