"""What the tests of the ROS package share: a context, nodes that are gone afterwards, spinning with a deadline."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.executors import Executor, SingleThreadedExecutor
from rclpy.node import Node

TIMEOUT_S = 15.0
DOMAINS = 102
"""Domains whose ports lie below those that Linux gives out itself."""


def pytest_configure() -> None:
    """A domain for each of several workers: none hears another's topics, nor do the nodes that it starts."""
    worker = os.environ.get("PYTEST_XDIST_WORKER")
    if worker:
        first = int(os.environ.get("ROS_DOMAIN_ID", "0"))
        os.environ["ROS_DOMAIN_ID"] = str((first + 1 + int(worker.removeprefix("gw"))) % DOMAINS)


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
