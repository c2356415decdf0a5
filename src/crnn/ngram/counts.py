"""Counts of n-grams: the trie, and the probabilities that it gives."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._kernels.ngram import ngrams, reading
from ..runtime.signals import check_canceled
from .kneser_ney import discounts

CALL_NUMBERS = 1 << 20  # log probabilities computed per call
CALL_SYMBOLS = 1 << 16  # symbols counted per call, which take a tenth of a second, so that Ctrl-C is handled in time
NODE_BYTES = 16
NUMBER_BYTES = 4
SEPARATORS = {"uint8": 255, "int32": -1}  # of texts, by the type of their symbols

Ids = NDArray[Any]


class Counts:
    """Interpolated modified Kneser-Ney counts of which symbols followed which contexts.

    They do not depend on the order of the texts, or on how a text is split into blocks. `order` is the length of the
    longest n-gram. The `boundary` ends a document and starts the context of the next. Counts with a `base` extend it;
    it must no longer change. With `keeps_text`, contexts that occurred once are read from the texts instead of being
    stored.
    """

    def __init__(
        self,
        order: int,
        symbols: int,
        boundary: int | None = None,
        base: Counts | None = None,
        *,
        keeps_text: bool = False,
    ) -> None:
        self.order = order
        self.symbols = symbols
        self.boundary = boundary
        self._base = base
        self.keeps_text: bool = keeps_text if base is None else base.keeps_text
        self.trie: ngrams.Trie = ngrams.Trie(order, symbols, boundary, None if base is None else base.trie)
        self.discounts: NDArray[np.float64] = np.zeros((order, 4)) if base is None else base.discounts
        self._text = np.empty(0, np.uint8)  # its bytes
        self._end: NDArray[np.int32] | None = None  # the context after the last symbol counted
        self.reserve(64)
        if base is None:
            self.update_discounts()

    def over(self) -> Counts:
        """Return counts that extend these, which must no longer change."""
        return Counts(self.order, self.symbols, self.boundary, self)

    def copy(self) -> Counts:
        """Return an independent copy of the counts."""
        new = Counts(self.order, self.symbols, self.boundary, self._base, keeps_text=self.keeps_text)
        new.discounts = self.discounts
        new.trie.assign(self.trie, *self._new_arrays(self.trie.node_count, self.trie.pool_used))
        new._text = new._text[:0]  # the trie shares the other's text until it has its own
        new._end = self._end
        new._reserve_text(64)
        return new

    @property
    def text(self) -> Ids:
        """The kept texts one after another, without the boundary before the first symbol, see `SEPARATORS`."""
        return self._text[: self.trie.text_used * self._dtype.itemsize].view(self._dtype)

    @property
    def n_grams(self) -> list[int]:
        """The number of distinct n-grams of each length."""
        return self.trie.edges

    @property
    def nbytes(self) -> int:
        """The bytes in use, without the extended counts."""
        text = self.trie.text_used * self._dtype.itemsize
        return NODE_BYTES * self.trie.node_count + NUMBER_BYTES * self.trie.pool_used + text

    def add(self, ids: Ids, context: ArrayLike = (), times: NDArray[np.int32] | None = None) -> None:
        """Count symbols; `context` are the counted symbols before the first one; the last order - 1 matter.

        `times` (n,) are how often the document of each symbol is counted; None: once.
        """
        ids = np.asarray(ids)
        before = self._before(ids, context)
        done = 0
        while done < len(ids):
            check_canceled()
            end = min(done + CALL_SYMBOLS, len(ids))
            block = _int32(ids[done:end])  # not all at once: of bytes, that takes four times their memory
            counted = ngrams.count(self.trie, block, before, None if times is None else times[done:end])
            before = self._after(before, block[:counted])
            done += counted
            if done < end:
                self._grow()
        if self._base is None:
            self.update_discounts()

    def remove(self, ids: Ids, context: ArrayLike = (), times: NDArray[np.int32] | None = None) -> None:
        """Take back symbols that `add` has counted after the same context."""
        ids = _int32(ids)
        before = self._last(_int32(context))
        for i in range(0, len(ids), CALL_SYMBOLS):
            check_canceled()
            block = ids[i : i + CALL_SYMBOLS]
            ngrams.remove(self.trie, block, before, None if times is None else times[i : i + CALL_SYMBOLS])
            before = self._last(np.concatenate([before, block]))
        self.update_discounts()

    def add_and_score(
        self, ids: Ids, context: ArrayLike = (), *, rows: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Count symbols, and return the log probability of each from the counts before it; see `add`.

        `rows` (n, V) is filled with the log probabilities of all symbols at each position.
        """
        ids = _int32(ids)
        before = self._before(ids, context)
        out = np.empty(len(ids))
        done = 0
        while done < len(ids):
            check_canceled()
            block = slice(done, min(done + CALL_SYMBOLS // 4, len(ids)))
            block_rows = None if rows is None else rows[block]
            counted = ngrams.count_and_score(self.trie, ids[block], before, out[block], block_rows)
            before = self._after(before, ids[done : done + counted])
            done += counted
            if done < block.stop:
                self._grow()
        return out

    def rows(self, contexts: ArrayLike) -> NDArray[np.float64]:
        """Return the log probabilities of all symbols after each of the contexts (B, k), as (B, V)."""
        return rows_after(self, contexts)

    def update_discounts(self) -> None:
        """Estimate the discounts from the current counts."""
        self.set_discounts(discounts(self.trie.counts_of_counts()))

    def set_discounts(self, values: NDArray[np.float64]) -> None:
        """Use these discounts (order, 4) until more symbols are counted; see `discounts`."""
        self.discounts = values
        self.trie.set_discounts(values)

    def reserve(self, n_symbols: int) -> None:
        """Reserve room for about `n_symbols` more symbols. Reserved memory costs nothing until it is used."""
        per_symbol = min(self.order, 8)  # a symbol can add an n-gram of each length, but rarely adds many
        self.reserve_exactly(n_symbols * per_symbol // 8, n_symbols * per_symbol // 2)
        self._reserve_text(n_symbols)

    def reserve_exactly(self, nodes: int, numbers: int) -> None:
        """Reserve room for this many more nodes and pool numbers."""
        self.trie.grow(*self._new_arrays(self.trie.node_count + nodes, self.trie.pool_used + numbers))

    def _grow(self) -> None:
        """Make the arrays half as large again."""
        self.reserve_exactly(self.trie.node_count // 2, self.trie.pool_used // 2)

    def _new_arrays(self, nodes: int, numbers: int) -> list[NDArray[np.int32]]:
        """Return arrays with room for the given nodes and numbers, and for the next symbol."""
        more_nodes, more_numbers = self.trie.room_for_symbol
        nodes += more_nodes * self.order
        arrays = [np.empty((nodes, 4), np.int32), np.empty(numbers + more_numbers, np.int32)]
        if self._base is not None:
            arrays.append(np.empty((1 << (4 * nodes).bit_length(), 2), np.int32))
        return arrays

    @property
    def _dtype(self) -> np.dtype[Any]:
        """The type of the symbols of a kept text."""
        return text_dtype(self.symbols)

    def _reserve_text(self, n_symbols: int) -> None:
        """Reserve room for this many more symbols of a kept text, and for a separator before them."""
        used = self.trie.text_used
        size = self._dtype.itemsize
        if self.keeps_text and (used + n_symbols + 2) * size > len(self._text):
            self._text = np.empty((used * 9 // 8 + n_symbols + 2) * size, np.uint8)
            self.trie.keep_text(self._text)

    def _before(self, ids: Ids, context: ArrayLike) -> NDArray[np.int32] | None:
        """Return the context of the first of some symbols to be counted; None: the symbols counted last.

        With None, the kept text goes on.
        """
        before = self._last(_int32(context))
        if not self.keeps_text or not len(ids):
            return before
        self._reserve_text(len(ids))
        end = self._end
        self._end = self._last_known(np.concatenate([before, _int32(ids[-self.order :])]))
        return None if end is not None and np.array_equal(end, self._last_known(before)) else before

    def _after(self, before: NDArray[np.int32] | None, counted: NDArray[np.int32]) -> NDArray[np.int32] | None:
        """Return `_before` after some symbols have been counted."""
        if self.keeps_text:
            return None if len(counted) else before
        assert before is not None
        return self._last(np.concatenate([before, counted]))

    def _last(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return the symbols that form the next symbol's context."""
        return ids[max(0, len(ids) - self.order + 1) :]

    def _last_known(self, ids: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return `_last` from the last boundary on."""
        ids = self._last(ids)
        ids = ids[ids >= 0]
        if self.boundary is None:
            return ids
        starts = np.flatnonzero(ids == self.boundary)
        return ids[starts[-1] :] if len(starts) else ids


class HasRows(Protocol):
    """Counts of any kind: what `rows_after` needs."""

    @property
    def trie(self) -> reading.ContextReader:
        """The contexts."""

    @property
    def symbols(self) -> int:
        """The number of symbols, V."""


def rows_after(counts: HasRows, contexts: ArrayLike) -> NDArray[np.float64]:
    """Return the log probabilities of all symbols after each of the contexts (B, k), as (B, V)."""
    before = np.ascontiguousarray(contexts, np.int32)
    out = np.empty((len(before), counts.symbols))
    step = max(1, CALL_NUMBERS // counts.symbols)
    if len(out) <= step:
        reading.rows_after(counts.trie, before, out)
        return out
    for i in range(0, len(out), step):
        check_canceled()
        reading.rows_after(counts.trie, before[i : i + step], out[i : i + step])
    return out


def text_dtype(symbols: int) -> np.dtype[Any]:
    """Return the type of the symbols of kept texts."""
    return np.dtype(np.uint8 if symbols <= 255 else np.int32)


def _int32(ids: ArrayLike) -> NDArray[np.int32]:
    """Return ids as the kernels take them."""
    return np.ascontiguousarray(ids, np.int32)
