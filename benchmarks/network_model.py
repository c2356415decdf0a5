"""A model of a network, and a communicator that behaves as if many machines were connected by it."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

ALPHA = 50e-6  # seconds of a message by TCP, besides its bytes


class Network(NamedTuple):
    """An alpha-beta model: a message takes `alpha` seconds, and its bytes the time that the bandwidth gives them."""

    gigabits: float
    alpha: float = ALPHA

    def all_reduce_seconds(self, n_bytes: int, processes: int) -> float:
        """Return the time of a ring all-reduce: 2 (p - 1) messages of n / p bytes, one after another.

        Examples
        --------
        >>> Network(10, alpha=0.0).all_reduce_seconds(n_bytes=10_000_000, processes=2)
        0.008
        """
        p = processes
        return 2 * (p - 1) * self.alpha + 2 * (p - 1) / p * n_bytes / (self.gigabits * 1e9 / 8)


def step_seconds(alone: float, n_bytes: int, processes: int, network: Network, every: int = 1) -> float:
    """Return the time of a step of each of several processes.

    Parameters
    ----------
    alone : float
        Seconds of a step of one process.
    n_bytes : int
        That are summed after each step, or each `every` steps.
    processes : int
    network : Network
    every : int, default=1

    Examples
    --------
    >>> round(step_seconds(0.1, 10_000_000, 2, Network(10, alpha=0.0), every=4), 3)
    0.102
    """
    return alone + network.all_reduce_seconds(n_bytes, processes) / every


class EmulatedCommunicator:
    """The communicator of the first of several processes that all do the same; a sum takes the time of a network."""

    def __init__(self, processes: int, network: Network) -> None:
        self._processes, self._network = processes, network
        self.delay = 0.0  # seconds of all sums so far

    def Get_rank(self) -> int:
        """Return 0."""
        return 0

    def Get_size(self) -> int:
        """Return the number of processes."""
        return self._processes

    def Allreduce(self, in_place: Any, array: NDArray[Any]) -> None:
        """Sum the same array of all processes, and wait for the time that a network would take."""
        seconds = self._network.all_reduce_seconds(array.nbytes, self._processes)
        end = time.perf_counter() + seconds
        np.multiply(array, self._processes, out=array)
        time.sleep(max(0.0, end - time.perf_counter() - 1e-3))
        while time.perf_counter() < end:  # a sleep is not exact
            pass
        self.delay += seconds

    def bcast(self, value: Any, root: int = 0) -> Any:
        """Return the value of the first process."""
        return value

    def allgather(self, value: Any) -> list[Any]:
        """Return the values of all processes."""
        return [value] * self._processes

    def Abort(self, code: int) -> None:
        """End the process."""
        raise SystemExit(code)
