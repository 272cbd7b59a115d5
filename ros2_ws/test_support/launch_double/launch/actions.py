"""Double of `launch.actions`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from launch import Action, LaunchContext, LaunchDescriptionEntity, SomeSubstitutions, perform
from launch.launch_description_sources import PythonLaunchDescriptionSource


class DeclareLaunchArgument(Action):
    """An argument, its default and its meaning.

    Raises:
        RuntimeError: a default that is not one of the choices.
    """

    def __init__(
        self,
        name: str,
        *,
        default_value: SomeSubstitutions | None = None,
        description: str | None = None,
        choices: Sequence[str] | None = None,
    ) -> None:
        super().__init__()
        self.name, self.default_value, self.description, self.choices = name, default_value, description, choices
        if choices is not None and isinstance(default_value, str) and default_value not in choices:
            raise RuntimeError(f"argument {name!r}: default {default_value!r} is not one of {choices}")

    def execute(self, context: LaunchContext) -> None:
        """Set it, unless it is set.

        Raises:
            RuntimeError: it is required, or not one of the choices.
        """
        configurations = context.launch_configurations
        if self.name not in configurations:
            if self.default_value is None:
                raise RuntimeError(f"required launch argument {self.name!r} was not provided")
            configurations[self.name] = perform(context, self.default_value)
        if self.choices is not None and configurations[self.name] not in self.choices:
            raise RuntimeError(f"argument {self.name!r}: {configurations[self.name]!r} is not one of {self.choices}")


class OpaqueFunction(Action):
    """A function that returns actions."""

    def __init__(self, *, function: Callable[[LaunchContext], list[LaunchDescriptionEntity] | None]) -> None:
        super().__init__()
        self.function = function

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Call it."""
        return self.function(context)


class SetEnvironmentVariable(Action):
    """A variable of the processes that are started later."""

    def __init__(self, name: SomeSubstitutions, value: SomeSubstitutions) -> None:
        super().__init__()
        self.name, self.value = name, value

    def execute(self, context: LaunchContext) -> None:
        """Set it."""
        context.environment[perform(context, self.name)] = perform(context, self.value)


class IncludeLaunchDescription(Action):
    """Another launch file. As in the real package its arguments stay set afterwards."""

    def __init__(
        self,
        launch_description_source: PythonLaunchDescriptionSource,
        *,
        launch_arguments: Iterable[tuple[SomeSubstitutions, SomeSubstitutions]] = (),
    ) -> None:
        super().__init__()
        self.source, self.launch_arguments = launch_description_source, list(launch_arguments)

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """Set the arguments and go on with what it describes."""
        for name, value in self.launch_arguments:
            context.launch_configurations[perform(context, name)] = perform(context, value)
        return [self.source.get_launch_description(context)]


class Shutdown(Action):
    """The end of the launch."""

    def __init__(self, *, reason: str = "reason not given", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.reason = reason

    def execute(self, context: LaunchContext) -> None:
        """Everything that runs is to end."""
        context._set_is_shutdown(True)


__all__ = [
    "DeclareLaunchArgument",
    "IncludeLaunchDescription",
    "OpaqueFunction",
    "SetEnvironmentVariable",
    "Shutdown",
]
