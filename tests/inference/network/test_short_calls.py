"""CallMemory: what the calls leave for later ones, and how much of it is kept."""

from __future__ import annotations

from crnn.inference.network.short_calls import MAX_SPARE, CallMemory


def test_arrays_are_used_again():
    memory = CallMemory(32)
    first = memory.begin(object)
    assert memory.begin(object) is not first
    memory.end(first)
    assert memory.begin(lambda: None) is first


def test_many_calls_at_once_leave_arrays_for_a_few():
    memory = CallMemory(32)
    for short in [memory.begin(object) for _ in range(3 * MAX_SPARE)]:
        memory.end(short)
    assert len(memory.spare) == MAX_SPARE
