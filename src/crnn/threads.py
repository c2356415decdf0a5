"""How many threads a call uses, and scipy's BLAS held at one thread meanwhile."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, Self, TypeVar

T = TypeVar("T")

# A shard should fill the register tile (8 rows) a few times over, and a step should be long against the
# meetings of the threads in it (two or three, about a microsecond each). Reckoned from that, not searched for.
STREAMS_WORTH_A_THREAD = 8
WORK_WORTH_A_THREAD = 500_000  # multiplications in a training step
MOST_THREADS = 256  # as the training kernel
# Measured on cores with second-level caches of 2 MB (docs/performance.md).
CACHED_BYTES = 1_000_000  # of weights that such a cache is sure to keep from one time step to the next
STREAMS_A_CACHEFUL = 4  # that a thread should have for each time as many weights more, or a crew is faster
STREAMS_FOR_ITSELF = 12  # and from so many on it never is


def cores() -> int:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve(n_threads: int | None, streams: int, work: int, weights: int) -> int:
    """Return how many threads to deal `streams` to, or in crews to share them.

    Parameters
    ----------
    n_threads : int or None
        What the user asked for; None means as many as there are cores while a shard stays worth a thread.
    streams : int
        Streams that can be dealt out; never more threads than these.
    work : int
        Multiplications of one step over all streams.
    weights : int
        Bytes of those that a layer multiplies by at a time step.

    Examples
    --------
    >>> resolve(3, streams=2, work=0, weights=0)
    2
    >>> resolve(None, streams=1, work=10**9, weights=10**7)
    1
    """
    if n_threads is not None:
        return min(n_threads, streams, MOST_THREADS)
    worth = max(streams // STREAMS_WORTH_A_THREAD, min(streams, weights // CACHED_BYTES + 1))
    return max(1, min(cores(), MOST_THREADS, worth, work // WORK_WORTH_A_THREAD))


def readers(n_threads: int | None) -> int:
    """Return how many threads scoring and sampling use, whose results do not depend on it.

    Not more than there are cores, though more were asked for: a model may come from a larger machine, and threads that
    have no core each are slower than fewer.

    Parameters
    ----------
    n_threads : int or None
        What the user asked for; None means as many as there are cores.

    Examples
    --------
    >>> readers(1), readers(10**6) == readers(None) == cores()
    (1, True)
    """
    return min(n_threads or cores(), cores())


def crew_size(weights: int, streams: int, n_threads: int) -> int:
    """Return how many threads should share the same streams, each with units of its own: a divisor of their number.

    With few streams a thread multiplies by a weight not much faster than the third-level cache gives it. Where a part
    of the weights stays in a cache that all of them do not fit, a crew is faster than threads with their own streams.

    Parameters
    ----------
    weights : int
        Bytes of those that a layer multiplies by at a time step.
    streams : int
        That all threads have together.
    n_threads : int

    Examples
    --------
    >>> crew_size(10_000, 8, 4), crew_size(2_000_000, 8, 4), crew_size(20_000_000, 8, 4)
    (1, 2, 4)
    >>> crew_size(20_000_000, 100, 4)
    1
    """
    enough = min(STREAMS_FOR_ITSELF, STREAMS_A_CACHEFUL * (weights / CACHED_BYTES - 1))
    if streams >= n_threads * enough:
        return 1
    divisors = (n for n in range(1, n_threads) if n_threads % n == 0)
    return next((n for n in divisors if weights <= n * CACHED_BYTES), n_threads)


def shares(n: int, parts: int) -> list[range]:
    """Deal 0 … n - 1 into neighbouring ranges of nearly equal length.

    Examples
    --------
    >>> shares(5, 2)
    [range(0, 2), range(2, 5)]
    """
    return [range(n * i // parts, n * (i + 1) // parts) for i in range(parts)]


def deal_out(tasks: Iterable[T], work: Callable[[T], object], n_threads: int) -> None:
    """Call ``work(task)`` for all tasks on so many threads, the next task to whichever is free.

    Examples
    --------
    >>> done = []
    >>> deal_out(range(5), done.append, n_threads=2)
    >>> sorted(done)
    [0, 1, 2, 3, 4]
    """
    left = deque(tasks)

    def drain(rank: int) -> None:
        try:
            while True:
                try:
                    task = left.popleft()
                except IndexError:
                    return
                work(task)
        except BaseException:
            left.clear()  # the others need not finish what nobody will see
            raise

    with Helpers(min(n_threads, len(left)) - 1, drain) as helpers:
        helpers.start()
        drain(0)
        helpers.finish()


class Helpers:
    """Threads that wait for work, so that handing it over costs microseconds; a context manager.

    A `ThreadPoolExecutor` would do but for Ctrl-C, which can come while it holds its locks and leave them so. Here the
    main thread only ever touches queues that are written in C.
    """

    def __init__(self, count: int, work: Callable[..., None]) -> None:
        self._work = work
        self._tasks: list[SimpleQueue[tuple[Any, ...] | None]] = [SimpleQueue() for _ in range(count)]
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._serve, args=(t,), daemon=True) for t in self._tasks]
        try:
            for thread in self._threads:
                thread.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        for tasks in self._tasks:
            tasks.put(None)
        for thread in self._threads:
            if thread.ident is not None:  # one that the system had no room for was never started
                thread.join()

    def start(self, *arguments: Any) -> None:
        """Have thread i of 1 … count call ``work(i, *arguments)``."""
        for i, tasks in enumerate(self._tasks):
            tasks.put((i + 1, *arguments))

    def finish(self) -> None:
        """Wait for all of them; raise the first exception that one met."""
        met = [self._done.get() for _ in self._tasks]
        for error in met:
            if error is not None:
                raise error

    def _serve(self, tasks: SimpleQueue[tuple[Any, ...] | None]) -> None:
        while (arguments := tasks.get()) is not None:
            error: BaseException | None = None
            try:
                self._work(*arguments)
            except BaseException as raised:
                error = raised
            self._done.put(error)


def _set_threads(library: Any, n: int) -> None:
    """Set the threads of a BLAS from whichever thread calls.

    From 3.8 on threadpoolctl heeds only the first thread that sets an OpenBLAS and ignores all others without a word.
    """
    getattr(library, "_real_set_num_threads", library.set_num_threads)(n)


class _SciPyBlas:
    """The thread count of the BLAS that the kernels call; nested and concurrent uses share one limit."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users = 0
        self._controller: Any = None
        self._found: list[tuple[Any, int]] = []

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Hold the BLAS at one thread; the last to leave restores what the first one found."""
        entered = False
        try:  # from here on, since Ctrl-C may come between any two steps
            with self._lock:
                if self._users == 0:
                    self._found = [(library, library.get_num_threads()) for library in self.controller.lib_controllers]
                self._users, entered = self._users + 1, True
                for library, _ in self._found if self._users == 1 else ():
                    _set_threads(library, 1)
            yield
        finally:
            with self._lock:
                self._users -= entered
                if entered and self._users == 0:
                    for library, found in self._found:
                        _set_threads(library, found)

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
