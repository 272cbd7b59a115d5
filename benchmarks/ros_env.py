"""Where ROS is, for benchmarks: whatever Python starts them, they go on in one with rclpy and the built workspace."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = ROOT / ".venv-ros" / "bin" / "python"
SETUP = ROOT / "ros2_ws" / "install" / "setup.sh"
NEEDED = ("rclpy", "icseg_msgs", "icseg_ros", "icseg")
_WAS_SOURCED = "ICSEG_BENCHMARK_HAS_SOURCED"
_DECIDED_HERE = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE", "ROS_PYTHON_CHECK_FIELDS")
"""What a shell may have set and a measurement must decide itself."""
FREE_DOMAINS = 101
"""Values of ROS_DOMAIN_ID, from 1, that are free to use on every system."""


def enter() -> None:
    """Return where rclpy and the workspace can be imported; else start this program again there, or end it.

    A shell in which a workspace was sourced is taken as it is. Otherwise `make ros` must have been run.
    """
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if not missing:
        # a domain of its own: no other node may join in
        os.environ.setdefault("ROS_DOMAIN_ID", str(os.getpid() % FREE_DOMAINS + 1))
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        return
    if _WAS_SOURCED in os.environ:
        sys.exit(f"{SETUP} was sourced and there is still no {', '.join(missing)}: run `make ros` again")
    absent = [str(path.relative_to(ROOT)) for path in (PYTHON, SETUP) if not path.exists()]
    if absent:
        sys.exit(f"no {' and no '.join(absent)}: run `make ros` first, or source a ROS 2 workspace with icseg_ros")
    environment = {name: value for name, value in os.environ.items() if name != "_ROS_WHEELS_BOOTSTRAP_COMPLETE"}
    again = ["sh", "-c", '. "$0" && exec "$@"', str(SETUP), str(PYTHON), *sys.orig_argv[1:]]
    os.execvpe("sh", again, environment | {_WAS_SOURCED: "1"})


def environment(*, has_profile: bool) -> dict[str, str]:
    """The environment of a child process: this one's, with or without the Fast DDS profile for images."""
    own = {name: value for name, value in os.environ.items() if name not in _DECIDED_HERE}
    if has_profile:
        own |= dict.fromkeys(_DECIDED_HERE[:2], str(_profile()))
    return own


def _profile() -> Path:
    from ament_index_python.packages import get_package_share_directory

    path = Path(get_package_share_directory("icseg_ros")) / "config" / "fastdds_images.xml"
    if not path.is_file():
        sys.exit(f"no {path}: run `make ros` again")
    return path


def node_executable() -> Path:
    """The installed program of the node."""
    from ament_index_python.packages import get_package_prefix

    return Path(get_package_prefix("icseg_ros")) / "lib" / "icseg_ros" / "clarify_segment_node"


def versions() -> dict[str, str]:
    """The versions of ROS and its middleware, as far as they are known."""
    import rclpy

    prefixes = [Path(prefix) for prefix in (*os.environ.get("AMENT_PREFIX_PATH", "").split(":"), sys.prefix) if prefix]
    found = {"middleware": rclpy.get_rmw_implementation_identifier()}
    for package in ("rclpy", found["middleware"]):
        for manifest in [prefix / "share" / package / "package.xml" for prefix in prefixes]:
            if manifest.is_file():
                found[package] = manifest.read_text().split("<version>", 1)[1].split("</version>", 1)[0]
                break
    return found
