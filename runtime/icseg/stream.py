"""One camera's frames as a session sees them: the last seconds, what was refused, whether the camera fell silent."""

from __future__ import annotations

from icseg.config import SessionConfig
from icseg.frames import FrameBuffer
from icseg.types import Frame


class StreamRestarted(Exception):  # a turn of events, not an error
    """So many frames in a row did not follow that they are a new stream; the buffer now holds its last frame only."""


class Stream:
    """The buffer, and the patience with frames that do not fit into it.

    Attributes:
        buffer: the last seconds.
    """

    def __init__(self, config: SessionConfig, now: float) -> None:
        self.buffer = FrameBuffer(config.buffer_frames, config.buffer_mb * 10**6)
        self._config = config
        self._last_frame_at, self._refused, self._is_stalled = now, 0, False

    @property
    def stamp_ns(self) -> int:
        """Of the newest frame; -1 before the first."""
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
        oldest_ns = self.stamp_ns - int(self._config.look_back_s * 1e9)
        return [frame for frame in self.buffer if frame.stamp_ns >= oldest_ns]

    def newly_silent_s(self, now: float) -> float | None:
        """Seconds without a frame, the first time that they are too many; None otherwise."""
        silent_s = now - self._last_frame_at
        if self._is_stalled or silent_s < self._config.camera_timeout_s:
            return None
        self._is_stalled = True
        return silent_s
