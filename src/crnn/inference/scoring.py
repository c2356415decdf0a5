"""Scoring: the log-probability of a text, symbol by symbol, summed without holding it all; what is most probable."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..threads import deal_out, readers, shares
from .packed_network import SCORE_ROWS, PackedNetwork, State

BLOCK = 1 << 14  # symbols handed to the kernel at a time
PART = 2048  # least symbols of a part when a text is cut, long against what is read again
WARM_UP = 128  # symbols before its beginning that a part reads again to find its state
MOST_PARTS = 512
STREAMS = 64  # parts that are read side by side
LEAST_STREAMS = 8  # that are worth a thread: they fill the register tile

Ids = NDArray[Any]


def log_likelihood(network: PackedNetwork, ids: Ids, given: int = 0) -> float:
    """Return log P(ids) in nats: exact, the state carried through the whole text from zeros.

    The first `given` symbols, fewer than `BLOCK`, are read and not counted.
    """
    h = network.zero_state(1)
    sums = []
    for i in range(0, len(ids), BLOCK):
        x = ids[i : i + BLOCK].astype(np.int32).reshape(-1, 1)
        sums.append(float(network.log_probabilities(x, h)[given if i == 0 else 0 :].sum()))
    return math.fsum(sums)


def parallel_log_likelihood(
    network: PackedNetwork,
    ids: Ids,
    n_threads: int | None,
    *,
    parts: int | None = None,
    warm_up: int | None = None,
    given: int = 0,
) -> float:
    """Return log P(ids) in nats, the text cut in parts that are read side by side.

    Each part but the first finds its state by reading the `warm_up` symbols before it (`WARM_UP`) from zeros, which
    is all that is not exact. There are at most `parts` (`MOST_PARTS`), of at least `PART` symbols. The cuts depend on
    the text's length alone, and each part is summed by itself, so the result is the same for every `n_threads`. The
    first `given` symbols are read and not counted.
    """
    ranges = cuts(len(ids), MOST_PARTS if parts is None else parts)
    if len(ranges) == 1:
        return log_likelihood(network, ids, given)
    # Parts differ in length by one at most. All are read over the same number of symbols, and of those only a part's
    # own are counted; the first part begins where the text does, and so is exact.
    length = max(map(len, ranges)) + (WARM_UP if warm_up is None else warm_up)
    n_threads = readers(n_threads)

    def read(group: range) -> list[float]:
        first = np.array([max(ranges[i].start, given) for i in group])
        last = np.array([ranges[i].stop for i in group])
        begin = np.maximum(last - length, 0)
        h = network.zero_state(len(group))
        blocks = []
        for i in range(0, length, BLOCK // STREAMS):
            at = begin + np.arange(i, min(i + BLOCK // STREAMS, length))[:, None]
            log_p = network.log_probabilities(ids[at].astype(np.int32), h)
            blocks.append(np.where((first <= at) & (at < last), log_p, 0.0).sum(axis=0))
        return [math.fsum(of_part) for of_part in zip(*blocks, strict=True)]

    groups = shares(len(ranges), max(-(-len(ranges) // STREAMS), min(n_threads, len(ranges) // LEAST_STREAMS)))
    sums: list[float] = []
    deal_out(groups, lambda group: sums.extend(read(group)), n_threads)
    return math.fsum(sums)  # exact, and so the same in whatever order they came


def surprisal(network: PackedNetwork, ids: Ids, state: State) -> NDArray[np.float64]:
    """Return -log P of each symbol (n,), in nats; the state moves on in place."""
    out = np.empty(len(ids))
    for i in range(0, len(ids), BLOCK):
        x = ids[i : i + BLOCK].astype(np.int32).reshape(-1, 1)
        np.negative(network.log_probabilities(x, state)[:, 0], out=out[i : i + BLOCK])
    return out


def ranks(network: PackedNetwork, ids: Ids, state: State) -> NDArray[np.intp]:
    """Return the place of each symbol among all, the most probable first; 1 more than there were likelier ones."""
    out = np.empty(len(ids), np.intp)
    for i in range(0, len(ids), SCORE_ROWS):
        x = ids[i : i + SCORE_ROWS].astype(np.int32)
        before = state[0][-1].copy()
        after = network.hidden(x, state)[:-1, -1]
        y = network.logits(np.concatenate([before, after]))
        out[i : i + SCORE_ROWS] = 1 + (y > np.take_along_axis(y, x[:, None], axis=1)).sum(axis=1)
    return out


def hidden_states(network: PackedNetwork, ids: Ids, state: State) -> NDArray[Any]:
    """Return the activations after each symbol, (n, L, H); the state moves on in place."""
    out = np.empty((len(ids), *state[0].shape[::2]), state[0].dtype)
    for i in range(0, len(ids), SCORE_ROWS):
        out[i : i + SCORE_ROWS] = network.hidden(ids[i : i + SCORE_ROWS].astype(np.int32), state)
    return out


def cuts(n: int, parts: int) -> list[range]:
    """Cut n symbols in at most so many parts of at least `PART` symbols, and in no less than one.

    Examples
    --------
    >>> cuts(5000, 32)
    [range(0, 2500), range(2500, 5000)]
    """
    return shares(n, max(1, min(parts, n // PART)))
