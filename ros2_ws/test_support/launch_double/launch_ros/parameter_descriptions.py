"""Double of `launch_ros.parameter_descriptions`."""

from __future__ import annotations

import yaml
from launch import LaunchContext, SomeSubstitutions, perform


class ParameterValue:
    """A parameter's value of a type that is said, not guessed."""

    def __init__(self, value: SomeSubstitutions, *, value_type: type) -> None:
        if value_type not in (bool, int, float, str):
            raise ValueError(f"parameter value: expected bool, int, float or str, got {value_type}")
        self.value, self.value_type = value, value_type

    def evaluate(self, context: LaunchContext) -> bool | int | float | str:
        """The value.

        Raises:
            ValueError: the text is not of the type.
        """
        text = perform(context, self.value)
        if self.value_type is not bool:
            return self.value_type(text)  # type: ignore[no-any-return]
        said = yaml.safe_load(text)
        if not isinstance(said, bool):
            raise ValueError(f"cannot convert value {text!r} to bool")
        return said


__all__ = ["ParameterValue"]
