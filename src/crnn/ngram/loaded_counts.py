"""Counts as a file's bytes give them: compact, for prediction only."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._kernels.ngram.compact import CompactCounts
from ..errors import InvalidInputError
from ..runtime.signals import check_canceled
from . import packed_counts
from .counts import Counts, rows_after
from .kneser_ney import discounts


class LoadedCounts:
    """Counts that predict like `Counts`, with the same bits, in less than half of the memory; they cannot grow.

    `arrays` are those of `packed_counts.pack`, possibly from an untrusted source. `growing` returns equal counts that
    can grow.
    """

    keeps_text = False

    def __init__(self, arrays: Mapping[str, NDArray[Any]], symbols: int, boundary: int | None) -> None:
        lengths = packed_counts.checked_arrays(arrays)
        self.order = len(lengths)
        self.symbols = symbols
        self.boundary = boundary
        try:
            self.trie = CompactCounts(
                self.order, symbols, boundary, *(arrays[name] for name in packed_counts.ARRAY_NAMES)
            )
            for _ in lengths:
                check_canceled()
                self.trie.unpack()
        except ValueError as error:
            raise InvalidInputError(f"the n-grams are damaged: {error}") from None
        if self.trie.bytes_left:
            raise InvalidInputError(f"the n-grams are damaged: {self.trie.bytes_left} unexpected bytes follow them")
        self.n_grams: list[int] = self.trie.edges
        for length, (found, declared) in enumerate(zip(self.n_grams, lengths, strict=True), start=1):
            if found != declared:
                raise InvalidInputError(
                    f"the n-grams are damaged: there are {found} of length {length}, not {declared} as declared"
                )
        self.discounts = discounts(self.trie.counts_of_counts())
        self._has_own_discounts = "discounts" not in arrays
        if not self._has_own_discounts:
            self.discounts = packed_counts.checked_discounts(arrays["discounts"], self.order)
        self.trie.set_discounts(self.discounts)

    @property
    def nbytes(self) -> int:
        """The bytes in use."""
        return self.trie.nbytes

    @property
    def contexts(self) -> int:
        """The number of contexts that something followed."""
        return self.trie.contexts_made

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The arrays from which these counts were made."""
        packed = dict(zip(packed_counts.ARRAY_NAMES, self.trie.pack(), strict=True))
        others = {} if self._has_own_discounts else {"discounts": self.discounts}
        return {"lengths": np.array(self.n_grams, np.int64), **packed, **others}

    def growing(self) -> Counts:
        """Return equal counts that can grow."""
        return packed_counts.unpack(self.arrays, self.symbols, self.boundary)

    def rows(self, contexts: ArrayLike) -> NDArray[np.float64]:
        """Return the log probabilities of all symbols after each of the contexts (B, k), as (B, V)."""
        return rows_after(self, contexts)
