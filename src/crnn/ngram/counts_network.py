"""CountsNetwork gives n-gram counts the same interface as a recurrent network, for sampling and scoring."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import ngrams
from ..arrays import Array
from ..inference.matching import Goal
from ..inference.network import InferenceNetwork, Scratch, write_rows
from ..runtime.signals import check_canceled
from .counts import Counts
from .lookahead import Lookahead, fits_memory, weighted_contexts
from .packed_counts import NAMES, from_arrays, pack, to_arrays

State = NDArray[np.int32]  # (B, order - 1): the last symbols of each stream, -1 before the start of the text

CALL_SYMBOLS = 1 << 15  # symbols read per call, which take a few hundredths of a second, so that Ctrl-C is handled
ROW_BYTES = 1 << 25  # maximum size of the rows of logits in memory, per thread


class CountsNetwork(InferenceNetwork):
    """A network whose logits are the log probabilities of n-gram counts, which must no longer change."""

    def __init__(self, counts: Counts) -> None:
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

    def zero_state(self, streams: int) -> State:
        """Return the state at the start of a text."""
        return np.full((streams, self.counts.order - 1), -1, np.int32)

    def copy(self, state: State) -> State:
        """Return an independent copy of a state."""
        return state.copy()

    def select(self, state: State, streams: NDArray[np.intp]) -> State:
        """Return a copy of the given streams of a state, in the given order."""
        return state.take(streams, axis=0)  # a fifth of the time of an index

    def join(self, states: Sequence[State]) -> State:
        """Return one state with the streams of several states."""
        return np.concatenate(states)

    def put(self, state: State, total: int, streams: Sequence[NDArray[np.intp]], parts: Sequence[State]) -> State:
        """Write the streams of each part into a state, in place."""
        for places, part in zip(streams, parts, strict=True):
            write_rows(state, places, part)
        return state

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Advance the states over symbols x (n, B) in place."""
        k = state.shape[1]
        if k:
            state[:] = np.concatenate([state, x[max(0, len(x) - k) :].T], axis=1)[:, -k:]

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return the log probability of each symbol x (n, B) given its predecessors; advance the states in place."""
        out = np.empty(x.shape)
        steps = max(1, CALL_SYMBOLS // max(x.shape[1], 1))
        for i in range(0, len(x), steps):
            check_canceled()
            block = np.ascontiguousarray(x[i : i + steps])
            ngrams.log_probabilities(self.counts.trie, block, np.ascontiguousarray(state), out[i : i + steps])
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
        out, context, first = np.empty(len(lengths)), np.ascontiguousarray(start[0]), 0
        ends = np.cumsum(lengths)
        while first < len(lengths):
            check_canceled()
            done = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, done + CALL_SYMBOLS, side="right")))
            part = slice(first, last)
            ngrams.log_likelihoods(self.counts.trie, ids, starts[part], lengths[part], context, least, out[part])
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
        n, longest = len(streams), int(lengths[0])
        if longest > CALL_SYMBOLS:
            found: State = super().read(ids, starts, lengths, state, streams, sums, scratch)
            return found
        after, rows = np.empty((n, state.shape[1]), np.int32), CALL_SYMBOLS // longest
        for i in range(0, n, rows):
            check_canceled()
            ngrams.read(self.counts.trie, ids, starts, lengths, state, streams, after, sums, i, min(i + rows, n))
        return after

    def logits_after(self, state: State) -> NDArray[np.float64]:
        """Return the logits (B, V) of the next symbols, which are log probabilities."""
        return self.counts.rows(state)

    def logits_before(self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None) -> NDArray[np.float64]:
        """Return the logits (n, B, V) that predict each symbol x (n, B); advance the state in place."""
        out = (scratch or Scratch()).empty("logits", (*x.shape, self.symbols), np.float64)
        ngrams.rows_before(self.counts.trie, np.ascontiguousarray(x), np.ascontiguousarray(state), out)
        self.feed(x, state)
        return out

    def row_source(self, state: State) -> tuple[object, NDArray[np.int32]]:
        """Return an object that fills rows of logits in a compiled loop, and the context of a state with one stream."""
        return self.counts.trie.row_source(), state[0].copy()

    def same_as(self, other: object) -> bool:
        """Return whether another network has the same counts, possibly unpickled."""
        if not isinstance(other, CountsNetwork) or other.counts is self.counts:
            return isinstance(other, CountsNetwork)
        a, b = self.counts, other.counts
        if (a.order, a.symbols, a.boundary, a.n_grams) != (b.order, b.symbols, b.boundary, b.n_grams):
            return False
        if not np.array_equal(a.discounts, b.discounts):
            return False
        if a.keeps_text and b.keeps_text and np.array_equal(a.text, b.text):
            return True
        arrays, others = pack(a), pack(b)
        return all(np.array_equal(arrays[name], others[name]) for name in NAMES)

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


def _unpack_network(arrays: dict[str, Array], symbols: int, boundary: int | None) -> CountsNetwork:
    """Return the network for packed counts."""
    return CountsNetwork(from_arrays(arrays, symbols, boundary))
