"""Double of `launch.launch_description_sources`."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from launch import LaunchContext, LaunchDescription, SomeSubstitutions, perform


class PythonLaunchDescriptionSource:
    """A launch file in Python."""

    def __init__(self, launch_file_path: SomeSubstitutions) -> None:
        self.launch_file_path = launch_file_path

    def get_launch_description(self, context: LaunchContext) -> LaunchDescription:
        """Import it and ask it.

        Raises:
            FileNotFoundError: there is no such file.
        """
        path = Path(perform(context, self.launch_file_path))
        if not path.is_file():
            raise FileNotFoundError(f"launch file: {path} does not exist")
        spec = importlib.util.spec_from_file_location(path.name.replace(".", "_"), path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        description = module.generate_launch_description()
        assert isinstance(description, LaunchDescription)
        return description


__all__ = ["PythonLaunchDescriptionSource"]
