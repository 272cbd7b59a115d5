"""The whole robot without hardware: a simulated camera over a table, a simulated person, and `clarify_segment`.

    ros2 launch icseg_ros demo.launch.py
    ros2 launch icseg_ros demo.launch.py user:=false       # you are the person:
    ros2 topic pub --once /command std_msgs/msg/String "{data: the mug}"
    ros2 topic pub --once /answer std_msgs/msg/String "{data: the red one}"

It ends when the person has seen `masks` masks, or with Ctrl-C.
"""

from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, IncludeLaunchDescription, Shutdown
from launch.conditions import IfCondition
from launch.launch_description_sources import PythonLaunchDescriptionSource
from launch.substitutions import LaunchConfiguration, PathJoinSubstitution
from launch_ros.actions import Node
from launch_ros.parameter_descriptions import ParameterValue
from launch_ros.substitutions import FindPackageShare

IMAGE_TOPIC = "/camera/image_raw"
CAMERA_INFO_TOPIC = "/camera/camera_info"
PASSED_ON = ("image_transport", "speech", "engines", "config_file", "fastdds_profile", "log_level")

ARGUMENTS = [
    DeclareLaunchArgument("seed", default_value="0", description="Number of the scene, from 0."),
    DeclareLaunchArgument(
        "kind",
        default_value="mug",
        description="Kind of which several things stand on the table, in different colours.",
    ),
    DeclareLaunchArgument("size", default_value="640x480", description="Width and height of the images in pixels."),
    DeclareLaunchArgument("rate_hz", default_value="30.0", description="Images a second."),
    DeclareLaunchArgument(
        "source",
        default_value="auto",
        choices=["auto", "render", "clip"],
        description="auto = render the scene, or play the recorded clip where there is no OpenGL; or one of the two.",
    ),
    DeclareLaunchArgument(
        "image_transport",
        default_value="raw",
        choices=["raw", "compressed"],
        description="How clarify_segment takes the images.",
    ),
    DeclareLaunchArgument(
        "speech",
        default_value="plain",
        description="As of clarify_segment.launch.py; the simulated person uses topics.",
    ),
    DeclareLaunchArgument("engines", default_value="", description="As of clarify_segment.launch.py."),
    DeclareLaunchArgument("config_file", default_value="", description="As of clarify_segment.launch.py."),
    DeclareLaunchArgument(
        "fastdds_profile", default_value="", description="As of clarify_segment.launch.py, for all nodes."
    ),
    DeclareLaunchArgument("log_level", default_value="info", description="As of clarify_segment.launch.py."),
    DeclareLaunchArgument(
        "user", default_value="true", description="true = a simulated person commands and answers; false = you do."
    ),
    DeclareLaunchArgument(
        "command", default_value=["the ", LaunchConfiguration("kind")], description="What the simulated person says."
    ),
    DeclareLaunchArgument(
        "answer_by",
        default_value="topic",
        choices=["topic", "service"],
        description="How the simulated person answers.",
    ),
    DeclareLaunchArgument(
        "masks", default_value="0", description="Masks after which the simulated person leaves and all ends; 0 = stays."
    ),
    DeclareLaunchArgument(
        "min_mean_j",
        default_value="0.8",
        description="Least mean J with which the person leaves content (exit code 0).",
    ),
]


def generate_launch_description() -> LaunchDescription:
    """The arguments, then the three nodes."""
    launch_folder = PathJoinSubstitution([FindPackageShare("icseg_ros"), "launch"])
    # first: its fastdds_profile is for what is started after it as well
    clarify_segment = IncludeLaunchDescription(
        PythonLaunchDescriptionSource(PathJoinSubstitution([launch_folder, "clarify_segment.launch.py"])),
        launch_arguments=[
            ("image_topic", IMAGE_TOPIC),
            ("camera_info_topic", CAMERA_INFO_TOPIC),
            *((name, LaunchConfiguration(name)) for name in PASSED_ON),
        ],
    )
    return LaunchDescription([*ARGUMENTS, clarify_segment, camera(), user()])


def camera() -> Node:
    """The simulated camera."""
    return Node(
        package="icseg_ros",
        executable="demo_camera_node",
        name="demo_camera",
        parameters=[
            {
                "seed": typed("seed", int),
                "kind": typed("kind", str),
                "size": typed("size", str),
                "rate_hz": typed("rate_hz", float),
                "source": typed("source", str),
            }
        ],
        remappings=[
            ("image", IMAGE_TOPIC),
            ("image/compressed", f"{IMAGE_TOPIC}/compressed"),
            ("camera_info", CAMERA_INFO_TOPIC),
        ],
        output="screen",
        emulate_tty=True,
    )


def user() -> Node:
    """The simulated person; when it leaves, all ends."""
    return Node(
        package="icseg_ros",
        executable="demo_user_node",
        name="demo_user",
        condition=IfCondition(LaunchConfiguration("user")),
        parameters=[
            {
                "seed": typed("seed", int),
                "command": typed("command", str),
                "answer_by": typed("answer_by", str),
                "exit_after_masks": typed("masks", int),
                "min_mean_j": typed("min_mean_j", float),
            }
        ],
        on_exit=[Shutdown(reason="the person left")],
        output="screen",
        emulate_tty=True,
    )


def typed(name: str, kind: type) -> ParameterValue:
    """An argument as a parameter of a type: untyped, the launcher would read 30 as an integer."""
    return ParameterValue(LaunchConfiguration(name), value_type=kind)
