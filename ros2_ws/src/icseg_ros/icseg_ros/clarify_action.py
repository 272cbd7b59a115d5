"""The ``~/clarify_segment`` action: checks goals, hands them to the worker, waits without holding a thread."""

from __future__ import annotations

from collections.abc import Callable

from icseg_msgs.action import ClarifySegment
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from icseg.errors import IcsegError
from icseg.types import Frame
from icseg_ros.announcer import Announcer
from icseg_ros.convert import image_to_rgb, mask_to_image, stamp_ns
from icseg_ros.goals import GoalResult
from icseg_ros.segments import segment_message
from icseg_ros.worker import Worker

_Codes = ClarifySegment.Result
RESULT_KEPT_S = 60
"""For a client that asks late. rclpy keeps goals and results, with their images, for 15 minutes unless it is told."""


def picture_of(image: Image) -> tuple[Frame, Header] | None:
    """A picture that came with a request; None for an empty one.

    Raises:
        EncodingError: it is not an image.
    """
    if not image.data:
        return None
    return Frame(image_to_rgb(image), stamp_ns(image.header), 0), image.header


class ClarifyAction:
    """The server.

    Args:
        node: to live on.
        worker: the present worker; None while the node is not active.
        announcer: for the feedback.
        group: reentrant.
    """

    def __init__(
        self,
        node: Node,
        worker: Callable[[], Worker | None],
        announcer: Callable[[], Announcer | None],
        group: CallbackGroup,
    ) -> None:
        self._node, self._worker, self._announcer = node, worker, announcer
        self._server = ActionServer(
            node,
            ClarifySegment,
            "~/clarify_segment",
            execute_callback=self._execute,
            goal_callback=self._accept,
            cancel_callback=self._cancel,
            callback_group=group,
            result_timeout=RESULT_KEPT_S,
        )
        self._cancels: dict[bytes, Callable[[], None]] = {}

    def destroy(self) -> None:
        """Take the server away."""
        self._server.destroy()

    def _accept(self, goal: ClarifySegment.Goal) -> GoalResponse:
        problem = _problem(goal)
        if problem is None and self._worker() is None:
            problem = "the node is not active"
        if problem is not None:
            self._node.get_logger().warning(f"goal refused: {problem}")
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        cancel = self._cancels.get(_key(handle))
        if cancel is None:
            return CancelResponse.REJECT
        cancel()
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> ClarifySegment.Result:
        worker, announcer = self._worker(), self._announcer()
        if worker is None or announcer is None:
            return self._finish(handle, GoalResult(_Codes.FAILED, "the node is not active"))
        try:
            picture = picture_of(handle.request.image)
        except (IcsegError, ValueError) as error:
            return self._finish(handle, GoalResult(_Codes.INVALID_GOAL, f"image: {error}"))
        executor = self._node.executor
        future: Future = Future(executor=executor)

        def done(result: GoalResult) -> None:
            future.set_result(result)
            executor.wake()

        def progress() -> None:
            if handle.is_active:
                handle.publish_feedback(
                    ClarifySegment.Feedback(state=announcer.state.state, question=announcer.waiting)
                )

        self._cancels[_key(handle)] = lambda: worker.cancel_goal(done)
        worker.begin_goal(handle.request, picture, done, progress)
        try:
            return self._finish(handle, await future)
        finally:
            del self._cancels[_key(handle)]

    def _finish(self, handle: ServerGoalHandle, ended: GoalResult) -> ClarifySegment.Result:
        if ended.outcome == _Codes.SEGMENTED:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return result_message(ended)


def _key(handle: ServerGoalHandle) -> bytes:
    return bytes(handle.goal_id.uuid)


def _problem(goal: ClarifySegment.Goal) -> str | None:
    if not goal.command.strip():
        return "command: expected the person's words, got an empty text"
    if not -1 <= goal.max_turns <= 5:
        return f"max_turns: expected -1..5, got {goal.max_turns}"
    if not 0 <= goal.timeout_s <= 3600:
        return f"timeout_s: expected 0..3600, got {goal.timeout_s}"
    return None


def result_message(ended: GoalResult) -> ClarifySegment.Result:
    """The action's result."""
    message = ClarifySegment.Result(
        outcome=ended.outcome,
        reason=ended.reason,
        dialogue_id=ended.dialogue_id,
        transcript=list(ended.transcript),
    )
    if ended.thing is not None and ended.header is not None:
        message.mask = mask_to_image(ended.thing.mask, ended.header)
        message.segment = segment_message(ended.thing, label=ended.label)
    return message
