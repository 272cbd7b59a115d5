"""The lifecycle node ``clarify_segment``: builds the parts when configured, runs the worker while active.

Knows transitions, parameters and topics; what is computed, said and published is the parts' matter.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from itertools import count
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from icseg_msgs.msg import RoiStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import String

from icseg.errors import ConfigError, IcsegError
from icseg.models import Models, open_models
from icseg.runtime_settings import RuntimeSettings
from icseg.settings import DEFAULT, Effective, Setting
from icseg.types import Prompt
from icseg_ros import diagnostics
from icseg_ros.announcer import Announcer
from icseg_ros.clarify_action import ClarifyAction
from icseg_ros.parameters import declare_all, own_settings, read_all, runtime_settings
from icseg_ros.parts import Load, Parts
from icseg_ros.services import Services
from icseg_ros.speech.speech import Speech
from icseg_ros.speech.words import Heard
from icseg_ros.traffic import Traffic
from icseg_ros.worker import Worker

NAME = "clarify_segment"
WORDS_QUEUE_DEPTH = 10
"""Words, answers and boxes that may wait."""


def load(effective: Effective[RuntimeSettings]) -> Models:
    """The models, warmed up: the first image is then no slower than the others."""
    return open_models(effective, warm_up=True)


class ClarifySegmentNode(LifecycleNode):
    """Ask on the robot, masks in real time.

    Args:
        load: how models are loaded.
        traffic: makes what counts, each time the node is activated.
        arguments: of ``rclpy.node.Node``.

    Raises:
        ConfigError: it was started with an unknown parameter, or one of the wrong type or out of range.
    """

    def __init__(self, *, load: Load = load, traffic: Callable[[], Traffic] = Traffic, **arguments: Any) -> None:
        super().__init__(NAME, **arguments)
        self._load, self._new_traffic = load, traffic
        try:
            declare_all(self)
        except ConfigError:
            super().destroy_node()
            raise
        self._known: dict[str, Setting] = {item.name: item for item in (*own_settings(), *runtime_settings())}
        self._runtime = {item.name for item in runtime_settings()}
        self.add_on_set_parameters_callback(self._check_parameters)
        self._control = control = ReentrantCallbackGroup()
        self._parts: Parts | None = None
        self._worker: Worker | None = None
        self._traffic = traffic()
        self._error, self._dialogue_numbers = "", count(1)
        for topic, callback in (("command", self._on_command), ("answer", self._on_answer)):
            self.create_subscription(String, topic, callback, WORDS_QUEUE_DEPTH, callback_group=control)
        self.create_subscription(
            RoiStamped, "target_roi", self._on_target_roi, WORDS_QUEUE_DEPTH, callback_group=control
        )
        self._served = Services(self, lambda: self._worker, self._speech, self._segment_timeout_s, control)
        self._action = ClarifyAction(self, lambda: self._worker, self._announcer, control)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._publish_diagnostics, callback_group=control)

    @property
    def worker(self) -> Worker | None:
        """While active."""
        return self._worker

    @property
    def parts(self) -> Parts | None:
        """While configured."""
        return self._parts

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, load the models, make publishers and subscriptions."""
        begin = time.monotonic()
        try:
            settings = read_all(self)
            self._parts = parts = Parts.build(
                self, settings, self._load, self._on_heard, self._on_speech_error, self._control
            )
        except IcsegError as error:
            self._error = str(error)
            self.get_logger().error(f"cannot be configured: {error}")
            return TransitionCallbackReturn.FAILURE
        self._error = ""
        loaded = ", ".join(f"{name}: {fact}" for name, fact in parts.models.facts.items())
        self.get_logger().info(f"configured in {time.monotonic() - begin:.1f} s; {loaded}")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to take images and words."""
        assert self._parts is not None, "configured before"
        self._traffic = self._new_traffic()
        self._worker = Worker(self._parts, self._traffic, self.get_logger().warning, self._dialogue_numbers)
        self._parts.set_active(True)
        self._worker.start()
        return super().on_activate(state)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop all work; the models stay loaded."""
        self._stop()
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the memory."""
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything."""
        self._stop()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Back to unconfigured, ready for another try."""
        self._stop()
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def close(self) -> None:
        """Before the node is destroyed, whatever its state."""
        self._stop()
        self._release()

    def destroy_node(self) -> None:
        """After the executor has ended."""
        self._action.destroy()
        super().destroy_node()

    def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None and self._parts is not None:
            worker.stop()
            self._parts.set_active(False)
            self._parts.speech.hush()

    def _release(self) -> None:
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.close()
            del parts
            # the parts refer to each other in circles, and models and images are large
            gc.collect()

    def _on_command(self, message: String) -> None:
        self._take(message.data)

    def _on_answer(self, message: String) -> None:
        if self._worker is not None:
            self._worker.say_answer(message.data)

    def _on_target_roi(self, message: RoiStamped) -> None:
        roi, worker = message.roi, self._worker
        if worker is None:
            return
        x, y = float(roi.x_offset), float(roi.y_offset)
        try:
            worker.point_at(Prompt((x, y, x + roi.width, y + roi.height)))
        except ValueError as error:
            self._traffic.fault(f"target_roi: {error}")
            self.get_logger().warning(f"target_roi: {error}")

    def _on_heard(self, heard: Heard) -> None:
        self._take("stop" if heard.is_stop else heard.text)

    def _take(self, words: str) -> None:
        if self._worker is not None:
            self._worker.say(words)
        else:
            self.get_logger().warning(f"not active: {words!r} is not taken up")

    def _on_speech_error(self, error: str) -> None:
        self._traffic.fault(error)
        self.get_logger().warning(error)

    def _announcer(self) -> Announcer | None:
        return self._parts.announcer if self._parts is not None else None

    def _speech(self) -> Speech | None:
        return self._parts.speech if self._parts is not None else None

    def _segment_timeout_s(self) -> float:
        return float(self.get_parameter("segment.timeout_s").value)

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            item = self._known.get(parameter.name)
            if item is None:
                continue
            try:
                # one of the runtime's may lose its value again: then nobody says it
                if parameter.value is not None or parameter.name not in self._runtime:
                    item.check(parameter.value)
            except ConfigError as error:
                return SetParametersResult(successful=False, reason=str(error))
            if item.is_fixed and self._parts is not None:
                reason = f"{item.name} takes effect when the node is configured: deactivate and clean it up first"
                return SetParametersResult(successful=False, reason=reason)
        for parameter in parameters:
            self._use(parameter.name, parameter.value)
        return SetParametersResult(successful=True)

    def _use(self, name: str, value: Any) -> None:
        """Put a parameter that takes effect at once into effect."""
        if self._parts is None:
            return
        match name:
            case "camera.max_rate_hz":
                self._parts.camera.max_rate_hz = value
            case "depth.max_offset_s":
                self._parts.depth.max_offset_s = value
            case "publish.jpeg_quality":
                self._parts.outputs.jpeg_quality = value

    def _model_facts(self) -> dict[str, str]:
        """What was loaded, and every setting that somebody said, with who it was; empty while not configured."""
        if self._parts is None:
            return {}
        models = self._parts.models
        rows = models.effective.rows()
        return {**models.facts, **{item.name: f"{value} ({who})" for item, value, who in rows if who != DEFAULT}}

    def _publish_diagnostics(self) -> None:
        name, parts = self.get_fully_qualified_name().lstrip("/"), self._parts
        is_active = self._worker is not None and parts is not None
        statuses = [
            diagnostics.camera_status(
                name,
                parts.camera.counts() if is_active else None,
                time.monotonic(),
                parts.settings.session.camera_timeout_s if is_active else 0.0,
            ),
            diagnostics.mask_status(
                name, self._traffic.facts() if is_active else None, parts.announcer.state.name if is_active else ""
            ),
            diagnostics.model_status(name, self._model_facts(), self._error),
            diagnostics.speech_status(name, parts.speech.status if parts is not None else None),
        ]
        self._diagnostics.publish(diagnostics.array(self.get_clock().now().to_msg(), statuses))
