"""Double of `launch.conditions`."""

from __future__ import annotations

from launch import LaunchContext, SomeSubstitutions, perform


class IfCondition:
    """True where a text says true or 1."""

    def __init__(self, predicate_expression: SomeSubstitutions) -> None:
        self.predicate_expression = predicate_expression

    def evaluate(self, context: LaunchContext) -> bool:
        """Whether it says so.

        Raises:
            ValueError: it says neither yes nor no.
        """
        said = perform(context, self.predicate_expression).strip().lower()
        if said not in ("true", "1", "false", "0"):
            raise ValueError(f"condition: expected true, false, 1 or 0, got {said!r}")
        return said in ("true", "1")


__all__ = ["IfCondition"]
