"""What the tests of the ROS package share: a context, nodes that are gone afterwards, spinning with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node

TIMEOUT_S = 15.0


@pytest.fixture
def context() -> Iterator[Context]:
    """An initialised context, shut down afterwards."""
    own = Context()
    rclpy.init(context=own)
    yield own
    rclpy.try_shutdown(context=own)


@pytest.fixture
def executor(context: Context) -> Iterator[Executor]:
    """A single-threaded executor of the test's context; nothing spins it but the test."""
    own = SingleThreadedExecutor(context=context)
    yield own
    own.shutdown()


@pytest.fixture
def make_node(context: Context, executor: Executor) -> Iterator[Callable[..., Node]]:
    """``make_node(name, kind=Node, **arguments)``: a node that the executor spins, destroyed afterwards."""
    made: list[Node] = []

    def make(name: str, kind: type[Node] = Node, **arguments: Any) -> Node:
        node = kind(name, context=context, **arguments)
        made.append(node)
        executor.add_node(node)
        return node

    yield make
    for node in reversed(made):
        executor.remove_node(node)
        node.destroy_node()


@pytest.fixture
def spin_until() -> Callable[..., None]:
    """``spin_until(executor, predicate, timeout_s)``: spin until it holds; the test fails when it does not in time."""

    def spin(executor: Executor, predicate: Callable[[], object], timeout_s: float = TIMEOUT_S) -> None:
        deadline = time.monotonic() + timeout_s
        while not predicate():
            if time.monotonic() > deadline:
                pytest.fail(f"nothing came of it within {timeout_s:g} s")
            executor.spin_once(timeout_sec=0.05)

    return spin
