"""StoredIds: a text's ids in a file, read in parts as needed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...errors import InvalidInputError
from ..symbols.vocabulary import Ids
from .id_file import REMEDY, CheckedBlocks

SCAN = 1 << 20  # ids read at a time when all are examined


class Slots(NamedTuple):
    """A file of slots, the numbers of a text's own symbols, and the vocabulary's id for each slot."""

    blocks: CheckedBlocks
    dtype: np.dtype[np.unsignedinteger[Any]]  # of the file
    table: Ids  # the id of each slot
    as_is: bool  # whether every slot is its own id, so that the ids can be read in place

    @classmethod
    def of(cls, blocks: CheckedBlocks, dtype: np.dtype[np.unsignedinteger[Any]], table: Ids) -> Slots:
        """Return the slots of a file."""
        return cls(blocks, dtype, table, dtype == table.dtype and bool((table == np.arange(len(table))).all()))


class StoredIds:
    """An array of ids in a file. A slice is another view of the file; only `read` and `astype` read it.

    Its n ids begin `offset` bytes into the file.
    """

    ndim = 1

    def __init__(self, slots: Slots, offset: int, n: int) -> None:
        self.slots, self.offset, self._n = slots, offset, n
        self.dtype = slots.table.dtype

    def __len__(self) -> int:
        return self._n

    @property
    def shape(self) -> tuple[int]:
        """The number of ids, like the shape of an array."""
        return (self._n,)

    def __getitem__(self, part: slice) -> StoredIds:
        start, stop, step = part.indices(self._n)
        if step != 1:
            raise InvalidInputError(f"ids in a file cannot be sliced with step {step}. Use a step of 1.")
        return StoredIds(self.slots, self._at(start), max(0, stop - start))

    def read(self, start: int = 0, stop: int | None = None) -> Ids:
        """Return the ids from `start` to `stop`, by default to the end."""
        ids = np.empty((self._n if stop is None else stop) - start, self.dtype)
        self.read_into(ids, start)
        return ids

    def read_into(self, out: Ids, start: int) -> None:
        """Fill a contiguous array of `dtype` with ids from `start`."""
        blocks, slot_dtype, table, as_is = self.slots
        read = out if as_is else np.empty(out.shape, slot_dtype)
        blocks.read_into(read, self._at(start))
        if len(read) and int(read.max()) >= len(table):  # a kernel would read beyond its arrays
            raise InvalidInputError(f"{blocks.file.path} contains {read.max()}, which is not a valid slot. {REMEDY}")
        if not as_is:
            table.take(read, out=out, mode="clip")

    def astype(self, dtype: DTypeLike) -> NDArray[Any]:
        """Return all ids as an array of this dtype."""
        return self.read().astype(dtype, copy=False)

    def will_need(self, start: int, n: int) -> None:
        """Announce that n ids from `start` will be read soon."""
        self.slots.blocks.file.will_need(self._at(start), n * self.slots.dtype.itemsize)

    def _at(self, start: int) -> int:
        return self.offset + start * self.slots.dtype.itemsize


class StoredDocuments(StoredIds):
    """Documents in a file, packed as by `documents.pack`, with an index of some of them.

    `places` are the positions of the boundaries before these documents, including the first, in increasing order;
    `numbers` are the documents' numbers, from 0.
    """

    def __init__(
        self, ids: StoredIds, places: NDArray[np.int64], numbers: NDArray[np.int64], n_documents: int, boundary: int
    ) -> None:
        super().__init__(ids.slots, ids.offset, len(ids))
        self.places, self.numbers, self.n_documents, self.boundary = places, numbers, n_documents, boundary

    def place_of(self, document: int) -> int:
        """Return the position of the boundary before a document; `n_documents` means the last boundary."""
        if document == self.n_documents:
            return len(self) - 1
        i = int(np.searchsorted(self.numbers, document, side="right")) - 1
        place, left = int(self.places[i]), document - int(self.numbers[i])
        while left:  # boundaries to skip
            found = np.flatnonzero(self.read(place + 1, min(place + 1 + SCAN, len(self))) == self.boundary)
            place += 1 + (int(found[left - 1]) if left <= len(found) else SCAN - 1)
            left -= min(left, len(found))
        return place

    def split(self, n: int) -> tuple[StoredDocuments, StoredDocuments]:
        """Return the first n documents and the rest; both include the boundary between them."""
        cut = self.place_of(n)
        before = self.places < cut
        after = self.places > cut
        first = StoredDocuments(self[: cut + 1], self.places[before], self.numbers[before], n, self.boundary)
        places, numbers = np.append(0, self.places[after] - cut), np.append(0, self.numbers[after] - n)
        return first, StoredDocuments(self[cut:], places, numbers, self.n_documents - n, self.boundary)


TextIds = Ids | StoredIds


def columns(ids: TextIds, starts: NDArray[Any], n: int) -> Ids:
    """Return n ids from each of several positions, side by side, (n, len(starts))."""
    if not isinstance(ids, StoredIds):
        return np.asarray(ids[starts + np.arange(n)[:, None]])
    rows = np.empty((len(starts), n), ids.dtype)
    for row, start in zip(rows, starts.tolist(), strict=True):
        ids.read_into(row, start)
    return np.ascontiguousarray(rows.T)


def n_documents(ids: TextIds, boundary: int) -> int:
    """Return the number of packed documents."""
    if isinstance(ids, StoredDocuments):
        return ids.n_documents
    parts = (ids[i : i + SCAN].astype(ids.dtype) for i in range(0, len(ids), SCAN))
    return sum(int(np.count_nonzero(part == boundary)) for part in parts) - 1
