"""FrameBuffer against a plain list, whatever is pushed."""

from __future__ import annotations

import hypothesis.strategies as st
import pytest
from hypothesis import given

from icseg.session.inbox import Inbox
from icseg.session.stream import FrameBuffer
from tests.conftest import FRAME_NS, make_frame

FRAME_BYTES = 48 * 64 * 3


@given(
    steps=st.lists(st.integers(-2, 3), max_size=40),
    max_frames=st.integers(1, 6),
    max_bytes=st.integers(1, 6 * FRAME_BYTES),
)
def test_holds_the_newest_within_both_bounds(steps: list[int], max_frames: int, max_bytes: int) -> None:
    buffer, model, index = FrameBuffer(max_frames, max_bytes), [], 10
    for step in steps:
        index += step
        frame = make_frame(max(index, 0))
        if model and frame.stamp_ns <= model[-1].stamp_ns:
            with pytest.raises(ValueError, match="is not later than the last one"):
                buffer.push(frame)
        else:
            buffer.push(frame)
            model.append(frame)
        model = model[-max_frames:]
        while len(model) > 1 and len(model) * FRAME_BYTES > max_bytes:
            model = model[1:]
        assert list(buffer) == model
        assert buffer.newest is (model[-1] if model else None)
        assert buffer.bytes_held == len(model) * FRAME_BYTES


def test_after_gives_later_frames_oldest_first() -> None:
    buffer = FrameBuffer(5, 10**9)
    for index in range(5):
        buffer.push(make_frame(index))
    assert [frame.index for frame in buffer.after(2 * FRAME_NS)] == [3, 4]


def test_another_size_is_refused_and_changes_nothing() -> None:
    buffer = FrameBuffer(5, 10**9)
    buffer.push(make_frame(0))
    with pytest.raises(ValueError, match=r"size \(10, 10\) differs from the stream's \(48, 64\)"):
        buffer.push(make_frame(1, (10, 10)))
    assert len(buffer) == 1


@pytest.mark.parametrize("bounds", [(0, 1), (1, 0), (-1, 5)])
def test_bounds_below_one_are_refused(bounds: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="bounds must be >= 1"):
        FrameBuffer(*bounds)


def test_inbox_drops_the_oldest_frame_and_never_words() -> None:
    inbox = Inbox(2, lambda: 0.0)
    inbox.put("the mug")
    for index in range(4):
        inbox.put(make_frame(index))
    items, dropped = inbox.drain()
    assert [item if isinstance(item, str) else item.index for _, item in items] == ["the mug", 2, 3]
    assert dropped == 2
    assert inbox.drain() == ([], 0)


def test_frames_that_had_to_go_are_counted_until_everything_is_forgotten() -> None:
    buffer = FrameBuffer(2, 10**9)
    for index in range(5):
        buffer.push(make_frame(index))
    assert [buffer.count_evicted_after(at * FRAME_NS) for at in (-1, 0, 1, 2, 4)] == [3, 2, 1, 0, 0]
    buffer.clear()
    assert buffer.count_evicted_after(-1) == 0
