"""Test-only double of `launch`: what the launch files of this workspace use of it, and nothing else.

It keeps to the public behaviour of the real package: entities are visited with a context, substitutions are performed
in it, actions return further actions. A name that is missing here raises ImportError: no launch file can use it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any


class LaunchContext:
    """What arguments, actions and substitutions share.

    Attributes:
        launch_configurations: values of the launch arguments by name.
        environment: of the processes that are started from now on.
    """

    def __init__(self) -> None:
        self.launch_configurations: dict[str, str] = {}
        self.environment: dict[str, str] = dict(os.environ)
        self.is_shutdown = False

    def _set_is_shutdown(self, state: bool) -> None:
        self.is_shutdown = state


class LaunchDescriptionEntity:
    """Something that can be visited."""

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Do it; returns what is to be visited next."""
        raise NotImplementedError


class LaunchDescription(LaunchDescriptionEntity):
    """Entities, in order."""

    def __init__(self, initial_entities: Iterable[LaunchDescriptionEntity] = ()) -> None:
        self.entities = list(initial_entities)

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity]:
        """All of them."""
        return self.entities


class Substitution:
    """A text that is known only in a context."""

    def perform(self, context: LaunchContext) -> str:
        """The text."""
        raise NotImplementedError


SomeSubstitutions = str | Substitution | Sequence[str | Substitution]


def perform(context: LaunchContext, some: SomeSubstitutions) -> str:
    """The text of substitutions and texts, joined.

    Raises:
        TypeError: something is neither, as the real package would say.
    """
    if isinstance(some, str):
        return some
    if isinstance(some, Substitution):
        return some.perform(context)
    if isinstance(some, Sequence) and all(isinstance(item, str | Substitution) for item in some):
        return "".join(perform(context, item) for item in some)
    raise TypeError(f"launch: expected a text, a substitution or a list of them, got {some!r}")


class Action(LaunchDescriptionEntity):
    """An entity that does something, if its condition holds."""

    def __init__(self, *, condition: Any = None) -> None:
        self.condition = condition

    def visit(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """Execute it."""
        if self.condition is None or self.condition.evaluate(context):
            return self.execute(context)
        return None

    def execute(self, context: LaunchContext) -> list[LaunchDescriptionEntity] | None:
        """What it does."""
        raise NotImplementedError


__all__ = ["LaunchContext", "LaunchDescription", "LaunchDescriptionEntity"]
