"""Short calls: arrays that a network keeps for calls that read a few symbols of one stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from ..._kernels.entry.core import ShortCall
from ...runtime.cancellation import check_cancelled

State = tuple[NDArray[Any], ...]

MAX_SPARE = 16  # arrays kept after many calls at once; further ones are freed


class CallMemory:
    """What a network's calls leave for later calls, on any thread.

    Short calls, of up to n symbols, reuse the `spare` arrays: allocating them takes longer than reading a few symbols.
    The arrays of `empty` and `start`, the states before any text and after a boundary, must not be changed.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.spare: list[ShortCall] = []
        self.empty: State | None = None
        self.start: State | None = None

    def begin(self, new: Callable[[], ShortCall]) -> ShortCall:
        """Return arrays not used by another call; `new` makes some if needed. `end` must follow."""
        check_cancelled()
        try:
            return self.spare.pop()  # atomic
        except IndexError:
            return new()

    def end(self, short: ShortCall) -> None:
        """Release the arrays for the next call."""
        if len(self.spare) < MAX_SPARE:
            self.spare.append(short)
