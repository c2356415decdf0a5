"""SymbolPairs: the pairs of consecutive symbols that have input weights of their own."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..text.sources.documents import SCAN
from ..text.symbols.vocabulary import Ids

MAX_TABLE = 1 << 20  # size up to which all pairs are counted in a table; beyond, only those that occur are kept

Pairs = NDArray[np.int32]


class SymbolPairs:
    """Pairs of symbols (R, 2), previous and current, one for each row of a table; a row of -1 means no pair.

    A text may have fewer pairs than `limit`, which is R by default.
    """

    def __init__(self, pairs: NDArray[Any], limit: int | None = None) -> None:
        self.pairs: Pairs = np.array(pairs, np.int32)
        self.pairs.flags.writeable = False
        self.limit = len(self.pairs) if limit is None else limit

    @classmethod
    def most_frequent(cls, ids: Ids, n: int, *, vocab_size: int, boundary: int | None = None) -> Self:
        """Return the n most frequent pairs of a text; ties go to smaller ids.

        A text with fewer pairs has a row for each; a text without pairs has one row without a pair. Symbols from
        `boundary` on are read from a zero state: they form no pair with the previous symbol.
        """
        V = vocab_size
        keys, counts = _counted(ids, V)
        if boundary is not None:
            inside = keys % V < boundary
            keys, counts = keys[inside], counts[inside]
        keys = keys[np.argsort(-counts, kind="stable")[:n]]
        pairs = np.stack(np.divmod(keys, V), axis=1)
        return cls(pairs if len(pairs) else np.full((1, 2), -1), n)

    def sorted_by_symbol(self, vocab_size: int) -> tuple[Pairs, Pairs, Pairs]:
        """Return the pairs sorted for searching: by the previous symbol, then by the current symbol.

        `first` (vocab_size + 1,) has the start of each previous symbol's pairs in the other arrays, and the end of the
        last; `symbols` and `rows` (n,) are the current symbols and the rows of the n pairs.
        """
        before, symbols, rows = self._sorted
        first = np.searchsorted(before, np.arange(vocab_size + 1, dtype=np.int32)).astype(np.int32)
        return first, symbols[: first[-1]], rows[: first[-1]]

    @cached_property
    def _sorted(self) -> tuple[Pairs, Pairs, Pairs]:
        """The previous symbols, current symbols and rows of all pairs, sorted by the symbols."""
        keys = self.pairs[:, 0].astype(np.int64) << 32 | self.pairs[:, 1]
        empty = np.count_nonzero(self.pairs[:, 0] < 0)  # rows without a pair, which sort first
        rows: Pairs = np.argsort(keys, kind="stable")[empty:].astype(np.int32)
        before, symbols = self.pairs[rows].T
        return before.copy(), symbols.copy(), rows

    def rows(self, before: NDArray[Any], symbols: NDArray[Any], boundary: int | None = None) -> NDArray[np.intp]:
        """Return the row of each symbol and its previous symbol (-1 for none), or -1 for a pair without a row."""
        numbers = {tuple(pair): row for row, pair in enumerate(self.pairs.tolist())}
        of_pairs = zip(np.ravel(before).tolist(), np.ravel(symbols).tolist(), strict=True)
        rows = np.array([-1 if pair[0] < 0 else numbers.get(pair, -1) for pair in of_pairs], np.intp)
        rows = rows.reshape(np.shape(symbols))
        return rows if boundary is None else np.where(symbols < boundary, rows, -1)

    def renumbered(self, places: NDArray[Any]) -> Self:
        """Return the pairs for a vocabulary where symbol v has the id places[v], omitting pairs that map to -1."""
        moved = np.append(places, -1)[self.pairs]
        moved[(moved < 0).any(axis=1)] = -1
        return type(self)(moved, self.limit)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, SymbolPairs)
            and self.limit == other.limit
            and np.array_equal(self.pairs, other.pairs)
        )

    def __hash__(self) -> int:
        return hash(self.pairs.tobytes())

    def __repr__(self) -> str:
        return f"SymbolPairs({self.pairs.tolist()})"


def _counted(ids: Ids, V: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pairs V * before + symbol that occur, in increasing order, and their counts."""
    keys = counts = np.empty(0, np.int64)
    table = np.zeros(V * V, np.int64) if V * V <= MAX_TABLE else None
    for first in range(0, len(ids) - 1, SCAN):
        stop = min(first + SCAN + 1, len(ids))
        part = ids[first:stop].astype(np.int64)
        pairs = V * part[:-1] + part[1:]
        if table is not None:
            table += np.bincount(pairs, minlength=V * V)
            continue
        new, of_new = np.unique(pairs, return_counts=True)
        keys, places = np.unique(np.concatenate([keys, new]), return_inverse=True)
        counts = np.bincount(places, np.concatenate([counts, of_new]), len(keys)).astype(np.int64)
    if table is not None:
        keys = np.flatnonzero(table)
        counts = table[keys]
    return keys, counts
