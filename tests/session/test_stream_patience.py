"""A camera's stream at the bounds: what is kept, when refused frames are a new stream, when silence is told."""

from __future__ import annotations

import pytest

from icseg.dialogue.config import DialogueConfig
from icseg.session.config import BufferConfig, SessionConfig
from icseg.session.stream import FrameBuffer, Stream, StreamRestarted
from tests.conftest import FRAME_NS, make_frame

FRAME_BYTES = 48 * 64 * 3


def filled(max_frames: int, max_bytes: int, count: int) -> FrameBuffer:
    buffer = FrameBuffer(max_frames, max_bytes)
    for index in range(count):
        buffer.push(make_frame(index))
    return buffer


def indices(buffer: FrameBuffer) -> list[int]:
    return [frame.index for frame in buffer]


def test_a_buffer_is_full_when_it_holds_just_what_it_may() -> None:
    assert indices(filled(3, 10**9, 3)) == [0, 1, 2]
    assert indices(filled(3, 10**9, 4)) == [1, 2, 3]
    assert indices(filled(9, 3 * FRAME_BYTES, 3)) == [0, 1, 2]
    assert indices(filled(9, 3 * FRAME_BYTES - 1, 3)) == [1, 2]
    assert indices(filled(9, 1, 3)) == [2]
    assert indices(filled(1, 1, 1)) == [0]


def test_a_cleared_buffer_is_as_new() -> None:
    buffer = filled(9, 2 * FRAME_BYTES, 2)
    buffer.clear()
    assert (len(buffer), buffer.bytes_held, buffer.newest) == (0, 0, None)
    buffer.push(make_frame(0))
    buffer.push(make_frame(1))
    assert (indices(buffer), buffer.bytes_held) == ([0, 1], 2 * FRAME_BYTES)


def test_frames_are_found_by_their_stamp_and_by_what_is_later() -> None:
    buffer = filled(3, 10**9, 5)
    found = buffer.at(3 * FRAME_NS)
    assert found is not None
    assert found.index == 3
    assert buffer.at(FRAME_NS) is None  # gone
    assert buffer.at(3 * FRAME_NS + 1) is None
    assert [frame.index for frame in buffer.after(3 * FRAME_NS)] == [4]
    assert [frame.index for frame in buffer.after(3 * FRAME_NS - 1)] == [3, 4]
    assert buffer.after(4 * FRAME_NS) == []


def stream(**settings: float) -> Stream:
    return Stream(SessionConfig(**settings), 0.0)  # type: ignore[arg-type]


def test_megabytes_of_a_buffer_are_a_million_bytes() -> None:
    camera = Stream(SessionConfig(buffer=BufferConfig(max_mb=1)), 0.0)
    for index in range(120):
        camera.take(make_frame(index), 0.0)
    assert len(camera.buffer) == 10**6 // FRAME_BYTES == 108


def test_the_policy_sees_what_is_just_old_enough() -> None:
    camera = Stream(SessionConfig(DialogueConfig(look_back_s=0.2)), 0.0)
    assert camera.recent() == []
    assert camera.stamp_ns == -1
    for index in range(6):
        camera.take(make_frame(index), 0.0)
    assert camera.stamp_ns == 5 * FRAME_NS
    assert [frame.index for frame in camera.recent()] == [3, 4, 5]


def test_so_many_refused_frames_in_a_row_are_a_new_stream() -> None:
    camera = stream(restart_after_frames=3)
    camera.take(make_frame(5), 0.0)
    for _ in range(2):
        for index in (1, 2):
            with pytest.raises(ValueError, match="is not later than the last one"):
                camera.take(make_frame(index), 0.0)
        # one that follows between them: the others were strays
        camera.take(make_frame(int(camera.stamp_ns // FRAME_NS) + 1), 0.0)
    assert indices(camera.buffer) == [5, 6, 7]
    for index in (1, 2):
        with pytest.raises(ValueError, match="is not later than the last one"):
            camera.take(make_frame(index), 0.0)
    with pytest.raises(StreamRestarted, match="stamp 300000000 ns is not later than the last one, 700000000 ns"):
        camera.take(make_frame(3), 0.0)
    assert indices(camera.buffer) == [3]
    # and the new one has the same patience
    for index in (1, 2):
        with pytest.raises(ValueError, match="is not later"):
            camera.take(make_frame(index), 0.0)
    camera.take(make_frame(4), 0.0)
    assert indices(camera.buffer) == [3, 4]


def test_silence_is_told_when_it_is_long_enough_and_once() -> None:
    camera = stream(camera_timeout_s=2.0)
    assert camera.newly_silent_s(1.9) is None
    assert camera.newly_silent_s(2.0) == 2.0
    assert camera.newly_silent_s(3.0) is None
    camera.take(make_frame(0), 10.0)
    assert camera.newly_silent_s(11.9) is None
    assert camera.newly_silent_s(12.5) == 2.5
    assert camera.newly_silent_s(13.0) is None


def test_a_camera_that_sends_what_is_refused_is_not_silent() -> None:
    camera = stream(camera_timeout_s=2.0)
    camera.take(make_frame(5), 0.0)
    with pytest.raises(ValueError, match="is not later"):
        camera.take(make_frame(1), 1.5)
    assert camera.newly_silent_s(3.0) is None
    assert camera.newly_silent_s(3.5) == 2.0
