"""DocumentStreams: documents shuffled for each epoch, distributed to streams, and read in parallel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ..sources.documents import boundaries
from ..symbols.vocabulary import Ids
from .protocol import Block
from .queues import MIN_PART, Parts, Queue, block_length, block_of, distributed, shortest

MIN_SHUFFLED = 1 << 12  # symbols; with fewer, several epochs are shuffled together, which takes less time


class DocumentsPosition(NamedTuple):
    """The position of `DocumentStreams`: the streams before the last shuffle, and the progress since.

    Shuffling again restores the order of the documents, so the position need not store the order.
    """

    order: dict[str, Any]  # the generator's state, which determines the next shuffle
    held: tuple[Queue, ...]  # the unread rest of each stream: little, since the shortest was about to run out
    shuffles: int  # made since; more than one only if a shuffle brings few symbols
    read: int  # symbols of each stream read since


class DocumentStreams:
    """Documents as B streams; every block reads the same number of symbols from each.

    For each epoch the documents are shuffled and distributed so that the streams become about equally long, counting
    what is left of the previous epoch. A block has whole chunks of T transitions: the number in the shortest stream,
    or fewer if the block would become large. The rest of a stream comes first in its next block, which starts with the
    last target. So nothing is padded or left out. States are carried from block to block; the reader
    resets them at each boundary.

    A document is not cut, unless it is longer than an epoch of a whole stream and than 65,536 symbols: its parts are
    then read as separate documents, like the parts of one long text.

    The ids may be mapped from a file. In memory are the positions of the boundaries and the shuffled numbers of the
    documents, 4 bytes each, or 8 for more than 2³² symbols. A chunk has `seq_length` transitions, or fewer if a
    stream's share of the epoch, and every document, has fewer. `weights` (n,) are factors for the documents' losses.
    `steps_per_epoch` counts chunks, rounded up.
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
    ) -> None:
        B, places = int(batch_size), boundaries(packed, boundary)
        self._ids, self._boundary, self._rng, self._weights = packed, boundary, rng, weights
        transitions, documents = len(packed) - 1, Parts(places[:-1], places[1:])
        self.batch_size = B
        self.seq_length = min(int(seq_length), max(transitions // B, documents.longest))
        self.steps_per_epoch = -(-transitions // (B * self.seq_length))
        self._parts = documents.cut(max(MIN_PART, -(-transitions // B)))
        self._symbols = self._parts.symbols
        self._epochs = -(-max(MIN_SHUFFLED, 4 * B * self.seq_length) // transitions)  # shuffled together
        self._queues: tuple[Queue, ...] = ()
        self._position: DocumentsPosition | None = None  # computed when needed: with many streams it takes much memory

    @property
    def position(self) -> DocumentsPosition:
        """The position of the next block; assign an earlier position to return there."""
        if self._position is None:
            nothing = np.zeros(0, self._parts.starts.dtype)
            self._queues = (Queue(nothing, 0, 0),) * self.batch_size
            self._position = self._position_now()
        return self._position

    @position.setter
    def position(self, position: DocumentsPosition) -> None:
        if len(position.held) != self.batch_size:
            raise InvalidInputError(
                f"the position is for batch_size={len(position.held)}, but batch_size is {self.batch_size}. Restore it."
            )
        queues = self._return_to(position)
        for _ in range(position.shuffles):
            queues = self._shuffled(queues)
        if position.read:
            queues = tuple(queue.advanced(position.read, self._parts) for queue in queues)
        self._position, self._queues = position, queues

    def next_block(self) -> Block:
        """Return the next block, a new array of at most `MAX_BLOCK` symbols, or of one chunk."""
        if shortest(self._queues) < self.seq_length:
            self._shuffle()
        n = block_length(self._queues, self.seq_length)
        ids, weights, self._queues = block_of(
            self._queues, n, self._ids, self._parts, self._boundary, self._weights
        )
        self._position = self.position._replace(read=self.position.read + n)
        return Block(ids, starts_epoch=False, loss_weights=weights)

    def _shuffle(self) -> None:
        """Distribute more documents until every stream has a chunk."""
        position = self._position_now() if self._queues else self.position
        while shortest(self._queues) < self.seq_length:
            self._queues = self._shuffled(self._queues)
            position = position._replace(shuffles=position.shuffles + 1)
        self._position = position

    def _shuffled(self, queues: tuple[Queue, ...]) -> tuple[Queue, ...]:
        """Return the queues with the shuffled documents of further epochs appended."""
        order = np.tile(np.arange(len(self._parts.starts), dtype=self._parts.starts.dtype), (self._epochs, 1))
        self._rng.permuted(order, axis=1, out=order)
        return distributed(queues, order.reshape(-1), self._epochs * self._symbols, self._parts)

    def _position_now(self) -> DocumentsPosition:
        # Copies: slices would keep the numbers of a whole epoch in memory.
        held = tuple(queue._replace(numbers=queue.numbers.copy()) for queue in self._queues)
        return DocumentsPosition(dict(self._rng.bit_generator.state), held, 0, 0)

    def _return_to(self, position: DocumentsPosition) -> tuple[Queue, ...]:
        """Return to the order and the queues of an earlier position, which may come from a file."""
        queues, parts = [], self._parts
        for numbers, read, _ in position.held:
            if (numbers >= len(parts.starts)).any() or read > (parts.lengths(numbers[:1]) - 1).sum():
                raise InvalidInputError("the position is for other documents. Pass the same documents.")
            own = numbers.astype(parts.starts.dtype)
            queues.append(Queue(own, read, int(parts.lengths(own).sum()) - read))
        self._rng.bit_generator.state = position.order
        return tuple(queues)
