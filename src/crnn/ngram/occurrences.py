"""Occurrences: counts of how often n-grams occur in the texts, made from a trie that keeps less."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._kernels.ngram import ngrams
from ..runtime.signals import check_canceled
from .counts import Counts
from .kneser_ney import discounts

SCORED_SYMBOLS = 1 << 14  # symbols scored per call
CALL_NODES = 1 << 17  # contexts processed per call, which take a tenth of a second, so that Ctrl-C is handled in time

Nodes = NDArray[np.int32]


def context_levels(counts: Counts, order: int) -> Iterator[Nodes]:
    """Yield the sorted contexts of 0, 1, …, order - 1 symbols as trie nodes, -1 for a context without successors.

    The last context of one symbol is the boundary, if there is a boundary.
    """
    nodes: Nodes = np.zeros(1, np.int32)
    yield nodes
    for length in range(1, order):
        following = np.empty(counts.n_grams[length - 1], np.int32)
        ngrams.children(counts.trie, nodes, following)
        nodes = following if length > 1 else np.append(following, counts.trie.beginning).astype(np.int32)
        yield nodes


def node_depths(counts: Counts) -> NDArray[np.uint8]:
    """Return the number of symbols of the context of each node."""
    depths = np.empty(counts.trie.node_count, np.uint8)
    ngrams.depths(counts.trie, depths)
    return depths


class Occurrences:
    """The number of occurrences of each n-gram; the counts must not change while this object is in use."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        trie = counts.trie
        depths = node_depths(counts)
        self.raw = ngrams.Raw(trie, np.empty(trie.node_count, np.int32), np.empty(trie.pool_used, np.int32))
        # In node order, which takes a third of the time of sorted contexts.
        levels = [np.flatnonzero(depths == depth).astype(np.int32) for depth in range(counts.order)]
        for nodes in reversed(levels):
            for i in range(0, len(nodes), CALL_NODES):
                check_canceled()
                self.raw.pass_on(trie, nodes[i : i + CALL_NODES])
        found = np.array([self.raw.counts_of_counts(trie, nodes) for nodes in levels], np.int64)
        found[:, 1] += counts.n_grams - found[:, 0]  # those whose context occurred once
        self._discounts = discounts(found[:, 1:])

    def losses(self, ids: NDArray[Any], context: ArrayLike = ()) -> NDArray[np.float64]:
        """Return -log P of symbols after a context, in nats, for the models of order 1, 2, … of the same texts."""
        ids = np.ascontiguousarray(ids, np.int32)
        out = np.zeros(self._counts.order)
        context = np.ascontiguousarray(context, np.int32)
        for i in range(0, len(ids), SCORED_SYMBOLS):
            check_canceled()
            block = ids[i : i + SCORED_SYMBOLS]
            self.raw.score_orders(self._counts.trie, self._discounts, block, context, out)
            context = np.concatenate([context, block])[-self._counts.order :]
        return out
