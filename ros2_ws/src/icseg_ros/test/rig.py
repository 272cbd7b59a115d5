"""A robot in one process: the node on scripted models, a camera, a person, and a thread that spins them."""

from __future__ import annotations

import threading
import time
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from icseg_msgs.msg import DialogueState, Question, SegmentArray, Target
from rclpy.context import Context
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from sensor_msgs.msg import Image
from std_msgs.msg import String

from icseg.dialogue.policy_scripted import ScriptedPolicy, Step
from icseg.models import Models
from icseg.tracker.scripted import ScriptedTracker
from icseg_ros.announcer import LATCHED
from icseg_ros.main import spin
from icseg_ros.node import ClarifySegmentNode

HW = (48, 64)
PERIOD_S = 1 / 30
DEADLINE_S = 10.0


class Rig:
    """Everything, from start to ``close``.

    Args:
        script: steps of the policy.
        tracker: follows.
        parameters: of the node.
        is_active: configure and activate it.
        namespace: of all nodes.
    """

    def __init__(
        self,
        *script: Step,
        tracker: ScriptedTracker | None = None,
        parameters: dict[str, Any] | None = None,
        is_active: bool = True,
        namespace: str = "",
    ) -> None:
        self.policy, self.tracker = ScriptedPolicy(*script), tracker or ScriptedTracker()
        self.context = Context()
        rclpy.init(context=self.context)
        overrides = [Parameter(name, value=value) for name, value in (parameters or {}).items()]
        self.node = ClarifySegmentNode(
            load=lambda effective: Models(self.policy, self.tracker, effective, {"policy": "scripted"}),  # type: ignore[arg-type]
            context=self.context,
            namespace=namespace,
            parameter_overrides=overrides,
        )
        self.client = Node("client", context=self.context, namespace=namespace)
        self.received: dict[str, list[Any]] = {}
        self.images = self.client.create_publisher(Image, "image", 1)
        self.commands = self.client.create_publisher(String, "command", 10)
        self.answers = self.client.create_publisher(String, "answer", 10)
        self.listen("mask", Image)
        self.listen("target", Target)
        self.listen("candidates", SegmentArray, LATCHED)
        self.listen("label_image", Image)
        self.listen("question", Question, LATCHED)
        self.listen("dialogue", DialogueState, LATCHED)
        self.listen("say", String, 10)
        self.listen("/diagnostics", DiagnosticArray, 10)
        self.executor = MultiThreadedExecutor(4, context=self.context)
        self.executor.add_node(self.node)
        self.executor.add_node(self.client)
        self._spinner = threading.Thread(target=spin, args=(self.executor,), daemon=True)
        self._spinner.start()
        self.sent = 0
        self.encoding, self.hw = "rgb8", HW
        self._camera: threading.Thread | None = None
        self._is_over = threading.Event()
        if is_active:
            self.node.trigger_configure()
            self.node.trigger_activate()
            self.wait_for(lambda: self.node.count_publishers("image") > 0)
            self.wait_for(lambda: self.client.count_subscribers("image") > 0)

    def listen(self, topic: str, kind: type, qos: Any = 10) -> None:
        """Keep what comes on one of the node's topics."""
        name = topic if topic.startswith("/") else f"clarify_segment/{topic}"
        kept = self.received.setdefault(topic, [])
        self.client.create_subscription(kind, name, kept.append, qos)

    def close(self) -> None:
        """Everything ends."""
        self._is_over.set()
        if self._camera is not None:
            self._camera.join()
        self.node.close()
        self.executor.shutdown(2.0)
        self._spinner.join(5.0)
        self.client.destroy_node()
        self.node.destroy_node()
        rclpy.try_shutdown(context=self.context)

    def start_camera(self) -> None:
        """30 images a second from now on."""

        def run() -> None:
            while not self._is_over.wait(PERIOD_S):
                self.send_image()

        self._camera = threading.Thread(target=run, daemon=True)
        self._camera.start()

    def send_image(self) -> None:
        """One image; its stamp is its number."""
        self.images.publish(self.make_image())

    def make_image(self, stamp_ns: int | None = None) -> Image:
        """The next image of the camera, or one of another source."""
        hw = self.hw
        message = Image(height=hw[0], width=hw[1], encoding=self.encoding, step=hw[1] * 3)
        message.header.frame_id = "camera_optical_frame"
        stamp = stamp_ns if stamp_ns is not None else 10**9 + self.sent * 33_333_333
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(stamp, 10**9)
        data = array("B")
        data.frombytes(np.full((*hw, 3), self.sent % 256, np.uint8).tobytes())
        message.data = data
        self.sent += stamp_ns is None
        return message

    def say(self, text: str) -> None:
        """A command, or whatever."""
        self.commands.publish(String(data=text))

    def answer(self, text: str) -> None:
        """An answer."""
        self.answers.publish(String(data=text))

    def wait_for(self, is_true: Callable[[], Any], deadline_s: float = DEADLINE_S) -> Any:
        """What it returns once that is true.

        Raises:
            AssertionError: it never was.
        """
        ends_at = time.monotonic() + deadline_s
        while time.monotonic() < ends_at:
            if value := is_true():
                return value
            time.sleep(0.005)
        states = [state.name for state in self.received["dialogue"]]
        raise AssertionError(f"not within {deadline_s} s; states: {states}")

    def wait_for_state(self, name: str) -> DialogueState:
        """The newest state message once it has this name."""
        self.wait_for(lambda: self.received["dialogue"] and self.received["dialogue"][-1].name == name)
        return self.received["dialogue"][-1]

    def wait_for_images(self) -> None:
        """Until the node has taken an image since now."""
        camera = self.node.parts.camera
        before = camera.counts().taken
        self.wait_for(lambda: camera.counts().taken > before + 1)

    def wait_for_question(self) -> Question:
        """The question that waits."""
        self.wait_for(lambda: self.received["question"] and self.received["question"][-1].text)
        return self.received["question"][-1]

    def call(self, kind: type, name: str, request: Any) -> Any:
        """A service's answer."""
        client = self.client.create_client(kind, f"clarify_segment/{name}")
        assert client.wait_for_service(DEADLINE_S)
        future = client.call_async(request)
        self.wait_for(future.done)
        self.client.destroy_client(client)
        return future.result()

    def status(self, part: str) -> Any:
        """The newest diagnostic status of a part, or None."""
        for message in reversed(self.received["/diagnostics"]):
            for status in message.status:
                if status.name == f"clarify_segment: {part}":
                    return status
        return None
