"""One goal at a time to one action server, which may be absent, reject, hang or die.

Knows actions and deadlines; nothing of speech. Belongs to the mailbox: every method runs as a piece of its work.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from rclpy.exceptions import InvalidHandle
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node

from icseg_ros.speech.mailbox import Mailbox


class Outcome(Enum):
    """How a call ended."""

    SUCCEEDED = auto()
    CANCELED = auto()
    EXPIRED = auto()
    FAILED = auto()


@dataclass(frozen=True)
class Ended:
    """The end of a call.

    Attributes:
        outcome: SUCCEEDED; CANCELED by ``cancel`` or by the server; EXPIRED = the goal's own time was over, and the
            server stopped when told so; FAILED.
        result: the action's result, also of a goal that was aborted; None = there is none.
        error: what went wrong, with the server's name; empty unless FAILED.
    """

    outcome: Outcome
    result: Any = None
    error: str = ""


class _Step(Enum):
    WAITING = auto()  # for the server to be there
    SENT = auto()  # the server has the goal and says nothing yet
    RUNNING = auto()
    CANCELING = auto()


@dataclass(eq=False)
class _Call:
    goal: Any
    limit_s: float
    on_began: Callable[[], None]
    on_ended: Callable[[Ended], None]
    deadline: float = 0.0
    step: _Step = _Step.WAITING
    handle: Any = None
    is_unwanted: bool = False  # by the caller: whatever comes of it does not count
    is_expired: bool = False


class _Client(ActionClient):
    """One that may be destroyed while the executor is about to take what came for it; else it raises there."""

    is_closed = False

    def take_data(self) -> Any:
        try:
            return {} if self.is_closed else super().take_data()
        except _rclpy.RCLError:
            if not self.is_closed:
                raise
            return {}


class ActionCaller:
    """A client of one action. ``server`` is what it is called in errors.

    Args:
        node: that the client belongs to.
        mailbox: whose work this is.
        action: type of the action.
        name: the action's name.
        type_name: the name of its type, for errors.
        timeout_s: for a server to be there, to take a goal, to cancel one.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        node: Node,
        mailbox: Mailbox,
        action: Any,
        name: str,
        type_name: str,
        timeout_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._post, self._clock, self._timeout_s = mailbox.post, clock, timeout_s
        self._client = _Client(node, action, name, callback_group=mailbox.group)
        self.server = f"the action server {name} ({type_name})"
        self._call: _Call | None = None
        self._next: _Call | None = None
        self._is_known_absent = False

    @property
    def is_busy(self) -> bool:
        """Whether a goal is on its way, runs, or is being cancelled."""
        return self._call is not None

    def call(self, goal: Any, limit_s: float, on_began: Callable[[], None], on_ended: Callable[[Ended], None]) -> None:
        """Have a goal carried out. One that still runs is cancelled first; of it is only heard when the server fails.

        Args:
            goal: the action's goal.
            limit_s: seconds that it may run before it is cancelled.
            on_began: the server took it.
            on_ended: called once; not at all when another call takes its place and the server lets go of this one.
        """
        new = _Call(goal, limit_s, on_began, on_ended)
        if self._call is None:
            self._begin(new)
            return
        self._call.on_ended, self._call.is_unwanted = _if_failed(self._call.on_ended), True
        self._next = new  # many servers reject a goal while another one is being cancelled
        self._cancel(self._call)

    def cancel(self) -> None:
        """Have the goal end early; ``on_ended`` is called with CANCELED when it has, or with FAILED."""
        self._next = None
        if self._call is not None:
            self._call.is_unwanted = True
            self._cancel(self._call)

    def tick(self) -> bool:
        """Watch the deadlines. Returns whether there is something to watch."""
        call = self._call
        if call is None:
            return False
        if call.step is _Step.WAITING and self._client.server_is_ready():
            self._is_known_absent = False
            self._send(call)
        elif call.step is _Step.RUNNING and not self._client.server_is_ready():
            self._fail("went away in the middle; start it again")
        elif self._clock() >= call.deadline:
            self._overrun(call)
        return self._call is not None

    def close(self) -> None:
        """Cancel what runs and let the client go; nobody is told."""
        call, self._call, self._next = self._call, None, None
        if call is not None and call.step is _Step.RUNNING:
            with contextlib.suppress(InvalidHandle, _rclpy.RCLError):  # the context may be shut down already
                call.handle.cancel_goal_async()
        self._client.is_closed = True
        self._client.destroy()

    def _begin(self, call: _Call) -> None:
        patience_s = 0.0 if self._is_known_absent else self._timeout_s  # waited for it once: that is enough
        self._call, call.deadline = call, self._clock() + patience_s
        self.tick()

    def _cancel(self, call: _Call) -> None:
        if call.step is _Step.WAITING:
            self._end(Ended(Outcome.CANCELED))
        elif call.step is _Step.RUNNING:
            running_until, call.deadline = call.deadline, self._clock() + self._timeout_s
            call.step = _Step.CANCELING
            future = call.handle.cancel_goal_async()
            future.add_done_callback(lambda done: self._post(lambda: self._cancel_answered(call, done, running_until)))
        # SENT: it cannot be cancelled before the server has said whether it takes it

    def _cancel_answered(self, call: _Call, done: Any, running_until: float) -> None:
        is_refused = not done.result().goals_canceling
        if is_refused and call is self._call and call.step is _Step.CANCELING and not call.is_expired:
            call.step, call.deadline = _Step.RUNNING, running_until  # a server that cannot; it goes on to its end

    def _send(self, call: _Call) -> None:
        call.step, call.deadline = _Step.SENT, self._clock() + self._timeout_s
        future = self._client.send_goal_async(call.goal)
        future.add_done_callback(lambda done: self._post(lambda: self._answered(call, done)))

    def _answered(self, call: _Call, done: Any) -> None:
        handle = done.result()
        if call is not self._call:
            if handle.accepted:
                handle.cancel_goal_async()
            return
        if not handle.accepted:
            self._fail("rejected the goal; see its log")
            return
        call.handle, call.step, call.deadline = handle, _Step.RUNNING, self._clock() + call.limit_s
        future = handle.get_result_async()
        future.add_done_callback(lambda done: self._post(lambda: self._finished(call, done)))
        if call.is_unwanted:
            self._cancel(call)
        else:
            call.on_began()

    def _finished(self, call: _Call, done: Any) -> None:
        if call is not self._call:
            return
        response = done.result()
        if call.is_unwanted:
            self._end(Ended(Outcome.CANCELED, response.result))
        elif response.status == GoalStatus.STATUS_SUCCEEDED:
            self._end(Ended(Outcome.SUCCEEDED, response.result))
        elif response.status == GoalStatus.STATUS_CANCELED or call.step is _Step.CANCELING:
            self._end(Ended(Outcome.EXPIRED if call.is_expired else Outcome.CANCELED, response.result))
        else:
            self._fail("gave the goal up; see its log", response.result)

    def _overrun(self, call: _Call) -> None:
        if call.step is _Step.WAITING:
            self._is_known_absent = True
            self._fail("is not there; start it")
        elif call.step is _Step.SENT:
            self._fail(f"said nothing to the goal for {self._timeout_s:g} s; start it again")
        elif call.step is _Step.RUNNING:
            call.is_expired = True
            self._cancel(call)
        else:
            over = f"after its {call.limit_s:.1f} s were over" if call.is_expired else "when it was cancelled"
            self._fail(f"hangs: it did not end {over}; start it again")

    def _fail(self, error: str, result: Any = None) -> None:
        self._end(Ended(Outcome.FAILED, result, f"{self.server} {error}"))

    def _end(self, ended: Ended) -> None:
        call, self._call = self._call, None
        following, self._next = self._next, None
        if call is not None:
            call.on_ended(ended)
        if following is not None and self._call is None:
            self._begin(following)


def _if_failed(on_ended: Callable[[Ended], None]) -> Callable[[Ended], None]:
    """Takes the end of a call that another one replaced: a server that hangs would else never be told of."""

    def told(ended: Ended) -> None:
        if ended.outcome is Outcome.FAILED:
            on_ended(ended)

    return told
