"""SharedStream: one stream that several threads read or draw together, where that is faster."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from ..._kernels.entry import core
from ...model.layout import Layout
from ...runtime.adaptive_threads import AdaptiveThreads
from ...runtime.threads import Helpers, inference_threads

MIN_SYMBOLS = 128  # of a call that a trial may cut: the rest of it has to start threads again
TRIAL_SYMBOLS = 16  # of a call that tells how fast some number of threads is
PRODUCTS_PER_THREAD = 90_000  # multiplications of a step: about four microseconds, against two waits of half a one
# With n_threads=None: fewer bytes of weights stay in the cache of one core. Threads then gain little, and on a busy
# machine the calls that find out cost more.
BYTES_BY_DEFAULT = 2_000_000


class SharedStream:
    """Decides how many threads compute the steps of one stream, and starts them for each call.

    Each has a part of the layers' weights, which stays in the cache of its core. A stream has the same bits for every
    number of threads. An explicit number is obeyed. Otherwise one thread is used for small networks, and for large ones
    short calls tell which number is fastest now.

    Parameters
    ----------
    network : Network
    layout : Layout
        Of the network.
    n_threads : int or None
    bfloat16 : bool, default=False
        Whether the weights are packed as bfloat16.
    """

    def __init__(
        self, network: core.Network, layout: Layout, n_threads: int | None, *, bfloat16: bool = False
    ) -> None:
        products = layout.kind.gates * layout.hidden_size**2 * (2 * layout.num_layers - 1)
        is_large = products * (2 if bfloat16 else layout.dtype.itemsize) >= BYTES_BY_DEFAULT
        worth = products // PRODUCTS_PER_THREAD if n_threads or is_large else 1
        self._n_threads = 1 if worth < 2 else min(inference_threads(n_threads), worth)  # asking for cores takes a while
        self._adaptive = AdaptiveThreads(self._n_threads) if n_threads is None and self._n_threads > 1 else None
        self._network = network
        self._calls = 0

    def symbols_of_call(self, wanted: int) -> int:
        """Return how many symbols the next call should take: few if it is to tell how fast some threads are."""
        if self._adaptive and wanted >= MIN_SYMBOLS and (self._calls < 3 or self._adaptive.on_trial):
            return TRIAL_SYMBOLS
        return wanted

    @contextmanager
    def threads(self, symbols: int) -> Iterator[core.SharedStep | None]:
        """Start threads for a call that reads or draws these symbols; yield what is appended to the workspace."""
        n_threads = self._adaptive.n_threads if self._adaptive else self._n_threads
        alone = n_threads == 1 or symbols < TRIAL_SYMBOLS
        with nullcontext() if alone else self._step_of(n_threads) as step:
            start = time.perf_counter()
            yield step
        if self._adaptive and symbols >= TRIAL_SYMBOLS:
            self._calls += 1
            now = time.perf_counter()
            self._adaptive.record((now - start) / symbols, now)

    @contextmanager
    def _step_of(self, n_threads: int) -> Iterator[core.SharedStep | None]:
        """Let threads serve a step; None if the system starts none of them."""
        helpers = Helpers(n_threads - 1, lambda rank: step.serve(rank))
        try:
            with helpers:
                if not helpers.count:
                    yield None
                    return
                step = core.SharedStep(self._network, helpers.count + 1)
                with step:  # its end lets the threads go
                    helpers.start()
                    step.wait_for_all()
                    yield step
                helpers.finish()
        finally:
            helpers.close()
