"""AdaptiveCounts reads a text symbol by symbol, and counts each symbol after predicting it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .counts import Counts
from .counts_network import CountsNetwork, State

Ids = NDArray[Any]


class Piece(NamedTuple):
    """Consecutive symbols of a text, linked to the previous piece. Pieces are immutable and shared by readings."""

    ids: Ids
    counted: NDArray[np.bool_]  # whether each symbol is counted
    before: Piece | None

    @classmethod
    def after(cls, last: Piece | None, ids: Ids, counted: bool) -> Piece:
        """Append symbols as a piece that absorbs the last ones if no longer, so that there are few; return it."""
        flags = np.full(len(ids), counted)
        while last is not None and len(last.ids) <= len(ids):
            ids, flags = np.concatenate([last.ids, ids]), np.concatenate([last.counted, flags])
            last = last.before
        return cls(ids, flags, last)


class AdaptiveCounts:
    """The immutable state of reading a text; `read` returns a new reading. The model's counts must no longer change.

    The new reading takes over the counts. A reading without counts, because it was read from before or interrupted by
    Ctrl-C, recounts its text when needed. `copy` returns a reading with its own counts immediately.
    """

    learns = True

    def __init__(self, counts: Counts) -> None:
        self._base = counts
        self._extended: Counts | None = counts.over()  # None after another reading took them over
        self._last: Piece | None = None
        self.state = CountsNetwork(counts).zero_state(1)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reading_of, (CountsNetwork(self._base), self._history())

    @property
    def counts(self) -> Counts:
        """Return the model's counts plus the counts of the text read so far; valid until the next read."""
        if self._extended is None:
            self._extended = _reading_of(CountsNetwork(self._base), self._history())._extended
            assert self._extended is not None
        return self._extended

    @property
    def network(self) -> CountsNetwork:
        """The network of the current counts."""
        return CountsNetwork(self.counts)

    def read(self, ids: Ids, *, learn: bool = True) -> tuple[AdaptiveCounts, NDArray[np.float64]]:
        """Read symbols, with `learn` counting them; see `Reading.read`."""
        reading, log_p, _ = self._read(ids, learn, rows=False)
        return reading, log_p

    def read_rows(self, ids: Ids, *, learn: bool) -> tuple[AdaptiveCounts, NDArray[np.float64]]:
        """Read symbols; see `Reading.read_rows`."""
        reading, _, rows = self._read(ids, learn, rows=True)
        return reading, rows

    def _read(
        self, ids: Ids, learn: bool, *, rows: bool
    ) -> tuple[AdaptiveCounts, NDArray[np.float64], NDArray[np.float64]]:
        """Return the reading after more symbols, their log probabilities and, if wanted, the rows that predict them."""
        counts, state = self.counts, self.state.copy()
        network, x = CountsNetwork(counts), ids.astype(np.int32).reshape(-1, 1)
        out = np.empty((len(ids) if rows else 0, network.symbols))
        log_p = np.empty(0)
        self._extended = None  # even if an error follows
        if learn:
            log_p = counts.add_and_score(ids, state[0], rows=out if rows else None)
            network.feed(x, state)
        elif rows:
            out = network.logits_before(x, state)[:, 0]
        else:
            log_p = network.log_probabilities(x, state)[:, 0]
        compact = ids.astype(np.min_scalar_type(self._base.symbols - 1))
        return self._with(counts, Piece.after(self._last, compact, learn), state), log_p, out

    def copy(self) -> AdaptiveCounts:
        """Return a reading with its own counts."""
        return self._with(self.counts.copy(), self._last, self.state)

    def _with(self, counts: Counts, last: Piece | None, state: State) -> AdaptiveCounts:
        """Return a reading with the same model."""
        new = AdaptiveCounts.__new__(AdaptiveCounts)
        new._base, new._extended, new._last, new.state = self._base, counts, last, state
        return new

    def _history(self) -> list[tuple[Ids, bool]]:
        """Return the text read so far, as runs of symbols that were all counted or all not counted."""
        pieces, last = list[Piece](), self._last
        while last is not None:
            pieces.append(last)
            last = last.before
        if not pieces:
            return []
        ids, counted = (np.concatenate(parts[::-1]) for parts in ([p.ids for p in pieces], [p.counted for p in pieces]))
        changes = np.flatnonzero(np.diff(counted)) + 1
        runs = zip(np.split(ids, changes), np.split(counted, changes), strict=True)
        return [(run, bool(flags[0])) for run, flags in runs if len(run)]


def _reading_of(network: CountsNetwork, pieces: list[tuple[Ids, bool]]) -> AdaptiveCounts:
    """Return a model's reading after some pieces."""
    reading = AdaptiveCounts(network.counts)
    for ids, counted in pieces:
        reading, _ = reading.read(ids, learn=counted)
    return reading
