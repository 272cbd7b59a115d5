"""The camera's images for the worker: one slot, the newest wins. Knows topics and stamps, not what images are for.

The subscription's callback swaps the slot and counts. Conversion is done in the thread that takes.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass

from rclpy.clock import JumpThreshold, TimeJump
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image
from std_msgs.msg import Header

from icseg.types import Frame
from icseg_ros.camera_counts import Arrivals, CameraCounts, RateLimit
from icseg_ros.compressed import compressed_to_rgb
from icseg_ros.convert import EncodingError, image_to_rgb, stamp_ns
from icseg_ros.image_subscription import RELIABILITIES, ImageSubscription
from icseg_ros.settings import check, setting

HEADERS_KEPT = 600
"""Headers of so many images are kept: longer than the images, for a mask of the past."""
JUMP_BACK_NS = 1_000_000_000
"""A stamp earlier by more than this begins a new stream (a bag that loops); by less it is one image out of order."""
CLOCK_JUMP_WINDOW_S = 2.0
"""So long after the node's clock was set back, any earlier stamp begins a new stream."""


@dataclass(frozen=True)
class CameraSettings:
    """Where images come from.

    Raises:
        ConfigError: a value is out of range.
    """

    transport: str = setting(
        "raw", "raw: subscribe to `image`; compressed: to `image/compressed`", choices=("raw", "compressed")
    )
    reliability: str = setting(
        "auto",
        "of the image subscription; auto: reliable, or best effort when a publisher is",
        choices=RELIABILITIES,
    )
    max_rate_hz: float = setting(
        30.0, "images a second that are processed at most, by their stamps", low=0.1, high=1000.0, is_fixed=False
    )

    def __post_init__(self) -> None:
        check("camera", self)


@dataclass(frozen=True, eq=False)
class Taken:
    """One image as the worker gets it.

    Attributes:
        frame: its own copy of the pixels; ``index`` counts the images received, from 0.
        header: the message's header.
        jumped_back: the stream began anew since the last one that was taken: forget what was tracked.
        wait_ms: in the slot.
        convert_ms: message to RGB.
        received_at: ``time.monotonic()`` when it came.
    """

    frame: Frame
    header: Header
    jumped_back: bool
    wait_ms: float
    convert_ms: float
    received_at: float


@dataclass(frozen=True)
class _Waiting:
    message: Image | CompressedImage
    stamp_ns: int
    index: int
    received_at: float


class CameraInput:
    """Subscribes to ``image`` or ``image/compressed``; off until ``set_active(True)``.

    ``image/compressed`` stands beside wherever ``image`` is remapped to, as image_transport has it.

    Args:
        node: resolves names, and has the clock.
        spun: makes the subscription and calls it back; by default the same node. Is not spun here.
    """

    def __init__(self, node: Node, settings: CameraSettings, *, spun: Node | None = None) -> None:
        self.max_rate_hz = settings.max_rate_hz
        self._clock = node.get_clock()
        self._changed = threading.Condition()
        self._slot: _Waiting | None = None
        self._is_woken = False
        self._is_active, self._has_jumped_back = False, False
        self._last_stamp_ns, self._clock_set_back_at = -1, float("-inf")
        self._headers: OrderedDict[int, Header] = OrderedDict()
        self._rate, self._arrivals = RateLimit(), Arrivals()
        self._received = self._taken = self._overwritten = self._limited = self._rejected = self._discarded = 0
        self._backward = self._jumps = 0
        self._last_error, self._rejected_index = "", -1
        self._encoding, self._hw = "", (0, 0)
        back = JumpThreshold(min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True)
        self._jump_handle = self._clock.create_jump_callback(back, post_callback=self._on_clock_set_back)
        is_raw = settings.transport == "raw"
        topic = node.resolve_topic_name("image")
        self._subscription = ImageSubscription(
            spun if spun is not None else node,
            Image if is_raw else CompressedImage,
            topic if is_raw else f"{topic}/compressed",
            self._on_image,
            reliability=settings.reliability,
        )

    @property
    def topic(self) -> str:
        """Full name of the topic that is subscribed to."""
        return str(self._subscription.topic)

    def set_active(self, is_active: bool) -> None:
        """Take images up, or pass over all that come and the one that waits. The stream begins anew."""
        with self._changed:
            self._is_active = is_active
            self._discarded += self._slot is not None
            self._slot, self._has_jumped_back, self._last_stamp_ns = None, False, -1
            self._rate.reset()
            self._changed.notify_all()

    def close(self) -> None:
        """Unsubscribe; see `ImageSubscription.close`."""
        self.set_active(False)
        self._jump_handle.unregister()
        self._subscription.close()

    def wait(self, timeout_s: float) -> bool:
        """Sleep until an image waits, somebody wakes, or the time is over; True when an image waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._slot is not None or self._is_woken, timeout_s)
            self._is_woken = False
            return self._slot is not None

    def wake(self) -> None:
        """End the sleep of whoever waits, or the next one at once."""
        with self._changed:
            self._is_woken = True
            self._changed.notify_all()

    def take(self) -> Taken | None:
        """The newest image that was not taken yet; None without one, or when it is rejected (`counts` says why)."""
        with self._changed:
            waiting, self._slot = self._slot, None
            if waiting is None:
                return None
            has_jumped, self._has_jumped_back = self._has_jumped_back, False
        began = time.monotonic()
        message = waiting.message
        try:
            rgb = image_to_rgb(message) if isinstance(message, Image) else compressed_to_rgb(message)
        except EncodingError as error:
            with self._changed:
                self._reject(waiting.index, str(error))
                self._has_jumped_back |= has_jumped
            return None
        ended = time.monotonic()
        frame = Frame(rgb, waiting.stamp_ns, waiting.index)
        with self._changed:
            if has_jumped:
                self._headers.clear()
            self._headers[waiting.stamp_ns] = message.header
            if len(self._headers) > HEADERS_KEPT:
                self._headers.popitem(last=False)
            self._taken += 1
            self._hw = frame.hw
            if self._rejected_index < waiting.index:
                self._last_error = ""
        wait_ms, convert_ms = (began - waiting.received_at) * 1e3, (ended - began) * 1e3
        return Taken(frame, message.header, has_jumped, wait_ms, convert_ms, waiting.received_at)

    def header_of(self, stamp_ns: int) -> Header | None:
        """The header of a frame that was taken, one of the last 600; None when it is not among them."""
        with self._changed:
            return self._headers.get(stamp_ns)

    def counts(self) -> CameraCounts:
        """The numbers of this moment."""
        with self._changed:
            median_ms, late_ms = self._arrivals.latency_ms()
            return CameraCounts(
                received=self._received,
                taken=self._taken,
                overwritten=self._overwritten,
                rate_limited=self._limited,
                rejected=self._rejected,
                discarded=self._discarded,
                backward=self._backward,
                jumps=self._jumps,
                last_error=self._last_error,
                encoding=self._encoding,
                height=self._hw[0],
                width=self._hw[1],
                fps=self._arrivals.fps(time.monotonic()),
                reliability=self._subscription.reliability,
                incompatible_qos=self._subscription.incompatible_qos,
                qos_error=self._subscription.qos_error,
                latency_p50_ms=median_ms,
                latency_p95_ms=late_ms,
                last_received_monotonic=self._arrivals.last,
            )

    def _on_image(self, message: Image | CompressedImage) -> None:
        at, stamp = time.monotonic(), stamp_ns(message.header)
        latency_ms = (self._clock.now().nanoseconds - stamp) / 1e6
        with self._changed:
            if not self._is_active:
                return
            index, self._received = self._received, self._received + 1
            self._encoding = message.encoding if isinstance(message, Image) else message.format
            if stamp <= 0:
                self._reject(index, f"an image with stamp {stamp} ns; the camera driver must set header.stamp")
                return
            self._arrivals.add(at, latency_ms)
            if stamp == self._last_stamp_ns:
                self._reject(
                    index,
                    f"two images with the stamp {stamp} ns: does more than one node publish this topic, "
                    "or does the camera driver not renew header.stamp?",
                )
                return
            self._follow(stamp, at)
            if not self._rate.admits(stamp, self.max_rate_hz):
                self._limited += 1
                return
            self._overwritten += self._slot is not None
            self._slot = _Waiting(message, stamp, index, at)
            self._changed.notify_all()

    def _reject(self, index: int, why: str) -> None:
        self._rejected += 1
        self._rejected_index, self._last_error = index, f"{self.topic}: {why}"

    def _follow(self, stamp: int, at: float) -> None:
        back_ns = self._last_stamp_ns - stamp
        self._last_stamp_ns = stamp
        if back_ns <= 0:
            return
        self._backward += 1
        self._rate.reset()
        if back_ns > JUMP_BACK_NS or at - self._clock_set_back_at < CLOCK_JUMP_WINDOW_S:
            self._jumps += 1
            self._has_jumped_back, self._clock_set_back_at = True, float("-inf")

    def _on_clock_set_back(self, jump: TimeJump) -> None:
        with self._changed:
            self._clock_set_back_at = time.monotonic()
