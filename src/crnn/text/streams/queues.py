"""Queues: the documents that streams have still to read, split evenly among them and handed out side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .streams import MAX_BLOCK

__all__ = ["MIN_PART", "Held", "Places", "Queue", "block_length", "block_of", "cut_parts", "distributed", "shortest"]

MIN_PART = 1 << 16  # symbols: a shorter document is never cut

Ids = NDArray[Any]
Places = NDArray[np.int64]


class Queue(NamedTuple):
    """The symbols that a stream has still to read: parts of documents one after another."""

    first: Places  # the place of each part's leading boundary or, within a document that is cut, where one would be
    length: Places  # symbols of each part, its leading boundary included
    read: int  # symbols of the first part that have been read
    symbols: int  # in all, without those

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


class Held(NamedTuple):
    """What a stream still had to read when documents were last shuffled: parts of documents."""

    lengths: Places  # symbols of each part, its leading boundary included
    read: int  # symbols of the first part that had been read
    first: Places | None = None  # the place of each part; of documents in a file instead:
    ids: Ids | None = None  # the symbols of all parts
    weights: NDArray[np.float64] | None = None  # of these symbols


def distributed(queues: tuple[Queue, ...], first: Places, length: Places) -> tuple[Queue, ...]:
    """Return the queues with further parts of documents behind what they hold.

    Each stream gets what brings it to the common level, in whole parts: those whose middle is in its share.

    Parameters
    ----------
    queues : tuple of Queue
    first, length : arrays of int, shape (n,)
        The parts in the order in which they are to be read: see `Queue`.
    """
    ends = np.cumsum(length)
    quotas = _quotas(np.array([queue.symbols for queue in queues]), int(ends[-1]))
    bounds = np.concatenate([[0], np.searchsorted(ends - length / 2, np.cumsum(quotas)[:-1]), [len(length)]])
    longer = []
    for queue, begin, end in zip(queues, bounds[:-1], bounds[1:], strict=True):
        of_stream, symbols = length[begin:end], queue.symbols + int(length[begin:end].sum())
        new = Queue(np.append(queue.first, first[begin:end]), np.append(queue.length, of_stream), queue.read, symbols)
        longer.append(new if end > begin else queue)
    return tuple(longer)


def shortest(queues: tuple[Queue, ...]) -> int:
    """Return how many symbols the stream with the fewest has still to read; 0 before there are any."""
    return min((queue.symbols for queue in queues), default=0)


def block_length(queues: tuple[Queue, ...], seq_length: int) -> int:
    """Return the transitions of the next block: whole chunks that all streams have, at most `MAX_BLOCK` symbols or one.

    Examples
    --------
    >>> parts = np.array([0]), np.array([50])
    >>> block_length((Queue(*parts, 0, 50), Queue(*parts, 13, 37)), seq_length=10)
    30
    """
    most = max(1, MAX_BLOCK // (len(queues) * seq_length))
    return min(shortest(queues) // seq_length, most) * seq_length


def block_of(
    queues: tuple[Queue, ...], n: int, packed: Ids, boundary: int, weights: NDArray[np.float64] | None
) -> tuple[Ids, NDArray[np.float64] | None, tuple[Queue, ...]]:
    """Return the next n + 1 symbols of every stream, the weights of n transitions, and the queues after them.

    Parameters
    ----------
    queues : tuple of Queue
        Each with n symbols or more.
    n : int
    packed : array of unsigned integers
        The symbols that the queues point to.
    boundary : int
    weights : array of float like `packed`, or None
    """
    ids = np.empty((len(queues), n + 1), packed.dtype)
    of_block = None if weights is None else np.empty((len(queues), n))
    rests = tuple(queue.advanced(n) for queue in queues)
    for b, (queue, rest) in enumerate(zip(queues, rests, strict=True)):
        places, starts = _places(queue, n)
        ids[b, :n] = packed[places]
        ids[b, starts] = boundary  # which a part within a longer document lacks
        if weights is not None and of_block is not None:
            of_block[b] = weights[places]
        # The last target. Where the stream has nothing more yet, a document will come.
        begins = rest.read == 0 or not rest.symbols
        ids[b, n] = boundary if begins else packed[rest.first[0] + rest.read]
    return ids, of_block, rests


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


def cut_parts(first: NDArray[np.intp], length: NDArray[np.intp], max_length: int) -> tuple[Places, Places]:
    """Cut documents of more than `max_length` symbols in parts of about the same length.

    Examples
    --------
    >>> cut_parts(np.array([0, 5]), np.array([5, 2]), 3)
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
