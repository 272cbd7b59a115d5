"""Double of `launch_ros.substitutions`."""

from __future__ import annotations

from ament_index_python.packages import get_package_share_directory
from launch import LaunchContext, SomeSubstitutions, Substitution, perform


class FindPackageShare(Substitution):
    """The share folder of an installed package."""

    def __init__(self, package: SomeSubstitutions) -> None:
        self.package = package

    def perform(self, context: LaunchContext) -> str:
        """The folder; PackageNotFoundError when it is not installed."""
        return str(get_package_share_directory(perform(context, self.package)))


__all__ = ["FindPackageShare"]
