"""InferenceNetwork: what sampling and scoring need of a network, and its context."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..arrays import Array
from ..runtime.signals import check_canceled
from .scratch import Scratch

# What a network remembers of the text so far, for each of B streams. Only the network that made a state examines it.
# A state is mutable, since reading a symbol changes it in place.
State = Any

READ_ROWS = 256  # streams read in parallel by the default of `read`
SCORE_ROWS = 512  # symbols scored at a time: their logits are one product, and their states stay in the cache
CALL_LOGITS = 1 << 20  # logits handled in one call of NumPy or a kernel: hundredths of a second, even if each is sorted


class Use(Enum):
    """What a network's weights are packed for; the results have the same bits for every use."""

    MANY_STREAMS = "many streams in parallel"
    ONE_STREAM = "one stream, whose symbols come one after another, as in drawing"
    ONE_TEXT = "one stream, whose symbols are all known, as in scoring"


class InferenceNetwork(Protocol):
    """A network that reads symbols and predicts the next one: all that sampling, scoring and search need of a model.

    It reads B streams in parallel. The bits of a result must not depend on neighboring streams. Ids are int32, from
    0 to V - 1. A method that takes a `scratch` may use its memory, which no other thread uses during the call. A
    network and its states must be picklable. Methods with a default here may be overridden by something faster.
    """

    @property
    def symbols(self) -> int:
        """The number of symbols, V."""

    @property
    def boundary(self) -> int | None:
        """The id of the symbol that starts and ends a document; None for a model of running text.

        A stream that reads it forgets everything before it.
        """

    @property
    def context_length(self) -> int | None:
        """The number of latest symbols that predictions depend on; None if they depend on all symbols."""
        return None

    def same_as(self, other: object) -> bool:
        """Return whether another network of the same model certainly has the same predictions."""
        return self is other

    def zero_state(self, streams: int) -> State:
        """Return the state of streams that have read nothing."""

    def copy(self, state: State) -> State:
        """Return a copy that shares no memory with the state."""

    def select(self, state: State, streams: NDArray[np.intp]) -> State:
        """Return a copy of some streams of a state, in this order; a stream may occur several times or not at all."""

    def join(self, states: Sequence[State]) -> State:
        """Return the streams of several states as one state, in order."""

    def put(self, state: State, total: int, streams: Sequence[NDArray[np.intp]], parts: Sequence[State]) -> State:
        """Return a state of `total` streams with the `streams` of each part replaced; it may be changed in place.

        No stream is named twice. Repeating an interrupted call must give the same state.
        """
        places = np.concatenate(streams)
        index = np.arange(total)
        index[places] = total + np.arange(len(places))
        return self.select(self.join([state, *parts]), index)

    def repeat(self, state: State, streams: int) -> State:
        """Return the state of one stream repeated for `streams` equal streams."""
        return self.select(state, np.zeros(streams, np.intp))

    def empty_state(self) -> State:
        """Return the state of one stream that has read nothing, which nobody may change."""
        return self.zero_state(1)

    def start(self) -> State:
        """Return the state of one stream before a string: after a boundary, or else zero."""
        state = self.zero_state(1)
        if self.boundary is not None:
            self.feed(np.full((1, 1), self.boundary, np.int32), state)
        return state

    def feed(self, x: NDArray[np.int32], state: State) -> None:
        """Read the symbols x (n, B) in order, advancing the state in place."""

    def logits_after(self, state: State) -> Array:
        """Return the logits (B, V) of the next symbol.

        Log-probabilities will do. There may be more than V columns; the extra ones are -inf.
        """

    def probabilities_after(self, state: State) -> NDArray[np.float64]:
        """Return the probabilities (B, V) of the next symbol; each row sums to 1."""
        return np.asarray(np.exp(log_softmax(self.logits_after(state)[:, : self.symbols])))

    def logits_before(self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None) -> Array:
        """Return the logits (n, B, V) that predict each of the symbols x (n, B), advancing the state in place.

        For columns beyond V, see `logits_after`. With a `scratch`, its next use overwrites the logits.
        """
        rows = np.empty((*x.shape, self.symbols))
        for t in range(len(x)):
            rows[t] = self.logits_after(state)[:, : self.symbols]
            self.feed(x[t : t + 1], state)
        return rows

    def log_probabilities(
        self, x: NDArray[np.int32], state: State, scratch: Scratch | None = None
    ) -> NDArray[np.float64]:
        """Return log P of each of the symbols x (n, B) given the previous ones, advancing the state in place."""
        out = np.empty(x.shape)
        for t in range(len(x)):
            log_p = log_softmax(self.logits_after(state)[:, : self.symbols])
            out[t] = np.take_along_axis(log_p, x[t][:, None].astype(np.intp), axis=1)[:, 0]
            self.feed(x[t : t + 1], state)
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
        """Return log P of each of the strings ids[starts : starts + lengths], sorted by decreasing length.

        All start from the same state of one stream, which stays unchanged. The terms of a string are added from its
        first symbol to its last. With `least`, return log P of each string's least probable symbol instead, or 0.
        """
        out = np.zeros(len(lengths))
        state = self.repeat(start, len(lengths))
        scratch = scratch or Scratch()
        for x, part in read_pieces(self, ids, starts, lengths, state):
            of_strings = out[: x.shape[1]]
            for log_p in self.log_probabilities(x, part, scratch):
                (np.minimum if least else np.add)(of_strings, log_p, out=of_strings)
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
        """Read a string after each of some `streams` of a state, which stays; return the states after the strings.

        No string is empty, and the longest come first. log P of each symbol is added to sums[0], the pieces' log P, and
        sums[1], the totals of the texts so far; sums[2] are their minima.
        """
        parts = list[State]()
        rows = self.rows_at_a_time(READ_ROWS)
        for i in range(0, len(streams), rows):
            group = slice(i, i + rows)
            done = list[tuple[slice, State]]()
            part = self.select(state, streams[group])
            for x, part_state in read_pieces(self, ids, starts[group], lengths[group], part, done=done):
                piece, total, least = sums[:, i : i + x.shape[1]]
                for log_p in self.log_probabilities(x, part_state, scratch):
                    piece += log_p
                    total += log_p
                    np.minimum(least, log_p, out=least)
            parts += [after for _, after in reversed(done)]
        return parts[0] if len(parts) == 1 else self.join(parts)

    def rows_at_a_time(self, wanted: int) -> int:
        """Return how many rows of logits to compute at once: `wanted`, or fewer to limit memory."""
        return wanted


def read_pieces(
    network: InferenceNetwork,
    ids: NDArray[np.int32],
    starts: NDArray[np.intp],
    lengths: NDArray[np.intp],
    state: State,
    symbols: int | None = None,
    done: list[tuple[slice, State]] | None = None,
) -> Iterator[tuple[NDArray[np.int32], State]]:
    """Yield pieces x (n, B) of strings sorted by decreasing length, with the state of the B strings that go on.

    The caller advances the state over x. Ended strings and their states are appended to `done`.
    """
    B = len(lengths)
    t = 0
    while B:
        longer = int(np.count_nonzero(lengths[:B] > t))
        if longer < B:
            if done is not None:
                ended = network.select(state, np.arange(longer, B)) if longer else state
                done.append((slice(longer, B), ended))
            B = longer
            state = network.select(state, np.arange(longer)) if longer else state
        else:
            steps = min(int(lengths[B - 1]) - t, max(1, (symbols or SCORE_ROWS) // B))
            yield ids[starts[:B] + np.arange(t, t + steps)[:, None]], state
            t += steps


class LabelNetworks(NamedTuple):
    """The network of the texts with each label of a model; networks of equal weights may be one object."""

    networks: Sequence[InferenceNetwork]
    starts: Sequence[State]  # of one stream before a text of each label, not to be changed
    log_prior: NDArray[np.float64]  # log P of each label before a text is read, (K,), in nats


def rows_of_call(symbols: int) -> int:
    """Return how many rows of logits one call may handle, so that Ctrl-C gets through with any number of symbols."""
    return max(1, CALL_LOGITS // symbols)


def stream_blocks(network: InferenceNetwork, state: State, streams: int) -> Iterator[tuple[slice, State]]:
    """Yield a state of many streams as some streams at a time, whose logits one call may handle, with their states."""
    rows = rows_of_call(network.symbols)
    for i in range(0, streams, rows):
        check_canceled()
        part = slice(i, min(i + rows, streams))
        yield part, state if streams <= rows else network.select(state, np.arange(part.start, part.stop))


def log_softmax(y: Array) -> NDArray[np.float64]:
    """Return the log-probabilities of logits (n, V), in double precision because they will be summed."""
    y = y - y.max(axis=1, keepdims=True).astype(np.float64)
    return np.asarray(y - np.log(np.exp(y).sum(axis=1, keepdims=True)))


def largest(values: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return the indices of the `count` largest values above -inf, in descending order, ties in ascending order."""
    excess = len(values) - count
    # Sort the candidates only. All ties of the smallest one are candidates, so that the first of them is kept.
    smallest = np.partition(values, excess)[excess] if excess > 0 else -np.inf
    places = np.flatnonzero(values >= smallest if smallest > -np.inf else values > -np.inf)
    return places[np.argsort(-values[places], kind="stable")][:count]


def write_rows(array: Array, places: NDArray[np.intp], rows: Array) -> None:
    """Set array[places] = rows, contiguous and of the same type, (N, k) and (n, k).

    Copying a row as one item takes a sixth of the time that NumPy needs for its numbers.
    """
    if array.shape[1]:
        item = np.dtype((np.void, array.itemsize * array.shape[1]))
        array.view(item)[places] = rows.view(item)


Ids = NDArray[Any]


class Context(NamedTuple):
    """The network's state after the text so far, and the symbols that the repetition penalty applies to.

    Its arrays are never changed, so that contexts may share them: copy the state before reading more.
    """

    state: State  # of one stream
    seen: NDArray[np.bool_]  # (V,): the symbols since the start of the text or document

    @classmethod
    def empty(cls, network: InferenceNetwork) -> Context:
        """Return the context before any text: a zero state."""
        return cls(network.empty_state(), np.zeros(network.symbols, np.bool_))

    @classmethod
    def after(cls, network: InferenceNetwork, ids: Ids, start: State = None) -> Context:
        """Return the context after the symbols `ids` (n,); `start` is the state after a first boundary, if given."""
        if not len(ids):
            return cls.empty(network)
        if ids[0] == network.boundary:  # after which a network's state is always the same
            state = network.start() if start is None else network.copy(start)
            rest = ids[1:]
        else:
            state = network.zero_state(1)
            rest = ids
        if len(rest):
            network.feed(rest.astype(np.int32).reshape(-1, 1), state)
        return cls(state, seen_after(np.zeros(network.symbols, np.bool_), ids, network.boundary))


def seen_after(seen: NDArray[np.bool_], ids: Ids, boundary: int | None) -> NDArray[np.bool_]:
    """Return the symbols seen after `ids`; a boundary clears the earlier ones and is not included."""
    if len(ids) == 1 and (symbol := ids.item()) != boundary:  # the rest takes long for a character
        if not seen[symbol]:
            seen = seen.copy()
            seen[symbol] = True
        return seen
    seen = seen.copy()
    if boundary is not None and len(boundaries := np.flatnonzero(ids == boundary)):
        seen[:] = False
        ids = ids[boundaries[-1] + 1 :]
    seen[ids] = True
    return seen
