"""Short calls: arrays that a network keeps for calls that read a few symbols of one stream."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..._kernels.entry.structures import InferenceWorkspace
from ...runtime.cancellation import check_cancelled

__all__ = ["CallMemory", "ShortCall"]

Array = NDArray[Any]
State = tuple[Array, ...]


class ShortCall(NamedTuple):
    """Arrays for a call that reads up to n symbols of one stream; making them takes longer than reading a few."""

    work: InferenceWorkspace
    carried: State  # the states in it: views without the units' padding, which stays zero
    x: NDArray[np.int32]  # (n,)
    y: Array  # (n, 1, V)


class CallMemory:
    """What the calls of a network leave for later calls, on any thread.

    Parameters
    ----------
    n : int
        Symbols of a short call, at most.

    Attributes
    ----------
    spare : list of ShortCall
        Those that no call is using.
    start : tuple of arrays or None
        The state after a boundary, once it was needed. Nobody changes these arrays.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.spare: list[ShortCall] = []
        self.start: State | None = None

    def begin(self, state: State, new: Callable[[], ShortCall]) -> ShortCall:
        """Return arrays that no other call is using, with a state in them; `new` makes some if there are none."""
        check_cancelled()
        try:
            short = self.spare.pop()  # atomic
        except IndexError:
            short = new()
        for array, start in zip(short.carried, state, strict=True):
            array[...] = start
        return short

    def end(self, short: ShortCall, state: State = ()) -> None:
        """Copy what was carried to the end into `state`, if it is wanted, and let the next call have the arrays."""
        for array, end in zip(short.carried, state, strict=False):
            end[...] = array
        self.spare.append(short)
