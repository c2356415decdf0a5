"""Scoring: the log-probability of a text, symbol by symbol, summed without holding it all."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .inference import PackedNetwork
from .threads import cores, shares

BLOCK = 1 << 14  # symbols handed to the kernel at a time
PART = 2048  # least symbols of a part when a text is cut, long against what is read again
WARM_UP = 128  # symbols before its beginning that a part reads again to find its state
MOST_PARTS = 512
STREAMS = 64  # parts that are read side by side

Ids = NDArray[Any]


def log_likelihood(network: PackedNetwork, ids: Ids) -> float:
    """Return log P(ids) in nats: exact, the state carried through the whole text from zeros."""
    h = network.zero_state(1)
    sums = []
    for i in range(0, len(ids), BLOCK):
        x = ids[i : i + BLOCK].astype(np.int32).reshape(-1, 1)
        sums.append(float(network.log_probabilities(x, h).sum()))
    return math.fsum(sums)


def parallel_log_likelihood(network: PackedNetwork, ids: Ids, n_threads: int | None) -> float:
    """Return log P(ids) in nats, the text cut in parts that are read side by side.

    Each part but the first finds its state by reading the `WARM_UP` symbols before it from zeros, which is all
    that is not exact. The cuts depend on the text's length alone, so the result is the same for every `n_threads`.
    """
    parts = shares(len(ids), max(1, min(MOST_PARTS, len(ids) // PART)))
    if len(parts) == 1:
        return log_likelihood(network, ids)
    # Parts differ in length by one at most. All are read over the same number of symbols, and of those only a part's
    # own are counted; the first part begins where the text does, and so is exact.
    length = max(map(len, parts)) + WARM_UP

    def read(group: range) -> float:
        first = np.array([parts[i].start for i in group])
        last = np.array([parts[i].stop for i in group])
        begin = np.maximum(last - length, 0)
        h = network.zero_state(len(group))
        sums = []
        for i in range(0, length, BLOCK // STREAMS):
            at = begin + np.arange(i, min(i + BLOCK // STREAMS, length))[:, None]
            log_p = network.log_probabilities(ids[at].astype(np.int32), h)
            sums.append(float(log_p[(first <= at) & (at < last)].sum()))
        return math.fsum(sums)

    groups = shares(len(parts), -(-len(parts) // STREAMS))
    with ThreadPoolExecutor(min(len(groups), n_threads or cores())) as pool:
        return math.fsum(pool.map(read, groups))
