"""DocumentRuns reads documents from a file in runs of neighbors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..sources.stored_ids import StoredDocuments
from .queues import MIN_PART

RUN = 1 << 13  # symbols: a disk reads them in about the time of a seek
LONG = 1 << 20  # symbols beyond which a run is cut
PIECE = 1 << 18  # approximate symbols of the pieces


class DocumentRuns(NamedTuple):
    """Runs of packed documents, each from the boundary before its first document to the one after its last.

    The last boundary is not part of a run. A run within a long document starts with the last symbol of the previous
    run, in place of the boundary.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    numbers: NDArray[np.int64]  # of each run's first document


def document_runs(packed: StoredDocuments) -> DocumentRuns:
    """Return all documents in runs of about `RUN` symbols, or single longer documents."""
    end = len(packed) - 1
    wanted = np.searchsorted(packed.places, np.arange(0, end, RUN))
    kept = np.unique(wanted[wanted < len(packed.places)])
    starts, numbers = packed.places[kept], packed.numbers[kept]
    stops = np.append(starts[1:], end)
    long = np.flatnonzero(stops - starts > LONG)
    if not len(long):
        return DocumentRuns(starts, stops, numbers)
    keep = np.ones(len(starts), np.bool_)
    keep[long] = False
    cut = [_cut(packed, int(starts[i]), int(stops[i]), int(numbers[i])) for i in long]
    runs = DocumentRuns(starts[keep], stops[keep], numbers[keep])
    joined = [np.concatenate(parts) for parts in zip(runs, *cut, strict=True)]
    order = np.argsort(joined[0], kind="stable")
    return DocumentRuns(*(part[order] for part in joined))


def _cut(packed: StoredDocuments, start: int, stop: int, number: int) -> DocumentRuns:
    """Cut a long run between documents or, without a boundary for `MIN_PART` symbols, within one."""
    starts, stops, numbers = [start], list[int](), [number]
    while stop - starts[-1] > LONG:
        start = starts[-1]
        symbols = packed.read(start + 1, start + 1 + PIECE + MIN_PART)  # less than LONG
        found = symbols == packed.boundary
        after = np.flatnonzero(found[PIECE:])
        inside = not len(after)
        at = PIECE + (0 if inside else int(after[0]))  # in the symbols
        starts.append(start + 1 + at)
        stops.append(start + 1 + at + inside)
        numbers.append(numbers[-1] + int(np.count_nonzero(found[: at + 1])))
    stops.append(stop)
    return DocumentRuns(*(np.array(part, np.int64) for part in (starts, stops, numbers)))
