"""The node's services: they check, hand over to the worker or to the speech interface, and wait."""

from __future__ import annotations

from collections.abc import Callable

from icseg_msgs.srv import Answer, Segment
from rclpy.callback_groups import CallbackGroup
from rclpy.node import Node
from rclpy.task import Future
from std_msgs.msg import Header
from std_srvs.srv import SetBool, Trigger

from icseg.errors import IcsegError
from icseg.types import Box, Prompt
from icseg_ros.announcer import options_of
from icseg_ros.answers import GivenAnswer
from icseg_ros.clarify_action import picture_of
from icseg_ros.convert import labels_to_image, mask_to_image
from icseg_ros.segments import segment_message
from icseg_ros.speech.speech import Speech
from icseg_ros.still import StillOutcome, StillResult
from icseg_ros.stills import StillRequest
from icseg_ros.worker import Worker

_Codes = Segment.Response
_OUTCOMES = {
    StillOutcome.OK: _Codes.OK,
    StillOutcome.NEEDS_CLARIFICATION: _Codes.NEEDS_CLARIFICATION,
    StillOutcome.NOT_FOUND: _Codes.NOT_FOUND,
    StillOutcome.INVALID: _Codes.INVALID_REQUEST,
    StillOutcome.NO_IMAGE: _Codes.NO_IMAGE,
    StillOutcome.TIMED_OUT: _Codes.TIMED_OUT,
    StillOutcome.FAILED: _Codes.FAILED,
}
MAX_TIMEOUT_S = 600.0
"""The longest ``timeout_s`` that ``~/segment`` takes."""
NOT_ACTIVE = "the node is not active: ros2 lifecycle set it to active, or start it with autostart"


class Services:
    """The servers.

    Args:
        node: to live on.
        worker: the present worker; None while the node is not active.
        speech: the present speech interface; None while the node is not configured.
        timeout_s: how long ``~/segment`` may take when the request does not say.
        group: reentrant.
    """

    def __init__(
        self,
        node: Node,
        worker: Callable[[], Worker | None],
        speech: Callable[[], Speech | None],
        timeout_s: Callable[[], float],
        group: CallbackGroup,
    ) -> None:
        self._node, self._worker, self._speech, self._timeout_s = node, worker, speech, timeout_s
        for kind, name, callback in (
            (Segment, "~/segment", self._segment),
            (Answer, "~/answer", self._answer),
            (Trigger, "~/listen", self._listen),
            (Trigger, "~/cancel", self._cancel),
            (Trigger, "~/reset", self._reset),
            (SetBool, "~/enable", self._enable),
        ):
            node.create_service(kind, name, callback, callback_group=group)

    async def _segment(self, request: Segment.Request, response: Segment.Response) -> Segment.Response:
        worker = self._worker()
        if worker is None:
            return _told(response, _Codes.INACTIVE, NOT_ACTIVE)
        if not 0 <= request.timeout_s <= MAX_TIMEOUT_S:
            problem = f"timeout_s: expected 0..{MAX_TIMEOUT_S:g}, got {request.timeout_s}"
            return _told(response, _Codes.INVALID_REQUEST, problem)
        try:
            picture = picture_of(request.image)
            wanted = _wanted(request)
        except (IcsegError, ValueError) as error:
            return _told(response, _Codes.INVALID_REQUEST, str(error))
        future = self._future()
        timeout_s = request.timeout_s or self._timeout_s()
        wish = StillRequest(picture, wanted, request.answers, timeout_s)
        worker.segment(wish, lambda *end: self._resolve(future, end))
        result, header = await future
        return fill_response(response, result, header)

    async def _answer(self, request: Answer.Request, response: Answer.Response) -> Answer.Response:
        worker = self._worker()
        if worker is None:
            response.message = NOT_ACTIVE
            return response
        future = self._future()
        given = GivenAnswer(request.text.strip(), request.option, request.dialogue_id, request.question_id)
        worker.answer(given, lambda *reply: self._resolve(future, reply))
        response.accepted, response.message = await future
        return response

    def _listen(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        speech = self._speech()
        if speech is None or self._worker() is None:
            response.message = NOT_ACTIVE
        elif not speech.listens_on_demand:
            response.message = (
                "there is nothing to start: only an interface with speech.in.kind action listens on demand"
            )
        else:
            speech.listen()
            response.success = True
        return response

    def _cancel(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._order(response, Worker.cancel)

    def _reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        return self._order(response, Worker.reset)

    def _enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        return self._order(response, lambda worker: worker.set_enabled(request.data))

    def _order(self, response: object, order: Callable[[Worker], None]) -> object:
        worker = self._worker()
        if worker is not None:
            order(worker)
        response.success = worker is not None  # type: ignore[attr-defined]
        response.message = "" if worker is not None else NOT_ACTIVE  # type: ignore[attr-defined]
        return response

    def _future(self) -> Future:
        return Future(executor=self._node.executor)

    def _resolve(self, future: Future, result: object) -> None:
        future.set_result(result)
        self._node.executor.wake()


def fill_response(response: Segment.Response, result: StillResult, header: Header) -> Segment.Response:
    """The answer of ``~/segment``."""
    response.outcome, response.message = _OUTCOMES[result.outcome], result.reason
    response.segments = [
        segment_message(thing, segment_id=number, label=label)
        for number, (thing, label) in enumerate(zip(result.things, result.labels, strict=True), 1)
    ]
    if result.outcome is StillOutcome.OK:
        response.mask = mask_to_image(result.things[0].mask, header)
    if result.things:
        response.label_image = labels_to_image([thing.mask for thing in result.things], header)
    if result.asked is not None:
        response.question, response.options = result.asked.question, options_of(result.asked)
    return response


def _told(response: Segment.Response, outcome: int, message: str) -> Segment.Response:
    response.outcome, response.message = outcome, message
    return response


def _wanted(request: Segment.Request) -> Prompt | str:
    """A prompt when one is given, else the words.

    Raises:
        ValueError: neither, or the prompt contradicts itself.
    """
    box, points = request.box, request.points
    if not box.width and not points:
        if request.point_labels:
            raise ValueError(f"point_labels: expected none without points, got {list(request.point_labels)}")
        if not request.text.strip():
            raise ValueError("expected a text, a box or points, got none of them")
        return request.text
    corners: Box | None = None
    if box.width:
        left, top = float(box.x_offset), float(box.y_offset)
        corners = (left, top, left + box.width, top + box.height)
    labels = tuple(request.point_labels) or (1,) * len(points)
    return Prompt(corners, tuple((point.x, point.y) for point in points), tuple(int(label) for label in labels))
