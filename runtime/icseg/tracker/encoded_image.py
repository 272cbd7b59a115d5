"""One image on its way through the tracker's graphs: encoded window by window, and timed. Knows no object."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from icseg.tracker import graphs
from icseg.types import Array, ImageU8
from icseg.window import Window

STAGES = (
    "preprocess",
    graphs.IMAGE_ENCODER,
    graphs.MEMORY_ATTENTION,
    graphs.MASK_DECODER,
    graphs.MEMORY_ENCODER,
    "postprocess",
)


class StageClock:
    """Milliseconds per stage, summed over objects."""

    def __init__(self) -> None:
        self.timings_ms = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What is done inside counts for the stage."""
        begin = time.perf_counter()
        yield
        self.timings_ms[name] += (time.perf_counter() - begin) * 1e3


class EncodedImage:
    """One image (H, W, 3) uint8 RGB, encoded through one window at a time.

    Args:
        image: of the camera.
        encode: an image of any size, and the clock -> the image encoder's outputs.
    """

    def __init__(self, image: ImageU8, encode: Callable[[ImageU8, StageClock], dict[str, Array]]) -> None:
        self.clock = StageClock()
        self.hw = image.shape[0], image.shape[1]
        self._image, self._encode = image, encode
        self._latest: tuple[Window, dict[str, Array]] | None = None

    def features(self, window: Window) -> dict[str, Array]:
        """What the encoder makes of the window; valid until another one is asked for."""
        if self._latest is None or self._latest[0] != window:
            self._latest = window, self._encode(window.crop(self._image), self.clock)
        return self._latest[1]
