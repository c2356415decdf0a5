"""Count n-grams in a compiled trie whose arrays grow as needed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._kernels.ngram import ngrams
from ..runtime.cancellation import check_canceled
from .discounts import discounts

MAX_ORDER: int = ngrams.LONGEST_ORDER
CALL_NUMBERS = 1 << 20  # log probabilities computed per call
CALL_SYMBOLS = 1 << 16  # symbols counted per call, which take a tenth of a second, so that Ctrl-C is handled in time
NODE_BYTES, NUMBER_BYTES = 16, 4

Ids = NDArray[Any]


class Counts:
    """Interpolated modified Kneser-Ney counts of which symbols followed which contexts.

    Counts do not depend on the order of the texts, or on how a text is split into blocks. `order` is the
    length of the longest n-gram: the context of a prediction is the last order - 1 symbols. The `boundary` ends a
    document and starts the context of the next. Counts with a `base` extend it; it must no longer change.
    """

    def __init__(self, order: int, symbols: int, boundary: int | None = None, base: Counts | None = None) -> None:
        self.order, self.symbols, self.boundary = order, symbols, boundary
        self._base = base
        self.trie: ngrams.Trie = ngrams.Trie(order, symbols, boundary, None if base is None else base.trie)
        self.reserve(64)
        if base is None:
            self.update_discounts()

    def over(self) -> Counts:
        """Return counts that extend these, which must no longer change."""
        return Counts(self.order, self.symbols, self.boundary, self)

    def copy(self) -> Counts:
        """Return an independent copy of the counts."""
        new = Counts(self.order, self.symbols, self.boundary, self._base)
        new.trie.assign(self.trie, *self._new_arrays(self.trie.node_count, self.trie.pool_used))
        return new

    @property
    def n_grams(self) -> list[int]:
        """The number of distinct n-grams of each length."""
        return self.trie.edges

    @property
    def nbytes(self) -> int:
        """The bytes in use, without the extended counts."""
        return NODE_BYTES * self.trie.node_count + NUMBER_BYTES * self.trie.pool_used

    def add(self, ids: Ids, context: ArrayLike = ()) -> None:
        """Count symbols; `context` are the counted symbols before the first one; the last order - 1 matter."""
        ids, before = _int32(ids), self._last(_int32(context))
        done = 0
        while done < len(ids):
            check_canceled()
            block = ids[done : done + CALL_SYMBOLS]
            counted = ngrams.count(self.trie, block, before)
            done += counted
            before = self._last(np.concatenate([before, block[:counted]]))
            if counted < len(block):
                self._grow()
        if self._base is None:
            self.update_discounts()

    def add_and_score(
        self, ids: Ids, context: ArrayLike = (), *, rows: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Count symbols, and return the log probability of each from the counts before it; see `add`.

        `rows` (n, V) is filled with the log probabilities of all symbols at each position.
        """
        ids, before = _int32(ids), self._last(_int32(context))
        out, done = np.empty(len(ids)), 0
        while done < len(ids):
            check_canceled()
            block = slice(done, min(done + CALL_SYMBOLS // 4, len(ids)))
            of_block = None if rows is None else rows[block]
            counted = ngrams.count_and_score(self.trie, ids[block], before, out[block], of_block)
            before = self._last(np.concatenate([before, ids[done : done + counted]]))
            done += counted
            if done < block.stop:
                self._grow()
        return out

    def rows(self, contexts: ArrayLike) -> NDArray[np.float64]:
        """Return the log probabilities of all symbols after each of the contexts (B, k), as (B, V)."""
        before = np.ascontiguousarray(contexts, np.int32)
        out = np.empty((len(before), self.symbols))
        step = max(1, CALL_NUMBERS // self.symbols)
        if len(out) <= step:
            ngrams.rows_after(self.trie, before, out)
            return out
        for i in range(0, len(out), step):
            check_canceled()
            ngrams.rows_after(self.trie, before[i : i + step], out[i : i + step])
        return out

    def update_discounts(self) -> None:
        """Estimate the discounts from the current counts."""
        self.trie.set_discounts(discounts(self.trie.counts_of_counts()))

    def reserve(self, n_symbols: int) -> None:
        """Reserve room for about `n_symbols` more symbols. Reserved memory costs nothing until it is used."""
        per_symbol = min(self.order, 8)  # a symbol can add an n-gram of each length, but rarely adds many
        self.reserve_exactly(n_symbols * per_symbol // 8, n_symbols * per_symbol // 2)

    def reserve_exactly(self, nodes: int, numbers: int) -> None:
        """Reserve room for this many more nodes and pool numbers."""
        self._take_arrays(self.trie.node_count + nodes, self.trie.pool_used + numbers)

    def _grow(self) -> None:
        self._take_arrays(self.trie.node_count * 3 // 2, self.trie.pool_used * 3 // 2)

    def _take_arrays(self, nodes: int, numbers: int) -> None:
        self.trie.grow(*self._new_arrays(nodes, numbers))

    def _new_arrays(self, nodes: int, numbers: int) -> list[NDArray[np.int32]]:
        """Return arrays with room for the given nodes and numbers, and for the next symbol."""
        more_nodes, more_numbers = self.trie.room_for_symbol
        nodes += more_nodes * self.order
        arrays = [np.empty((nodes, 4), np.int32), np.empty(numbers + more_numbers, np.int32)]
        if self._base is not None:
            arrays.append(np.empty((1 << (4 * nodes).bit_length(), 2), np.int32))
        return arrays

    def _last(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the symbols that form the next symbol's context."""
        return ids[max(0, len(ids) - self.order + 1) :]


def _int32(ids: ArrayLike) -> NDArray[np.int32]:
    return np.ascontiguousarray(ids, np.int32)
