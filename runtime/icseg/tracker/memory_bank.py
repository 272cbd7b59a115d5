"""What one object's tracker remembers: which past frames to attend to, and what to evict. Pure, of fixed capacity.

SAM 2 attends to every conditioning frame and to the six frames before the current one, and to the pointers of every
conditioning frame and of the fifteen frames before. Here the conditioning frames are bounded (the first and the latest
ones stay), so nothing grows, and the arrays are allocated once and written in place. The order of keys means nothing to
attention: a slot is identified by its temporal code, not by its place.

Time is counted in frames that were remembered. A frame that was not worth remembering never happened, so that after an
occlusion the six newest good frames are still attended to, with the codes the model knows.

Source: ``_gather_memory_frame_outputs`` and ``_get_object_pointers`` of transformers' Sam2VideoModel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from icseg.tracker.graphs import MASKED
from icseg.types import Array, Logits

_EMPTY = -1


@dataclass(frozen=True, slots=True)
class BankShape:
    """Capacity of one object's memory; part of the state's type.

    Attributes:
        memory_slots: frames with spatial memory (K).
        pointer_slots: object pointers.
        conditioning_slots: how many of either may be conditioning frames: the first and the latest ones.
        memory_channels, feature_side: a memory is (memory_channels, feature_side, feature_side).
        pointer_width: a pointer is (pointer_width,).
        memory_span: memories this many remembered frames old are the oldest looked at, unless conditioning.
        pointer_span: the same for pointers.

    Raises:
        ValueError: a number is below 1, or conditioning frames would leave no slot for recent ones.
    """

    memory_slots: int
    pointer_slots: int
    conditioning_slots: int
    memory_channels: int
    feature_side: int
    pointer_width: int
    memory_span: int
    pointer_span: int

    def __post_init__(self) -> None:
        numbers = [getattr(self, name) for name in self.__slots__]
        if min(numbers) < 1:
            raise ValueError(f"bank shape: expected every number to be at least 1, got {self}")
        if self.conditioning_slots >= min(self.memory_slots, self.pointer_slots):
            raise ValueError(
                f"bank shape: conditioning_slots: expected less than memory_slots {self.memory_slots} and "
                f"pointer_slots {self.pointer_slots}, got {self.conditioning_slots}"
            )


class SlotTable:
    """Which frame lies in which slot. Knows times, not contents.

    Args:
        slots: capacity.
        conditioning_slots: how many slots conditioning frames may take.
        span: age of the oldest frame looked at, unless it is conditioning.
    """

    def __init__(self, slots: int, conditioning_slots: int, span: int) -> None:
        self.times: npt.NDArray[np.int64] = np.full(slots, _EMPTY, np.int64)
        self.is_conditioning: npt.NDArray[np.bool_] = np.zeros(slots, np.bool_)
        self._conditioning_slots = conditioning_slots
        self._span = span

    def claim(self, time: int, *, is_conditioning: bool) -> int:
        """Take a slot for the frame at ``time``, evicting what SAM 2 would miss least; a frame replaces itself."""
        itself = self.times == time
        self.times[itself], self.is_conditioning[itself] = _EMPTY, False
        slot = self._slot_for(is_conditioning)
        self.times[slot] = time
        self.is_conditioning[slot] = is_conditioning
        return slot

    def _slot_for(self, is_conditioning: bool) -> int:
        conditioning = np.flatnonzero(self.is_conditioning)
        if is_conditioning and len(conditioning) >= self._conditioning_slots:
            oldest_first = conditioning[np.argsort(self.times[conditioning])]
            # the first prompt is the one a person chose with care: keep it as long as there is another to give up
            return int(oldest_first[min(1, len(oldest_first) - 1)])
        if len(empty := np.flatnonzero(self.times == _EMPTY)):
            return int(empty[0])
        recent = np.flatnonzero(~self.is_conditioning)
        return int(recent[np.argmin(self.times[recent])])

    def ages(self, now: int) -> npt.NDArray[np.int64]:
        """(slots,) how many remembered frames before ``now``; meaningless where ``is_attended`` is False."""
        return now - self.times

    def is_attended(self, now: int) -> npt.NDArray[np.bool_]:
        """(slots,) whether the slot holds a frame that is looked at from ``now``."""
        is_near = self.is_conditioning | (self.ages(now) <= self._span)
        attended: npt.NDArray[np.bool_] = is_near & (self.times != _EMPTY)
        return attended

    def forget_recent(self) -> None:
        """Keep conditioning frames only."""
        self.times[~self.is_conditioning] = _EMPTY

    def copy_into(self, other: SlotTable) -> None:
        """Let a table of as many slots say the same."""
        other.times[:] = self.times
        other.is_conditioning[:] = self.is_conditioning

    def clear(self) -> None:
        """Forget all."""
        self.times[:] = _EMPTY
        self.is_conditioning[:] = False


@dataclass(frozen=True, slots=True, eq=False)
class MemoryView:
    """What the current frame attends to, named as the graph's inputs. The arrays are the bank's: read, don't keep.

    Attributes:
        memory_features: (K, Cm, h, w) float32; slots that hold nothing are finite.
        memory_temporal_index: (K,) int32 row of the learned temporal codes.
        memory_mask: (K,) float32, 0 or ``MASKED``.
        object_pointers: (N, C) float32.
        pointer_offsets: (N,) float32, how many frames ago.
        pointer_mask: (N,) float32, 0 or ``MASKED``.
    """

    memory_features: Logits
    memory_temporal_index: npt.NDArray[np.int32]
    memory_mask: Logits
    object_pointers: Logits
    pointer_offsets: Logits
    pointer_mask: Logits

    def as_feeds(self) -> dict[str, Array]:
        """Input name -> array."""
        return {name: getattr(self, name) for name in self.__slots__}


class MemoryBank:
    """Memories and pointers of one object.

    Args:
        shape: capacity; fixed for life.
    """

    def __init__(self, shape: BankShape) -> None:
        self.shape = shape
        self.memories = SlotTable(shape.memory_slots, shape.conditioning_slots, shape.memory_span)
        self.pointers = SlotTable(shape.pointer_slots, shape.conditioning_slots, shape.pointer_span)
        side = shape.feature_side
        self._view = MemoryView(
            memory_features=np.zeros((shape.memory_slots, shape.memory_channels, side, side), np.float32),
            memory_temporal_index=np.zeros(shape.memory_slots, np.int32),
            memory_mask=np.full(shape.memory_slots, MASKED, np.float32),
            object_pointers=np.zeros((shape.pointer_slots, shape.pointer_width), np.float32),
            pointer_offsets=np.zeros(shape.pointer_slots, np.float32),
            pointer_mask=np.full(shape.pointer_slots, MASKED, np.float32),
        )
        self._now = 0

    @property
    def is_empty(self) -> bool:
        """Nothing was remembered yet."""
        return self._now == 0

    def write(self, memory: Array, pointer: Array, *, is_conditioning: bool, replaces_latest: bool = False) -> None:
        """Remember a frame.

        Args:
            memory: (1, Cm, h, w) float32; copied.
            pointer: (C,) float32; copied.
            is_conditioning: the frame holds a prompt.
            replaces_latest: it is the frame that was written last, prompted again.

        Raises:
            ValueError: a shape is not the bank's, or there is no latest frame to replace.
        """
        view = self._view
        expected = ((1, *view.memory_features.shape[1:]), view.object_pointers.shape[1:])
        if (memory.shape, pointer.shape) != expected:
            raise ValueError(f"memory bank: expected shapes {expected}, got {(memory.shape, pointer.shape)}")
        if replaces_latest and self.is_empty:
            raise ValueError("memory bank: expected a latest frame to replace, got an empty bank")
        time = self._now - 1 if replaces_latest else self._now
        slot = self.memories.claim(time, is_conditioning=is_conditioning)
        view.memory_features[slot] = memory[0]
        slot = self.pointers.claim(time, is_conditioning=is_conditioning)
        view.object_pointers[slot] = pointer
        self._now = time + 1

    def attend(self) -> MemoryView:
        """What a frame that comes now looks at. Valid until the next call of ``write``, ``attend`` or ``clear``.

        Raises:
            ValueError: the bank is empty.
        """
        if self.is_empty:
            raise ValueError("memory bank: expected at least one conditioning frame, got an empty bank")
        view, now = self._view, self._now
        view.memory_mask[:] = np.where(self.memories.is_attended(now), 0.0, MASKED)
        # code 0 is the frame before this one; the last code belongs to conditioning frames, whatever their age
        recent_code = np.clip(self.memories.ages(now) - 1, 0, self.shape.memory_span - 1)
        view.memory_temporal_index[:] = np.where(self.memories.is_conditioning, self.shape.memory_span, recent_code)
        is_attended = self.pointers.is_attended(now)
        view.pointer_mask[:] = np.where(is_attended, 0.0, MASKED)
        view.pointer_offsets[:] = np.where(is_attended, self.pointers.ages(now), 0)
        return view

    def forget_recent(self) -> None:
        """Forget every frame that held no prompt."""
        self.memories.forget_recent()
        self.pointers.forget_recent()

    def copy_into(self, other: MemoryBank) -> None:
        """Let another bank remember the same, in its own arrays.

        Args:
            other: of the same shape; whatever it remembered is forgotten.

        Raises:
            ValueError: its shape differs.
        """
        if other.shape != self.shape:
            raise ValueError(f"memory bank: expected a bank of the same shape {self.shape}, got {other.shape}")
        self.memories.copy_into(other.memories)
        self.pointers.copy_into(other.pointers)
        # the rest of a view is computed when it is attended to
        other._view.memory_features[:] = self._view.memory_features
        other._view.object_pointers[:] = self._view.object_pointers
        other._now = self._now

    def clear(self) -> None:
        """Forget everything; the arrays stay where they are."""
        self.memories.clear()
        self.pointers.clear()
        self._now = 0
