"""Double of `launch_ros.actions`: a node's process, with the command line that the real package gives it.

Its shape was compared with a real `ros2 launch` of Jazzy:

    <prefix>/lib/<package>/<executable> <arguments> --ros-args <ros_arguments> -r __node:=NAME -r __ns:=/NAMESPACE
        --params-file A --params-file TEMPORARY -r from:=to
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from ament_index_python.packages import get_package_prefix
from launch import Action, LaunchContext, SomeSubstitutions, perform
from launch_ros.parameter_descriptions import ParameterValue


@dataclass
class Executable:
    """What is to be run; the final values are known when the node was executed."""

    final_cmd: list[str] | None = None
    final_env: dict[str, str] = field(default_factory=dict)


class Node(Action):
    """A node in a process of its own. Executing it here resolves it; `launching` starts it."""

    def __init__(
        self,
        *,
        package: SomeSubstitutions,
        executable: SomeSubstitutions,
        name: SomeSubstitutions | None = None,
        namespace: SomeSubstitutions | None = None,
        parameters: Sequence[SomeSubstitutions | Mapping[str, Any]] = (),
        remappings: Iterable[tuple[SomeSubstitutions, SomeSubstitutions]] = (),
        arguments: Sequence[SomeSubstitutions] = (),
        ros_arguments: Sequence[SomeSubstitutions] = (),
        condition: Any = None,
        on_exit: Sequence[Action] = (),
        output: str = "log",
        emulate_tty: bool = False,
    ) -> None:
        super().__init__(condition=condition)
        self.package, self.executable, self.name, self.namespace = package, executable, name, namespace
        self.parameters, self.remappings = parameters, list(remappings)
        self.arguments, self.ros_arguments, self.on_exit = arguments, ros_arguments, on_exit
        self.process_description = Executable()

    def get_sub_entities(self) -> list[Action]:
        """What is done when it exits."""
        return list(self.on_exit)

    def execute(self, context: LaunchContext) -> None:
        """Resolve the command line and the environment.

        Raises:
            FileNotFoundError: the package has no such executable.
        """
        package, executable = perform(context, self.package), perform(context, self.executable)
        program = Path(get_package_prefix(package)) / "lib" / package / executable
        if not os.access(program, os.X_OK):
            raise FileNotFoundError(f"executable {executable!r} not found in {program.parent}")
        command = [str(program), *(perform(context, text) for text in self.arguments), "--ros-args"]
        command += [perform(context, text) for text in self.ros_arguments]
        name = None if self.name is None else perform(context, self.name)
        namespace = None if self.namespace is None else "/" + perform(context, self.namespace).strip("/")
        if name is not None:
            command += ["-r", f"__node:={name}"]
        if namespace is not None:
            command += ["-r", f"__ns:={namespace}"]
        key = f"{namespace.rstrip('/')}/{name}" if name is not None and namespace is not None else "/**"
        for parameters in self.parameters:
            command += _parameter_arguments(context, parameters, key)
        for source, target in self.remappings:
            command += ["-r", f"{perform(context, source)}:={perform(context, target)}"]
        self.process_description = Executable(command, dict(context.environment))


def _parameter_arguments(
    context: LaunchContext, parameters: SomeSubstitutions | Mapping[str, Any], key: str
) -> list[str]:
    """A file as it is, if it exists; a mapping as a file under the node's name, or for any node where that is open."""
    if not isinstance(parameters, Mapping):
        path = perform(context, parameters)
        return ["--params-file", path] if Path(path).is_file() else []
    values = {name: _value(context, value) for name, value in parameters.items()}
    with tempfile.NamedTemporaryFile("w", prefix="launch_params_", delete=False) as file:
        yaml.dump({key: {"ros__parameters": values}}, file, default_flow_style=False)
    return ["--params-file", file.name]


def _value(context: LaunchContext, value: Any) -> Any:
    if isinstance(value, ParameterValue):
        return value.evaluate(context)
    if isinstance(value, bool | int | float | str):
        return value
    return yaml.safe_load(perform(context, value))


__all__ = ["Node"]
