"""Threads: how many a call uses, helper threads, and the limit of one thread for SciPy's BLAS."""

from __future__ import annotations

import math
import os
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from queue import SimpleQueue
from typing import Any, Self, TypeVar

from .machine import VARIABLES, affinity, cores, usable_cores
from .signals import Canceled, Cancellation, call_at_end, signals_deferred

T = TypeVar("T")

# At least 8 streams per thread: fewer leave the register tile (8 rows) mostly idle. A step should be long compared with
# its two or three barriers of about a microsecond. (Estimated, not tuned.)
STREAMS_PER_THREAD = 8
WORK_PER_THREAD = 500_000  # multiplications per step in training
MAX_THREADS = 256  # as in the training kernel
# Measured on cores with second-level caches of 2 MB (docs/development/performance.md).
CACHED_BYTES = 1_000_000  # of weights that surely stay in such a cache from one time step to the next


def default_threads() -> int:
    """Return the number of threads used by default; see `usable_cores`."""
    return _default_threads(affinity(), *map(os.environ.get, VARIABLES))


@lru_cache(maxsize=16)
def _default_threads(processors: frozenset[int], *variables: str | None) -> int:
    """Read the limits once per affinity and environment: reading can take longer than a call of `sample`."""
    return usable_cores()


def training_threads(n_threads: int | None, streams: int, work: int, weights: int) -> int:
    """Return the number of training threads; None: one per usable core if each has enough work. There are never more
    than processors, which would be slower. `work` is multiplications of one step over all streams; `weights` is bytes
    that a layer uses at each time step.
    """
    if n_threads is not None:
        return min(n_threads, streams, cores(), MAX_THREADS)
    enough = max(streams // STREAMS_PER_THREAD, min(streams, weights // CACHED_BYTES + 1))
    return max(1, min(default_threads(), MAX_THREADS, enough, work // WORK_PER_THREAD))


def inference_threads(n_threads: int | None) -> int:
    """Return the number of threads for scoring and sampling, at most one per processor; None: one per usable core."""
    return min(n_threads or default_threads(), cores())


def split_range(n: int, parts: int) -> list[range]:
    """Split 0 … n - 1 into consecutive ranges of nearly equal length."""
    return [range(n * i // parts, n * (i + 1) // parts) for i in range(parts)]


def run_tasks(tasks: Iterable[T], work: Callable[[T], object], n_threads: int) -> None:
    """Call ``work(task)`` for all tasks on several threads; each takes the next task when free."""
    left = deque(tasks)
    cancellation = Cancellation()
    if n_threads <= 1 or len(left) <= 1:  # nothing to share or cancel
        for task in left:
            work(task)
        return

    def take_tasks(rank: int) -> None:
        """Do tasks until none is left; if one fails, no thread begins another."""
        with cancellation.shared():
            try:
                while True:
                    try:
                        task = left.popleft()
                    except IndexError:
                        return
                    work(task)
            except BaseException as error:
                cancellation.fail(error)  # the other results are no longer needed
                left.clear()
                raise

    helpers = Helpers(min(n_threads, len(left)) - 1, take_tasks)
    try:
        with helpers:
            try:
                helpers.start()
                take_tasks(0)
                helpers.finish()
            except BaseException as error:  # including Ctrl-C
                cancellation.fail(error)
                if isinstance(error, Canceled) and cancellation.error is not None:
                    raise cancellation.error from None
                raise
    finally:
        helpers.close()


class Helpers:
    """Waiting threads that can start work within microseconds; a context manager.

    Ctrl-C could leave a `ThreadPoolExecutor` locked. Here the main thread touches only queues written in C, which
    cannot be interrupted while they hold a lock. Call `close` again after the ``with`` statement: see `signals`.
    """

    def __init__(self, count: int, work: Callable[..., None]) -> None:
        self._work = work
        self._tasks: list[SimpleQueue[tuple[Any, ...] | None]] = [SimpleQueue() for _ in range(count)]
        self._done: SimpleQueue[BaseException | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._started = self._tasks[:0]

    @classmethod
    def none(cls) -> Self:
        """Return an object without threads, for code that works alone."""
        return cls(0, lambda: None)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._serve, args=(t,), daemon=True) for t in self._tasks]
        try:
            for started, thread in enumerate(self._threads):
                refused = None
                with signals_deferred():  # starts completely or not: an interrupted start leaves a thread unjoined
                    try:
                        thread.start()
                    except RuntimeError as error:
                        refused = error
                if refused is not None:
                    self._keep_first(started, refused)
                    break
        except BaseException:
            self.close()
            raise
        return self

    def _keep_first(self, count: int, error: RuntimeError) -> None:
        """Continue with the threads that could be started."""
        del self._tasks[count:], self._threads[count:]
        warnings.warn(f"the system starts no more threads ({error}); using {count + 1}", RuntimeWarning, stacklevel=4)

    @property
    def count(self) -> int:
        """The number of threads."""
        return len(self._tasks)

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and wait for them; do nothing if they have ended."""
        for tasks in self._tasks:
            tasks.put(None)
        for thread in self._threads:
            if thread.ident is not None:  # None: the system could not start it
                thread.join()

    def start(self, *arguments: Any, count: int | None = None) -> None:
        """Let threads 1 … count (by default all) call ``work(i, *arguments)`` with their number i."""
        self._started = self._tasks[:count]
        for i, tasks in enumerate(self._started):
            tasks.put((i + 1, *arguments))

    def finish(self) -> None:
        """Wait for the started threads; raise the first exception that any of them raised."""
        errors = [self._done.get() for _ in self._started]
        for error in errors:
            if error is not None:
                raise error

    def _serve(self, tasks: SimpleQueue[tuple[Any, ...] | None]) -> None:
        """Work off tasks until None arrives; put None, or the error raised, in the queue of results for each."""
        while (arguments := tasks.get()) is not None:
            error: BaseException | None = None
            try:
                self._work(*arguments)
            except BaseException as raised:
                error = raised
            self._done.put(error)


def _set_threads(library: Any, n: int) -> None:
    """Set the number of threads of a BLAS, from any thread."""
    # Since threadpoolctl 3.8, `set_num_threads` of an OpenBLAS does nothing except on the first thread that calls it.
    getattr(library, "_real_set_num_threads", library.set_num_threads)(n)


class _SciPyBlas:
    """The number of threads of the kernels' BLAS; nested and concurrent uses share one limit."""

    def __init__(self) -> None:
        self._lock = threading.RLock()  # a signal handler may use it
        self._uses: list[tuple[object, int]] = []  # with the thread of each
        self._controller: Any = None
        self._found: list[tuple[Any, int]] = []

    @contextmanager
    def one_thread(self) -> Iterator[None]:
        """Limit the BLAS to one thread; when the last use ends, set the number before the first again."""
        use = object()
        leaving = call_at_end(partial(self.leave, use))
        try:
            self.enter(use)
            yield
        finally:
            leaving.close()

    def enter(self, use: object) -> None:
        """Begin a use, identified by any object; `leave` must follow, even after an interruption."""
        with self._lock:
            if not self._uses:
                self._found = [(library, library.get_num_threads()) for library in self.controller.lib_controllers]
            self._uses.append((use, threading.get_ident()))
            if len(self._uses) == 1:
                for library, _ in self._found:
                    _set_threads(library, 1)

    def leave(self, use: object) -> None:
        """End a use; do nothing if it has ended or not begun."""
        with self._lock:
            mine = [entry for entry in self._uses if entry[0] is use]
            if mine and len(self._uses) == 1:
                self._lift()
            if mine:
                self._uses.remove(mine[0])  # last: if Ctrl-C strikes before, everything is done again

    def _lift(self) -> None:
        """Set the number of threads before the first use again."""
        for library, found in self._found:
            _set_threads(library, found)

    @property
    def controller(self) -> Any:
        """The controller of SciPy's BLAS, created once, since finding the libraries takes a millisecond."""
        if self._controller is None:
            with signals_deferred():
                import scipy.linalg.cython_blas  # noqa: F401  (loads the library to find)
                from threadpoolctl import ThreadpoolController

                blas = ThreadpoolController().select(user_api="blas")
            paths = [lib.filepath for lib in blas.lib_controllers if "scipy" in os.path.dirname(lib.filepath)]
            self._controller = blas.select(filepath=paths) if paths else blas
        return self._controller

    def after_fork(self) -> None:
        """Make a new lock in the child of a fork, and end the uses of threads that do not exist there."""
        self._lock = threading.RLock()
        before = self._uses
        here = threading.get_ident()
        self._uses = [use for use in before if use[1] == here]
        if before and not self._uses:
            self._lift()


scipy_blas = _SciPyBlas()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=scipy_blas.after_fork)


MAX_TIME_RATIO = 0.97  # another number of threads must take at most this part of the time, or noise would decide
# Seconds from a decision to the next trial; this time doubles with each trial that changes nothing.
FIRST_TRIAL_PAUSE = 0.5
MAX_TRIAL_PAUSE = 8.0  # seconds from a decision to the next trial, at most
TRIAL_SECONDS = 0.025  # approximate length of a trial: calls may last seconds, and the number tried may be a bad one
NEWEST_WEIGHT = 0.5  # weight of the newest measurement in the mean for a number of threads


class AdaptiveThreads:
    """Chooses between 1, 2, 4, … threads and the largest number, by measured seconds per step.

    Work begins with the largest number. The first call is not measured, since it also allocates memory; after the
    second, a call with one thread is tried. From then on the faster number is used, and occasionally the next smaller
    or larger number is tried: threads become fewer while another program uses their cores.
    """

    def __init__(self, max_threads: int) -> None:
        self._choices = [n for n in (1 << k for k in range(max_threads.bit_length())) if n < max_threads]
        self._choices.append(max_threads)
        self._seconds: dict[int, float] = {}  # per step, by number of threads
        self._chosen = max_threads
        self._pause = FIRST_TRIAL_PAUSE
        self._next_trial = 0.0
        self._upwards = False  # the direction of the last trial
        self._first = True
        self.n_threads = max_threads

    @property
    def on_trial(self) -> bool:
        """Whether the next call is a trial, which should take few steps."""
        return self.n_threads != self._chosen

    def steps(self, n: int) -> int:
        """Return how many of the next n steps the next call should take: all, or at most half of them in a trial."""
        if not self.on_trial:
            return n
        return min((n + 1) // 2, math.ceil(TRIAL_SECONDS / max(self._seconds[self._chosen], 1e-9)))

    def record(self, seconds_per_step: float, now: float) -> None:
        """Add the time of a step with `n_threads`, and decide on the next call; `now` is in seconds."""
        if len(self._choices) == 1 or self._first:
            self._first = False
            return
        used = self.n_threads
        before = self._seconds.get(used)
        if used == self._chosen and before is not None:
            self._seconds[used] = before + NEWEST_WEIGHT * (seconds_per_step - before)
        else:
            self._seconds[used] = seconds_per_step  # for a trial, earlier measurements do not count
        if used != self._chosen:
            self._judge(used, now)
        if 1 not in self._seconds:
            self.n_threads = 1
        elif now >= self._next_trial and used == self._chosen:
            self.n_threads = self._neighbor()
        else:
            self.n_threads = self._chosen

    def _judge(self, tried: int, now: float) -> None:
        """Choose the number tried if it is faster; plan the next trial."""
        if self._seconds[tried] < MAX_TIME_RATIO * self._seconds[self._chosen]:
            self._chosen = tried
            self._pause = FIRST_TRIAL_PAUSE
        else:
            self._pause = min(2 * self._pause, MAX_TRIAL_PAUSE)
        self._next_trial = now + self._pause

    def _neighbor(self) -> int:
        """Return the next larger or the next smaller number, in turn."""
        i = self._choices.index(self._chosen)
        self._upwards = not self._upwards if 0 < i < len(self._choices) - 1 else i == 0
        return self._choices[i + 1 if self._upwards else i - 1]
