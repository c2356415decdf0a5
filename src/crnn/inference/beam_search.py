"""Beam search: the most probable continuations of a text."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .packed_network import PackedNetwork
from .sampling import primed_state

Ids = NDArray[Any]


def beam_search(
    network: PackedNetwork,
    prime: Ids,
    n: int,
    beams: int,
    *,
    forbidden: Collection[int] = (),
    end: int | None = None,
) -> list[tuple[NDArray[np.int32], float]]:
    """Return the most probable continuations of `prime` that a search with so many beams finds, best first.

    Parameters
    ----------
    network : PackedNetwork
    prime : (N,) int array
    n : int
        Symbols of a continuation.
    beams : int
        Continuations that are kept after each symbol; fewer are returned if there are no more.
    forbidden : collection of int
        Ids of symbols that no continuation holds.
    end : int, optional
        The id of a symbol that ends a continuation; its probability counts, but it is not returned.

    Returns
    -------
    list of (ids, float)
        With log P of the continuation given the prime, in nats.
    """
    state, end = primed_state(network, prime), -1 if end is None else end
    texts, log_p = np.empty((1, 0), np.int32), np.zeros(1)
    ended: list[tuple[NDArray[np.int32], float]] = []
    for _ in range(n):
        follow = _log_softmax(network.logits(state[0][-1]))
        follow[:, list(forbidden)] = -np.inf
        total = (log_p[:, None] + follow).ravel()
        # What has ended competes with what goes on, and stays as it is.
        best = _largest(np.concatenate([[p for _, p in ended], total]), beams)
        old, new = best[best < len(ended)], best[best >= len(ended)] - len(ended)
        parent, symbol = np.divmod(new, follow.shape[1])
        ended = [ended[i] for i in old]
        ended += [(texts[parent[i]], float(total[new[i]])) for i in np.flatnonzero(symbol == end)]
        going = symbol != end
        texts = np.column_stack([texts[parent], symbol.astype(np.int32)])[going]
        log_p = total[new][going]
        if not len(texts):
            break
        state = tuple(np.take(part, parent[going], axis=1) for part in state)
        network.feed(np.ascontiguousarray(texts[:, -1:].T), state)
    found = [*ended, *zip(texts, log_p.tolist(), strict=True)]
    return sorted(found, key=lambda item: -item[1])


def _log_softmax(y: NDArray[Any]) -> NDArray[np.float64]:
    """Return the logarithms of the probabilities of logits (n, V), in double precision as they are to be summed."""
    y = y - y.max(axis=1, keepdims=True).astype(np.float64)
    return np.asarray(y - np.log(np.exp(y).sum(axis=1, keepdims=True)))


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return where the `count` largest are, those of -inf left out: from the largest on, the first among equals."""
    places = np.flatnonzero(values > -np.inf)
    if len(places) > count:
        # The rest need not be sorted. All that equal the last one are looked at, so that the first of them is kept.
        least = np.partition(values[places], len(places) - count)[len(places) - count]
        places = places[values[places] >= least]
    return places[np.argsort(-values[places], kind="stable")][:count]
