"""What came in since the last step: in order, each with its time, and never more frames than may wait."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from icseg import events
from icseg.session.events import State
from icseg.session.executor import InlineExecutor
from icseg.session.inbox import Inbox, Meaning, Words
from icseg.types import Frame
from tests.conftest import FakeClock, make_frame


def frames_of(inbox: Inbox) -> tuple[list[int], int]:
    items, dropped = inbox.drain()
    return [item.index for _, item in items if isinstance(item, Frame)], dropped


def test_everything_has_the_time_it_came(clock: FakeClock) -> None:
    inbox = Inbox(5, clock)
    inbox.put(make_frame(0))
    clock.now = 1.5
    inbox.put(Words("the mug", 1))
    items, dropped = inbox.drain()
    assert [(at, type(item)) for at, item in items] == [(0.0, Frame), (1.5, Words)]
    assert dropped == 0


def test_as_many_frames_wait_as_may_and_the_oldest_goes_first(clock: FakeClock) -> None:
    inbox = Inbox(2, clock)
    for index in (0, 1):
        inbox.put(make_frame(index))
    assert frames_of(inbox) == ([0, 1], 0)
    for index in (2, 3, 4, 5, 6):
        inbox.put(make_frame(index))
        inbox.put(Words("the mug", index))
    items, dropped = inbox.drain()
    assert [item.ticket for _, item in items if isinstance(item, Words)] == [2, 3, 4, 5, 6]
    assert ([item.index for _, item in items if isinstance(item, Frame)], dropped) == ([5, 6], 3)
    assert frames_of(inbox) == ([], 0)
    for index in (7, 8):
        inbox.put(make_frame(index))
    assert frames_of(inbox) == ([7, 8], 0)  # what was taken makes room


def test_words_mean_anything_unless_it_is_said() -> None:
    words = Words("red", 3)
    assert (words.meaning, words.question_id, words.max_questions) == (Meaning.ANYTHING, None, None)


@pytest.mark.parametrize(
    ("state", "is_busy"),
    [
        (State.IDLE, False),
        (State.GAVE_UP, False),
        (State.THINKING, True),
        (State.ASKING, True),
        (State.TARGETING, True),
        (State.TRACKING, True),
        (State.LOST, True),
    ],
)
def test_something_goes_on_from_the_command_until_it_ends(state: State, is_busy: bool) -> None:
    assert state.is_busy is is_busy


def test_an_event_that_nothing_led_to_has_no_ticket_and_a_question_is_new_until_repeated() -> None:
    asked = events.Asked(5, "Which mug?")
    assert (asked.ticket, asked.timings_ms, asked.is_repeat, asked.question_id) == (0, {}, False, 0)
    assert (asked.options, asked.choices) == ((), ())


def test_a_job_run_at_once_keeps_its_result_or_its_error() -> None:
    done = InlineExecutor().submit(lambda a, *, b: a + b, 1, b=2)
    assert isinstance(done, Future)
    assert (done.done(), done.result()) == (True, 3)
    failed = InlineExecutor().submit(lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        failed.result()
