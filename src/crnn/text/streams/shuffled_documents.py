"""ShuffledDocuments: documents in memory, shuffled one by one for each epoch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ..sources.documents import boundaries
from .queues import MIN_PART, Held, Queue, cut_parts, distributed

MIN_SHUFFLED = 1 << 12  # symbols; with fewer, several epochs are shuffled together, which takes less time

Ids = NDArray[Any]


class ShuffledDocuments:
    """The documents in memory behind `DocumentStreams`; parameters as there.

    `ids` are the symbols to which the queues refer, and `weights` the weights of the transitions from each symbol.
    `transitions` is the number of transitions per epoch; `seq_length` is T, or fewer if an epoch has fewer. `order` is
    the generator's state, which determines the next shuffle.
    """

    def __init__(
        self,
        packed: Ids,
        boundary: int,
        batch_size: int,
        seq_length: int,
        *,
        rng: np.random.Generator,
        weights: NDArray[np.float64] | None,
    ) -> None:
        B, places = batch_size, boundaries(packed, boundary)
        lengths, self.transitions = np.diff(places), len(packed) - 1
        self.ids, self._rng = packed, rng
        # For each symbol read: the next symbol belongs to the same document, or is its end.
        self.weights = None if weights is None else np.repeat(weights, lengths)
        self.seq_length = T = min(seq_length, max(self.transitions // B, int(lengths.max())))
        self._first, self._length = cut_parts(places[:-1], lengths, max(MIN_PART, -(-self.transitions // B)))
        self._epochs = -(-max(MIN_SHUFFLED, 4 * B * T) // self.transitions)  # shuffled together
        self.nothing = Held(np.zeros(0, np.int64), 0, first=np.zeros(0, np.int64))

    @property
    def order(self) -> dict[str, Any]:
        """The generator's state."""
        return dict(self._rng.bit_generator.state)

    def held(self, queues: tuple[Queue, ...]) -> tuple[Held, ...]:
        """Return copies of what the queues refer to, for a position that does not keep a whole epoch in memory."""
        return tuple(Held(queue.length.copy(), queue.read, first=queue.first.copy()) for queue in queues)

    def queues(self, held: tuple[Held, ...]) -> tuple[Queue, ...]:
        """Return queues for what was held."""
        found = []
        for part in held:
            if part.first is None:
                raise InvalidInputError("the position is for documents in a file. Pass the same documents.")
            found.append(Queue(part.first, part.lengths, part.read, int(part.lengths.sum()) - part.read))
        return tuple(found)

    def return_to(self, order: dict[str, Any], held: tuple[Held, ...]) -> tuple[Queue, ...]:
        """Return to an earlier order, and to what was held then."""
        queues = self.queues(held)
        if any((queue.first + queue.length >= len(self.ids)).any() for queue in queues):
            raise InvalidInputError("the position is for other documents. Pass the same documents.")
        self._rng.bit_generator.state = order
        return queues

    def shuffled(self, queues: tuple[Queue, ...]) -> tuple[Queue, ...]:
        """Return the queues with the shuffled documents of further epochs appended."""
        n = len(self._first)
        order = self._rng.permuted(np.tile(np.arange(n), (self._epochs, 1)), axis=1).reshape(-1)
        return distributed(queues, self._first[order], self._length[order])
