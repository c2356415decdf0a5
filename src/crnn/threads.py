"""How many threads a call uses, and scipy's BLAS held at one thread meanwhile."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# A shard should fill the register tile (8 rows) a few times over, and a step should be long against the two
# meetings of the threads in it (about a microsecond each). Measured; see docs/performance.md.
STREAMS_WORTH_A_THREAD = 8
WORK_WORTH_A_THREAD = 500_000  # multiplications in a training step


def cores() -> int:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve(n_threads: int | None, streams: int, work: int) -> int:
    """Return how many threads to deal `streams` to.

    Parameters
    ----------
    n_threads : int or None
        What the user asked for; None means as many as there are cores while a shard stays worth a thread.
    streams : int
        Streams that can be dealt out; never more threads than these.
    work : int
        Multiplications of one step over all streams.

    Examples
    --------
    >>> resolve(3, streams=2, work=0)
    2
    >>> resolve(None, streams=1, work=10**9)
    1
    """
    if n_threads is not None:
        return min(n_threads, streams)
    return max(1, min(cores(), streams // STREAMS_WORTH_A_THREAD, work // WORK_WORTH_A_THREAD))


def shares(n: int, parts: int) -> list[range]:
    """Deal 0 … n - 1 into neighbouring ranges of nearly equal length.

    Examples
    --------
    >>> shares(5, 2)
    [range(0, 2), range(2, 5)]
    """
    return [range(n * i // parts, n * (i + 1) // parts) for i in range(parts)]


class _SciPyBlas:
    """The thread count of the BLAS that the kernels call; nested and concurrent uses share one limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._controller: Any = None
        self._limit: Any = None

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Hold the BLAS at one thread; the last to leave restores what the first one found."""
        with self._lock:
            if self._users == 0:
                self._limit = self.controller.limit(limits=1)
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                if self._users == 0:
                    self._limit.restore_original_limits()
                    self._limit = None

    @property
    def controller(self) -> Any:
        """The controller of scipy's BLAS: made once, since finding the libraries takes a millisecond."""
        if self._controller is None:
            import scipy.linalg.cython_blas  # noqa: F401  (loads the library that is to be found)
            from threadpoolctl import ThreadpoolController

            blas = ThreadpoolController().select(user_api="blas")
            own = [lib.filepath for lib in blas.lib_controllers if "scipy" in os.path.dirname(lib.filepath)]
            self._controller = blas.select(filepath=own) if own else blas
        return self._controller


scipy_blas = _SciPyBlas()
