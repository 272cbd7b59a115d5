"""A robot's speech services, played by scripts in a context of their own, and the node that speaks to them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import rclpy
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor, ShutdownException
from rclpy.node import Node
from std_msgs.msg import String

from icseg_ros.main import spin
from icseg_ros.speech import Heard, Speech, SpeechSettings
from icseg_ros.speech.interface import set_field

DEADLINE_S = 10.0


class FakeClock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


class Side:
    """A node in a context and an executor of its own."""

    def __init__(self, name: str, arguments: tuple[str, ...] = ()) -> None:
        self.context = Context()
        rclpy.init(context=self.context)
        self.executor = MultiThreadedExecutor(4, context=self.context)
        self.node = Node(name, context=self.context, cli_args=list(arguments))
        self.executor.add_node(self.node)
        self.is_over = threading.Event()

    def spin_until(self, is_done: Callable[[], bool]) -> None:
        """Run callbacks until something holds; fails when it does not within a deadline."""
        end = time.monotonic() + DEADLINE_S
        while not is_done():
            assert time.monotonic() < end, "nothing happened in time"
            self.executor.spin_once(timeout_sec=0.02)

    def spin_for_ticks(self, count: int = 5) -> None:
        """Run callbacks for so many ticks of a timer of 0.1 s: enough for something that ought not to happen."""
        ticks: list[int] = []
        timer = self.node.create_timer(0.1, lambda: ticks.append(1))
        self.spin_until(lambda: len(ticks) >= count)
        self.node.destroy_timer(timer)

    def close(self) -> None:
        """Stop and free everything."""
        self.is_over.set()
        self.executor.shutdown(timeout_sec=2.0)
        self.node.destroy_node()
        self.context.try_shutdown()


class Robot(Side):
    """The speech services; runs by itself in a thread."""

    def __init__(self) -> None:
        super().__init__("robot")
        self.said: list[str] = []
        self.servers: list[ActionServer] = []
        self.node.create_subscription(String, "/clarify_segment/say", lambda m: self.said.append(m.data), 10)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with suppress(ShutdownException):
            spin(self.executor)

    def close(self) -> None:
        """End the thread, then free everything: a node does not free its action servers itself."""
        self.is_over.set()
        self.executor.shutdown(timeout_sec=2.0)
        self._thread.join(DEADLINE_S)
        while self.servers:
            self.servers.pop().destroy()
        super().close()

    def subscribe(self, message: Any, topic: str) -> list[Any]:
        """What is published on a topic, as it comes."""
        got: list[Any] = []
        self.node.create_subscription(message, topic, got.append, 10)
        return got


class FakeServer:
    """An action server.

    Args:
        robot: whose it is.
        action, name: of the action.
        result: field path -> value of every result.
        accepts: takes goals.
        holds: a goal ends only by ``release`` or by being cancelled.
        cancels: does what it is told when it is told to cancel.
        ignores: says that it cancels, and does not.
        aborts: gives every goal up in the end.
        hesitates: says nothing to a goal until ``decide``.
    """

    def __init__(
        self,
        robot: Robot,
        action: Any,
        name: str,
        *,
        result: dict[str, Any] | None = None,
        accepts: bool = True,
        holds: bool = False,
        cancels: bool = True,
        ignores: bool = False,
        aborts: bool = False,
        hesitates: bool = False,
    ) -> None:
        self.goals: list[Any] = []
        self.canceled: list[Any] = []
        self.result = result or {}
        self.accepts, self.holds, self.cancels, self.aborts = accepts, holds, cancels, aborts
        self._decides, self._ignores = threading.Event(), ignores
        if not hesitates:
            self.decide()
        self._robot, self._action, self._released = robot, action, threading.Event()
        self._server = ActionServer(
            robot.node,
            action,
            name,
            self._execute,
            callback_group=ReentrantCallbackGroup(),
            goal_callback=self._take,
            cancel_callback=lambda _: CancelResponse.ACCEPT if self.cancels else CancelResponse.REJECT,
        )
        robot.servers.append(self._server)

    def release(self) -> None:
        """Let the goals that are held end."""
        self._released.set()

    def decide(self) -> None:
        """Say now whether the goals are taken."""
        self._decides.set()

    def _take(self, goal: Any) -> GoalResponse:
        self.goals.append(goal)
        while not self._decides.wait(0.01) and not self._robot.is_over.is_set():
            pass
        return GoalResponse.ACCEPT if self.accepts else GoalResponse.REJECT

    def _execute(self, handle: Any) -> Any:
        answer = self._action.Result()
        for path, value in self.result.items():
            set_field(answer, path, value)
        while self.holds and not self._released.wait(0.01):
            if self._robot.is_over.is_set():
                return answer
            if handle.is_cancel_requested and not self._ignores:
                self.canceled.append(handle.request)
                handle.canceled()
                return answer
        if self.aborts:
            handle.abort()
        else:
            handle.succeed()
        return answer


class SpeakingNode(Side):
    """The node under test with its speech, and what it told."""

    def __init__(self, settings: SpeechSettings, robot: Robot) -> None:
        super().__init__("clarify_segment")
        self.robot, self.clock = robot, FakeClock()
        self.heard: list[Heard] = []
        self.errors: list[str] = []
        self.on_error: Callable[[str], object] = self.errors.append
        group = ReentrantCallbackGroup()
        try:
            self.speech = Speech(self.node, settings, self.heard.append, self._tell, group, self.clock)
        except BaseException:
            super().close()
            raise

    def _tell(self, error: str) -> None:
        self.on_error(error)

    def publisher(self, message: Any, topic: str) -> Any:
        """A publisher that the subscription of the speech is connected to."""
        publisher = self.node.create_publisher(message, topic, 10)
        self.spin_until(lambda: publisher.get_subscription_count() > 0)
        return publisher

    def close(self) -> None:
        """End the speech, then free everything."""
        self.speech.close()
        super().close()


@contextmanager
def robot_and_speaker(
    settings: SpeechSettings, script: Callable[[Robot], Any] = lambda robot: None
) -> Iterator[tuple[Any, SpeakingNode]]:
    """The script's services, and the node that uses them; both are freed at the end.

    Yields:
        What the script returned, and the node.
    """
    robot = Robot()
    try:
        played = script(robot)
        speaker = SpeakingNode(settings, robot)
        try:
            (say,) = (item for item in speaker.node.publishers if item.topic_name == "/clarify_segment/say")
            speaker.spin_until(lambda: say.get_subscription_count() > 0)
            yield played, speaker
        finally:
            speaker.close()
    finally:
        robot.close()
