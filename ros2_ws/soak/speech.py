"""A text to speech service that can be made to misbehave, and the mouth of the person; test types of our own.

The types are look-alikes of ``tts_msgs`` and ``hri_msgs``, so that the node runs on its preset for ROS4HRI.
"""

from __future__ import annotations

import threading

from icseg_test_msgs.action import TTS
from icseg_test_msgs.msg import LiveSpeech
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.node import Node
from rclpy.task import Future

VOICE, TTS_NAME = "/humans/voices/anonymous_speaker/speech", "/tts_engine/tts"
UTTERANCE_S = 0.3
"""How long every text is spoken. A fast voice: the robot is deaf meanwhile, and a soak has much to say."""
PARAMETERS = {
    "speech.in.type": "icseg_test_msgs/msg/LiveSpeech",
    "speech.in.topic": VOICE,
    "speech.in.text_field": "final",
    "speech.in.partial_field": "incremental",
    "speech.in.confidence_field": "confidence",
    "speech.in.language_field": "locale",
    "speech.out.kind": "action",
    "speech.out.type": "icseg_test_msgs/action/TTS",
    "speech.out.name": TTS_NAME,
    "speech.out.text_field": "input",
    "speech.out.language_field": "locale",
    "speech.out.language_form": "locale",
    "speech.out.error_field": "error_msg",
    "speech.holdoff_s": 0.1,
    "speech.timeout_s": 1.0,
}
"""The node's parameters: the preset ros4hri with other package names, and little patience."""


class SoakSpeech:
    """The service and the person's voice.

    Attributes:
        spoken: texts that were said to their end.
        error: what every goal ends with; empty = none.
    """

    def __init__(self, node: Node) -> None:
        self.spoken: list[str] = []
        self.error = ""
        self._node, self._lock = node, threading.Lock()
        self._hangs = False
        self._hung: list[Future] = []
        self._running: dict[bytes, Future] = {}
        self._group = ReentrantCallbackGroup()
        self._voice = node.create_publisher(LiveSpeech, VOICE, 10)
        self._server: ActionServer | None = None
        self.open()

    def open(self) -> None:
        """Start the service."""
        if self._server is None:
            self._server = ActionServer(
                self._node,
                TTS,
                TTS_NAME,
                execute_callback=self._speak,
                cancel_callback=self._cancel,
                callback_group=self._group,
            )

    def close(self) -> None:
        """The service is gone."""
        self.hang(False)
        if self._server is not None:
            self._server.destroy()
            self._server = None

    def hang(self, does_hang: bool) -> None:
        """Goals are accepted and never end, not even when they are cancelled; False ends them."""
        with self._lock:
            self._hangs = does_hang
            hung, self._hung = self._hung, []
        for future in hung:
            self._end(future)

    def person_says(self, text: str, confidence: float = 0.9) -> None:
        """Final words of the person."""
        self._voice.publish(LiveSpeech(final=text, confidence=confidence, locale="en_GB"))

    async def _speak(self, handle: ServerGoalHandle) -> TTS.Result:
        future = Future(executor=self._node.executor)
        with self._lock:
            if self._hangs:
                self._hung.append(future)
            else:
                self._running[bytes(handle.goal_id.uuid)] = future
                threading.Timer(UTTERANCE_S, self._end, (future,)).start()
        await future
        self._running.pop(bytes(handle.goal_id.uuid), None)
        if handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.succeed()
            self.spoken.append(handle.request.input)
        return TTS.Result(error_msg=self.error)

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        future = self._running.get(bytes(handle.goal_id.uuid))
        if future is not None:
            self._end(future)
        return CancelResponse.ACCEPT

    def _end(self, future: Future) -> None:
        with self._lock:
            if future.done():
                return
            future.set_result(None)
        if self._node.executor is not None:
            self._node.executor.wake()
