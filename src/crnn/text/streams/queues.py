"""Queues: the documents that streams have yet to read, distributed evenly and read in parallel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .protocol import MAX_BLOCK

MIN_PART = 1 << 16  # symbols: shorter documents are never cut
CHUNK = 1 << 20  # parts whose lengths are added at once: temporaries of all parts would take much memory
FIRST_PARTS = 16  # looked up first when a stream reads on; more if it needs them

Ids = NDArray[Any]
Numbers = NDArray[Any]  # unsigned integers of 4 bytes, or of 8 if there are too many parts


class Parts(NamedTuple):
    """Packed documents as consecutive parts of an array; long documents have several."""

    starts: NDArray[Any]  # the position of each part's leading boundary or, within a cut document, where it would be
    stops: NDArray[Any]  # the position after each part
    documents: NDArray[np.int64] | None = None  # the document of each part; None: its number

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
        return max(int(self.lengths(slice(i, i + CHUNK)).max()) for i in range(0, len(self.starts), CHUNK))

    @property
    def symbols(self) -> int:
        """The symbols of all parts."""
        return sum(int(self.lengths(slice(i, i + CHUNK)).sum()) for i in range(0, len(self.starts), CHUNK))

    def cut(self, max_length: int) -> Parts:
        """Return the parts of documents, with parts of more than `max_length` symbols cut into similar lengths.

        Examples
        --------
        >>> Parts(np.array([0, 5]), np.array([5, 7])).cut(3)
        Parts(starts=array([0, 2, 5]), stops=array([3, 5, 7]), documents=array([0, 0, 1]))
        """
        if self.longest <= max_length:
            return self
        starts, stops, numbers = [], [], []
        for i in np.flatnonzero(self.lengths(slice(None)) > max_length).tolist():
            # The boundary and the document's own symbols, split evenly; each later part begins one symbol earlier, in
            # place of the missing boundary.
            start, inner = int(self.starts[i]), int(self.stops[i]) - int(self.starts[i]) - 1
            count = -(-inner // max_length)
            bounds = start + 1 + inner * np.arange(count + 1) // count
            starts.append(bounds[:-1] - 1)
            stops.append(bounds[1:])
            numbers.append(np.full(count, i))
        kept = np.flatnonzero(self.lengths(slice(None)) <= max_length)
        all_starts = np.concatenate([self.starts[kept].astype(np.int64), *starts])
        all_stops = np.concatenate([self.stops[kept].astype(np.int64), *stops])
        order = np.argsort(all_starts, kind="stable")
        return Parts(all_starts[order], all_stops[order], np.concatenate([kept, *numbers])[order])


class Queue(NamedTuple):
    """The parts of documents that a stream has yet to read, in order."""

    numbers: Numbers
    read: int  # symbols of the first part already read
    symbols: int  # total, without those read

    def advanced(self, n: int, parts: Parts) -> Queue:
        """Return the queue without its next n symbols, which it must have."""
        ends = self.ends(n, parts)
        last = int(np.searchsorted(ends, n))  # the part with the last of them
        left = int(ends[last]) - n
        length = int(ends[last]) - (int(ends[last - 1]) if last else -self.read)
        return Queue(self.numbers[last if left else last + 1 :], length - left if left else 0, self.symbols - n)

    def ends(self, n: int, parts: Parts) -> NDArray[np.int64]:
        """Return the number of symbols before the end of each part, for at least the parts that n symbols need."""
        k = FIRST_PARTS
        while True:
            ends = np.cumsum(parts.lengths(self.numbers[:k])) - self.read
            if k >= len(self.numbers) or ends[-1] >= n:
                return ends
            k *= 4


def distributed(queues: tuple[Queue, ...], order: Numbers, total: int, parts: Parts) -> tuple[Queue, ...]:
    """Return the queues with more parts appended, which have `total` symbols, in reading order.

    Each stream gets enough to reach the common level, in whole parts: those whose middle is in its share.
    """
    levels = np.cumsum(_quotas(np.array([queue.symbols for queue in queues]), total))[:-1]
    bounds, symbols, before = np.zeros(len(levels), np.int64), np.zeros(len(levels), np.int64), 0
    for i in range(0, len(order), CHUNK):
        length = parts.lengths(order[i : i + CHUNK])
        ends = before + np.cumsum(length)
        n = np.searchsorted(ends - length / 2, levels)
        bounds += n
        symbols += np.append(0, np.cumsum(length))[n]
        before = int(ends[-1])
    longer = []
    edges, sums = [0, *bounds.tolist(), len(order)], [0, *symbols.tolist(), total]
    for b, queue in enumerate(queues):
        new = order[edges[b] : edges[b + 1]]
        numbers = np.append(queue.numbers, new) if len(queue.numbers) else new
        longer.append(Queue(numbers, queue.read, queue.symbols + sums[b + 1] - sums[b]) if len(new) else queue)
    return tuple(longer)


def shortest(queues: tuple[Queue, ...]) -> int:
    """Return the number of symbols left in the shortest stream; 0 before there are any."""
    return min((queue.symbols for queue in queues), default=0)


def block_length(queues: tuple[Queue, ...], seq_length: int) -> int:
    """Return the transitions of the next block: whole chunks available in all streams, up to `MAX_BLOCK` symbols."""
    most = max(1, MAX_BLOCK // (len(queues) * seq_length))
    return min(shortest(queues) // seq_length, most) * seq_length


def block_of(
    queues: tuple[Queue, ...], n: int, packed: Ids, parts: Parts, boundary: int, weights: NDArray[np.float64] | None
) -> tuple[Ids, NDArray[np.float64] | None, tuple[Queue, ...]]:
    """Return the next n + 1 symbols of every stream, the weights of n transitions, and the queues after them.

    Each queue has at least n symbols. `packed` are the symbols to which the parts refer, and `weights` belong to the
    documents.
    """
    ids = np.empty((len(queues), n + 1), packed.dtype)
    of_block = None if weights is None else np.empty((len(queues), n))
    rests = tuple(queue.advanced(n, parts) for queue in queues)
    for b, (queue, rest) in enumerate(zip(queues, rests, strict=True)):
        ends = queue.ends(n, parts)
        last = int(np.searchsorted(ends, n))  # the part with the last of them
        numbers, ends = queue.numbers[: last + 1], ends[: last + 1]
        begins = np.append(-queue.read, ends[:-1])  # of each part in the symbols
        starts = parts.starts[numbers].astype(np.int64)
        if last:
            counts = np.minimum(ends, n) - np.maximum(begins, 0)
            ids[b, :n] = packed[np.repeat(starts - begins, counts) + np.arange(n)]
        else:  # within one part: they are adjacent
            counts, at = np.array([n]), int(starts[0]) + queue.read
            ids[b, :n] = packed[at : at + n]
        ids[b, begins[begins >= 0]] = boundary  # missing at the start of a part within a longer document
        if weights is not None and of_block is not None:
            of_block[b] = np.repeat(weights[parts.documents_of(numbers)], counts)
        # The last target. If the stream has nothing more yet, a document will follow.
        ids[b, n] = packed[int(parts.starts[rest.numbers[0]]) + rest.read] if rest.read else boundary
    return ids, of_block, rests


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
