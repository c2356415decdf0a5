"""DocumentStreams: documents shuffled for each epoch, distributed to streams, and read in parallel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ..sources.stored_ids import StoredDocuments, TextIds
from .queues import Held, Queue, block_length, block_of, shortest
from .shuffled_documents import ShuffledDocuments
from .shuffled_runs import ShuffledRuns
from .streams import Block


class DocumentsPosition(NamedTuple):
    """The position of `DocumentStreams`: the streams before the last shuffle, and the progress since.

    Shuffling again restores the order of the documents, so the position need not store the order.
    """

    order: dict[str, Any]  # determines the next shuffle: a generator's state, or a seed and a group of runs
    held: tuple[Held, ...]  # the unread rest of each stream: little, since the shortest was about to run out
    shuffles: int  # made since; more than one only if a shuffle brings few symbols
    read: int  # symbols of each stream read since


class DocumentStreams:
    """Documents as B streams; every block reads the same number of symbols from each.

    For each epoch the documents are shuffled and distributed so that the streams become about equally long, counting
    what is left of the previous epoch. A block has whole chunks of T transitions: as many as the shortest stream has,
    or fewer if the block would become large. The rest of a stream comes first in its next block, which starts with the
    last target. So nothing is padded or left out. States are carried from block to block; the reader
    resets them at each boundary.

    A document is not cut, unless it is longer than an epoch of a whole stream and than 65,536 symbols: its parts are
    then read as separate documents, like the parts of one long text.

    Documents in memory are shuffled one by one (`ShuffledDocuments`), documents in a file by runs of neighbors
    (`ShuffledRuns`), so that the file is never held. A chunk has `seq_length` transitions, or fewer if a stream's share
    of the epoch, and every document, has fewer. `weights` (n,) are factors for the documents' losses. `steps_per_epoch`
    counts chunks, rounded up.
    """

    def __init__(
        self,
        packed: TextIds,
        boundary: int,
        batch_size: int,
        seq_length: int,
        *,
        rng: np.random.Generator,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.batch_size, sizes = int(batch_size), (int(batch_size), int(seq_length))
        self._documents: ShuffledDocuments | ShuffledRuns
        if isinstance(packed, StoredDocuments):
            self._documents = ShuffledRuns(packed, *sizes, rng=rng, weights=weights)
        else:
            self._documents = ShuffledDocuments(np.asarray(packed), boundary, *sizes, rng=rng, weights=weights)
        self._boundary = boundary
        self.seq_length = self._documents.seq_length
        self.steps_per_epoch = -(-self._documents.transitions // (self.batch_size * self.seq_length))
        self._queues: tuple[Queue, ...] = ()
        self._position: DocumentsPosition | None = None  # computed when needed: with many streams it takes much memory

    @property
    def position(self) -> DocumentsPosition:
        """The position of the next block; assign an earlier position to return there."""
        if self._position is None:
            self._queues = self._documents.queues((self._documents.nothing,) * self.batch_size)
            self._position = self._position_now()
        return self._position

    @position.setter
    def position(self, position: DocumentsPosition) -> None:
        if len(position.held) != self.batch_size:
            raise InvalidInputError(
                f"the position is for batch_size={len(position.held)}, but batch_size is {self.batch_size}. Restore it."
            )
        queues = self._documents.return_to(position.order, position.held)
        for _ in range(position.shuffles):
            queues = self._documents.shuffled(queues)
        if position.read:
            queues = tuple(queue.advanced(position.read) for queue in queues)
        self._position, self._queues = position, queues

    def next_block(self) -> Block:
        """Return the next block, a new array of at most `MAX_BLOCK` symbols, or of one chunk."""
        if shortest(self._queues) < self.seq_length:
            self._shuffle()
        n, documents = block_length(self._queues, self.seq_length), self._documents
        ids, weights, self._queues = block_of(self._queues, n, documents.ids, self._boundary, documents.weights)
        self._position = self.position._replace(read=self.position.read + n)
        return Block(ids, starts_epoch=False, loss_weights=weights)

    def _shuffle(self) -> None:
        """Distribute more documents until every stream has a chunk."""
        position = self._position_now() if self._queues else self.position
        self._queues = self._documents.return_to(position.order, position.held)
        while shortest(self._queues) < self.seq_length:
            self._queues = self._documents.shuffled(self._queues)
            position = position._replace(shuffles=position.shuffles + 1)
        self._position = position

    def _position_now(self) -> DocumentsPosition:
        return DocumentsPosition(self._documents.order, self._documents.held(self._queues), 0, 0)
