"""The robot around the node in a soak: camera, ears, mouth and hands.

Knows topics and services; what is done with them, and what should come of it, is the faults' and the episodes'.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import rclpy
from icseg_msgs.action import ClarifySegment
from icseg_msgs.msg import DialogueState, Question, RoiStamped
from icseg_msgs.srv import Answer, Segment
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.parameter import Parameter
from std_msgs.msg import String
from std_srvs.srv import SetBool, Trigger

from ros2_ws.soak.camera import SoakCamera
from ros2_ws.soak.listener import MASKS_OF_A_FLOW, NODE, TRACKED_WITHIN_S, Listener, Missed

THREADS = 4
"""Threads of the robot's executor: a service's response and a mask must not wait for each other."""
CALL_WITHIN_S = 10.0
"""A service must have answered so soon."""
SAID_AGAIN_AFTER_S = 2.0
"""A person says again what had no effect for so long: a node that was just activated has seen no image."""


class Robot(Listener):
    """Everything but the node under test, which is a process of its own.

    Attributes:
        node: the robot's own node.
        camera: the camera that the node under test sees through.
    """

    def __init__(self) -> None:
        self._context = Context()
        rclpy.init(context=self._context)
        self.node = node = Node("robot", context=self._context)
        group = ReentrantCallbackGroup()
        super().__init__(node, group)
        self._is_over = False
        self.camera = SoakCamera(node, self.checks)
        self._command = node.create_publisher(String, "command", 10)
        self._answer = node.create_publisher(String, "answer", 10)
        self._roi = node.create_publisher(RoiStamped, "target_roi", 10)
        self._services = {
            name: node.create_client(kind, f"{NODE}/{name}", callback_group=group)
            for name, kind in (
                ("answer", Answer),
                ("segment", Segment),
                ("cancel", Trigger),
                ("reset", Trigger),
                ("enable", SetBool),
                ("change_state", ChangeState),
                ("set_parameters", SetParameters),
            )
        }
        self._action = ActionClient(node, ClarifySegment, f"{NODE}/clarify_segment", callback_group=group)
        self._executor = MultiThreadedExecutor(THREADS, context=self._context)
        self._executor.add_node(node)
        self._spinner = threading.Thread(target=self._spin, name="robot")
        self._spinner.start()

    def close(self) -> None:
        """Everything ends."""
        self.camera.close()
        self._is_over = True
        self._executor.shutdown(2.0)
        rclpy.try_shutdown(context=self._context)
        self._spinner.join(5.0)
        self.node.destroy_node()

    def say(self, text: str) -> None:
        """Typed words."""
        self._command.publish(String(data=text))

    def answer(self, text: str) -> None:
        """A typed answer."""
        self._answer.publish(String(data=text))

    def point(self, box: Iterable[float] | None = None) -> None:
        """Show the target: by default the thing that is always in sight, as it is in the newest image."""
        x0, y0, x1, y1 = (round(side) for side in (box or self.camera.newest()[1].box_image_px() or ()))
        message = RoiStamped()
        message.roi.x_offset, message.roi.y_offset = x0, y0
        message.roi.width, message.roi.height = x1 - x0, y1 - y0
        self._roi.publish(message)

    def call(self, name: str, deadline_s: float = CALL_WITHIN_S, **fields: Any) -> Any:
        """A service's response.

        Raises:
            Missed: none came.
        """
        client = self._services[name]
        if not client.wait_for_service(deadline_s):
            raise Missed(f"no service ~/{name} within {deadline_s:g} s")
        future = client.call_async(client.srv_type.Request(**fields))
        self.until(future.done, f"a response of ~/{name}", deadline_s)
        return future.result()

    def change_state(self, transition: int, deadline_s: float = 30.0) -> None:
        """A lifecycle transition.

        Raises:
            Missed: it failed.
        """
        done = self.call("change_state", deadline_s, transition=Transition(id=transition))
        if not done.success:
            raise Missed(f"transition {transition} failed")

    def set_parameter(self, name: str, value: Any) -> str:
        """Empty when it was set, else the node's reason."""
        parameter = Parameter(name, value=value).to_parameter_msg()
        (result,) = self.call("set_parameters", parameters=[parameter]).results
        if result.successful:
            return ""
        with self._changed:
            self._report("~/set_parameters", result.reason)
        return str(result.reason)

    def send_goal(self, deadline_s: float = CALL_WITHIN_S, **fields: Any) -> Any:
        """The handle of a goal of the action, accepted or not."""
        if not self._action.wait_for_server(deadline_s):
            raise Missed("no action ~/clarify_segment")
        future = self._action.send_goal_async(ClarifySegment.Goal(**{"max_turns": -1, **fields}))
        return self.until(lambda: future.done() and future.result(), "a reply to the goal", deadline_s)

    def goal_result(self, handle: Any, deadline_s: float = TRACKED_WITHIN_S) -> Any:
        """How a goal ended."""
        future = handle.get_result_async()
        return self.until(lambda: future.done() and future.result(), "the end of the goal", deadline_s).result

    def track(self, words: str = "", deadline_s: float = TRACKED_WITHIN_S) -> float:
        """Show the target, or say which one, until it is tracked; when it was.

        What is not taken up, or fails (what was said before a stream began anew is forgotten), is done again.

        Raises:
            Missed: it is not tracked in time.
        """
        ends_at = time.monotonic() + deadline_s
        while not self._begins(words, ends_at) or not self._flows_in_it(ends_at):
            if time.monotonic() >= ends_at:
                raise Missed(f"the target is not tracked; the state is '{self.state.name}, {self.state.reason}'")
        return time.monotonic()

    def _begins(self, words: str, ends_at: float) -> bool:
        before = self.state.dialogue_id
        if words:
            self.say(words)
        else:
            self.point()
        left_s = max(min(ends_at - time.monotonic(), SAID_AGAIN_AFTER_S), 0.1)
        try:
            return self.until(lambda: self.state.dialogue_id not in ("", before), "a dialogue", left_s)
        except Missed:
            return False

    def _flows_in_it(self, ends_at: float) -> bool:
        """Whether masks flow, or the dialogue fails first."""
        since = time.monotonic()

        def ends() -> str:
            if self.state.state == DialogueState.FAILED:
                return "failed"
            return "masks" if self.masks_since(since) >= MASKS_OF_A_FLOW else ""

        return self.until(ends, "masks", max(ends_at - since, 0.1)) == "masks"

    def ask_for(self, words: str, deadline_s: float = TRACKED_WITHIN_S) -> Question:
        """Say something ambiguous; the question that comes of it.

        Raises:
            Missed: none does.
        """
        before = self.question
        self.say(words)
        return self.wait_for_question(before, f"a question about {words!r}", deadline_s)

    def _spin(self) -> None:
        while self._context.ok() and not self._is_over:
            # what is destroyed meanwhile, as a driver's publisher or an action of the speech service, trips rclpy 7
            with suppress(InvalidHandle, rclpy_implementation.RCLError, ExternalShutdownException):
                self._executor.spin()
