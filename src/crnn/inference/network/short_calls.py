"""Short calls: arrays that a network keeps for calls that read a few symbols of one stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from ..._kernels.entry.core import ShortCall
from ...runtime.cancellation import check_cancelled

__all__ = ["CallMemory"]

State = tuple[NDArray[Any], ...]


class CallMemory:
    """What the calls of a network leave for later calls, on any thread.

    Parameters
    ----------
    n : int
        Symbols of a short call, at most.

    Attributes
    ----------
    spare : list of ShortCall
        Those that no call is using. Making their arrays takes longer than reading a few symbols.
    start : tuple of arrays or None
        The state after a boundary, once it was needed. Nobody changes these arrays.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.spare: list[ShortCall] = []
        self.start: State | None = None

    def begin(self, new: Callable[[], ShortCall]) -> ShortCall:
        """Return arrays that no other call is using; `new` makes some if there are none. `end` must follow."""
        check_cancelled()
        try:
            return self.spare.pop()  # atomic
        except IndexError:
            return new()

    def end(self, short: ShortCall) -> None:
        """Let the next call have the arrays."""
        self.spare.append(short)
