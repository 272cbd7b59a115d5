"""Double of `launch.substitutions`."""

from __future__ import annotations

import os
from collections.abc import Iterable

from launch import LaunchContext, SomeSubstitutions, Substitution, perform


class LaunchConfiguration(Substitution):
    """The value of a launch argument."""

    def __init__(self, variable_name: str) -> None:
        self.variable_name = variable_name

    def perform(self, context: LaunchContext) -> str:
        """The value.

        Raises:
            LookupError: no such argument was declared.
        """
        if self.variable_name not in context.launch_configurations:
            raise LookupError(f"launch configuration '{self.variable_name}' does not exist")
        return context.launch_configurations[self.variable_name]


class PathJoinSubstitution(Substitution):
    """Parts of a path, joined."""

    def __init__(self, substitutions: Iterable[SomeSubstitutions]) -> None:
        self.substitutions = list(substitutions)

    def perform(self, context: LaunchContext) -> str:
        """The path."""
        return os.path.join(*(perform(context, part) for part in self.substitutions))  # noqa: PTH118


__all__ = ["LaunchConfiguration", "PathJoinSubstitution"]
