"""DocumentStreams: documents, in a new order each epoch, dealt to streams that are swept side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .corpus import Streams
from .documents import starts

__all__ = ["AnyStreams", "DocumentStreams", "Place"]

LEAST_PART = 1 << 16  # symbols: shorter documents are never cut
SWEEP = 1 << 20  # symbols of a sweep at most, in all streams: what is made of an epoch at a time
DEAL = 1 << 12  # symbols that are dealt at a time at least, so that little documents are not dealt one by one

Ids = NDArray[Any]
Places = NDArray[np.int64]


class Queue(NamedTuple):
    """What a stream is still to read: parts of documents one after another."""

    first: Places  # where each part's leading boundary is or, in a document that is cut, would be
    length: Places  # symbols with that boundary, but not the one at the part's end
    read: int  # of the first part

    @property
    def symbols(self) -> int:
        """How many there are."""
        return int(self.length.sum()) - self.read


class Place(NamedTuple):
    """Where `DocumentStreams` stand: nothing in it is ever changed in place."""

    ids: Ids
    queues: tuple[Queue, ...]
    random_state: Any


class DocumentStreams:
    """Documents as B streams of which a sweep reads equally much.

    Before each epoch the documents are shuffled and dealt so that the streams come out about equally long, counting
    what they still have from the epoch before. A sweep reads whole chunks of T transitions: as many as the shortest
    stream has, or fewer where that is very long. What is over in a stream comes first in its next sweep, which begins
    with the symbol that was the last target. So nothing is padded or left out, and a stream's states go on from sweep
    to sweep; that they are zero at a boundary is up to who reads.

    A document is not cut, unless it is longer than an epoch of a whole stream, and than 65,536 symbols: then the
    parts of it are read as documents of their own, as the parts of one long text are.

    Parameters
    ----------
    packed : array of unsigned integers, shape (N,)
        Documents as `documents.pack` makes them.
    boundary : int
        The id that parts them.
    batch_size : int, default=1
        The number of streams, B.
    seq_length : int, default=25
        The number of transitions in a chunk, T. It is less where a stream's part of the epoch has less, and every
        document as well.
    rng : numpy.random.Generator
        Shuffles.

    Attributes
    ----------
    ids : ndarray, shape (B (K T + 1),)
        The sweep: of each stream the symbols of K chunks.
    batch_size, seq_length : int
    stream_length : int
        K T + 2: one more than a stream has symbols, since `Streams` counts one that the next stream begins with.
    steps_per_sweep : int
        Chunks that an epoch comes to.

    Examples
    --------
    >>> packed = np.array([9, 1, 2, 9, 3, 9, 4, 5, 6, 9], np.uint8)  # 12, 3 and 456
    >>> streams = DocumentStreams(packed, 9, batch_size=1, seq_length=3, rng=np.random.default_rng(0))
    >>> streams.ids[:10]
    array([9, 4, 5, 6, 9, 1, 2, 9, 3, 9], dtype=uint8)
    >>> streams.steps_per_sweep
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
    ) -> None:
        B, transitions = int(batch_size), len(packed) - 1
        self.batch_size = B
        self._packed, self._boundary, self._rng = packed, boundary, rng
        at = starts(packed, boundary)
        self.seq_length = T = min(int(seq_length), max(transitions // B, int(np.diff(at).max())))
        self.steps_per_sweep = -(-transitions // (B * T))
        self._first, self._length = _parts(at[:-1], np.diff(at), max(LEAST_PART, -(-transitions // B)))
        self._epochs = -(-max(DEAL, 4 * B * T) // transitions)  # that are dealt at a time
        nothing = np.zeros(0, np.int64)
        self._queues = (Queue(nothing, nothing, 0),) * B
        self.next_sweep()

    @property
    def stream_length(self) -> int:
        """One more than a stream's symbols in the sweep."""
        return len(self.ids) // self.batch_size + 1

    @property
    def steps_of_sweep(self) -> int:
        """Chunks of the sweep, K."""
        return (self.stream_length - 2) // self.seq_length

    @property
    def place(self) -> Place:
        """Where the streams stand; assigned to, they go back there."""
        return Place(self.ids, self._queues, self._rng.bit_generator.state)

    @place.setter
    def place(self, place: Place) -> None:
        self.ids, self._queues = place.ids, place.queues
        self._rng.bit_generator.state = place.random_state

    def next_sweep(self) -> None:
        """Put the symbols of the next sweep in `ids`: a new array."""
        T, B, queues = self.seq_length, self.batch_size, self._queues
        while (least := min(queue.symbols for queue in queues)) < T:
            queues = self._deal(queues)
        n = min(least // T, max(1, SWEEP // (B * T))) * T
        ids = np.empty((B, n + 1), self._packed.dtype)
        left = []
        for b, queue in enumerate(queues):
            ids[b, :n], rest = self._taken(queue, n)
            left.append(rest)
            # The last target. Where the stream has nothing more yet, a document will come.
            begins = rest.read == 0 or not len(rest.first)
            ids[b, n] = self._boundary if begins else self._packed[rest.first[0] + rest.read]
        self.ids, self._queues = ids.reshape(-1), tuple(left)

    def _deal(self, queues: tuple[Queue, ...]) -> tuple[Queue, ...]:
        """Return the queues with further epochs behind what they hold."""
        n, B = len(self._first), self.batch_size
        order = self._rng.permuted(np.tile(np.arange(n), (self._epochs, 1)), axis=1).reshape(-1)
        ends = np.cumsum(self._length[order])
        middles = ends - self._length[order] / 2
        # Each stream gets what brings it to the common level, in whole documents: those whose middle is in its part.
        quotas = _quotas(np.array([queue.symbols for queue in queues]), int(ends[-1]))
        bounds = np.concatenate([[0], np.searchsorted(middles, np.cumsum(quotas)[:-1]), [len(order)]])
        dealt = []
        for b in range(B):
            new = order[bounds[b] : bounds[b + 1]]
            first, length, read = queues[b]
            dealt.append(
                Queue(np.append(first, self._first[new]), np.append(length, self._length[new]), read)
                if len(new)
                else queues[b]
            )
        return tuple(dealt)

    def _taken(self, queue: Queue, n: int) -> tuple[Ids, Queue]:
        """Return the first n symbols of a queue, and the queue without them."""
        if n < queue.length[0] - queue.read and queue.read:  # within one document there is nothing to put together
            at = queue.first[0] + queue.read
            return self._packed[at : at + n], queue._replace(read=queue.read + n)
        ends = np.cumsum(queue.length) - queue.read
        last = int(np.searchsorted(ends, n))  # the part that holds the last of them
        begins = ends[: last + 1] - queue.length[: last + 1]  # of each part in the symbols; the first one's may be < 0
        counts = np.minimum(ends[: last + 1], n) - np.maximum(begins, 0)
        symbols: Ids = self._packed[np.repeat(queue.first[: last + 1] - begins, counts) + np.arange(n)]
        symbols[begins[begins >= 0]] = self._boundary  # which in a part of a longer document is not there yet
        if ends[last] == n:
            return symbols, Queue(queue.first[last + 1 :], queue.length[last + 1 :], 0)
        return symbols, Queue(queue.first[last:], queue.length[last:], int(n - begins[last]))


AnyStreams = Streams | DocumentStreams


def _parts(first: NDArray[np.intp], length: NDArray[np.intp], most: int) -> tuple[Places, Places]:
    """Cut documents of more than `most` symbols in parts of about the same length.

    Examples
    --------
    >>> _parts(np.array([0, 5]), np.array([5, 2]), 3)
    (array([0, 2, 5]), array([3, 3, 2]))
    """
    long = np.flatnonzero(length > most)
    firsts, lengths = first.astype(np.int64), length.astype(np.int64)
    if not len(long):
        return firsts, lengths
    keep = np.ones(len(first), np.bool_)
    keep[long] = False
    all_firsts, all_lengths = [firsts[keep]], [lengths[keep]]
    for i in long:
        # The boundary, and then the document's own symbols, dealt out; a later part begins one symbol earlier, in the
        # place of the boundary that it lacks.
        inner = int(length[i]) - 1
        count = -(-inner // most)
        bounds = first[i] + 1 + inner * np.arange(count + 1) // count
        all_firsts.append(bounds[:-1] - 1)
        all_lengths.append(np.diff(bounds) + 1)
    order = np.argsort(np.concatenate(all_firsts), kind="stable")
    return np.concatenate(all_firsts)[order], np.concatenate(all_lengths)[order]


def _quotas(held: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    """Return how much more each stream gets so that all come to one level, which those that hold more are above.

    Examples
    --------
    >>> _quotas(np.array([0, 4, 10]), 6).tolist()
    [5.0, 1.0, 0.0]
    """
    rising = np.sort(held)
    # The level if the k lowest streams share it all; it counts for the most k whose streams are all below it.
    levels = (total + np.cumsum(rising)) / np.arange(1, len(held) + 1)
    level = levels[np.flatnonzero(levels >= rising)[-1]]
    quotas: NDArray[np.float64] = np.maximum(level - held, 0.0)
    return quotas
