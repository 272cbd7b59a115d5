"""The node over real DDS in one process: dialogue, masks, action, services, transitions, parameters, faults."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from icseg_msgs.action import ClarifySegment
from icseg_msgs.msg import RoiStamped
from icseg_msgs.srv import Answer as AnswerService
from icseg_msgs.srv import Segment
from icseg_test_msgs.action import STT
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rcl_interfaces.srv import SetParameters
from rclpy.action import ActionClient, ActionServer
from rclpy.parameter import Parameter
from rig import HW, Rig
from std_srvs.srv import SetBool, Trigger

import icseg_ros.clarify_action
from icseg.dialogue.actions import Answer, Ask, Choice, GiveUp, SelectKeyframe
from icseg.errors import BackendError
from icseg.tracker.scripted import ScriptedTracker
from icseg.types import Frame, TrackResult

CODES = ClarifySegment.Result
TARGET = Answer((6.4, 4.8, 19.2, 24.0), (12.8, 14.4), label="blue mug")
CHOICES = (
    Choice((1.0, 2.0, 9.0, 8.0), "red mug", 0.5, (("colour", "red"),), (0,)),
    Choice((20.0, 2.0, 29.0, 8.0), "blue mug", 0.5, (("colour", "blue"),), (1,)),
)
QUESTION = Ask("Red or blue?", ("red", "blue"), choices=CHOICES)


class PointAtNewest:
    """A policy that asks once and then points at the newest frame it was shown."""

    name = "newest"

    def __init__(self, *, asks: bool = True) -> None:
        self.asks = asks

    def next_action(self, dialogue: Any) -> Any:
        from icseg.dialogue.policy import PolicyOutput

        answers = [turn for turn in dialogue.turns if turn.observation and turn.observation.kind == "answer"]
        if self.asks and not answers:
            return PolicyOutput(QUESTION)
        if dialogue.keyframe_id is None:
            return PolicyOutput(SelectKeyframe(max(dialogue.frames)))
        return PolicyOutput(TARGET)


@pytest.fixture
def rig() -> Iterator[Callable[..., Rig]]:
    made: list[Rig] = []

    def make(*script: Any, **options: Any) -> Rig:
        made.append(Rig(*script, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def talking(make: Callable[..., Rig], *, asks: bool = True, **options: Any) -> Rig:
    """A robot whose policy asks once; the camera runs."""
    r = make(is_active=False, **options)
    r.policy = PointAtNewest(asks=asks)  # type: ignore[assignment]
    r.node.trigger_configure()
    r.node.trigger_activate()
    r.start_camera()
    r.wait_for_images()
    return r


def stamp_of(message: Any) -> int:
    return message.header.stamp.sec * 10**9 + message.header.stamp.nanosec


def test_command_question_answer_masks(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    r.say("the mug")
    question = r.wait_for_question()
    assert (question.text, [option.label for option in question.options]) == ("Red or blue?", ["red", "blue"])
    assert [list(option.segment_ids) for option in question.options] == [[1], [2]]
    assert question.expires.sec > 0
    candidates = r.wait_for(lambda: r.received["candidates"])[-1]
    assert [segment.label for segment in candidates.segments] == ["red mug", "blue mug"]
    assert stamp_of(candidates) == stamp_of(question)
    labels = r.wait_for(lambda: r.received["label_image"])[-1]
    assert set(np.frombuffer(labels.data, np.uint8)) == {0, 1, 2}
    r.answer("blue")
    r.wait_for_state("tracking")
    r.wait_for(lambda: len(r.received["mask"]) > 30)
    assert [message.data for message in r.received["say"]] == ["Red or blue?"]
    assert r.received["question"][-1].text == ""
    masks, targets = list(r.received["mask"]), list(r.received["target"])
    stamps = [stamp_of(mask) for mask in masks]
    assert stamps == sorted(set(stamps)), "one mask a frame, in order"
    assert all((mask.width, mask.height, mask.encoding) == (HW[1], HW[0], "mono8") for mask in masks)
    assert all(mask.header.frame_id == "camera_optical_frame" for mask in masks)
    assert all((stamp - 10**9) % 33_333_333 == 0 for stamp in stamps), "stamps are the source's"
    assert targets[-1].segment.label == "blue mug"
    assert targets[-1].dialogue_id == r.received["dialogue"][-1].dialogue_id
    assert r.received["dialogue"][-1].transcript[:3] == ["person: the mug", "icseg: Red or blue?", "person: blue"]
    r.say("stop")
    r.wait_for_state("idle")


def test_an_answer_from_before_the_node_was_activated_again_is_refused(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    r.say("the mug")
    old = r.wait_for_question()
    r.node.trigger_deactivate()
    r.wait_for(lambda: not r.received["question"][-1].text)
    r.node.trigger_activate()
    r.wait_for_images()
    r.say("the mug")
    new = r.wait_for_question()
    ids = {"dialogue_id": old.dialogue_id, "question_id": old.question_id}
    assert not r.call(AnswerService, "answer", AnswerService.Request(**ids, text="red")).accepted
    ids = {"dialogue_id": new.dialogue_id, "question_id": new.question_id}
    assert r.call(AnswerService, "answer", AnswerService.Request(**ids, text="red")).accepted


def test_a_shown_box_is_tracked_without_a_question(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    message = RoiStamped()
    message.roi.x_offset, message.roi.y_offset, message.roi.width, message.roi.height = 10, 10, 20, 20
    publisher = r.client.create_publisher(RoiStamped, "target_roi", 10)
    r.wait_for(publisher.get_subscription_count)
    publisher.publish(message)
    r.wait_for_state("tracking")
    r.wait_for(lambda: r.received["target"])
    roi = r.received["target"][-1].segment.roi
    assert (roi.x_offset, roi.y_offset, roi.width, roi.height) == (10, 10, 20, 20)


def test_answers_are_bound_to_their_question(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    refused = r.call(AnswerService, "answer", AnswerService.Request(text="red"))
    assert (refused.accepted, refused.message) == (False, "no question waits")
    r.say("the mug")
    question = r.wait_for_question()
    old = AnswerService.Request(dialogue_id=question.dialogue_id, question_id=question.question_id + 7, text="red")
    assert not r.call(AnswerService, "answer", old).accepted
    beyond = r.call(AnswerService, "answer", AnswerService.Request(option=2))
    assert (beyond.accepted, beyond.message) == (False, "option: expected 0..1, got 2")
    request = AnswerService.Request(dialogue_id=question.dialogue_id, question_id=question.question_id, option=1)
    assert r.call(AnswerService, "answer", request).accepted
    r.wait_for_state("tracking")
    assert "person: blue" in r.received["dialogue"][-1].transcript


def test_services_cancel_reset_and_enable(rig: Callable[..., Rig]) -> None:
    r = talking(rig, asks=False)
    for service in ("cancel", "reset"):
        r.say("the mug")
        r.wait_for_state("tracking")
        assert r.call(Trigger, service, Trigger.Request()).success
        r.wait_for_state("idle")
        r.wait_for_images()
    r.say("the mug")
    r.wait_for_state("tracking")
    assert r.call(SetBool, "enable", SetBool.Request(data=False)).success
    r.wait_for_state("inactive")
    assert r.call(SetBool, "enable", SetBool.Request(data=True)).success
    r.wait_for_state("idle")
    r.wait_for_images()
    r.say("the mug")
    r.wait_for_state("tracking")


def test_one_picture_is_segmented_while_the_stream_is_tracked(rig: Callable[..., Rig]) -> None:
    r = talking(rig, asks=False)
    r.say("the mug")
    r.wait_for_state("tracking")
    picture = r.make_image(5_000)
    answer = r.call(Segment, "segment", Segment.Request(image=picture, text="the mug"))
    assert answer.outcome == Segment.Response.OK
    assert (stamp_of(answer.mask), answer.mask.width, answer.segments[0].label) == (5_000, HW[1], "blue mug")
    newest = r.call(Segment, "segment", Segment.Request(text="the mug"))
    assert newest.outcome == Segment.Response.OK
    assert stamp_of(newest.mask) >= 10**9
    boxed = Segment.Request(image=picture)
    boxed.box.x_offset, boxed.box.y_offset, boxed.box.width, boxed.box.height = 4, 5, 6, 7
    answer = r.call(Segment, "segment", boxed)
    assert answer.outcome == Segment.Response.OK
    assert answer.segments[0].roi.width == 6
    assert r.received["dialogue"][-1].name == "tracking"


def test_one_picture_that_needs_a_question_says_so(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    answer = r.call(Segment, "segment", Segment.Request(text="the mug"))
    assert answer.outcome == Segment.Response.NEEDS_CLARIFICATION
    assert (answer.question, len(answer.options), len(answer.segments)) == ("Red or blue?", 2, 2)
    assert set(np.frombuffer(answer.label_image.data, np.uint8)) == {0, 1, 2}
    assert r.call(Segment, "segment", Segment.Request(text="the mug", answers=["blue"])).outcome == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda request: setattr(request, "text", " "), "expected a text, a box or points"),
        (lambda request: setattr(request, "timeout_s", -1.0), "timeout_s: expected 0..600"),
        (lambda request: setattr(request.image, "encoding", "yuv9"), "yuv9"),
        (lambda request: setattr(request.image, "height", 1000), "1000"),
        (lambda request: request.point_labels.append(1), "point_labels"),
    ],
)
def test_requests_that_cannot_be_used_are_told_why(
    rig: Callable[..., Rig], change: Callable[[Any], None], message: str
) -> None:
    r = rig(GiveUp("no"))
    request = Segment.Request(image=r.make_image(1_000), text="the mug")
    change(request)
    answer = r.call(Segment, "segment", request)
    assert answer.outcome == Segment.Response.INVALID_REQUEST
    assert message in answer.message


def test_services_of_an_inactive_node_say_so(rig: Callable[..., Rig]) -> None:
    r = rig(is_active=False)
    assert r.call(Segment, "segment", Segment.Request(text="the mug")).outcome == Segment.Response.INACTIVE
    assert "not active" in r.call(AnswerService, "answer", AnswerService.Request(text="red")).message
    assert not r.call(Trigger, "cancel", Trigger.Request()).success


class Client:
    """An action client that keeps its feedback."""

    def __init__(self, r: Rig) -> None:
        self.r = r
        self.client = ActionClient(r.client, ClarifySegment, "clarify_segment/clarify_segment")
        assert self.client.wait_for_server(5.0)
        self.feedback: list[Any] = []

    def send(self, **goal: Any) -> Any:
        future = self.client.send_goal_async(
            ClarifySegment.Goal(**{"max_turns": -1, **goal}),
            feedback_callback=lambda m: self.feedback.append(m.feedback),
        )
        self.r.wait_for(future.done)
        return future.result()

    def result(self, handle: Any) -> Any:
        future = handle.get_result_async()
        self.r.wait_for(future.done)
        return future.result()


def test_the_action_asks_and_ends_with_a_mask(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    client = Client(r)
    handle = client.send(command="the mug", language="de")
    assert handle.accepted
    question = r.wait_for_question()
    assert question.language == "de"
    r.wait_for(lambda: any(feedback.question.text for feedback in client.feedback))
    r.answer("blue")
    ended = client.result(handle)
    assert ended.status == GoalStatus.STATUS_SUCCEEDED
    assert ended.result.outcome == CODES.SEGMENTED
    assert ended.result.dialogue_id == question.dialogue_id
    assert (ended.result.segment.label, ended.result.mask.encoding) == ("blue mug", "mono8")
    r.wait_for_state("tracking")
    r.wait_for(lambda: len(r.received["mask"]) > 3)


def test_a_goal_can_be_canceled_and_the_next_one_runs(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    client = Client(r)
    handle = client.send(command="the mug")
    r.wait_for_question()
    canceled = handle.cancel_goal_async()
    r.wait_for(canceled.done)
    ended = client.result(handle)
    assert ended.status == GoalStatus.STATUS_CANCELED
    assert ended.result.outcome == CODES.CANCELED
    r.wait_for_state("idle")
    handle = client.send(command="the mug")
    r.wait_for_question()
    r.answer("red")
    assert client.result(handle).result.outcome == CODES.SEGMENTED


def test_results_are_let_go(rig: Callable[..., Rig], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(icseg_ros.clarify_action, "RESULT_KEPT_S", 1)
    r = talking(rig, asks=False)
    client = Client(r)
    handle = client.send(command="the mug")
    assert client.result(handle).status == GoalStatus.STATUS_SUCCEEDED
    r.wait_for(lambda: client.result(handle).status == GoalStatus.STATUS_UNKNOWN)


def test_a_new_goal_and_a_new_command_preempt(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    client = Client(r)
    first = client.send(command="the mug")
    r.wait_for_question()
    second = client.send(command="the bowl")
    ended = client.result(first)
    assert (ended.status, ended.result.outcome) == (GoalStatus.STATUS_ABORTED, CODES.PREEMPTED)
    r.wait_for(lambda: r.received["dialogue"][-1].command == "the bowl")
    r.say("find the can")
    assert client.result(second).result.outcome == CODES.PREEMPTED
    r.wait_for(lambda: r.received["dialogue"][-1].command == "find the can")


def test_a_goal_with_its_own_picture_leaves_the_stream_alone(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    r.say("the mug")
    r.wait_for_question()
    r.answer("red")
    r.wait_for_state("tracking")
    tracked = r.received["dialogue"][-1].dialogue_id
    client = Client(r)
    handle = client.send(command="the mug", image=r.make_image(7_000))
    r.wait_for(lambda: r.received["question"][-1].text and stamp_of(r.received["question"][-1]) == 7_000)
    r.answer("blue")
    ended = client.result(handle)
    assert ended.result.outcome == CODES.SEGMENTED
    assert stamp_of(ended.result.mask) == 7_000
    before = len(r.received["target"])
    r.wait_for(lambda: len(r.received["target"]) > before + 3)
    assert {target.dialogue_id for target in r.received["target"]} == {tracked}
    assert min(stamp_of(mask) for mask in r.received["mask"]) > 7_000


def test_masks_of_a_new_target_do_not_go_back_in_time(rig: Callable[..., Rig]) -> None:
    class PointAtOldest(PointAtNewest):
        def next_action(self, dialogue: Any) -> Any:
            from icseg.dialogue.policy import PolicyOutput

            keyframe = SelectKeyframe(min(dialogue.frames))
            return PolicyOutput(keyframe if dialogue.keyframe_id is None else TARGET)

    r = talking(rig, asks=False)
    r.policy.next_action = PointAtOldest().next_action  # type: ignore[method-assign]
    r.say("the mug")
    r.wait_for_state("tracking")
    r.wait_for(lambda: len(r.received["mask"]) > 30)
    first = r.received["dialogue"][-1].dialogue_id
    r.say("the bowl")
    r.wait_for(lambda: r.received["target"][-1].dialogue_id != first)
    r.wait_for_state("tracking")
    before = len(r.received["mask"])
    r.wait_for(lambda: len(r.received["mask"]) > before + 3)
    stamps = [stamp_of(mask) for mask in r.received["mask"]]
    assert stamps == sorted(stamps)


@pytest.mark.parametrize(
    ("goal", "outcome"),
    [
        ({"timeout_s": 0.2}, CODES.TIMED_OUT),
        ({"max_turns": 0}, CODES.QUESTIONS_SPENT),
    ],
)
def test_bounds_of_a_goal(rig: Callable[..., Rig], goal: dict[str, Any], outcome: int) -> None:
    r = talking(rig)
    client = Client(r)
    if "max_turns" in goal:
        r.policy.next_action = _asks_until_refused  # type: ignore[method-assign]
    ended = client.result(client.send(command="the mug", **goal))
    assert ended.result.outcome == outcome
    r.wait_for(lambda: r.received["dialogue"][-1].name in ("idle", "failed"))


def _asks_until_refused(dialogue: Any) -> Any:
    from icseg.dialogue.policy import PolicyOutput

    return PolicyOutput(GiveUp("several fit") if dialogue.turns else QUESTION)


@pytest.mark.parametrize(
    "goal", [{"command": " "}, {"command": "a", "max_turns": 6}, {"command": "a", "timeout_s": -1.0}]
)
def test_goals_that_cannot_be_used_are_refused(rig: Callable[..., Rig], goal: dict[str, Any]) -> None:
    r = rig()
    assert not Client(r).send(**goal).accepted


def test_a_goal_ends_when_the_node_is_deactivated(rig: Callable[..., Rig]) -> None:
    r = talking(rig)
    client = Client(r)
    handle = client.send(command="the mug")
    r.wait_for_question()
    r.node.trigger_deactivate()
    ended = client.result(handle)
    assert (ended.result.outcome, ended.result.reason) == (CODES.FAILED, "the node was deactivated")
    assert r.received["dialogue"][-1].name == "inactive" or r.wait_for_state("inactive")


def test_every_transition_twice(rig: Callable[..., Rig]) -> None:
    r = rig(is_active=False)

    def change(transition: int) -> str:
        request = ChangeState.Request(transition=Transition(id=transition))
        assert r.call(ChangeState, "change_state", request).success
        return r.call(GetState, "get_state", GetState.Request()).current_state.label

    for _ in range(2):
        assert change(Transition.TRANSITION_CONFIGURE) == "inactive"
        for _ in range(2):
            assert change(Transition.TRANSITION_ACTIVATE) == "active"
            r.wait_for(lambda: r.received["dialogue"][-1].name == "idle")
            assert change(Transition.TRANSITION_DEACTIVATE) == "inactive"
            r.wait_for(lambda: r.received["dialogue"][-1].name == "inactive")
        assert change(Transition.TRANSITION_CLEANUP) == "unconfigured"
    assert change(Transition.TRANSITION_UNCONFIGURED_SHUTDOWN) == "finalized"
    assert not [thread for thread in threading.enumerate() if thread.name == "icseg-worker"]


def test_cleaning_up_lets_everything_go(rig: Callable[..., Rig]) -> None:
    r = talking(rig, asks=False)
    r.say("the mug")
    r.wait_for_state("tracking")
    gone = [weakref.ref(r.node.worker), weakref.ref(r.node.parts.outputs)]
    gc.disable()
    try:
        r.node.trigger_deactivate()
        r.node.trigger_cleanup()
        r.wait_for(lambda: [one() for one in gone] == [None, None])
    finally:
        gc.enable()


def test_a_node_that_cannot_be_configured_says_why_and_can_try_again(rig: Callable[..., Rig]) -> None:
    r = rig(is_active=False)
    load = r.node._load

    def broken(*_: Any) -> Any:
        raise BackendError("ONNX Runtime has no provider Foo")

    r.node._load = broken
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not r.call(ChangeState, "change_state", request).success
    status = r.wait_for(lambda: (s := r.status("models")) is not None and "no provider Foo" in s.message and s)
    assert status.level == b"\x02"
    r.node._load = load
    assert r.call(ChangeState, "change_state", request).success


def set_parameter(r: Rig, name: str, value: Any) -> Any:
    request = SetParameters.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
    return r.call(SetParameters, "set_parameters", request).results[0]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("session.dialogue.max_questions", 900, "session.dialogue.max_questions: expected an integer 0..100, got 900"),
        ("session.following.recheck_s", -1.0, "recheck_s"),
        ("session.following.recheck_s", "often", "expected a number 0.01..3600, got 'often'"),
        ("model.policy", "oracle", "expected one of candidates, chat, got 'oracle'"),
        ("camera.max_rate_hz", 0.0, "max_rate_hz"),
        ("camera.max_rate_hz", "fast", "DOUBLE"),
    ],
)
def test_parameters_out_of_range_are_refused_with_a_reason(
    rig: Callable[..., Rig], name: str, value: Any, reason: str
) -> None:
    r = rig(is_active=False)
    before = r.node.get_parameter(name).value
    answer = set_parameter(r, name, value)
    assert not answer.successful
    assert reason in answer.reason
    assert r.node.get_parameter(name).value == before


def test_parameters_of_a_configured_node(rig: Callable[..., Rig]) -> None:
    r = rig()
    refused = set_parameter(r, "model.threads", 3)
    assert (refused.successful, "takes effect when the node is configured" in refused.reason) == (False, True)
    assert set_parameter(r, "camera.max_rate_hz", 10.0).successful
    r.node.trigger_deactivate()
    r.node.trigger_cleanup()
    assert set_parameter(r, "model.threads", 3).successful


def test_a_broken_image_is_reported_and_the_next_one_is_taken(rig: Callable[..., Rig]) -> None:
    r = rig(SelectKeyframe(0), TARGET)
    r.encoding = "bayer_rggb8"
    r.send_image()
    status = r.wait_for(lambda: (s := r.status("camera")) is not None and "bayer_rggb8" in s.message and s)
    assert status.level == b"\x02"
    r.encoding = "rgb8"
    r.start_camera()
    r.wait_for(lambda: r.status("camera").message == "images come")


def test_an_engine_that_fails_costs_one_command(rig: Callable[..., Rig]) -> None:
    class Failing(ScriptedTracker):
        is_broken = True

        def add_prompt(self, state: Any, frame: Frame, *rest: Any) -> TrackResult:
            if self.is_broken:
                raise BackendError("the engine ran out of memory: close other programs")
            return super().add_prompt(state, frame, *rest)

    tracker = Failing()
    r = talking(rig, asks=False, tracker=tracker)
    r.say("the mug")
    failed = r.wait_for_state("failed")
    assert failed.reason == "the engine ran out of memory: close other programs"
    assert r.wait_for(lambda: r.received["say"])[-1].data == failed.reason
    assert r.wait_for(lambda: (s := r.status("masks")) is not None and "memory" in s.message)
    tracker.is_broken = False
    r.say("the mug")
    r.wait_for_state("tracking")


def test_a_defect_ends_the_command_and_not_the_node(rig: Callable[..., Rig]) -> None:
    class Defective(ScriptedTracker):
        is_broken = True

        def step(self, state: Any, frame: Frame) -> TrackResult:
            if self.is_broken:
                raise ZeroDivisionError("a defect")
            return super().step(state, frame)

    tracker = Defective()
    r = talking(rig, asks=False, tracker=tracker)
    handle = Client(r).send(command="the mug")
    r.wait_for(lambda: (s := r.status("masks")) is not None and "ZeroDivisionError: a defect" in s.message)
    assert handle.accepted
    tracker.is_broken = False
    r.say("the mug")
    r.wait_for_state("tracking")


def test_a_clock_that_jumps_back_begins_a_new_stream(rig: Callable[..., Rig]) -> None:
    r = talking(rig, asks=False)
    r.say("the mug")
    r.wait_for_state("tracking")
    r.sent = -25  # the camera counts on from there: stamps nearly two seconds earlier
    r.received["mask"].clear()
    failed = r.wait_for_state("failed")
    assert "started anew" in failed.reason
    r.received["mask"].clear()
    r.say("the mug")
    r.wait_for_state("tracking")
    r.wait_for(lambda: len(r.received["mask"]) > 3)
    assert all(stamp_of(mask) < 4 * 10**9 for mask in r.received["mask"])


@pytest.mark.parametrize("hw", [(24, 32), (96, 128)])
def test_a_camera_that_changes_its_size(rig: Callable[..., Rig], hw: tuple[int, int]) -> None:
    r = talking(rig, asks=False)
    r.say("the mug")
    r.wait_for_state("tracking")
    r.hw = hw
    failed = r.wait_for_state("failed")
    assert "size" in failed.reason
    r.received["mask"].clear()
    r.say("the mug")
    r.wait_for_state("tracking")
    r.wait_for(lambda: len(r.received["mask"]) > 3)
    assert {(mask.height, mask.width) for mask in r.received["mask"]} == {hw}


def test_listening_on_demand_needs_an_interface_that_does(rig: Callable[..., Rig]) -> None:
    r = rig()
    answer = r.call(Trigger, "listen", Trigger.Request())
    assert not answer.success
    assert "speech.in.kind action" in answer.message


def test_a_command_is_listened_for_on_demand(rig: Callable[..., Rig]) -> None:
    parameters = {
        "speech.in.kind": "action",
        "speech.in.type": "icseg_test_msgs/action/STT",
        "speech.in.topic": "listen_to_me",
        "speech.in.text_field": "transcription.text",
    }
    r = rig(parameters=parameters)
    heard = threading.Event()

    def listen(handle: Any) -> Any:
        heard.wait(10)
        handle.succeed()
        result = STT.Result()
        result.transcription.text = "stop"
        return result

    server = ActionServer(r.client, STT, "listen_to_me", listen)
    try:
        assert r.call(Trigger, "listen", Trigger.Request()).success
        r.wait_for_state("listening")
        heard.set()
        r.wait_for_state("idle")
    finally:
        heard.set()
        r.executor.remove_node(r.client)
        server.destroy()
