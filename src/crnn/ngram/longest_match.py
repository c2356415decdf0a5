"""Predictions by the longest match: what followed the latest symbols where they were last read."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import longest_match as kernels
from .._kernels.ngram.longest_match import History
from ..inference.network import log_softmax
from ..inference.scratch import Scratch
from .recent_symbols import RecentSymbolsNetwork, State

PRIOR = 8.0  # matches of each length that are counted before any match

Ids = NDArray[Any]


def first_hits() -> NDArray[np.float64]:
    """Return the numbers of correct matches and of all matches (13, 2), for each length, before any match.

    Longer matches are trusted more: half of the matches of 8 symbols are correct, and seven eighths of those of 32.
    """
    lengths = np.array(kernels.CLASSES, np.float64)
    return np.column_stack([PRIOR * (1 - lengths[0] / (2 * lengths)), np.full(len(lengths), PRIOR)])


class MatchNetwork(RecentSymbolsNetwork):
    """A network whose logits favor the symbol that followed the longest match; without a match, all are 0.

    The history and `hits` must no longer change.
    """

    def __init__(self, history: History, hits: NDArray[np.float64], boundary: int | None) -> None:
        self.history = history
        self.hits = hits
        self._boundary = boundary

    def __reduce__(self) -> tuple[Any, ...]:
        return _network_of, (self.symbols, self.history.text, self.hits, self._boundary)

    @property
    def symbols(self) -> int:
        """The number of symbols, V."""
        return self.history.symbol_count

    @property
    def boundary(self) -> int | None:
        """The symbol that ends a document."""
        return self._boundary

    @property
    def context_length(self) -> int:
        """The number of latest symbols that predictions depend on."""
        return kernels.WINDOW

    def same_as(self, other: object) -> bool:
        """Return whether another network has the same history, possibly unpickled."""
        return other is self or (
            isinstance(other, MatchNetwork)
            and np.array_equal(other.hits, self.hits)
            and np.array_equal(other.history.text, self.history.text)
        )

    def logits_after(self, state: State) -> NDArray[np.float64]:
        """Return the logits (B, V) of the next symbols."""
        rows = np.empty((1, len(state), self.symbols))
        no_symbols = np.empty((0, len(state)), np.int32)
        kernels.rows_before(self.history, self.hits, no_symbols, np.ascontiguousarray(state), rows)
        return np.asarray(rows[0])

    def logits_before(self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None) -> NDArray[np.float64]:
        """Return the logits (n, B, V) that predict each symbol x (n, B); advance the state in place."""
        rows = np.empty((*x.shape, self.symbols))
        kernels.rows_before(self.history, self.hits, np.ascontiguousarray(x), np.ascontiguousarray(state), rows)
        self.feed(x, state)
        return rows

    def row_source(self, state: State) -> tuple[object, NDArray[np.int32]]:
        """Return an object that fills rows of logits in a compiled loop, and the context of a state with one stream."""
        return self.history.row_source(self.hits), state[0].copy()


def _network_of(symbols: int, text: NDArray[np.int32], hits: NDArray[np.float64], boundary: int | None) -> MatchNetwork:
    return MatchNetwork(History(symbols, text), hits, boundary)


class AdaptiveMatch:
    """A `Reading` that predicts by the longest match in the symbols it has learned.

    A new reading takes over the history and extends it. The old reading builds its own history again if it is read
    from or copied later.
    """

    learns = True

    def __init__(self, history: History, hits: NDArray[np.float64], boundary: int | None) -> None:
        self._history = history
        self._size = history.size
        self._hits = hits
        self._boundary = boundary
        self._goes_on = True  # whether the history ends with the last symbol read
        self.state = np.full((1, kernels.WINDOW), -1, np.int32)

    @classmethod
    def start(cls, symbols: int, boundary: int | None) -> Self:
        """Return the reading before a text of these symbols."""
        return cls(History(symbols, np.empty(0, np.int32)), first_hits(), boundary)

    def __reduce__(self) -> tuple[Any, ...]:
        made = (self._symbols, self._text, self._hits, self._boundary)
        return _reading_of, (*made, self._goes_on, self.state)

    @property
    def network(self) -> MatchNetwork:
        """The network of the history so far; valid until the next read."""
        return MatchNetwork(self._own_history(), self._hits, self._boundary)

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[AdaptiveMatch, NDArray[np.float64]]:
        """Read symbols; see `Reading.read`."""
        reading, rows = self.read_rows(ids, learn=learn)
        return reading, log_softmax(rows)[np.arange(len(ids)), ids]

    def read_rows(self, ids: Ids, *, learn: bool) -> tuple[AdaptiveMatch, NDArray[np.float64]]:
        """Read symbols; see `Reading.read_rows`."""
        x = np.ascontiguousarray(ids, np.int32)
        network = self.network
        state = self.state.copy()
        if not learn:
            rows = network.logits_before(x[:, None], state)[:, 0]
            return self._with(network.history, self._hits, state, goes_on=self._goes_on and not len(x)), rows
        rows = np.empty((len(x), network.symbols))
        hits = self._hits.copy()
        if len(x) and not self._goes_on:
            network.history.end_part()
        kernels.learn_rows(network.history, hits, x, state[0].copy(), rows)
        network.feed(x[:, None], state)
        return self._with(network.history, hits, state, goes_on=self._goes_on or bool(len(x))), rows

    def copy(self) -> AdaptiveMatch:
        """Return a reading with its own history."""
        return self._with(self._own_history().copy(), self._hits, self.state, goes_on=self._goes_on)

    @property
    def _symbols(self) -> int:
        """The number of symbols, V."""
        return self._history.symbol_count

    @property
    def _text(self) -> NDArray[np.int32]:
        """What this reading has learned."""
        return self._history.text[: self._size]

    def _own_history(self) -> History:
        """Return a history of exactly what this reading has learned."""
        if self._history.size != self._size:  # another reading took it over
            self._history = History(self._symbols, self._text)
        return self._history

    def _with(self, history: History, hits: NDArray[np.float64], state: State, *, goes_on: bool) -> AdaptiveMatch:
        """Return a reading of the same symbols."""
        new = AdaptiveMatch(history, hits, self._boundary)
        new._goes_on = goes_on
        new.state = state
        return new


def _reading_of(
    symbols: int,
    text: NDArray[np.int32],
    hits: NDArray[np.float64],
    boundary: int | None,
    goes_on: bool,
    state: State,
) -> AdaptiveMatch:
    """Return an unpickled reading."""
    history = History(symbols, text)
    return AdaptiveMatch(history, hits, boundary)._with(history, hits, state, goes_on=goes_on)
