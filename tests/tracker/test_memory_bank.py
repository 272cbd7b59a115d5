"""The memory bank against SAM 2's rule written down over plain lists, and its promise that nothing grows."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from icseg.tracker.graphs import MASKED
from icseg.tracker.memory_bank import BankShape, MemoryBank

EVENTS = st.lists(st.sampled_from(["recent", "recent", "recent", "prompt", "again"]), max_size=60)


def make_shape(memory_slots: int = 7, pointer_slots: int = 16, conditioning_slots: int = 2) -> BankShape:
    return BankShape(
        memory_slots,
        pointer_slots,
        conditioning_slots,
        memory_channels=1,
        feature_side=1,
        pointer_width=1,
        memory_span=6,
        pointer_span=15,
    )


class ListModel:
    """SAM 2's rule, with the two bounds of ours: the first and the latest conditioning frames, and the slots."""

    def __init__(self, shape: BankShape) -> None:
        self.shape = shape
        self.frames: list[tuple[int, bool]] = []

    def write(self, is_conditioning: bool) -> None:
        self.frames.append((len(self.frames), is_conditioning))

    def replace_latest(self) -> None:
        self.frames[-1] = (self.frames[-1][0], True)

    def attended(self, span: int, slots: int) -> dict[int, tuple[int, bool]]:
        """Time -> (age, is conditioning)."""
        now = len(self.frames)
        prompted = [time for time, is_conditioning in self.frames if is_conditioning]
        # SAM 2 keeps them all; a bounded bank keeps the first, and the latest ones
        kept = prompted[:1] + prompted[1:][-(self.shape.conditioning_slots - 1) :]
        if self.shape.conditioning_slots == 1:
            kept = prompted[-1:]
        recent = [time for time, is_conditioning in self.frames if not is_conditioning and now - time <= span]
        recent = recent[-(slots - len(kept)) :]
        return {time: (now - time, True) for time in kept} | {time: (now - time, False) for time in recent}


def play(bank: MemoryBank, model: ListModel, events: list[str]) -> None:
    """Each frame's memory and pointer hold its time, so that the view says which frames it shows."""
    for event in ["prompt", *events]:
        is_conditioning = event != "recent"
        replaces_latest = event == "again"
        time = len(model.frames) - replaces_latest
        if replaces_latest:
            model.replace_latest()
        else:
            model.write(is_conditioning)
        bank.write(
            np.full((1, 1, 1, 1), time, np.float32),
            np.full(1, time, np.float32),
            is_conditioning=is_conditioning,
            replaces_latest=replaces_latest,
        )


@settings(deadline=None)
@given(EVENTS)
def test_attends_to_what_sam2_attends_to(events: list[str]) -> None:
    # enough slots that only SAM 2's own limits act
    shape = make_shape(memory_slots=8, pointer_slots=17)
    bank, model = MemoryBank(shape), ListModel(shape)
    play(bank, model, events)
    check_view(bank, model)


@settings(deadline=None)
@given(EVENTS, st.integers(2, 9), st.integers(2, 20), st.integers(1, 4))
def test_bounded_bank_keeps_conditioning_and_newest(
    events: list[str], memory_slots: int, pointer_slots: int, conditioning_slots: int
) -> None:
    conditioning_slots = min(conditioning_slots, memory_slots - 1, pointer_slots - 1)
    shape = make_shape(memory_slots, pointer_slots, conditioning_slots)
    bank, model = MemoryBank(shape), ListModel(shape)
    # a prompt in a frame that was prompted before takes another slot than in the list: bounded banks forget for good
    play(bank, model, [event for event in events if event != "again"])
    view = bank.attend()
    assert (view.memory_mask == 0).sum() <= memory_slots
    times = view.memory_features.reshape(-1)[view.memory_mask == 0].astype(int)
    assert len(set(times)) == len(times)
    prompted = [time for time, is_conditioning in model.frames if is_conditioning]
    newest = len(model.frames) - 1
    assert newest in times
    assert prompted[-1] in times
    if conditioning_slots > 1:
        assert prompted[0] in times
    assert set(times) <= set(model.attended(6, 10**6)) | set(prompted)


def check_view(bank: MemoryBank, model: ListModel) -> None:
    view = bank.attend()
    is_real = view.memory_mask == 0
    times = view.memory_features.reshape(-1).astype(int)
    expected = model.attended(6, bank.shape.memory_slots)
    got = {int(times[i]): int(view.memory_temporal_index[i]) for i in np.flatnonzero(is_real)}
    assert got == {time: 6 if is_cond else age - 1 for time, (age, is_cond) in expected.items()}
    assert (view.memory_mask[~is_real] == MASKED).all()
    assert ((view.memory_temporal_index >= 0) & (view.memory_temporal_index <= 6)).all()

    is_real = view.pointer_mask == 0
    expected = model.attended(15, bank.shape.pointer_slots)
    pointers = view.object_pointers.reshape(-1).astype(int)
    offsets = {int(pointers[i]): int(view.pointer_offsets[i]) for i in np.flatnonzero(is_real)}
    assert offsets == {time: age for time, (age, _) in expected.items()}


@settings(deadline=None)
@given(EVENTS)
def test_arrays_are_never_reallocated(events: list[str]) -> None:
    bank = MemoryBank(make_shape())
    play(bank, ListModel(bank.shape), [])
    before = {name: (array.ctypes.data, array.nbytes) for name, array in bank.attend().as_feeds().items()}
    play(bank, ListModel(bank.shape), events)
    bank.clear()
    play(bank, ListModel(bank.shape), events)
    after = {name: (array.ctypes.data, array.nbytes) for name, array in bank.attend().as_feeds().items()}
    assert after == before


@settings(deadline=None)
@given(EVENTS)
def test_cleared_bank_equals_a_new_one(events: list[str]) -> None:
    bank, fresh = MemoryBank(make_shape()), MemoryBank(make_shape())
    play(bank, ListModel(bank.shape), events)
    bank.clear()
    assert bank.is_empty
    play(bank, ListModel(bank.shape), ["recent"])
    play(fresh, ListModel(fresh.shape), ["recent"])
    used, new = bank.attend(), fresh.attend()
    np.testing.assert_array_equal(used.memory_mask, new.memory_mask)
    np.testing.assert_array_equal(used.pointer_offsets, new.pointer_offsets)


@settings(deadline=None)
@given(before=EVENTS, elsewhere=EVENTS, after=EVENTS)
def test_a_copy_goes_on_as_if_the_bank_never_had(before: list[str], elsewhere: list[str], after: list[str]) -> None:
    bank, kept, straight = (MemoryBank(make_shape()) for _ in range(3))
    then, model = ListModel(bank.shape), ListModel(bank.shape)
    play(bank, then, before)
    play(kept, ListModel(kept.shape), elsewhere)  # what it held is forgotten
    places = [array.ctypes.data for array in kept.attend().as_feeds().values()]
    bank.copy_into(kept)
    play(bank, deepcopy(then), elsewhere)
    play(kept, then, after)
    play(straight, model, before)
    play(straight, model, after)
    for name, array in kept.attend().as_feeds().items():
        np.testing.assert_array_equal(array, straight.attend().as_feeds()[name])
    assert [array.ctypes.data for array in kept.attend().as_feeds().values()] == places
    assert not kept.is_empty


def test_a_bank_of_another_shape_takes_no_copy() -> None:
    with pytest.raises(ValueError, match="expected a bank of the same shape"):
        MemoryBank(make_shape()).copy_into(MemoryBank(make_shape(memory_slots=4)))


def test_masked_slots_are_finite() -> None:
    bank = MemoryBank(make_shape())
    play(bank, ListModel(bank.shape), [])
    assert all(np.isfinite(array).all() for array in bank.attend().as_feeds().values())


def test_empty_bank_and_wrong_shapes_are_refused() -> None:
    bank = MemoryBank(make_shape())
    with pytest.raises(ValueError, match="expected at least one conditioning frame"):
        bank.attend()
    with pytest.raises(ValueError, match="expected a latest frame to replace"):
        bank.write(np.zeros((1, 1, 1, 1)), np.zeros(1), is_conditioning=True, replaces_latest=True)
    with pytest.raises(ValueError, match=r"expected shapes .* got \(\(1, 2, 1, 1\)"):
        bank.write(np.zeros((1, 2, 1, 1)), np.zeros(1), is_conditioning=True)


@pytest.mark.parametrize("conditioning_slots", [0, 7, 9])
def test_conditioning_frames_leave_room_for_recent_ones(conditioning_slots: int) -> None:
    with pytest.raises(ValueError, match="bank shape"):
        make_shape(conditioning_slots=conditioning_slots)


def test_what_held_no_prompt_can_be_forgotten() -> None:
    bank = MemoryBank(make_shape())
    play(bank, ListModel(bank.shape), ["recent", "prompt", "recent"])
    bank.forget_recent()
    view = bank.attend()
    assert sorted(view.memory_features.reshape(-1)[view.memory_mask == 0]) == [0, 2]
    assert sorted(view.object_pointers.reshape(-1)[view.pointer_mask == 0]) == [0, 2]
    assert sorted(view.pointer_offsets[view.pointer_mask == 0]) == [2, 4]
