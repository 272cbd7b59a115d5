"""What must hold for every mask of a soak, whatever is done to the node. Pure; knows no ROS.

A mask's stamp is that of an image that was sent, and its size is that image's; within a stream no stamp comes after a
later one, and none comes twice for one target. Where stamps are set back a new stream begins, which may repeat stamps
of the old.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

NEVER_SENT = "the stamp of no image"
OF_NO_IMAGE = "of an image that could not be read"
OTHER_SIZE = "not of its image's size"
TWICE = "the same stamp twice for one target"
REORDERED = "a stamp before the one before it"
OF_OLD_STREAM = "of an old stream after one of the new"
RULES = (NEVER_SENT, OF_NO_IMAGE, OTHER_SIZE, TWICE, REORDERED, OF_OLD_STREAM)
VIOLATION_TEXTS_KEPT = 20


@dataclass(frozen=True, slots=True)
class _Sent:
    sizes: frozenset[tuple[int, int]]
    stream: int


class MaskChecks:
    """The ledger of what was sent, and the judge of what came back. Any thread may call it.

    Attributes:
        n_masks, n_targets, n_images, n_streams: so far.
        n_shared: masks of the image that had the mask before, for a new target.
        broken: rule -> how often it was broken.
        texts: the first violations, in words.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sent: dict[int, _Sent] = {}
        self._last_ns, self._last_stream, self._stream = -1, 0, 0
        self._target: tuple[int, int, str] = (0, -1, "")
        self.n_masks = self.n_targets = self.n_shared = self.n_images = 0
        self.broken: Counter[str] = Counter()
        self.texts: list[str] = []

    @property
    def n_streams(self) -> int:
        """Streams begun."""
        return self._stream + 1

    @property
    def summary(self) -> Mapping[str, int]:
        """Every rule with its count."""
        return {rule: self.broken[rule] for rule in RULES}

    def begin_stream(self) -> None:
        """Stamps were set back: the images from now on are a new stream."""
        with self._lock:
            self._stream += 1

    def send(self, stamp_ns: int, hw: tuple[int, int], *, is_readable: bool = True) -> None:
        """An image is about to be sent. Two cameras may send the same stamp with two sizes."""
        with self._lock:
            self.n_images += 1
            known = self._sent.get(stamp_ns)
            sizes = {hw} if is_readable else set()
            if known is not None and known.stream == self._stream:
                sizes |= known.sizes
            self._sent[stamp_ns] = _Sent(frozenset(sizes), self._stream)

    def mask(self, stamp_ns: int, hw: tuple[int, int]) -> str:
        """A mask came. Returns the rule that it breaks, or an empty text."""
        with self._lock:
            self.n_masks += 1
            rule = self._judge(stamp_ns, hw)
            if rule:
                self._break(rule, f"mask of stamp {stamp_ns}, size {hw}: {rule} (the last one was {self._last_ns})")
            else:
                self.n_shared += stamp_ns == self._last_ns
                self._last_ns, self._last_stream = stamp_ns, self._sent[stamp_ns].stream
            return rule

    def target(self, stamp_ns: int, dialogue_id: str) -> str:
        """The message beside a mask came. Returns the rule that it breaks, or an empty text."""
        with self._lock:
            self.n_targets += 1
            sent = self._sent.get(stamp_ns)
            before, self._target = self._target, (sent.stream if sent else -1, stamp_ns, dialogue_id)
            if before != self._target:
                return ""
            self._break(TWICE, f"target of stamp {stamp_ns}, dialogue {dialogue_id}: {TWICE}")
            return TWICE

    def _break(self, rule: str, text: str) -> None:
        self.broken[rule] += 1
        if len(self.texts) < VIOLATION_TEXTS_KEPT:
            self.texts.append(text)

    def _judge(self, stamp_ns: int, hw: tuple[int, int]) -> str:
        sent = self._sent.get(stamp_ns)
        if sent is None:
            return NEVER_SENT
        if not sent.sizes:
            return OF_NO_IMAGE
        if hw not in sent.sizes:
            return OTHER_SIZE
        if sent.stream < self._last_stream:
            return OF_OLD_STREAM
        return REORDERED if sent.stream == self._last_stream and stamp_ns < self._last_ns else ""
