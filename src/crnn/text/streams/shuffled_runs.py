"""ShuffledRuns: documents in a file, shuffled for each epoch in runs of neighbors, a group of runs at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ..sources.stored_ids import StoredDocuments
from ..symbols.vocabulary import Ids
from .document_runs import DocumentRuns, document_runs
from .queues import MIN_PART, Held, Queue, cut_parts, distributed

GROUP = 1 << 23  # symbols of documents read and shuffled together: with their positions about 100 MB


class ShuffledRuns:
    """The documents in a file behind `DocumentStreams`; parameters as there.

    For each epoch, runs of neighboring documents of about 8 kB are shuffled. Runs with a total of about `GROUP` symbols
    are read together; their documents are shuffled and distributed to the streams. Neighbors in the file are thus read
    far apart, and never more than a group is held. Documents that fit into one group are shuffled evenly.

    `ids` are the symbols of the last groups, to which the queues refer, and `weights` the weight of each. `order` is a
    seed, and the group's number counted from the first epoch; they determine the next group.
    """

    def __init__(
        self,
        packed: StoredDocuments,
        batch_size: int,
        seq_length: int,
        *,
        rng: np.random.Generator,
        weights: NDArray[np.float64] | None,
    ) -> None:
        self._packed, self._document_weights, self._batch_size = packed, weights, batch_size
        self._seed, self._group = int(rng.integers(2**63)), 0
        self._runs: DocumentRuns = document_runs(packed)
        self.transitions = int((self._runs.stops - self._runs.starts).sum())
        self.seq_length = max(1, min(seq_length, self.transitions // batch_size))
        self._groups_per_epoch = max(1, min(len(self._runs.starts), round(self.transitions / GROUP)))
        self._run_order: tuple[int, NDArray[np.intp]] = -1, np.zeros(0, np.intp)  # in this epoch
        self.ids = np.empty(0, packed.dtype)
        self.weights = None if weights is None else np.empty(0)
        self.nothing = Held(np.zeros(0, np.int64), 0, ids=self.ids, weights=self.weights)

    @property
    def order(self) -> dict[str, Any]:
        """The seed and the number of the next group."""
        return {"seed": self._seed, "group": self._group}

    def held(self, queues: tuple[Queue, ...]) -> tuple[Held, ...]:
        """Return a copy of the symbols to which the queues refer, for a position."""
        return tuple(self._held(queue) for queue in queues)

    def _held(self, queue: Queue) -> Held:
        parts = list(zip(queue.first.tolist(), queue.length.tolist(), strict=True))
        ids = np.concatenate([self.ids[:0], *(self.ids[first : first + length] for first, length in parts)])
        weights = self.weights
        if weights is not None:
            weights = np.concatenate([weights[:0], *(weights[first : first + length] for first, length in parts)])
        return Held(queue.length.copy(), queue.read, ids=ids, weights=weights)

    def queues(self, held: tuple[Held, ...]) -> tuple[Queue, ...]:
        """Return queues for what was held; nothing else is kept in memory."""
        ids = [part.ids for part in held if part.ids is not None]
        weighted = self._document_weights is not None
        if len(ids) < len(held) or any((part.weights is not None) != weighted for part in held):
            raise InvalidInputError(
                "the position is for documents in memory, or for other weights. Pass the same documents and weights."
            )
        if any(len(part) and int(part.max()) > self._packed.boundary for part in ids):
            raise InvalidInputError("the position contains an invalid symbol. Pass the text it belongs to.")
        weights = [part.weights for part in held if part.weights is not None]
        self.ids = np.concatenate(ids).astype(self._packed.dtype, copy=False)
        self.weights = np.concatenate(weights) if weights else None
        queues, start = [], 0
        for part, symbols in zip(held, ids, strict=True):
            first = start + np.cumsum(part.lengths) - part.lengths
            queues.append(Queue(first, part.lengths, part.read, len(symbols) - part.read))
            start += len(symbols)
        return tuple(queues)

    def return_to(self, order: dict[str, Any], held: tuple[Held, ...]) -> tuple[Queue, ...]:
        """Return to an earlier order, and to what was held then."""
        if order.keys() != {"seed", "group"}:
            raise InvalidInputError("the position is for documents in memory. Pass the same documents.")
        queues = self.queues(held)
        if order["seed"] != self._seed:
            self._seed, self._run_order = order["seed"], (-1, np.zeros(0, np.intp))
        self._group = order["group"]
        return queues

    def shuffled(self, queues: tuple[Queue, ...]) -> tuple[Queue, ...]:
        """Read a group, shuffle its documents, and return the queues with these appended."""
        ids, weights = self._read_group(self._group)
        first = np.flatnonzero(ids == self._packed.boundary)
        length = np.diff(first, append=len(ids))
        first, length = cut_parts(first, length, max(MIN_PART, -(-len(ids) // self._batch_size)))
        order = np.random.default_rng([self._seed, 1, self._group]).permutation(len(first))
        longer = distributed(queues, first[order] + len(self.ids), length[order])
        self.ids = np.concatenate([self.ids, ids])
        if weights is not None and self.weights is not None:
            self.weights = np.concatenate([self.weights, weights])
        self._group += 1
        return longer

    def _read_group(self, group: int) -> tuple[Ids, NDArray[np.float64] | None]:
        """Return a group's symbols and their weights; each run starts with a boundary."""
        epoch, k = divmod(group, self._groups_per_epoch)
        n_runs, n_groups = len(self._runs.starts), self._groups_per_epoch
        if self._run_order[0] != epoch:
            self._run_order = epoch, np.random.default_rng([self._seed, 0, epoch]).permutation(n_runs)
        runs = np.sort(self._run_order[1][n_runs * k // n_groups : n_runs * (k + 1) // n_groups])
        starts, sizes = self._runs.starts[runs], self._runs.stops[runs] - self._runs.starts[runs]
        places = np.cumsum(sizes) - sizes
        ids = np.empty(int(sizes.sum()), self._packed.dtype)
        for start, size, place in zip(starts.tolist(), sizes.tolist(), places.tolist(), strict=True):
            self._packed.read_into(ids[place : place + size], start)
        ids[places] = self._packed.boundary  # missing in a run that starts within a document
        return ids, self._weights_of(ids, runs, places)

    def _weights_of(self, ids: Ids, runs: NDArray[np.intp], places: NDArray[np.int64]) -> NDArray[Any] | None:
        """Return the weight of each symbol: the weight of the document whose next symbol or end it predicts."""
        if self._document_weights is None:
            return None
        first = np.flatnonzero(ids == self._packed.boundary)
        run = np.searchsorted(places, first, side="right") - 1  # of each document
        number = self._runs.numbers[runs][run] + np.arange(len(first)) - np.searchsorted(first, places)[run]
        return np.repeat(self._document_weights[number], np.diff(first, append=len(ids)))
