"""Count a text's n-grams within a memory limit, and choose the order that best predicts the end of the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InvalidInputError
from ..runtime.machine import check_free_memory
from ..text.documents import boundaries, document_numbers, n_unpredicted
from ..text.vocabulary import Ids
from .counts import Counts
from .occurrences import Occurrences, node_depths
from .packed_counts import LONGEST_STORED, from_arrays, prune_longest, to_arrays, without_text
from .settings import MAX_ORDER

DEFAULT_MEMORY = 2 * 10**9
HELD_OUT_DIVISOR = 20  # the last 1/20 of the symbols is held out for the choice
PRUNED_SHARE = 0.8  # of the limit that counts may take after pruning, so that it is seldom needed
BYTES_PER_SYMBOL = 16  # for each n-gram length that is stored, an upper bound for most texts

Progress = Callable[[int, int], None]
Times = NDArray[np.int32]


@dataclass(frozen=True)
class Limits:
    """How many symbols are counted at a time, and which orders are tried; tests take smaller numbers."""

    block: int = 1 << 17  # symbols counted between checks of the memory use
    first_block: int = 1 << 8  # symbols of the first block of `build_some`; each later one adds at most an eighth
    orders: tuple[int, ...] = (10, 24)  # try orders up to 10; if 10 wins, up to 24
    choice_symbols: int = 1 << 22  # the last ones of a longer text determine its order, in 2 to 10 s on one core
    max_symbols: int = int(np.iinfo(np.int32).max)  # of a text, the type of its counts


LIMITS = Limits()


class Builder:
    """Count the n-grams of a text within a memory limit in bytes, by default 2 GB.

    The counts get half of the limit; the rest is for copies when they grow, and for choosing the order. `progress` is
    called with the number of symbols counted so far and the total number. With `times` (n,), each of n packed documents
    counts as if it occurred so often in succession.
    """

    def __init__(
        self,
        symbols: int,
        boundary: int | None,
        max_memory: int | None = None,
        progress: Progress | None = None,
        *,
        keeps_text: bool = True,
        limits: Limits | None = None,
    ) -> None:
        self._limits = LIMITS if limits is None else limits
        self._symbols = symbols
        self._boundary = boundary
        self._progress = progress
        self._keeps_text = keeps_text
        self._max_memory = DEFAULT_MEMORY if max_memory is None else max_memory

    def build(self, ids: Ids, order: int | None, times: Times | None = None) -> Counts:
        """Return the counts of a text or, with a boundary, of packed documents.

        Without an order, it is the one up to 24 that best predicts the last twentieth of the text, or of its last
        `Limits.choice_symbols`, from the rest.
        """
        if order is None:
            return self._best(ids, times)
        self._check_free_memory(len(ids), order)
        counts = self._count(self._new(order, times), ids, 0, len(ids), times=times)
        if counts.order < order:
            raise InvalidInputError(
                f"order is {order}, which needs more than max_memory={_size(self._max_memory)} for this text. The "
                f"largest order that fits is {counts.order}."
            )
        return counts

    def build_longest(self, ids: Ids, order: int, times: Times | None = None) -> Counts:
        """Return the counts of a text with this order, or with a smaller one that fits in the memory."""
        self._check_free_memory(len(ids), order)
        return self._count(self._new(order, times), ids, 0, len(ids), times=times, parts=4)

    def build_some(self, ids: Ids, order: int, more: Callable[[], bool]) -> tuple[Counts, int]:
        """Return the counts of the beginning of a text, and its length.

        Counting ends early near the memory limit, or from the `Limits.block`-th symbol on if `more` returns False.
        """
        counts = self._new(order)
        done = n_unpredicted(self._boundary)
        counts.reserve(min(len(ids), self._max_memory // 64))
        while done < len(ids):
            end = min(done + min(max(done // 8, self._limits.first_block), self._limits.block), len(ids))
            counts.add(_read(ids, done, end), _read(ids, max(0, done - MAX_ORDER), done))
            done = end
            if counts.nbytes > PRUNED_SHARE * (self._max_memory // 2) or (done >= self._limits.block and not more()):
                break
        return counts, done

    def add(self, counts: Counts, ids: Ids, times: Times | None = None, *, prune: bool = False) -> Counts:
        """Return counts that include another text; with `prune`, long, rare n-grams go if they exceed the limit."""
        self._check_free_memory(len(ids), counts.order)
        counts = counts.copy() if times is None and not prune else without_text(counts.copy())
        added = self._count(counts, ids, 0, len(ids), times=times, parts=0, prune=prune)
        if added.nbytes > self._max_memory // 2:
            raise InvalidInputError(
                f"max_memory is {_size(self._max_memory)}, but the n-grams up to order {counts.order} with this text "
                "need more. Raise max_memory, or fit with a smaller order."
            )
        return added

    def _new(self, order: int, times: Times | None = None) -> Counts:
        """Return empty counts of an order, which keep their text if they are long and count each symbol once."""
        keeps_text = self._keeps_text and order > LONGEST_STORED and times is None
        return Counts(order, self._symbols, self._boundary, keeps_text=keeps_text)

    def _best(self, ids: Ids, times: Times | None) -> Counts:
        """Return the counts with the order that best predicts the end of the text."""
        n = self._n_symbols(ids, times)
        if times is None or self._boundary is None:
            last = last_symbols(ids, self._limits.choice_symbols, self._boundary, self._limits.block)
        else:
            last = _last_copies(ids, times, self._limits.choice_symbols, self._boundary)
        cut = max(n_unpredicted(self._boundary), len(last) - max(1, len(last) // HELD_OUT_DIVISOR))
        if self._boundary is not None:
            cut = 1 + _boundary_before(last, cut, self._boundary, self._limits.block)
        counts = self._best_order_counts(last, cut, self._limits.orders)
        if len(last) == n:
            return self._count(counts, last, cut, n)
        order = counts.order
        del counts  # frees memory for the whole text's counts
        return self.build_longest(ids, order, times)

    def _best_order_counts(self, ids: Ids, cut: int, orders: Sequence[int]) -> Counts:
        """Return the counts of the symbols before `cut`, with the order that best predicts the symbols after it."""
        self._check_free_memory(len(ids), orders[0])
        tail = _read(ids, cut, len(ids))
        context = _read(ids, max(0, cut - MAX_ORDER), cut)
        counts = self._count(self._new(orders[0]), ids, 0, cut, parts=4)
        occurrences = Occurrences(counts)
        best = 1 + int(np.argmin(occurrences.losses(tail, context)))
        if best == orders[0] and len(orders) > 1:
            del counts, occurrences  # frees memory for the counts of a longer order
            return self._best_order_counts(ids, cut, orders[1:])
        if best < counts.order:
            arrays = to_arrays(counts, best, occurrences)
            del counts, occurrences
            counts = from_arrays(arrays, self._symbols, self._boundary)
        return counts

    def _count(
        self,
        counts: Counts,
        ids: Ids,
        start: int,
        stop: int,
        *,
        times: Times | None = None,
        parts: int = MAX_ORDER,
        prune: bool = False,
    ) -> Counts:
        """Count a part of a text, reducing the order of the counts whenever they exceed the memory limit.

        Each reduction divides the order by `parts` and subtracts the result, at least 1. With 0 parts, counting stops
        instead. With `times`, the part is the whole text.
        """
        self._n_symbols(ids, times)  # refuses too many
        n = len(ids)
        document = 0
        start = max(start, n_unpredicted(self._boundary))
        counts.reserve(min(stop - start, self._max_memory // 64))
        for i in range(start, stop, self._limits.block):
            block = _read(ids, i, min(i + self._limits.block, stop))
            symbol_times = None
            if times is not None and self._boundary is not None:
                symbol_times = times[document_numbers(block, self._boundary, document)]
                document += int(np.count_nonzero(block == self._boundary))
            counts.add(block, _read(ids, max(0, i - MAX_ORDER), i), symbol_times)
            pruning = prune and counts.nbytes > self._max_memory // 2
            while pruning and counts.order > 1 and counts.nbytes > PRUNED_SHARE * (self._max_memory // 2):
                counts = prune_longest(counts)
            while counts.nbytes > self._max_memory // 2:
                if not parts:
                    return counts
                if counts.order == 1:
                    raise InvalidInputError(
                        f"max_memory is {_size(self._max_memory)}, too little for any order. Raise max_memory."
                    )
                arrays = to_arrays(counts, self._smaller_order(counts, parts))
                del counts  # frees memory for the smaller counts
                counts = from_arrays(arrays, self._symbols, self._boundary)
            if self._progress is not None:
                self._progress(min(i + self._limits.block, stop), n)
        return counts

    def _smaller_order(self, counts: Counts, parts: int) -> int:
        """Return the order by which to replace one that exceeds the memory limit."""
        order = counts.order - max(1, counts.order // parts)
        if not counts.keeps_text:
            return order
        shares = np.cumsum(np.bincount(node_depths(counts))) / counts.trie.node_count  # of the orders 1, 2, …
        fitting = int(np.searchsorted(shares * counts.nbytes, self._max_memory // 2, side="right"))
        return max(LONGEST_STORED, min(order, fitting))

    def _n_symbols(self, ids: Ids, times: Times | None) -> int:
        """Return the number of a text's symbols, or raise an error if they are too many to count."""
        n = len(ids)
        weighted = ""
        remedy = ""
        if times is not None and self._boundary is not None:
            lengths = np.diff(boundaries(ids, self._boundary)).astype(np.float64)  # a sum of integers may overflow
            n = 1 + int(lengths @ times)
            weighted = ", as often as sample_weight says"
            remedy = ". Divide sample_weight by a number, and round up."
        most = self._limits.max_symbols
        if n > most:
            raise InvalidInputError(
                f"the text has {n:,} symbols{weighted}, but at most {most:,} can be counted{remedy}",
                argument="the text",
            )
        return n

    def _check_free_memory(self, n: int, order: int) -> None:
        """Raise an error if counting may need more memory than is available."""
        stored = min(order, LONGEST_STORED) if self._keeps_text else order
        needed = min(self._max_memory, BYTES_PER_SYMBOL * n * stored)
        n_grams = f"the n-grams up to order {order} of {n:,} symbols"
        check_free_memory(needed, n_grams, "Pass a smaller max_memory, which limits the order.")


def without(counts: Counts, ids: Ids, times: NDArray[Any]) -> Counts:
    """Return counts as if each of n packed documents had been counted fewer `times`, (n,), at least 1, bit for bit."""
    assert counts.boundary is not None
    left = without_text(counts.copy())
    start = n_unpredicted(counts.boundary)
    symbol_times = times.astype(np.int32)[document_numbers(ids[start:], counts.boundary)]
    left.remove(ids[start:], ids[:start], symbol_times)
    return left


def last_symbols(ids: Ids, n: int, boundary: int | None, block: int = LIMITS.block) -> Ids:
    """Return the last n symbols of a text, or with a boundary the fewest last documents that contain n symbols."""
    if n >= len(ids):
        return ids
    start = len(ids) - n
    return ids[start if boundary is None else _boundary_before(ids, start, boundary, block) :]


def _last_copies(ids: Ids, times: Times, n: int, boundary: int) -> Ids:
    """Return `last_symbols` of documents that occur some times each, in succession."""
    places = boundaries(ids, boundary)[-n - 1 :].astype(np.int64)
    lengths = np.diff(places)
    copies = times[1 - len(places) :].astype(np.int64)
    sizes = np.cumsum((lengths * copies)[::-1])
    more = int(np.searchsorted(sizes, n))  # documents after the first of the last ones
    if more < len(sizes):
        first = len(sizes) - 1 - more
        rest = n - int(sizes[more - 1]) if more else n
        copies[:first] = 0
        copies[first] = -(-rest // lengths[first])
    starts = np.repeat(places[:-1] + 1, copies)
    lengths = np.repeat(lengths, copies)
    ends = np.cumsum(lengths)
    at = np.arange(int(ends[-1])) + np.repeat(starts - ends + lengths, lengths)
    return np.concatenate([ids[:1], ids[at]])


def _boundary_before(ids: Ids, stop: int, boundary: int, block: int) -> int:
    """Return the position of the last boundary before `stop`; the first symbol is a boundary.

    `block` symbols are read at a time.
    """
    while stop > 1:
        start = max(0, stop - block)
        places = np.flatnonzero(_read(ids, start, stop) == boundary)
        if len(places):
            return start + int(places[-1])
        stop = start
    return 0


def _read(ids: Ids, start: int, stop: int) -> NDArray[Any]:
    """Return a part of the ids, possibly of a memory map, as the kernels take them."""
    return ids[start:stop].astype(np.int32)


def _size(n_bytes: int) -> str:
    """Return a number of bytes with a suitable unit."""
    if n_bytes < 10**6:
        return f"{n_bytes:,} bytes"
    return f"{n_bytes / 1e9:.3g} GB" if n_bytes >= 10**9 else f"{n_bytes / 1e6:.3g} MB"
