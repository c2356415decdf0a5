"""Counts as networks: CountsNetwork has the interface of a recurrent network, for sampling and scoring; AdaptiveCounts
counts the symbols that it reads, and LabeledCounts scores texts under all labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import reading as kernels
from .._kernels.ngram.ngrams import ClassCounts
from ..arrays import Array
from ..inference.scratch import Scratch
from ..matching.goal import Goal
from ..runtime.signals import check_canceled
from ..scoring.strings import Strings
from .counts import Counts
from .frozen import FrozenCounts
from .lookahead import Lookahead, fits_memory, unrolled_contexts, weighted_contexts
from .packed_counts import ARRAY_NAMES
from .recent_symbols import RecentSymbolsNetwork, State
from .stored_counts import AnyCounts, from_arrays, growing, packed, to_arrays

CALL_SYMBOLS = 1 << 15  # symbols read per call, which take a few hundredths of a second, so that Ctrl-C is handled
ROW_BYTES = 1 << 25  # maximum size of the rows of logits in memory, per thread


class CountsNetwork(RecentSymbolsNetwork):
    """A network whose logits are the log probabilities of n-gram counts, which must no longer change."""

    def __init__(self, counts: AnyCounts) -> None:
        self.counts = counts

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpack_network, (to_arrays(self.counts), self.counts.symbols, self.counts.boundary)

    @property
    def symbols(self) -> int:
        """The number of symbols, V."""
        return self.counts.symbols

    @property
    def boundary(self) -> int | None:
        """The symbol that ends a document."""
        return self.counts.boundary

    @property
    def context_length(self) -> int:
        """The number of latest symbols that predictions depend on."""
        return self.counts.order - 1

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return the log probability of each symbol x (n, B) given its predecessors; advance the states in place."""
        out = np.empty(x.shape)
        steps = max(1, CALL_SYMBOLS // max(x.shape[1], 1))
        for i in range(0, len(x), steps):
            check_canceled()
            block = np.ascontiguousarray(x[i : i + steps])
            kernels.log_probabilities(self.counts.trie, block, np.ascontiguousarray(state), out[i : i + steps])
            self.feed(block, state)
        return out

    def string_log_likelihoods(
        self,
        ids: NDArray[np.int32],
        starts: NDArray[np.intp],
        lengths: NDArray[np.intp],
        start: State,
        scratch: Scratch | None = None,
        *,
        least: bool = False,
    ) -> NDArray[np.float64]:
        """Return each string's log probability, or with `least` its least probable symbol's; see `InferenceNetwork`."""
        out = np.empty(len(lengths))
        context = np.ascontiguousarray(start[0])
        first = 0
        ends = np.cumsum(lengths)
        while first < len(lengths):
            check_canceled()
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + CALL_SYMBOLS, side="right")))
            part = slice(first, last)
            kernels.log_likelihoods(self.counts.trie, ids, starts[part], lengths[part], context, least, out[part])
            first = last
        return out

    def read(
        self,
        ids: NDArray[np.int32],
        starts: NDArray[np.intp],
        lengths: NDArray[np.intp],
        state: State,
        streams: NDArray[np.intp],
        sums: NDArray[np.float64],
        scratch: Scratch,
    ) -> State:
        """Read a string after each of some streams of a state; see `InferenceNetwork`."""
        n = len(streams)
        longest = int(lengths[0])
        if longest > CALL_SYMBOLS:
            found: State = super().read(ids, starts, lengths, state, streams, sums, scratch)
            return found
        after = np.empty((n, state.shape[1]), np.int32)
        rows = CALL_SYMBOLS // longest
        for i in range(0, n, rows):
            check_canceled()
            kernels.read(self.counts.trie, ids, starts, lengths, state, streams, after, sums, i, min(i + rows, n))
        return after

    def logits_after(self, state: State) -> NDArray[np.float64]:
        """Return the logits (B, V) of the next symbols, which are log probabilities."""
        return self.counts.rows(state)

    def logits_before(self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None) -> NDArray[np.float64]:
        """Return the logits (n, B, V) that predict each symbol x (n, B); advance the state in place."""
        out = (scratch or Scratch()).empty("logits", (*x.shape, self.symbols), np.float64)
        kernels.rows_before(self.counts.trie, np.ascontiguousarray(x), np.ascontiguousarray(state), out)
        self.feed(x, state)
        return out

    def row_source(self, state: State) -> tuple[object, NDArray[np.int32]]:
        """Return an object that fills rows of logits in a compiled loop, and the context of a state with one stream."""
        return self.counts.trie.row_source(), state[0].copy()

    def same_as(self, other: object) -> bool:
        """Return whether another network has the same counts, possibly unpickled."""
        if not isinstance(other, CountsNetwork) or other.counts is self.counts:
            return isinstance(other, CountsNetwork)
        a = self.counts
        b = other.counts
        if isinstance(a, FrozenCounts) or isinstance(b, FrozenCounts):
            return isinstance(a, FrozenCounts) and isinstance(b, FrozenCounts) and a.same_as(b)
        if (a.order, a.symbols, a.boundary, a.n_grams) != (b.order, b.symbols, b.boundary, b.n_grams):
            return False
        if not np.array_equal(a.discounts, b.discounts):
            return False
        if isinstance(a, Counts) and isinstance(b, Counts) and _have_equal_texts(a, b):
            return True
        arrays = packed(a)
        others = packed(b)
        return all(np.array_equal(arrays[name], others[name]) for name in ARRAY_NAMES)

    def lookahead(
        self,
        goal: Goal,
        state: State,
        temperature: float,
        bias: NDArray[np.float64] | None,
        *,
        maximum: bool = False,
    ) -> Lookahead | None:
        """Return the probability of meeting a goal after any text; None if that would take too much memory."""
        contexts = weighted_contexts(self.counts, temperature, bias) if fits_memory(self.counts, goal) else None
        return None if contexts is None else Lookahead(contexts, goal, state, maximum=maximum)

    def probabilities_after(self, state: State) -> NDArray[np.float64]:
        """Return the probabilities (B, V) of the next symbols; rows sum to 1."""
        p = np.exp(self.logits_after(state))
        return np.asarray(p / p.sum(axis=1, keepdims=True))

    def rows_at_a_time(self, wanted: int) -> int:
        """Return the number of logits rows to compute at once: `wanted`, or fewer to fit in `ROW_BYTES`."""
        return max(1, min(wanted, ROW_BYTES // (8 * self.symbols)))


def _have_equal_texts(a: Counts, b: Counts) -> bool:
    """Return whether counts keep their texts, the same ones."""
    return a.keeps_text and b.keeps_text and np.array_equal(a.text, b.text)


def _unpack_network(arrays: dict[str, Array], symbols: int, boundary: int | None) -> CountsNetwork:
    """Return the network for packed counts."""
    return CountsNetwork(from_arrays(arrays, symbols, boundary))


# ---------------------------------------------------------------- counts that adapt

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
            ids = np.concatenate([last.ids, ids])
            flags = np.concatenate([last.counted, flags])
            last = last.before
        return cls(ids, flags, last)


FRESH_ORDER = 7  # of counts of nothing but the text read; orders 5 and 9 differ little


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

    def fresh(self) -> AdaptiveCounts:
        """Return a reading that counts nothing but the text it reads, with the model's symbols and discounts."""
        order = min(FRESH_ORDER, self._base.order)
        empty = Counts(order, self._base.symbols, self._base.boundary)
        empty.set_discounts(self._base.discounts[:order].copy())
        return AdaptiveCounts(empty)

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
        counts = self.counts
        state = self.state.copy()
        network = CountsNetwork(counts)
        x = ids.astype(np.int32).reshape(-1, 1)
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
        new._base = self._base
        new._extended = counts
        new._last = last
        new.state = state
        return new

    def _history(self) -> list[tuple[Ids, bool]]:
        """Return the text read so far, as runs of symbols that were all counted or all not counted."""
        pieces = list[Piece]()
        last = self._last
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
    assert not isinstance(network.counts, FrozenCounts)
    reading = AdaptiveCounts(growing(network.counts))
    for ids, counted in pieces:
        reading, _ = reading.read(ids, learn=counted)
    return reading


# ---------------------------------------------------------------- counts of each label

LABEL_SYMBOLS = 1 << 20  # symbols read per call, once per label, which take a few hundredths of a second


class LabeledCounts:
    """The counts of the texts of each label, of the same order and symbols, and the number of texts of each, (K,)."""

    def __init__(self, parts: Sequence[AnyCounts], frequencies: NDArray[np.float64]) -> None:
        self.parts = tuple(parts)
        self.frequencies = frequencies

    @property
    def log_prior(self) -> NDArray[np.float64]:
        """The logarithm of each label's share of the texts, (K,)."""
        return np.asarray(np.log(np.maximum(self.frequencies / self.frequencies.sum(), 1e-300)))

    def log_likelihoods(self, strings: Strings) -> NDArray[np.float64]:
        """Return log P of each string given each label, (K, n); a string's bits do not depend on the others."""
        ids, lengths = strings
        parts = list[NDArray[np.float64]]()
        first = 0  # the next string
        done = 0  # symbols of the strings before it
        ends = np.cumsum(lengths)
        room = max(1, LABEL_SYMBOLS // len(self.parts))
        while first < len(lengths) or not parts:
            check_canceled()
            last = max(first + 1, int(np.searchsorted(ends, done + room, side="right"))) if len(lengths) else 0
            end = int(ends[last - 1]) if last else 0
            if end - done > room:
                parts.append(self._of_long(ids[done:end], room))
            else:
                parts.append(np.empty((len(self.parts), last - first)))
                self._tables.log_likelihoods(ids[done:end], lengths[first:last], parts[-1])
            first = last
            done = end
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _of_long(self, ids: NDArray[np.int32], room: int) -> NDArray[np.float64]:
        """Return log P of one string given each label, (K, 1), read in several calls, so that Ctrl-C is handled."""
        contexts = np.full(len(self.parts), -1, np.int32)
        sums = np.tile([0.0, 1.0], (len(self.parts), 1))
        for i in range(0, len(ids), room):
            check_canceled()
            self._tables.read_part(ids[i : i + room], contexts, sums)
        return np.asarray(sums[:, :1] + np.log(sums[:, 1:]))

    @cached_property
    def _tables(self) -> ClassCounts:
        """The contexts of all labels, one after another."""
        roots = list[int]()
        columns = list[tuple[NDArray[Any], ...]]()
        rows = entries = 0
        for counts in self.parts:
            _, suffixes, scales, firsts, symbols, nexts, _, p, _ = unrolled_contexts(counts)
            roots.append(rows)
            columns.append((suffixes + rows, scales, firsts[:-1] + entries, symbols, nexts + rows, p))
            rows += len(suffixes)
            entries += len(symbols)
        suffixes, scales, firsts, symbols, nexts, p = (np.concatenate(column) for column in zip(*columns, strict=True))
        boundary = self.parts[0].boundary
        firsts = np.append(firsts, np.int32(entries))
        assert boundary is not None  # labels need documents
        return ClassCounts(np.array(roots, np.int32), boundary, suffixes, scales, firsts, symbols, nexts, p)
