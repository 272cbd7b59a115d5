"""One camera's frames as a session sees them: the last seconds, what was refused, whether the camera fell silent."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import takewhile

from icseg.session.config import SessionConfig
from icseg.types import Frame

EVICTED_KEPT = 10_000
"""How many stamps are kept of frames that had to go, to count them: some minutes of any camera."""


class FrameBuffer:
    """Frames of one stream, oldest first. The oldest go when a bound is reached; the newest always stays.

    Args:
        max_frames: at most this many, >= 1.
        max_bytes: at most this many bytes of pixels, unless the newest frame alone is larger.

    Raises:
        ValueError: a bound below 1.
    """

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        if max_frames < 1 or max_bytes < 1:
            raise ValueError(f"frame buffer: bounds must be >= 1, got max_frames={max_frames}, max_bytes={max_bytes}")
        self._max_frames, self._max_bytes = max_frames, max_bytes
        self._frames: deque[Frame] = deque()
        self._evicted_ns: deque[int] = deque(maxlen=EVICTED_KEPT)
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[Frame]:
        return iter(tuple(self._frames))

    @property
    def bytes_held(self) -> int:
        """Bytes of pixels in the buffer."""
        return self._bytes

    @property
    def newest(self) -> Frame | None:
        """The last frame pushed, or None."""
        return self._frames[-1] if self._frames else None

    def push(self, frame: Frame) -> None:
        """Append a frame.

        Raises:
            ValueError: its stamp is not later than the newest one's, or its size differs; the buffer is unchanged.
        """
        newest = self.newest
        if newest is not None:
            if frame.stamp_ns <= newest.stamp_ns:
                raise ValueError(
                    f"frame {frame.index}: stamp {frame.stamp_ns} ns is not later than the last one, "
                    f"{newest.stamp_ns} ns"
                )
            if frame.hw != newest.hw:
                raise ValueError(f"frame {frame.index}: size {frame.hw} differs from the stream's {newest.hw} (H, W)")
        self._frames.append(frame)
        self._bytes += frame.image.nbytes
        while len(self._frames) > 1 and (len(self._frames) > self._max_frames or self._bytes > self._max_bytes):
            oldest = self._frames.popleft()
            self._bytes -= oldest.image.nbytes
            self._evicted_ns.append(oldest.stamp_ns)

    def after(self, stamp_ns: int) -> list[Frame]:
        """Frames later than a stamp, oldest first."""
        return [frame for frame in self._frames if frame.stamp_ns > stamp_ns]

    def count_evicted_after(self, stamp_ns: int) -> int:
        """How many frames later than a stamp are not kept any more, as far as is known."""
        return sum(1 for _ in takewhile(lambda evicted_ns: evicted_ns > stamp_ns, reversed(self._evicted_ns)))

    def at(self, stamp_ns: int) -> Frame | None:
        """The frame with this stamp, or None."""
        return next((frame for frame in reversed(self._frames) if frame.stamp_ns == stamp_ns), None)

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()
        self._evicted_ns.clear()
        self._bytes = 0


class StreamRestarted(Exception):  # a turn of events, not an error
    """So many frames in a row did not follow that they are a new stream; the buffer now holds its last frame only."""


class Stream:
    """The buffer, and the patience with frames that do not fit into it.

    Attributes:
        buffer: the last seconds.
    """

    def __init__(self, config: SessionConfig, now: float) -> None:
        self.buffer = FrameBuffer(config.buffer.max_frames, config.buffer.max_mb * 10**6)
        self._config = config
        self._last_frame_at, self._refused, self._is_stalled = now, 0, False

    @property
    def stamp_ns(self) -> int:
        """The newest frame's stamp; -1 before the first."""
        return self.buffer.newest.stamp_ns if self.buffer.newest is not None else -1

    def take(self, frame: Frame, at: float) -> None:
        """Append a frame that came at a time.

        Raises:
            ValueError: it does not follow and was left out.
            StreamRestarted: it does not follow, nor did the ones before it: it begins a new stream.
        """
        self._last_frame_at, self._is_stalled = at, False
        try:
            self.buffer.push(frame)
        except ValueError as error:
            self._refused += 1
            if self._refused < self._config.restart_after_frames:
                raise
            self.buffer.clear()
            self.buffer.push(frame)
            self._refused = 0
            raise StreamRestarted(str(error)) from error
        self._refused = 0

    def recent(self) -> list[Frame]:
        """The frames a policy may look at, oldest first."""
        oldest_ns = self.stamp_ns - int(self._config.dialogue.look_back_s * 1e9)
        return [frame for frame in self.buffer if frame.stamp_ns >= oldest_ns]

    def newly_silent_s(self, now: float) -> float | None:
        """Seconds without a frame, the first time that they are too many; None otherwise."""
        silent_s = now - self._last_frame_at
        if self._is_stalled or silent_s < self._config.camera_timeout_s:
            return None
        self._is_stalled = True
        return silent_s
