"""One version: what `icseg.__version__` says, the ROS packages say too, and nothing else says one."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import icseg

ROOT = Path(__file__).parents[1]
PACKAGES = sorted((ROOT / "ros2_ws" / "src").glob("*/package.xml"))


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.parent.name)
def test_ros_packages_have_the_version_of_the_runtime(package: Path) -> None:
    assert ElementTree.parse(package).findtext("version") == icseg.__version__


def test_there_are_ros_packages() -> None:
    assert {path.parent.name for path in PACKAGES} >= {"icseg_msgs", "icseg_ros"}


@pytest.mark.parametrize("name", ["pyproject.toml", "CMakeLists.txt", "ros2_ws/src/icseg_ros/setup.py"])
def test_no_build_file_names_a_version_of_its_own(name: str) -> None:
    assert icseg.__version__ not in (ROOT / name).read_text()


def test_the_changelog_has_an_entry_for_the_version() -> None:
    headings = re.findall(r"^## \[([^\]]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert icseg.__version__ in headings
