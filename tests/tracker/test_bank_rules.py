"""The memory bank by hand: which slot goes, what a mask and a code are, what is forgotten and what is a copy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from icseg.tracker.memory_bank import BankShape, MemoryBank, SlotTable

SHAPE = BankShape(
    memory_slots=4,
    pointer_slots=6,
    conditioning_slots=2,
    memory_channels=2,
    feature_side=1,
    pointer_width=3,
    memory_span=3,
    pointer_span=5,
)


def write(bank: MemoryBank, value: int, *, prompted: bool = False, again: bool = False) -> None:
    memory = np.full((1, bank.shape.memory_channels, 1, 1), value, np.float32)
    pointer = np.full(bank.shape.pointer_width, value, np.float32)
    bank.write(memory, pointer, is_conditioning=prompted, replaces_latest=again)


def memories(bank: MemoryBank) -> dict[int, int]:
    """Value -> temporal code, of what is attended to."""
    view = bank.attend()
    return {
        int(view.memory_features[slot, 0, 0, 0]): int(view.memory_temporal_index[slot])
        for slot in np.flatnonzero(view.memory_mask == 0)
    }


def pointers(bank: MemoryBank) -> dict[int, float]:
    """Value -> frames ago, of what is attended to."""
    view = bank.attend()
    return {
        int(view.object_pointers[slot, 0]): float(view.pointer_offsets[slot])
        for slot in np.flatnonzero(view.pointer_mask == 0)
    }


def test_the_frame_before_has_code_zero_and_a_prompt_the_last_whatever_its_age() -> None:
    bank = MemoryBank(SHAPE)
    write(bank, 10, prompted=True)
    assert (memories(bank), pointers(bank)) == ({10: 3}, {10: 1.0})
    for value in (11, 12, 13, 14, 15, 16, 17):
        write(bank, value)
    assert memories(bank) == {10: 3, 17: 0, 16: 1, 15: 2}
    assert pointers(bank) == {10: 8.0, 17: 1.0, 16: 2.0, 15: 3.0, 14: 4.0, 13: 5.0}


def test_frames_older_than_the_span_are_not_looked_at_though_their_slot_is_free_of_others() -> None:
    bank = MemoryBank(replace(SHAPE, memory_slots=9, pointer_slots=12))
    write(bank, 10, prompted=True)
    for value in range(11, 20):
        write(bank, value)
    assert memories(bank) == {10: 3, 19: 0, 18: 1, 17: 2}
    assert sorted(pointers(bank)) == [10, 15, 16, 17, 18, 19]
    view = bank.attend()
    assert set(view.memory_mask.tolist()) == {0.0, -30000.0}
    assert set(view.pointer_mask.tolist()) == {0.0, -30000.0}
    assert (view.pointer_offsets[view.pointer_mask != 0] == 0).all()


def test_of_too_many_prompts_the_first_and_the_latest_ones_stay() -> None:
    two, three = MemoryBank(SHAPE), MemoryBank(replace(SHAPE, conditioning_slots=3))
    one = MemoryBank(replace(SHAPE, conditioning_slots=1))
    for bank in (one, two, three):
        for value in (1, 2, 3, 4):
            write(bank, value, prompted=True)
    assert memories(one) == {4: 3}
    assert memories(two) == {1: 3, 4: 3}
    assert memories(three) == {1: 3, 3: 3, 4: 3}
    assert sorted(pointers(three)) == [1, 3, 4]


def test_a_prompt_in_the_latest_frame_takes_its_place() -> None:
    bank = MemoryBank(SHAPE)
    write(bank, 1, prompted=True)
    write(bank, 2)
    write(bank, 3, prompted=True, again=True)
    assert (memories(bank), pointers(bank)) == ({1: 3, 3: 3}, {1: 2.0, 3: 1.0})
    write(bank, 4)
    assert (memories(bank), pointers(bank)) == ({1: 3, 3: 3, 4: 0}, {1: 3.0, 3: 2.0, 4: 1.0})
    write(bank, 5, again=True)
    assert memories(bank) == {1: 3, 3: 3, 5: 0}


def test_a_prompted_frame_written_again_without_a_prompt_is_a_recent_one() -> None:
    table = SlotTable(slots=3, conditioning_slots=2, span=2)
    assert table.claim(0, is_conditioning=True) == 0
    assert table.claim(1, is_conditioning=True) == 1
    assert table.claim(1, is_conditioning=False) == 1
    assert table.is_conditioning.tolist() == [True, False, False]
    assert table.times.tolist() == [0, 1, -1]
    assert table.is_attended(3).tolist() == [True, True, False]
    assert table.is_attended(4).tolist() == [True, False, False]


def test_what_is_forgotten_leaves_its_slots_to_others_and_prompts_stay() -> None:
    bank = MemoryBank(SHAPE)
    write(bank, 1, prompted=True)
    for value in (2, 3, 4):
        write(bank, value)
    bank.forget_recent()
    assert (memories(bank), pointers(bank)) == ({1: 3}, {1: 4.0})
    assert not bank.is_empty
    write(bank, 5)
    assert (memories(bank), pointers(bank)) == ({1: 3, 5: 0}, {1: 5.0, 5: 1.0})
    bank.clear()
    assert bank.is_empty
    write(bank, 6, prompted=True)
    assert (memories(bank), pointers(bank)) == ({6: 3}, {6: 1.0})


def test_what_is_written_is_a_copy() -> None:
    bank = MemoryBank(SHAPE)
    memory, pointer = np.ones((1, 2, 1, 1), np.float32), np.ones(3, np.float32)
    bank.write(memory, pointer, is_conditioning=True)
    memory[:], pointer[:] = 9.0, 9.0
    assert (memories(bank), pointers(bank)) == ({1: 3}, {1: 1.0})


def test_the_view_is_fed_by_the_names_of_the_graph() -> None:
    bank = MemoryBank(SHAPE)
    write(bank, 1, prompted=True)
    view = bank.attend()
    feeds = view.as_feeds()
    assert {name: (array.shape, str(array.dtype)) for name, array in feeds.items()} == {
        "memory_features": ((4, 2, 1, 1), "float32"),
        "memory_temporal_index": ((4,), "int32"),
        "memory_mask": ((4,), "float32"),
        "object_pointers": ((6, 3), "float32"),
        "pointer_offsets": ((6,), "float32"),
        "pointer_mask": ((6,), "float32"),
    }
    assert all(feeds[name] is getattr(view, name) for name in feeds)


@pytest.mark.parametrize("name", BankShape.__slots__)
def test_every_capacity_is_at_least_one(name: str) -> None:
    with pytest.raises(ValueError, match="expected every number to be at least 1"):
        replace(SHAPE, **{name: 0})
    if name not in ("memory_slots", "pointer_slots"):
        assert getattr(replace(SHAPE, **{name: 1}), name) == 1


@pytest.mark.parametrize(("memory_slots", "pointer_slots", "is_enough"), [(3, 9, True), (2, 9, False), (9, 2, False)])
def test_a_slot_is_left_for_recent_frames_in_both_tables(
    memory_slots: int, pointer_slots: int, is_enough: bool
) -> None:
    if is_enough:
        replace(SHAPE, memory_slots=memory_slots, pointer_slots=pointer_slots)
        return
    with pytest.raises(ValueError, match="conditioning_slots: expected less than"):
        replace(SHAPE, memory_slots=memory_slots, pointer_slots=pointer_slots)
