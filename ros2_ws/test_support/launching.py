"""Launch files in tests: what an installed launch file starts, and starting it.

Where the real `launch` and `launch_ros` are installed they resolve the launch file, else the double beside this file
does; the rest is the same. Tests only; never installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any

import yaml
from ament_index_python.packages import get_package_prefix, get_package_share_directory

DOUBLE = Path(__file__).parent / "launch_double"
IS_REAL = importlib.util.find_spec("launch_ros") is not None
if not IS_REAL:
    sys.path.insert(0, str(DOUBLE))

from launch import LaunchContext  # noqa: E402
from launch.actions import Shutdown  # noqa: E402
from launch.launch_description_sources import PythonLaunchDescriptionSource  # noqa: E402
from launch_ros.actions import Node  # noqa: E402

END_S = 15.0


@dataclass(frozen=True)
class Command:
    """A process of a launch file.

    Attributes:
        argv: its command line.
        env: its environment.
        ends_all: the launch ends when it ends.
    """

    argv: list[str]
    env: dict[str, str]
    ends_all: bool

    @property
    def executable(self) -> str:
        """Name of the program."""
        return Path(self.argv[0]).name

    @property
    def ros_args(self) -> list[tuple[str, str]]:
        """Options after ``--ros-args`` with their values, in order."""
        given = self.argv[self.argv.index("--ros-args") + 1 :]
        return list(zip(given[::2], given[1::2], strict=True))

    @property
    def remappings(self) -> dict[str, str]:
        """What each name is called instead; node name and namespace are ``__node`` and ``__ns``."""
        return dict(value.split(":=", 1) for option, value in self.ros_args if option == "-r")

    @property
    def params_files(self) -> list[Path]:
        """Its parameter files; the last one counts."""
        return [Path(value) for option, value in self.ros_args if option == "--params-file"]

    def parameters(self) -> dict[str, Any]:
        """Those that the launch file gave itself: of its last parameter file."""
        (said,) = yaml.safe_load(self.params_files[-1].read_text()).values()
        return dict(said["ros__parameters"])


def launch_file(name: str, package: str = "icseg_ros") -> Path:
    """Where a launch file was installed."""
    return Path(get_package_share_directory(package)) / "launch" / name


def command(executable: str, parameters: Mapping[str, Any], package: str = "icseg_ros") -> Command:
    """An installed executable with its parameters, without a launch file."""
    argv = [str(Path(get_package_prefix(package)) / "lib" / package / executable), "--ros-args"]
    for name, value in parameters.items():
        argv += ["-p", f"{name}:={json.dumps(value)}"]
    return Command(argv, dict(os.environ), ends_all=False)


def resolve(path: Path, arguments: Mapping[str, str] | None = None) -> list[Command]:
    """What a launch file starts with these arguments; nothing is started.

    Raises:
        Exception: what the launch file or `launch` raises.
    """
    context = LaunchContext()
    # a launch that is shutting down resolves its processes, and starts none
    context._set_is_shutdown(True)
    context.launch_configurations.update(arguments or {})
    description = PythonLaunchDescriptionSource(str(path)).get_launch_description(context)
    return [
        Command(list(node.process_description.final_cmd), dict(node.process_description.final_env), _ends_all(node))
        for node in _visited(description, context)
        if isinstance(node, Node) and node.process_description.final_cmd is not None
    ]


def _visited(entity: Any, context: LaunchContext) -> Iterator[Any]:
    following = entity.visit(context) or []
    yield entity
    for child in following:
        yield from _visited(child, context)


def _ends_all(node: Any) -> bool:
    return any(isinstance(action, Shutdown) for action in node.get_sub_entities())


class Running:
    """Processes of a launch file; a context manager that leaves none behind.

    Args:
        commands: what to start, in order.
    """

    def __init__(self, commands: list[Command]) -> None:
        self.commands = commands
        self.processes: list[subprocess.Popen[str]] = []
        self._outputs: list[IO[str]] = []

    def __enter__(self) -> Running:
        for command in self.commands:
            output = tempfile.TemporaryFile("w+")
            self._outputs.append(output)
            # a session of its own: a process of a background shell would ignore SIGINT
            self.processes.append(
                subprocess.Popen(
                    command.argv, env=command.env, stdout=output, stderr=output, text=True, start_new_session=True
                )
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            if _group_is_alive(process.pid):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        if error is not None:
            print(*(self.output(command.executable) for command in self.commands), sep="\n---\n")
        for output in self._outputs:
            output.close()

    def output(self, executable: str) -> str:
        """What a process wrote so far."""
        file = self._outputs[self._index(executable)]
        return os.pread(file.fileno(), 1 << 24, 0).decode(errors="replace")

    def last_line(self, executable: str) -> Any:
        """The JSON of the last line that a process wrote."""
        return json.loads(self.output(executable).strip().splitlines()[-1])

    def wait(self, executable: str, timeout_s: float) -> int:
        """The return code of a process that ends by itself; TimeoutExpired when it does not."""
        return self.processes[self._index(executable)].wait(timeout_s)

    def finish(self, timeout_s: float) -> dict[str, int]:
        """Wait for the process that ends all, interrupt the others; the return codes by executable."""
        (last,) = (command.executable for command in self.commands if command.ends_all)
        self.wait(last, timeout_s)
        return self.interrupt()

    def interrupt(self) -> dict[str, int]:
        """Ctrl-C for all that runs: SIGINT to each process group. Returns the return codes by executable."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGINT)
        return {
            command.executable: process.wait(END_S)
            for command, process in zip(self.commands, self.processes, strict=True)
        }

    def left_behind(self) -> list[str]:
        """Executables of which a process, or a child of it, still runs."""
        return [
            command.executable
            for command, process in zip(self.commands, self.processes, strict=True)
            if _group_is_alive(process.pid)
        ]

    def _index(self, executable: str) -> int:
        return [command.executable for command in self.commands].index(executable)


def _group_is_alive(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True
