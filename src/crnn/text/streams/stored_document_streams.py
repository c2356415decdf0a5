"""StoredDocumentStreams: documents in a file, shuffled for each epoch without being held."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import InvalidInputError
from ..sources.stored_ids import StoredDocuments
from ..symbols.vocabulary import Ids
from .document_runs import DocumentRuns, document_runs
from .queues import MIN_PART, Queue, block_length, block_of, cut_parts, distributed, shortest
from .streams import Block

__all__ = ["Held", "StoredDocumentStreams", "StoredDocumentsPosition"]

GROUP = 1 << 23  # symbols of the documents that are read and shuffled together: with their places about 100 MB


class Held(NamedTuple):
    """What a stream still had to read when the next group was read: parts of documents, with their symbols."""

    ids: Ids
    lengths: NDArray[np.int64]
    read: int  # symbols of the first part that had been read
    weights: NDArray[np.float64] | None  # of the symbols


class StoredDocumentsPosition(NamedTuple):
    """Where `StoredDocumentStreams` stand: before the last reading of groups, and what has happened since."""

    seed: int
    group: int  # the first of the groups that were read, counted from the first epoch on
    groups: int  # how many were read
    held: tuple[Held, ...]  # what each stream still had before
    read: int  # symbols that each stream has read since


class StoredDocumentStreams:
    """Documents in a file as B streams, of which every block reads equally much, as `DocumentStreams` of documents.

    For each epoch runs of neighbouring documents, of about 8 kB, are shuffled. As many of them as have about
    `GROUP` symbols in all are read together; the documents in them are shuffled and distributed to the streams. So
    documents that lie together in the file are read far apart, and no more than a group is held. Documents of up to a
    group in all are shuffled evenly.

    Parameters
    ----------
    packed : StoredDocuments
    batch_size : int, default=1
    seq_length : int, default=25
    rng : numpy.random.Generator
        Gives a seed.
    weights : array of float, shape (n,), optional
        As in `DocumentStreams`.

    Attributes
    ----------
    batch_size, seq_length : int
        T is less where a stream's share of the epoch has less.
    steps_per_epoch : int
        Chunks of an epoch, rounded up.
    position : StoredDocumentsPosition
    """

    def __init__(
        self,
        packed: StoredDocuments,
        batch_size: int = 1,
        seq_length: int = 25,
        *,
        rng: np.random.Generator,
        weights: NDArray[np.float64] | None = None,
    ) -> None:
        self.batch_size = int(batch_size)
        self._packed, self._weights, self._seed = packed, weights, int(rng.integers(2**63))
        self._runs: DocumentRuns = document_runs(packed)
        transitions = int((self._runs.stops - self._runs.starts).sum())
        self.seq_length = max(1, min(int(seq_length), transitions // self.batch_size))
        self.steps_per_epoch = -(-transitions // (self.batch_size * self.seq_length))
        self._groups_per_epoch = max(1, min(len(self._runs.starts), round(transitions / GROUP)))
        self._order: tuple[int, NDArray[np.intp]] = -1, np.zeros(0, np.intp)  # of the runs, in this epoch
        self._position: StoredDocumentsPosition
        self._queues: tuple[Queue, ...]
        nothing = Held(np.empty(0, packed.dtype), np.zeros(0, np.int64), 0, None if weights is None else np.empty(0))
        self.position = StoredDocumentsPosition(self._seed, 0, 0, (nothing,) * self.batch_size, 0)

    @property
    def position(self) -> StoredDocumentsPosition:
        """Where the next block begins; assigning a position that was read before returns there."""
        return self._position

    @position.setter
    def position(self, position: StoredDocumentsPosition) -> None:
        held = position.held
        weighted = self._weights is not None
        if len(held) != self.batch_size or any((of_stream.weights is not None) != weighted for of_stream in held):
            raise InvalidInputError(f"a position of {len(held)} streams, or of other weights, does not fit")
        if any(len(of_stream.ids) and int(of_stream.ids.max()) > self._packed.boundary for of_stream in held):
            raise InvalidInputError("the position holds a number that is no symbol: it belongs to another text")
        if position.seed != self._seed:
            self._seed, self._order = position.seed, (-1, np.zeros(0, np.intp))
        self._unpack(position.held)
        for group in range(position.group, position.group + position.groups):
            self._add(group)
        if position.read:
            self._queues = tuple(queue.advanced(position.read) for queue in self._queues)
        self._position = position

    def next_block(self) -> Block:
        """Return the next block: a new array of at most `MAX_BLOCK` symbols, or of one chunk."""
        self._read_if_short()
        n, boundary = block_length(self._queues, self.seq_length), self._packed.boundary
        ids, weights, self._queues = block_of(self._queues, n, self._ids, boundary, self._symbol_weights)
        self._position = self._position._replace(read=self._position.read + n)
        return Block(ids, starts_epoch=False, loss_weights=weights)

    def _read_if_short(self) -> None:
        """Read further groups until every stream has a chunk."""
        T = self.seq_length
        if shortest(self._queues) >= T:
            return
        held = tuple(self._held(queue) for queue in self._queues)
        first, groups = self._position.group + self._position.groups, 0
        self._unpack(held)
        while shortest(self._queues) < T:
            self._add(first + groups)
            groups += 1
        self._position = StoredDocumentsPosition(self._seed, first, groups, held, 0)

    def _held(self, queue: Queue) -> Held:
        """Return a copy of the symbols that a queue points to."""
        parts = list(zip(queue.first.tolist(), queue.length.tolist(), strict=True))
        ids = np.concatenate([self._ids[:0], *(self._ids[first : first + length] for first, length in parts)])
        weights = self._symbol_weights
        if weights is not None:
            weights = np.concatenate([weights[:0], *(weights[first : first + length] for first, length in parts)])
        return Held(ids, queue.length.copy(), queue.read, weights)

    def _unpack(self, held: tuple[Held, ...]) -> None:
        """Let the queues be what was held, and nothing more."""
        self._ids = np.concatenate([of_stream.ids for of_stream in held]).astype(self._packed.dtype, copy=False)
        weights = [of_stream.weights for of_stream in held if of_stream.weights is not None]
        self._symbol_weights = np.concatenate(weights) if weights else None
        queues, start = [], 0
        for ids, lengths, read, _ in held:
            first = start + np.cumsum(lengths) - lengths
            queues.append(Queue(first, lengths, read, len(ids) - read))
            start += len(ids)
        self._queues = tuple(queues)

    def _add(self, group: int) -> None:
        """Read a group, shuffle its documents and put them behind what the streams have."""
        ids, weights = self._read_group(group)
        first = np.flatnonzero(ids == self._packed.boundary)
        length = np.diff(first, append=len(ids))
        first, length = cut_parts(first, length, max(MIN_PART, -(-len(ids) // self.batch_size)))
        order = np.random.default_rng([self._seed, 1, group]).permutation(len(first))
        self._queues = distributed(self._queues, first[order] + len(self._ids), length[order])
        self._ids = np.concatenate([self._ids, ids])
        if weights is not None and self._symbol_weights is not None:
            self._symbol_weights = np.concatenate([self._symbol_weights, weights])

    def _read_group(self, group: int) -> tuple[Ids, NDArray[np.float64] | None]:
        """Return the symbols of a group and their weights; each run begins with a boundary."""
        epoch, k = divmod(group, self._groups_per_epoch)
        n_runs, n_groups = len(self._runs.starts), self._groups_per_epoch
        if self._order[0] != epoch:
            self._order = epoch, np.random.default_rng([self._seed, 0, epoch]).permutation(n_runs)
        runs = np.sort(self._order[1][n_runs * k // n_groups : n_runs * (k + 1) // n_groups])
        starts, sizes = self._runs.starts[runs], self._runs.stops[runs] - self._runs.starts[runs]
        places = np.cumsum(sizes) - sizes
        ids = np.empty(int(sizes.sum()), self._packed.dtype)
        for start, size, place in zip(starts.tolist(), sizes.tolist(), places.tolist(), strict=True):
            self._packed.read_into(ids[place : place + size], start)
        ids[places] = self._packed.boundary  # which a run that begins within a document lacks
        return ids, self._weights_of(ids, runs, places)

    def _weights_of(self, ids: Ids, runs: NDArray[np.intp], places: NDArray[np.int64]) -> NDArray[Any] | None:
        """Return the weight of each symbol, that of the document whose next symbol or end is predicted from it."""
        if self._weights is None:
            return None
        first = np.flatnonzero(ids == self._packed.boundary)
        run = np.searchsorted(places, first, side="right") - 1  # of each document
        number = self._runs.numbers[runs][run] + np.arange(len(first)) - np.searchsorted(first, places)[run]
        return np.repeat(self._weights[number], np.diff(first, append=len(ids)))
