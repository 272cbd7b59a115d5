"""The ROS 2 package of icseg: ament_python, so that colcon builds it without a compiler."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

from setuptools import find_packages, setup

NAME = "icseg_ros"


def files(pattern: str) -> list[str]:
    """Files of the package, to be installed."""
    return sorted(str(path) for path in Path().glob(pattern))


setup(
    name=NAME,
    version=ElementTree.parse("package.xml").findtext("version"),
    packages=find_packages(exclude=["test"]),
    data_files=[
        ("share/ament_index/resource_index/packages", [f"resource/{NAME}"]),
        (f"share/{NAME}", ["package.xml"]),
        (f"share/{NAME}/launch", files("launch/*.launch.py")),
        (f"share/{NAME}/config", files("config/*.*")),
        (f"share/{NAME}/config/speech", files("config/speech/*.yaml")),
    ],
    install_requires=["setuptools"],
    extras_require={"test": ["pytest"]},
    zip_safe=True,
    maintainer="icseg maintainers",
    maintainer_email="maintainers@icseg.example",
    description="Ask on the robot, masks in real time",
    license="Apache-2.0",
    entry_points={
        "console_scripts": [
            "clarify_segment_node = icseg_ros.main:main",
            "demo_camera_node = icseg_ros.demo_camera:main",
            "demo_user_node = icseg_ros.demo_user:main",
        ]
    },
)
