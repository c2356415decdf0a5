"""Streams: a text or documents cut into B rows of ids, read in parallel and block by block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from .documents import boundaries
from .vocabulary import Ids


@dataclass(frozen=True)
class StreamLimits:
    """Sizes that bound the memory and the work of reading documents; smaller ones give the same symbols."""

    max_block: int = 1 << 20  # maximum symbols of a copied block, over all streams
    min_part: int = 1 << 16  # symbols: shorter documents are never cut
    min_shuffled: int = 1 << 12  # symbols; with fewer, several epochs are shuffled together, which takes less time
    parts_at_a_time: int = 1 << 20  # lengths added at once: temporaries of all parts would take much memory


class Block(NamedTuple):
    """The next symbols of every stream."""

    # (B, n + 1): n transitions of each stream, a multiple of T. The last symbol is only a target: the stream's next
    # block starts with it, unless the text starts over. Each row is contiguous; rows may be any distance apart, and may
    # overlap. The array must not be written to.
    ids: NDArray[Any]
    starts_epoch: bool  # whether the carried state must be reset before the first chunk, because the text starts over
    loss_weights: NDArray[Any] | None = None  # (B, n): a factor for each transition's loss; None: 1

    @property
    def n_transitions(self) -> int:
        """n, the transitions from one symbol of a stream to the next."""
        return int(self.ids.shape[1]) - 1


FIRST_PARTS = 16  # looked up first when a stream reads on; more if it needs them

Numbers = NDArray[Any]  # unsigned integers of 4 bytes, or of 8 if there are too many parts


class Parts(NamedTuple):
    """Packed documents as consecutive parts of an array; long documents have several."""

    starts: NDArray[Any]  # the position of each part's leading boundary or, within a cut document, where it would be
    stops: NDArray[Any]  # the position after each part
    documents: NDArray[np.int64] | None = None  # the document of each part; None: its number
    at_a_time: int = StreamLimits.parts_at_a_time

    def lengths(self, numbers: Numbers | slice) -> NDArray[np.int64]:
        """Return the symbols of some parts, including the leading boundary."""
        lengths: NDArray[np.int64] = self.stops[numbers].astype(np.int64) - self.starts[numbers]
        return lengths

    def documents_of(self, numbers: Numbers) -> Numbers:
        """Return the documents to which some parts belong."""
        return numbers if self.documents is None else self.documents[numbers]

    @property
    def longest(self) -> int:
        """The symbols of the longest part."""
        return max(int(lengths.max()) for lengths in self._pieces_of_lengths())

    @property
    def symbols(self) -> int:
        """The symbols of all parts."""
        return sum(int(lengths.sum()) for lengths in self._pieces_of_lengths())

    def _pieces_of_lengths(self) -> Iterator[NDArray[np.int64]]:
        """Yield the symbols of all parts, `at_a_time` parts together."""
        for i in range(0, len(self.starts), self.at_a_time):
            yield self.lengths(slice(i, i + self.at_a_time))

    def cut(self, max_length: int) -> Parts:
        """Return the parts of documents, with parts of more than `max_length` symbols cut into similar lengths."""
        if self.longest <= max_length:
            return self
        starts = []
        stops = []
        numbers = []
        for i in np.flatnonzero(self.lengths(slice(None)) > max_length).tolist():
            # The boundary and the document's own symbols, split evenly; each later part begins one symbol earlier, in
            # place of the missing boundary.
            start = int(self.starts[i])
            inner = int(self.stops[i]) - int(self.starts[i]) - 1
            count = -(-inner // max_length)
            bounds = start + 1 + inner * np.arange(count + 1) // count
            starts.append(bounds[:-1] - 1)
            stops.append(bounds[1:])
            numbers.append(np.full(count, i))
        whole = np.flatnonzero(self.lengths(slice(None)) <= max_length)
        all_starts = np.concatenate([self.starts[whole].astype(np.int64), *starts])
        all_stops = np.concatenate([self.stops[whole].astype(np.int64), *stops])
        order = np.argsort(all_starts, kind="stable")
        return Parts(all_starts[order], all_stops[order], np.concatenate([whole, *numbers])[order], self.at_a_time)


class Backlog(NamedTuple):
    """The parts of documents that a stream has yet to read, in order."""

    numbers: Numbers
    read: int  # symbols of the first part already read
    symbols: int  # total, without those read

    def skip(self, n: int, parts: Parts) -> Backlog:
        """Return the backlog without its next n symbols, which it must have."""
        ends = self.ends(n, parts)
        last = int(np.searchsorted(ends, n))  # the part with the last of them
        left = int(ends[last]) - n
        length = int(ends[last]) - (int(ends[last - 1]) if last else -self.read)
        return Backlog(self.numbers[last if left else last + 1 :], length - left if left else 0, self.symbols - n)

    def ends(self, n: int, parts: Parts) -> NDArray[np.int64]:
        """Return the number of symbols before the end of each part, for at least the parts that n symbols need."""
        k = FIRST_PARTS
        while True:
            ends = np.cumsum(parts.lengths(self.numbers[:k])) - self.read
            if k >= len(self.numbers) or ends[-1] >= n:
                return ends
            k *= 4


def distribute(backlogs: tuple[Backlog, ...], order: Numbers, total: int, parts: Parts) -> tuple[Backlog, ...]:
    """Append the parts `order`, of `total` symbols, to the backlogs, so that all streams end at about the same time.

    Each stream gets successive parts: those whose middle is in its share of the symbols. The shares raise the backlogs
    to a common level.
    """
    levels = np.cumsum(_quotas(np.array([backlog.symbols for backlog in backlogs]), total))[:-1]
    bounds = np.zeros(len(levels), np.int64)
    symbols = np.zeros(len(levels), np.int64)
    before = 0
    for i in range(0, len(order), parts.at_a_time):
        length = parts.lengths(order[i : i + parts.at_a_time])
        ends = before + np.cumsum(length)
        n = np.searchsorted(ends - length / 2, levels)
        bounds += n
        symbols += np.append(0, np.cumsum(length))[n]
        before = int(ends[-1])
    longer = []
    edges = [0, *bounds.tolist(), len(order)]
    sums = [0, *symbols.tolist(), total]
    for b, backlog in enumerate(backlogs):
        new = order[edges[b] : edges[b + 1]]
        numbers = np.append(backlog.numbers, new) if len(backlog.numbers) else new
        longer.append(Backlog(numbers, backlog.read, backlog.symbols + sums[b + 1] - sums[b]) if len(new) else backlog)
    return tuple(longer)


def shortest(backlogs: tuple[Backlog, ...]) -> int:
    """Return the number of symbols left in the shortest stream; 0 before there are any."""
    return min((backlog.symbols for backlog in backlogs), default=0)


def block_length(backlogs: tuple[Backlog, ...], seq_length: int, max_symbols: int) -> int:
    """Return the transitions of the next block: whole chunks available in all streams, up to `max_symbols`."""
    most = max(1, max_symbols // (len(backlogs) * seq_length))
    return min(shortest(backlogs) // seq_length, most) * seq_length


def block_of(
    backlogs: tuple[Backlog, ...], n: int, packed: Ids, parts: Parts, boundary: int, weights: NDArray[np.float64] | None
) -> tuple[Ids, NDArray[np.float64] | None, tuple[Backlog, ...]]:
    """Return the next n + 1 symbols of every stream, n being in each backlog, the weights of n transitions, and the
    backlogs after them.
    """
    ids = np.empty((len(backlogs), n + 1), packed.dtype)
    loss_weights = None if weights is None else np.empty((len(backlogs), n))
    rests = tuple(backlog.skip(n, parts) for backlog in backlogs)
    for b, (backlog, rest) in enumerate(zip(backlogs, rests, strict=True)):
        ends = backlog.ends(n, parts)
        last = int(np.searchsorted(ends, n))  # the part with the last of them
        numbers = backlog.numbers[: last + 1]
        ends = ends[: last + 1]
        begins = np.append(-backlog.read, ends[:-1])  # of each part in the symbols
        starts = parts.starts[numbers].astype(np.int64)
        if last:
            counts = np.minimum(ends, n) - np.maximum(begins, 0)
            ids[b, :n] = packed[np.repeat(starts - begins, counts) + np.arange(n)]
        else:  # within one part: they are adjacent
            counts = np.array([n])
            at = int(starts[0]) + backlog.read
            ids[b, :n] = packed[at : at + n]
        ids[b, begins[begins >= 0]] = boundary  # missing at the start of a part within a longer document
        if weights is not None and loss_weights is not None:
            loss_weights[b] = np.repeat(weights[parts.documents_of(numbers)], counts)
        # The last target. If the stream has nothing more yet, a document will follow.
        ids[b, n] = packed[int(parts.starts[rest.numbers[0]]) + rest.read] if rest.read else boundary
    return ids, loss_weights, rests


def _quotas(held: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    """Share `total` symbols among streams so that all hold equally many; a stream that holds more gets none."""
    rising = np.sort(held)
    # The level if the k lowest streams share everything; the largest k whose streams are all below it is right.
    levels = (total + np.cumsum(rising)) / np.arange(1, len(held) + 1)
    level = levels[np.flatnonzero(levels >= rising)[-1]]
    quotas: NDArray[np.float64] = np.maximum(level - held, 0.0)
    return quotas


def min_symbols(batch_size: int) -> int:
    """Return the length of the shortest text that gives each stream a transition."""
    return batch_size + 1


def symbols_for_epoch(n_steps: int, batch_size: int, seq_length: int) -> int:
    """Return the length of the shortest text whose epochs have this many steps: each leaves a transition unread."""
    return batch_size * (n_steps * seq_length + 1) + 1


class TextStreams:
    """A text of N symbols as B streams, its contiguous parts, read in parallel in chunks of T transitions.

    Stream b holds ids[b S : b S + S + 1], S = (N - 1) // B: its last symbol is only a target there, and is the first
    input of the next stream. An epoch reads chunks at p = 0, T, 2 T, ... As in min-char-rnn the text starts over, from
    zero states, when p + T + 1 >= S + 1. The first epoch starts with the model's current states, unless S <= T.

    `seq_length` is T, reduced if a stream has fewer than T transitions; `stream_length` is S + 1. Blocks are views.
    """

    def __init__(self, ids: NDArray[np.integer[Any]], batch_size: int = 1, seq_length: int = 25) -> None:
        n = len(ids)
        if n < 2:
            raise InvalidInputError(
                f"X is too short: its length is {n}, but at least 2 symbols are needed, one to read and one to predict",
                argument="X",
            )
        if n < min_symbols(batch_size):
            raise InvalidInputError(
                f"X is too short for batch_size={batch_size}: its length is {n}, but at least "
                f"{min_symbols(batch_size)} symbols are needed. Lower batch_size, or pass a longer text.",
                argument="X",
            )
        self.ids = np.ascontiguousarray(ids).view()
        self.ids.flags.writeable = False
        self.batch_size = int(batch_size)
        self.stream_length = (n - 1) // self.batch_size + 1
        self.seq_length = min(int(seq_length), self.stream_length - 1)
        self.steps_per_epoch = self._chunks_from(0)
        self._position = 0

    @property
    def position(self) -> int:
        """The position of the next chunk, before the rule for the end of the text is applied."""
        return self._position

    @position.setter
    def position(self, position: int) -> None:
        if not 0 <= position < self.stream_length:
            raise InvalidInputError(
                f"position {position} is outside streams of {self.stream_length} symbols. Pass a "
                "position in the same text."
            )
        self._position = position

    def next_block(self) -> Block:
        """Return the rest of the epoch, or else the next epoch, as a view."""
        starts_epoch = self._position + self.seq_length + 1 >= self.stream_length  # min-char-rnn's rule
        p = 0 if starts_epoch else self._position
        n = self._chunks_from(p) * self.seq_length
        self._position = p + n
        return Block(self._rows(p, n + 1), starts_epoch)

    def _chunks_from(self, p: int) -> int:
        """Count the chunks p, p + T, p + 2 T, ... of one epoch; the one at p is always read."""
        T = self.seq_length
        return max(1, -((p + T + 1 - self.stream_length) // T))

    def _rows(self, p: int, n: int) -> NDArray[np.integer[Any]]:
        """Return n symbols of each stream from p, as a view of the text."""
        size = self.ids.itemsize
        strides = ((self.stream_length - 1) * size, size)
        # The constructor takes half a microsecond, `as_strided` 20 times as long; a text may be a single chunk.
        return np.ndarray((self.batch_size, n), self.ids.dtype, self.ids.data, p * size, strides)


class DocumentsPosition(NamedTuple):
    """The position of `DocumentStreams`: the streams before the last shuffle, which is repeatable, and the progress."""

    order: dict[str, Any]  # the generator's state, which determines the next shuffle
    held: tuple[Backlog, ...]  # the unread rest of each stream: little, since the shortest was about to run out
    shuffles: int  # made since; more than one only if a shuffle brings few symbols
    read: int  # symbols of each stream read since


class DocumentStreams:
    """Documents as B streams; every block reads the same number of symbols from each.

    For each epoch the documents are shuffled and distributed so that the streams become about equally long, counting
    what is left of the previous epoch. A block has whole chunks of T transitions: the number in the shortest stream,
    or fewer if the block would become large. The rest of a stream comes first in its next block, so nothing is padded
    or left out. A document is cut, and its parts are read as separate documents, only if it is longer than an epoch of
    a whole stream and than 65,536 symbols. In memory are the positions of the boundaries and the shuffled numbers of
    the documents. `weights` (n,) are factors for the documents' losses.
    """

    def __init__(
        self,
        packed: Ids,
        boundary: int,
        batch_size: int,
        seq_length: int,
        *,
        rng: np.random.Generator,
        weights: NDArray[np.float64] | None = None,
        limits: StreamLimits = StreamLimits(),
    ) -> None:
        B = int(batch_size)
        places = boundaries(packed, boundary)
        self._ids = packed
        self._boundary = boundary
        self._rng = rng
        self._weights = weights
        self._limits = limits
        transitions = len(packed) - 1
        documents = Parts(places[:-1], places[1:], at_a_time=limits.parts_at_a_time)
        self.batch_size = B
        self.seq_length = min(int(seq_length), max(transitions // B, documents.longest))
        self.steps_per_epoch = -(-transitions // (B * self.seq_length))
        self._parts = documents.cut(max(limits.min_part, -(-transitions // B)))
        self._symbols = self._parts.symbols
        self._epochs = -(-max(limits.min_shuffled, 4 * B * self.seq_length) // transitions)  # shuffled together
        self._backlogs: tuple[Backlog, ...] = ()
        self._position: DocumentsPosition | None = None  # computed when needed: with many streams it takes much memory

    @property
    def position(self) -> DocumentsPosition:
        """The position of the next block; assign an earlier position to return there."""
        if self._position is None:
            nothing = np.zeros(0, self._parts.starts.dtype)
            self._backlogs = (Backlog(nothing, 0, 0),) * self.batch_size
            self._position = self._position_now()
        return self._position

    @position.setter
    def position(self, position: DocumentsPosition) -> None:
        if len(position.held) != self.batch_size:
            raise InvalidInputError(
                f"the position is for batch_size={len(position.held)}, but batch_size is {self.batch_size}. "
                f"Set batch_size={len(position.held)}."
            )
        backlogs = self._return_to(position)
        for _ in range(position.shuffles):
            backlogs = self._append_shuffle(backlogs)
        if position.read:
            backlogs = tuple(backlog.skip(position.read, self._parts) for backlog in backlogs)
        self._position = position
        self._backlogs = backlogs

    def next_block(self) -> Block:
        """Return the next block, a new array of at most `max_block` symbols, or of one chunk."""
        if shortest(self._backlogs) < self.seq_length:
            self._shuffle()
        n = block_length(self._backlogs, self.seq_length, self._limits.max_block)
        ids, weights, self._backlogs = block_of(
            self._backlogs, n, self._ids, self._parts, self._boundary, self._weights
        )
        self._position = self.position._replace(read=self.position.read + n)
        return Block(ids, starts_epoch=False, loss_weights=weights)

    def _shuffle(self) -> None:
        """Distribute more documents until every stream has a chunk."""
        position = self._position_now() if self._backlogs else self.position
        while shortest(self._backlogs) < self.seq_length:
            self._backlogs = self._append_shuffle(self._backlogs)
            position = position._replace(shuffles=position.shuffles + 1)
        self._position = position

    def _append_shuffle(self, backlogs: tuple[Backlog, ...]) -> tuple[Backlog, ...]:
        """Return the backlogs with the shuffled documents of further epochs appended."""
        order = np.tile(np.arange(len(self._parts.starts), dtype=self._parts.starts.dtype), (self._epochs, 1))
        self._rng.permuted(order, axis=1, out=order)
        return distribute(backlogs, order.reshape(-1), self._epochs * self._symbols, self._parts)

    def _position_now(self) -> DocumentsPosition:
        # Copies: slices would keep the numbers of a whole epoch in memory.
        held = tuple(backlog._replace(numbers=backlog.numbers.copy()) for backlog in self._backlogs)
        return DocumentsPosition(dict(self._rng.bit_generator.state), held, 0, 0)

    def _return_to(self, position: DocumentsPosition) -> tuple[Backlog, ...]:
        """Return to the order and the backlogs of an earlier position, which may come from a file."""
        backlogs = []
        parts = self._parts
        for numbers, read, _ in position.held:
            if (numbers >= len(parts.starts)).any() or read > (parts.lengths(numbers[:1]) - 1).sum():
                raise InvalidInputError("the position is for other documents. Pass the same documents.")
            backlog = Backlog(numbers.astype(parts.starts.dtype), read, 0)
            backlogs.append(backlog._replace(symbols=int(parts.lengths(backlog.numbers).sum()) - read))
        self._rng.bit_generator.state = position.order
        return tuple(backlogs)


Streams = TextStreams | DocumentStreams
"""B sequences of symbols, read in parallel in chunks of T transitions, without end.

`position`, of the next block, is immutable and complete: other streams over the same symbols continue from it.
"""
