"""The last seconds of a stream, bounded by frames and by bytes, so that a target in the past can be caught up with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from icseg.types import Frame


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
            self._bytes -= self._frames.popleft().image.nbytes

    def after(self, stamp_ns: int) -> list[Frame]:
        """Frames later than a stamp, oldest first."""
        return [frame for frame in self._frames if frame.stamp_ns > stamp_ns]

    def at(self, stamp_ns: int) -> Frame | None:
        """The frame with this stamp, or None."""
        return next((frame for frame in reversed(self._frames) if frame.stamp_ns == stamp_ns), None)

    def clear(self) -> None:
        """Forget everything."""
        self._frames.clear()
        self._bytes = 0
