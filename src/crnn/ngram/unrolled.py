"""Contexts of n-grams as rows of arrays: what look-aheads, classifiers, ARPA files and frozen counts read."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import ngrams
from ..runtime.signals import check_canceled
from .counts import Counts
from .occurrences import context_levels
from .packed_counts import without_text


class UnrolledCounts(NamedTuple):
    """The contexts of counts as rows of arrays, the shortest first; see `ngrams.unroll`."""

    levels: NDArray[np.intp]  # the rows of the contexts of d symbols are levels[d], …, levels[d + 1] - 1
    suffixes: NDArray[np.int32]
    scales: NDArray[np.float64]
    firsts: NDArray[np.int32]
    symbols: NDArray[np.int32]
    nexts: NDArray[np.int32]
    shorter: NDArray[np.int32]
    p: NDArray[np.float64]
    lower: NDArray[np.float64]  # the probability that each entry's symbol would have without the entry

    @classmethod
    def of(cls, counts: Counts) -> Self:
        """Compute the probabilities of all n-grams, and write them and their contexts into rows."""
        counts = without_text(counts)
        levels = [nodes[nodes >= 0] for nodes in context_levels(counts, counts.order)]
        nodes = np.concatenate(levels)
        numbers = np.full(counts.trie.node_count, -1, np.int32)
        numbers[nodes] = np.arange(len(nodes))
        n = len(nodes)
        room = sum(counts.n_grams) + counts.symbols
        suffixes = np.zeros(n, np.int32)
        scales = np.zeros(n)
        firsts = np.zeros(n + 1, np.int32)
        symbols, nexts, shorter = (np.zeros(room, np.int32) for _ in range(3))
        p = np.zeros(room)
        for depth, level in enumerate(levels):
            check_canceled()
            ngrams.unroll(counts.trie, depth, level, numbers, suffixes, scales, firsts, symbols, nexts, shorter, p)
        starts = np.cumsum([0, *map(len, levels)])
        used = slice(firsts[-1])
        lower = p[shorter[used]] * np.repeat(scales, np.diff(firsts))
        return cls(
            levels=starts,
            suffixes=suffixes,
            scales=scales,
            firsts=firsts,
            symbols=symbols[used],
            nexts=nexts[used],
            shorter=shorter[used],
            p=p[used],
            lower=lower,
        )
