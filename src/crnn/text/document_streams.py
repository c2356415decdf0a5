"""DocumentStreams: documents, shuffled anew for each epoch and distributed to streams that are read side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .documents import boundaries
from .streams import MAX_BLOCK, Block

__all__ = ["DocumentStreams", "DocumentsPosition", "Queue"]

MIN_PART = 1 << 16  # symbols: a shorter document is never cut
MIN_SHUFFLED = 1 << 12  # symbols: of fewer, several epochs are shuffled at once, which costs less than one by one

Ids = NDArray[Any]
Places = NDArray[np.int64]


class Queue(NamedTuple):
    """The symbols that a stream has still to read: parts of documents one after another."""

    first: Places  # the place of each part's leading boundary or, within a document that is cut, where one would be
    length: Places  # symbols of each part, its leading boundary included
    read: int  # symbols of the first part that have been read
    symbols: int  # in all, without those

    def copy(self) -> Queue:
        """Return a queue with arrays of its own, which do not keep those of a whole epoch in memory."""
        return self._replace(first=self.first.copy(), length=self.length.copy())

    def advanced(self, n: int) -> Queue:
        """Return the queue without its next n symbols, of which it has as many."""
        if n < self.length[0] - self.read:
            return self._replace(read=self.read + n, symbols=self.symbols - n)
        ends = self.ends(n)
        last = int(np.searchsorted(ends, n))  # the part that holds the last of them
        left = int(ends[last]) - n
        at = last if left else last + 1
        return Queue(self.first[at:], self.length[at:], int(self.length[last]) - left if left else 0, self.symbols - n)

    def ends(self, n: int) -> Places:
        """Return after how many symbols each part ends, of as many parts as the next n symbols may need."""
        return np.cumsum(self.length[:n]) - self.read  # a part has at least one symbol


class DocumentsPosition(NamedTuple):
    """Where `DocumentStreams` stand: the streams before the last shuffle, and what has happened since.

    Shuffling again restores the order of the documents, so that the position need not hold it.
    """

    random_state: Any  # the generator's before the shuffle
    queues: tuple[Queue, ...]  # what each stream still had then: little, since the shortest one was about to run out
    shuffles: int  # made since; more than one only where the documents have few symbols
    read: int  # symbols that each stream has read since


class DocumentStreams:
    """Documents as B streams, of which every block reads equally much.

    For each epoch the documents are shuffled and distributed so that the streams become about equally long, counting
    what they still hold of the epoch before. A block has whole chunks of T transitions: as many as the shortest
    stream has, or fewer where the block would become large. The rest of a stream comes first in its next block, which
    begins with the symbol that was the last target. So nothing is padded or left out. States are carried from block to
    block; the reader zeroes them at each boundary.

    A document is not cut, unless it is longer than an epoch of a whole stream, and than 65,536 symbols: then its parts
    are read as documents of their own, as the parts of one long text are.

    Parameters
    ----------
    packed : array of unsigned integers, shape (N,)
        Documents as `documents.pack` makes them.
    boundary : int
        The id before, between and after them.
    batch_size : int, default=1
        The number of streams, B.
    seq_length : int, default=25
        The number of transitions in a chunk, T. It is less where a stream's share of the epoch has less, and every
        document as well.
    rng : numpy.random.Generator
        Shuffles. It is the streams' own from now on.
    weights : array of float, shape (n,), optional
        A factor of the loss of each document.

    Attributes
    ----------
    batch_size, seq_length : int
    steps_per_epoch : int
        Chunks of an epoch, rounded up.
    position : DocumentsPosition

    Examples
    --------
    >>> packed = np.array([9, 1, 2, 9, 3, 9, 4, 5, 6, 9], np.uint8)  # 12, 3 and 456
    >>> streams = DocumentStreams(packed, 9, batch_size=1, seq_length=3, rng=np.random.default_rng(0))
    >>> start = streams.position
    >>> streams.next_block().ids[:, :10]
    array([[9, 4, 5, 6, 9, 1, 2, 9, 3, 9]], dtype=uint8)
    >>> streams.position = start
    >>> streams.next_block().ids[:, :10]
    array([[9, 4, 5, 6, 9, 1, 2, 9, 3, 9]], dtype=uint8)
    >>> streams.steps_per_epoch
    3
    """

    def __init__(
        self,
        packed: Ids,
        boundary: int,
        batch_size: int = 1,
        seq_length: int = 25,
        *,
        rng: np.random.Generator,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        B, transitions = int(batch_size), len(packed) - 1
        self.batch_size = B
        self._packed, self._boundary, self._rng = packed, boundary, rng
        places = boundaries(packed, boundary)
        # Of each symbol that is read: the symbol after it is of the same document, or is its end.
        self._weights = None if weights is None else np.repeat(weights, np.diff(places))
        self.seq_length = T = min(int(seq_length), max(transitions // B, int(np.diff(places).max())))
        self.steps_per_epoch = -(-transitions // (B * T))
        self._first, self._length = _parts(places[:-1], np.diff(places), max(MIN_PART, -(-transitions // B)))
        self._epochs = -(-max(MIN_SHUFFLED, 4 * B * T) // transitions)  # that are shuffled at once
        nothing = np.zeros(0, np.int64)
        self._queues = (Queue(nothing, nothing, 0, 0),) * B
        self._position = DocumentsPosition(rng.bit_generator.state, self._queues, 0, 0)

    @property
    def position(self) -> DocumentsPosition:
        """Where the next block begins; assigning a position that was read before returns there."""
        return self._position

    @position.setter
    def position(self, position: DocumentsPosition) -> None:
        self._rng.bit_generator.state = position.random_state
        queues = position.queues
        for _ in range(position.shuffles):
            queues = self._distributed(queues)
        if position.read:
            queues = tuple(queue.advanced(position.read) for queue in queues)
        self._position, self._queues = position, queues

    def next_block(self) -> Block:
        """Return the next block: a new array of at most `MAX_BLOCK` symbols, or of one chunk."""
        T, B = self.seq_length, self.batch_size
        self._shuffle_if_short()
        shortest = min(queue.symbols for queue in self._queues)
        n = min(shortest // T, max(1, MAX_BLOCK // (B * T))) * T
        ids = np.empty((B, n + 1), self._packed.dtype)
        weights = None if self._weights is None else np.empty((B, n))
        for b, queue in enumerate(self._queues):
            places, starts = _places(queue, n)
            ids[b, :n] = self._packed[places]
            ids[b, starts] = self._boundary  # which a part within a longer document lacks
            if self._weights is not None and weights is not None:
                weights[b] = self._weights[places]
        self._queues = tuple(queue.advanced(n) for queue in self._queues)
        for b, rest in enumerate(self._queues):
            # The last target. Where the stream has nothing more yet, a document will come.
            begins = rest.read == 0 or not rest.symbols
            ids[b, n] = self._boundary if begins else self._packed[rest.first[0] + rest.read]
        self._position = self._position._replace(read=self._position.read + n)
        return Block(ids, starts_epoch=False, loss_weights=weights)

    def _shuffle_if_short(self) -> None:
        """Distribute further epochs until every stream has a chunk."""
        T, queues = self.seq_length, self._queues
        if min(queue.symbols for queue in queues) >= T:
            return
        random_state, shuffles = self._rng.bit_generator.state, 0
        held = tuple(queue.copy() for queue in queues)
        while min(queue.symbols for queue in queues) < T:
            queues = self._distributed(queues)
            shuffles += 1
        self._position, self._queues = DocumentsPosition(random_state, held, shuffles, 0), queues

    def _distributed(self, queues: tuple[Queue, ...]) -> tuple[Queue, ...]:
        """Return the queues with the documents of further epochs, shuffled, behind what they hold."""
        n = len(self._first)
        order = self._rng.permuted(np.tile(np.arange(n), (self._epochs, 1)), axis=1).reshape(-1)
        ends = np.cumsum(self._length[order])
        middles = ends - self._length[order] / 2
        # Each stream gets what brings it to the common level, in whole documents: those whose middle is in its part.
        quotas = _quotas(np.array([queue.symbols for queue in queues]), int(ends[-1]))
        bounds = np.concatenate([[0], np.searchsorted(middles, np.cumsum(quotas)[:-1]), [len(order)]])
        distributed = []
        for queue, begin, end in zip(queues, bounds[:-1], bounds[1:], strict=True):
            new = order[begin:end]
            first, length = self._first[new], self._length[new]
            symbols = queue.symbols + int(length.sum())
            longer = Queue(np.append(queue.first, first), np.append(queue.length, length), queue.read, symbols)
            distributed.append(longer if len(new) else queue)
        return tuple(distributed)


def _places(queue: Queue, n: int) -> tuple[slice | Places, Places]:
    """Return where the next n symbols of a queue are, and which of them begin a part."""
    if queue.read and n < queue.length[0] - queue.read:  # within one document: they lie together
        at = int(queue.first[0]) + queue.read
        return slice(at, at + n), np.zeros(0, np.int64)
    ends = queue.ends(n)
    last = int(np.searchsorted(ends, n))  # the part that holds the last of them
    ends = ends[: last + 1]
    begins = ends - queue.length[: last + 1]  # of each part in the symbols; the first one's may be < 0
    counts = np.minimum(ends, n) - np.maximum(begins, 0)
    return np.repeat(queue.first[: last + 1] - begins, counts) + np.arange(n), begins[begins >= 0]


def _parts(first: NDArray[np.intp], length: NDArray[np.intp], max_length: int) -> tuple[Places, Places]:
    """Cut documents of more than `max_length` symbols in parts of about the same length.

    Examples
    --------
    >>> _parts(np.array([0, 5]), np.array([5, 2]), 3)
    (array([0, 2, 5]), array([3, 3, 2]))
    """
    long = np.flatnonzero(length > max_length)
    firsts, lengths = first.astype(np.int64), length.astype(np.int64)
    if not len(long):
        return firsts, lengths
    keep = np.ones(len(first), np.bool_)
    keep[long] = False
    all_firsts, all_lengths = [firsts[keep]], [lengths[keep]]
    for i in long:
        # The boundary, and then the document's own symbols, split evenly; a later part begins one symbol earlier, in
        # the place of the boundary that it lacks.
        inner = int(length[i]) - 1
        count = -(-inner // max_length)
        bounds = first[i] + 1 + inner * np.arange(count + 1) // count
        all_firsts.append(bounds[:-1] - 1)
        all_lengths.append(np.diff(bounds) + 1)
    order = np.argsort(np.concatenate(all_firsts), kind="stable")
    return np.concatenate(all_firsts)[order], np.concatenate(all_lengths)[order]


def _quotas(held: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    """Return how much more each stream gets so that all come to one level; a stream above it gets nothing.

    Examples
    --------
    >>> _quotas(np.array([0, 4, 10]), 6).tolist()
    [5.0, 1.0, 0.0]
    """
    rising = np.sort(held)
    # The level if the k lowest streams share it all; it counts for the largest k whose streams are all below it.
    levels = (total + np.cumsum(rising)) / np.arange(1, len(held) + 1)
    level = levels[np.flatnonzero(levels >= rising)[-1]]
    quotas: NDArray[np.float64] = np.maximum(level - held, 0.0)
    return quotas
