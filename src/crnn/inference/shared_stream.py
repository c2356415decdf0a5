"""SharedStream: how many threads share the steps of one stream."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property

from .._kernels.entry import core
from ..model.layout import Layout
from ..runtime.threads import AdaptiveThreads, Helpers, inference_threads

MIN_SYMBOLS = 128  # of a call that a trial may cut, since the rest of it must start threads again
TRIAL_SYMBOLS = 16  # of a call that measures the speed of a number of threads
PRODUCTS_PER_THREAD = 90_000  # multiplications of a step: about 4 microseconds, against two waits of half a microsecond
# For n_threads=None: fewer bytes of weights stay in the cache of one core. More threads then gain little, and on a busy
# machine the calls that measure cost more.
BYTES_BY_DEFAULT = 2_000_000
NO_SHARED_STEP = nullcontext[core.SharedStep | None](None)


class SharedStream:
    """Decides how many threads compute the steps of one stream, and starts them for each call.

    An explicit number is used as given. Otherwise, small networks use one thread, and for large ones, short trial calls
    find the currently fastest number. The bits are the same for every number.
    """

    def __init__(
        self, network: core.Network, layout: Layout, n_threads: int | None, *, bytes_each: int | None = None
    ) -> None:
        self._network = network
        self._layout = layout
        self._wanted = n_threads
        self._bytes = bytes_each or layout.dtype.itemsize
        self._calls = 0

    @cached_property
    def _n_threads(self) -> int:
        """The maximum number of threads. Querying cores takes longer than a short call, so that call does not ask."""
        layout = self._layout
        n_threads = self._wanted
        products = layout.kind.gates * layout.hidden_size**2 * (2 * layout.num_layers - 1)
        is_large = products * self._bytes >= BYTES_BY_DEFAULT
        worth = products // PRODUCTS_PER_THREAD if n_threads or is_large else 1
        return 1 if worth < 2 else min(inference_threads(n_threads), worth)

    @cached_property
    def _adaptive(self) -> AdaptiveThreads | None:
        return AdaptiveThreads(self._n_threads) if self._wanted is None and self._n_threads > 1 else None

    def symbols_of_call(self, wanted: int) -> int:
        """Return how many symbols the next call should take: few if it is a trial."""
        if wanted >= MIN_SYMBOLS and self._adaptive and (self._calls < 3 or self._adaptive.on_trial):
            return TRIAL_SYMBOLS
        return wanted

    def threads(self, symbols: int) -> AbstractContextManager[core.SharedStep | None]:
        """Start threads for a call that reads or draws these symbols; yield the session's `SharedStep`, or None."""
        return NO_SHARED_STEP if symbols < TRIAL_SYMBOLS or self._n_threads == 1 else self._time_threads(symbols)

    @contextmanager
    def _time_threads(self, symbols: int) -> Iterator[core.SharedStep | None]:
        """Start threads for a call, and record its time, by which the number of threads is chosen."""
        n_threads = self._adaptive.n_threads if self._adaptive else self._n_threads
        with NO_SHARED_STEP if n_threads == 1 else self._step_of(n_threads) as step:
            start = time.perf_counter()
            yield step
        if self._adaptive:
            self._calls += 1
            now = time.perf_counter()
            self._adaptive.record((now - start) / symbols, now)

    @contextmanager
    def _step_of(self, n_threads: int) -> Iterator[core.SharedStep | None]:
        """Let threads serve a step; yield None if the system cannot start any."""
        helpers = Helpers(n_threads - 1, lambda rank: step.serve(rank))
        try:
            with helpers:
                if not helpers.count:
                    yield None
                    return
                step = core.SharedStep(self._network, helpers.count + 1)
                with step:  # leaving it releases the threads
                    helpers.start()
                    step.wait_for_all()
                    yield step
                helpers.finish()
        finally:
            helpers.close()
