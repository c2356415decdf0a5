"""DocumentStreams: documents, shuffled anew for each epoch and distributed to streams that are read side by side."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ..sources.documents import boundaries
from .queues import MIN_PART, Queue, block_length, block_of, cut_parts, distributed, shortest
from .streams import Block

__all__ = ["DocumentStreams", "DocumentsPosition", "Queue"]

MIN_SHUFFLED = 1 << 12  # symbols: of fewer, several epochs are shuffled at once, which costs less than one by one

Ids = NDArray[Any]


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
        self._first, self._length = cut_parts(places[:-1], np.diff(places), max(MIN_PART, -(-transitions // B)))
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
        if len(position.queues) != self.batch_size:
            raise InvalidInputError(f"a position of {len(position.queues)} streams does not fit {self.batch_size}")
        if any((queue.first + queue.length >= len(self._packed)).any() for queue in position.queues):
            raise InvalidInputError("the position is in other documents: take one of the same ones")
        self._rng.bit_generator.state = position.random_state
        queues = position.queues
        for _ in range(position.shuffles):
            queues = self._with_epochs(queues)
        if position.read:
            queues = tuple(queue.advanced(position.read) for queue in queues)
        self._position, self._queues = position, queues

    def next_block(self) -> Block:
        """Return the next block: a new array of at most `MAX_BLOCK` symbols, or of one chunk."""
        self._shuffle_if_short()
        n = block_length(self._queues, self.seq_length)
        ids, weights, self._queues = block_of(self._queues, n, self._packed, self._boundary, self._weights)
        self._position = self._position._replace(read=self._position.read + n)
        return Block(ids, starts_epoch=False, loss_weights=weights)

    def _shuffle_if_short(self) -> None:
        """Distribute further epochs until every stream has a chunk."""
        T, queues = self.seq_length, self._queues
        if shortest(queues) >= T:
            return
        random_state, shuffles = self._rng.bit_generator.state, 0
        held = tuple(queue.copy() for queue in queues)
        while shortest(queues) < T:
            queues = self._with_epochs(queues)
            shuffles += 1
        self._position, self._queues = DocumentsPosition(random_state, held, shuffles, 0), queues

    def _with_epochs(self, queues: tuple[Queue, ...]) -> tuple[Queue, ...]:
        """Return the queues with the documents of further epochs, shuffled, behind what they hold."""
        n = len(self._first)
        order = self._rng.permuted(np.tile(np.arange(n), (self._epochs, 1)), axis=1).reshape(-1)
        return distributed(queues, self._first[order], self._length[order])
