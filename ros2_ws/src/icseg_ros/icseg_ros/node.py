"""The lifecycle node ``clarify_segment``: builds the parts when configured, runs the worker while active.

Knows transitions, parameters and topics; what is computed, said and published is the parts' matter.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from icseg_msgs.msg import RoiStamped
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup, ReentrantCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_msgs.msg import String

from icseg.dialogue.policy_chat import ChatConfig
from icseg.errors import ConfigError, IcsegError
from icseg.settings import Setting
from icseg.tracker.state import TrackerConfig
from icseg.types import Prompt
from icseg_ros import diagnostics
from icseg_ros.announcer import Announcer
from icseg_ros.camera import CameraInput
from icseg_ros.clarify_action import ClarifyAction
from icseg_ros.depth import DepthInput
from icseg_ros.models import Models, ModelSettings, load_models
from icseg_ros.outputs import Outputs
from icseg_ros.parameters import Settings, all_settings, declare_all, read_all
from icseg_ros.services import Services
from icseg_ros.speech.speech import Speech
from icseg_ros.speech.words import Heard
from icseg_ros.traffic import Traffic
from icseg_ros.worker import Devices, Worker

NAME = "clarify_segment"
WORDS_DEPTH = 10


class ClarifySegmentNode(LifecycleNode):
    """Ask on the robot, masks in real time.

    Args:
        load: how models are loaded.
        arguments: of ``rclpy.node.Node``.
    """

    def __init__(
        self, *, load: Callable[[ModelSettings, TrackerConfig, ChatConfig], Models] = load_models, **arguments: Any
    ) -> None:
        super().__init__(NAME, **arguments)
        self._load = load
        declare_all(self)
        self._known: dict[str, Setting] = {item.name: item for item in all_settings()}
        self.add_on_set_parameters_callback(self._check_parameters)
        self._control = ReentrantCallbackGroup()
        self._images = MutuallyExclusiveCallbackGroup()
        self._settings: Settings | None = None
        self._models: Models | None = None
        self._camera: CameraInput | None = None
        self._depth: DepthInput | None = None
        self._outputs: Outputs | None = None
        self._announcer: Announcer | None = None
        self._speech: Speech | None = None
        self._worker: Worker | None = None
        self._traffic = Traffic()
        self._error = ""
        for topic, callback in (("command", self._on_command), ("answer", self._on_answer)):
            self.create_subscription(String, topic, callback, WORDS_DEPTH, callback_group=self._control)
        self.create_subscription(
            RoiStamped, "target_roi", self._on_target_roi, WORDS_DEPTH, callback_group=self._control
        )
        self._served = Services(self, lambda: self._worker, self._segment_timeout_s, self._control)
        self._action = ClarifyAction(self, lambda: self._worker, lambda: self._announcer, self._control)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_timer(1.0, self._publish_diagnostics, callback_group=self._control)

    @property
    def worker(self) -> Worker | None:
        """While active."""
        return self._worker

    @property
    def camera(self) -> CameraInput | None:
        """While configured."""
        return self._camera

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, load the models, make publishers and subscriptions."""
        begin = time.monotonic()
        try:
            self._settings = settings = read_all(self)
            self._models = self._load(settings.model, settings.tracker, settings.chat)
            self._camera = CameraInput(self, settings.camera, callback_group=self._images)
            self._depth = DepthInput(self, settings.depth, callback_group=self._images)
            self._outputs = Outputs(self, settings.publish)
            self._speech = Speech(self, settings.speech, self._on_heard, self._on_speech_error, self._control)
            self._announcer = Announcer(self, self._speech, answer_timeout_s=settings.session.answer_timeout_s)
        except IcsegError as error:
            self._error = str(error)
            self.get_logger().error(f"cannot be configured: {error}")
            self._release()
            return TransitionCallbackReturn.FAILURE
        self._error = ""
        loaded = ", ".join(f"{name}: {fact}" for name, fact in self._models.facts.items())
        self.get_logger().info(f"configured in {time.monotonic() - begin:.1f} s; {loaded}")
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to take images and words."""
        assert self._models and self._settings and self._camera and self._depth and self._outputs and self._announcer
        self._traffic = Traffic()
        devices = Devices(self._camera, self._depth, self._outputs, self._announcer)
        language = self._settings.spoken.language
        self._worker = Worker(
            self._models, self._settings.session, language, devices, self._traffic, self.get_logger().warning
        )
        self._outputs.set_active(True)
        self._depth.set_active(True)
        self._camera.set_active(True)
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
        self._action.destroy()

    def _stop(self) -> None:
        worker, self._worker = self._worker, None
        if worker is None:
            return
        assert self._camera and self._depth and self._outputs and self._speech
        self._camera.set_active(False)
        self._depth.set_active(False)
        worker.stop()
        self._outputs.set_active(False)
        self._speech.hush()

    def _release(self) -> None:
        for part in (self._speech, self._camera, self._depth, self._outputs, self._announcer):
            if part is not None:
                part.close()
        self._speech = self._camera = self._depth = self._outputs = self._announcer = None
        self._models = None

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

    def _segment_timeout_s(self) -> float:
        return float(self.get_parameter("dialogue.timeout_s").value)

    def _check_parameters(self, parameters: list[Parameter]) -> SetParametersResult:
        for parameter in parameters:
            item = self._known.get(parameter.name)
            if item is None:
                continue
            try:
                item.check(parameter.value)
            except ConfigError as error:
                return SetParametersResult(successful=False, reason=str(error))
            if item.is_fixed and self._models is not None:
                reason = f"{item.name} takes effect when the node is configured: deactivate and clean it up first"
                return SetParametersResult(successful=False, reason=reason)
        for parameter in parameters:
            self._use(parameter.name, parameter.value)
        return SetParametersResult(successful=True)

    def _use(self, name: str, value: Any) -> None:
        """Of parameters that take effect at once."""
        if name == "camera.max_rate_hz" and self._camera is not None:
            self._camera.max_rate_hz = value
        elif name == "depth.max_offset_s" and self._depth is not None:
            self._depth.max_offset_s = value
        elif name == "publish.jpeg_quality" and self._outputs is not None:
            self._outputs.jpeg_quality = value

    def _publish_diagnostics(self) -> None:
        name, is_active = self.get_fully_qualified_name().lstrip("/"), self._worker is not None
        counts = self._camera.counts() if self._camera is not None and is_active else None
        timeout_s = self._settings.session.camera_timeout_s if self._settings is not None else 0.0
        state = self._announcer.state.name if self._announcer is not None else "inactive"
        statuses = [
            diagnostics.camera_status(name, counts, time.monotonic(), timeout_s),
            diagnostics.mask_status(name, self._traffic.facts() if is_active else None, state),
            diagnostics.model_status(name, self._models.facts if self._models is not None else {}, self._error),
            diagnostics.speech_status(name, self._speech.status if self._speech is not None else None),
        ]
        self._diagnostics.publish(diagnostics.array(self.get_clock().now().to_msg(), statuses))
