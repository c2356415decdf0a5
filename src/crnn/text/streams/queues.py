"""Queues: the documents that streams have yet to read, distributed evenly and read in parallel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .streams import MAX_BLOCK

MIN_PART = 1 << 16  # symbols: shorter documents are never cut

Ids = NDArray[Any]
Places = NDArray[np.int64]


class Queue(NamedTuple):
    """The symbols that a stream has yet to read, as consecutive parts of documents."""

    first: Places  # the position of each part's leading boundary or, within a cut document, where it would be
    length: Places  # symbols of each part, including the leading boundary
    read: int  # symbols of the first part already read
    symbols: int  # total, without those read

    def advanced(self, n: int) -> Queue:
        """Return the queue without its next n symbols, which it must have."""
        if n < self.length[0] - self.read:
            return self._replace(read=self.read + n, symbols=self.symbols - n)
        ends = self.ends(n)
        last = int(np.searchsorted(ends, n))  # the part with the last of them
        left = int(ends[last]) - n
        at = last if left else last + 1
        return Queue(self.first[at:], self.length[at:], int(self.length[last]) - left if left else 0, self.symbols - n)

    def ends(self, n: int) -> Places:
        """Return the number of symbols before the end of each part, for as many parts as n symbols may need."""
        return np.cumsum(self.length[:n]) - self.read  # a part has at least one symbol


class Held(NamedTuple):
    """What a stream had yet to read when documents were last shuffled, as parts of documents."""

    lengths: Places  # symbols of each part, including the leading boundary
    read: int  # symbols of the first part already read
    first: Places | None = None  # the position of each part; for documents in a file, instead:
    ids: Ids | None = None  # the symbols of all parts
    weights: NDArray[np.float64] | None = None  # of these symbols


def distributed(queues: tuple[Queue, ...], first: Places, length: Places) -> tuple[Queue, ...]:
    """Return the queues with more parts of documents appended, in reading order: see `Queue`.

    Each stream gets enough to reach the common level, in whole parts: those whose middle is in its share.
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
    """Return the number of symbols left in the shortest stream; 0 before there are any."""
    return min((queue.symbols for queue in queues), default=0)


def block_length(queues: tuple[Queue, ...], seq_length: int) -> int:
    """Return the transitions of the next block: whole chunks available in all streams, up to `MAX_BLOCK` symbols."""
    most = max(1, MAX_BLOCK // (len(queues) * seq_length))
    return min(shortest(queues) // seq_length, most) * seq_length


def block_of(
    queues: tuple[Queue, ...], n: int, packed: Ids, boundary: int, weights: NDArray[np.float64] | None
) -> tuple[Ids, NDArray[np.float64] | None, tuple[Queue, ...]]:
    """Return the next n + 1 symbols of every stream, the weights of n transitions, and the queues after them.

    Each queue has at least n symbols. `packed` are the symbols to which the queues refer, and `weights` their weights.
    """
    ids = np.empty((len(queues), n + 1), packed.dtype)
    of_block = None if weights is None else np.empty((len(queues), n))
    rests = tuple(queue.advanced(n) for queue in queues)
    for b, (queue, rest) in enumerate(zip(queues, rests, strict=True)):
        places, starts = _places(queue, n)
        ids[b, :n] = packed[places]
        ids[b, starts] = boundary  # missing at the start of a part within a longer document
        if weights is not None and of_block is not None:
            of_block[b] = weights[places]
        # The last target. If the stream has nothing more yet, a document will follow.
        ids[b, n] = packed[rest.first[0] + rest.read] if rest.read else boundary
    return ids, of_block, rests


def _places(queue: Queue, n: int) -> tuple[slice | Places, Places]:
    """Return the positions of the next n symbols of a queue, and which of them begin a part."""
    if queue.read and n < queue.length[0] - queue.read:  # within one document: they are adjacent
        at = int(queue.first[0]) + queue.read
        return slice(at, at + n), np.zeros(0, np.int64)
    ends = queue.ends(n)
    last = int(np.searchsorted(ends, n))  # the part with the last of them
    ends = ends[: last + 1]
    begins = ends - queue.length[: last + 1]  # of each part in the symbols; the first may be < 0
    counts = np.minimum(ends, n) - np.maximum(begins, 0)
    return np.repeat(queue.first[: last + 1] - begins, counts) + np.arange(n), begins[begins >= 0]


def cut_parts(first: NDArray[np.intp], length: NDArray[np.intp], max_length: int) -> tuple[Places, Places]:
    """Cut documents of more than `max_length` symbols into parts of similar length.

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
        # The boundary and the document's own symbols, split evenly; each later part begins one symbol earlier, in
        # place of the missing boundary.
        inner = int(length[i]) - 1
        count = -(-inner // max_length)
        bounds = first[i] + 1 + inner * np.arange(count + 1) // count
        all_firsts.append(bounds[:-1] - 1)
        all_lengths.append(np.diff(bounds) + 1)
    order = np.argsort(np.concatenate(all_firsts), kind="stable")
    return np.concatenate(all_firsts)[order], np.concatenate(all_lengths)[order]


def _quotas(held: NDArray[np.int64], total: int) -> NDArray[np.float64]:
    """Return how much each stream gets so that all reach one level; streams above it get nothing.

    Examples
    --------
    >>> _quotas(np.array([0, 4, 10]), 6).tolist()
    [5.0, 1.0, 0.0]
    """
    rising = np.sort(held)
    # The level if the k lowest streams share everything; the largest k whose streams are all below it is right.
    levels = (total + np.cumsum(rising)) / np.arange(1, len(held) + 1)
    level = levels[np.flatnonzero(levels >= rising)[-1]]
    quotas: NDArray[np.float64] = np.maximum(level - held, 0.0)
    return quotas
