"""Prune counts: keep the n-grams that lower the loss most for their bytes.

Removing the n-gram (c, w) gives its probability to the context's escape. It costs the relative entropy between the
distributions before and after, weighted by the context's share of the text (Stolcke 1998),

    P(c) (p (log p - log lower) - (escape + p) log((escape + p) / (rest + lower)) + escape log(escape / rest))

with p = p(w | c), lower = p(w | c without its first symbol), and rest the sum of `lower` over the symbols that are not
kept. P(c) counts occurrences, not Kneser-Ney's counts.

Kneser-Ney's counts of shorter n-grams assume that all longer n-grams are kept. A removed n-gram therefore passes its
whole count on to the n-gram without its first symbol, not 1 (Siivola, Hirsimäki and Virpioja 2007). Pruning goes in
steps, each of which estimates the probabilities anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import ngrams
from ..runtime.signals import check_canceled
from .counts import Counts
from .frozen import FrozenCounts, FrozenTrie
from .packed_counts import numbers_of, without_text
from .stored_counts import AnyCounts, growing

KEPT_SHARE_OF_STEP = 0.7  # of the bytes that a step keeps
SMALLEST_PROBABILITY = 1e-300
STORED_BITS = 16  # of a stored number, before `quantize`
SLACK = 0.999  # what a file that is too large is shortened by, in proportion, and a little more

# The bytes of a kept n-gram without its share, of a context, and of a share or an escape: a symbol and a bit; a size
# and an escape.
SYMBOL_BYTES = 1.125
CONTEXT_BYTES = 3.0
NUMBER_BYTES = 2.0

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Places = NDArray[np.int64]


class Level(NamedTuple):
    """The n-grams of one length, sorted by their contexts, then by their last symbols."""

    contexts: int  # the number of contexts with n-grams
    owners: Places  # (n,): the context of each n-gram
    symbols: Places  # (n,)
    counts: Places  # (n,): Kneser-Ney's counts
    children: Places  # (n,): the context that the n-gram forms, among the next level's, or -1
    shorter: Places  # (n,): the n-gram without its first symbol, among the previous level's


class Estimates(NamedTuple):
    """The probabilities of one level, after some n-grams have been removed."""

    p: Floats  # (n,): of kept n-grams, and what the others get by backing off
    lower: Floats  # (n,): the probability after the context without its first symbol
    escapes: Floats  # (contexts,): the probability of all symbols that are not kept
    rest: Floats  # (contexts,): the sum of `lower` over these symbols


class CountLevels:
    """The n-grams of counts level by level, with their occurrences, and those kept so far.

    Counts that keep their text give no n-gram whose context occurred once: those are the first to go. All symbols of
    the vocabulary are n-grams of one symbol, and always kept.
    """

    def __init__(self, counts: Counts) -> None:
        self.symbols = counts.symbols
        self.boundary = counts.boundary
        self._discounts = counts.discounts
        self.levels = list[Level]()
        nodes = np.zeros(1, np.int32)
        suffixes = np.zeros(1, np.int64)  # of the contexts, among the previous level's
        for depth in range(counts.order):
            check_canceled()
            if not len(nodes):
                break
            level, following = self._read_level(counts, depth, nodes, suffixes)
            self.levels.append(level)
            if depth + 1 < counts.order:
                suffixes = self._suffixes(level, depth, len(following))
                nodes = following
        self.beginnings = self._beginnings()
        self.occurrences = self._occurrences()
        self.kept: list[Flags] = [np.ones(len(level.symbols), np.bool_) for level in self.levels]

    def _read_level(
        self, counts: Counts, depth: int, nodes: NDArray[np.int32], suffixes: Places
    ) -> tuple[Level, NDArray[np.int32]]:
        """Return the n-grams of contexts of `depth` symbols, and the nodes of the contexts that they form."""
        n = counts.n_grams[depth]
        room = np.empty(5 * len(nodes), np.uint8), np.empty(5 * n, np.uint8), np.empty(5 * n, np.uint8)
        used = ngrams.pack(counts.trie, nodes, *room)
        sizes, deltas, numbers = (numbers_of(array[:size]) for array, size in zip(room, used, strict=True))
        owners = np.repeat(np.arange(len(nodes)), sizes)
        sums = np.append(0, np.cumsum(deltas + 1))
        symbols = sums[1:] - np.repeat(sums[np.append(0, np.cumsum(sizes))[:-1]], sizes) - 1
        behind = np.full(len(symbols), -1, np.int32)
        if depth + 1 < counts.order:
            ngrams.children(counts.trie, nodes, behind)
            behind = np.where(behind > 0, behind, -1).astype(np.int32)
        if depth == 0:
            owners, numbers, behind = self._all_symbols(counts, symbols, numbers, behind)
            symbols = np.arange(self.symbols)
        is_context = behind >= 0
        children = np.where(is_context, np.cumsum(is_context) - 1, -1)
        shorter = np.arange(len(symbols))
        if depth:
            previous = self.levels[-1]
            keys = previous.owners * self.symbols + previous.symbols
            shorter = np.searchsorted(keys, suffixes[owners] * self.symbols + symbols)
        return Level(len(nodes), owners, symbols, numbers, children, shorter), behind[is_context]

    def _all_symbols(
        self, counts: Counts, symbols: Places, numbers: Places, behind: NDArray[np.int32]
    ) -> tuple[Places, Places, NDArray[np.int32]]:
        """Return the n-grams of one symbol for the whole vocabulary; the boundary forms the context of a beginning."""
        all_numbers = np.zeros(self.symbols, np.int64)
        all_behind = np.full(self.symbols, -1, np.int32)
        all_numbers[symbols] = numbers
        all_behind[symbols] = behind
        for node in counts.trie.beginning:
            all_behind[self.boundary] = node
        return np.zeros(self.symbols, np.int64), all_numbers, all_behind

    def _suffixes(self, level: Level, depth: int, n: int) -> Places:
        """Return the contexts without their first symbol, of the n contexts that a level's n-grams form."""
        if depth == 0:
            return np.zeros(n, np.int64)
        return self.levels[depth - 1].children[level.shorter[level.children >= 0]]

    def _beginnings(self) -> list[Places]:
        """Return how often each n-gram begins a text or, of the longest, occurs."""
        found = [level.counts.copy() for level in self.levels]
        for level, shorter in zip(self.levels[1:], found, strict=False):
            shorter -= np.bincount(level.shorter, minlength=len(shorter))
        return found

    def _occurrences(self) -> list[Places]:
        """Return how often each n-gram occurs."""
        found = [counts.copy() for counts in self.beginnings]
        for depth in range(len(found) - 1, 0, -1):
            found[depth - 1] += _sums(self.levels[depth].shorter, found[depth], len(found[depth - 1]))
        return found

    def estimates(self) -> list[Estimates]:
        """Return the probabilities of each level, given the n-grams kept."""
        counts = [numbers.copy() for numbers in self.beginnings]
        for depth in range(len(counts) - 1, 0, -1):
            passed_on = np.where(self.kept[depth], 1, counts[depth])
            counts[depth - 1] += _sums(self.levels[depth].shorter, passed_on, len(counts[depth - 1]))
        found = list[Estimates]()
        for depth, level in enumerate(self.levels):
            check_canceled()
            discounted = counts[depth] - self._discounts[depth][np.minimum(counts[depth], 3)]
            discounted = np.where(self.kept[depth], np.maximum(discounted, 0), 0)
            totals = np.maximum(_sums(level.owners, counts[depth], level.contexts), 1)
            shares = discounted / totals[level.owners]
            back_off = np.maximum(1 - _sums(level.owners, shares, level.contexts), 0)
            lower = found[-1].p[level.shorter] if depth else np.full(self.symbols, 1 / self.symbols)
            p = shares + back_off[level.owners] * lower
            is_kept = self.kept[depth]
            rest = np.maximum(1 - _sums(level.owners, np.where(is_kept, lower, 0), level.contexts), 1e-15)
            found.append(Estimates(p, lower, back_off * rest, rest))
        return found

    def losses(self) -> list[Floats]:
        """Return, for each n-gram, what removing it costs in nats in all the text; it cannot go before its extensions.

        The cost of an n-gram is at least that of each n-gram that extends it, and -1 if it was removed before.
        """
        found = list[Floats]()
        for depth, (level, e) in enumerate(zip(self.levels, self.estimates(), strict=True)):
            check_canceled()
            occurrences = _sums(level.owners, self.occurrences[depth], level.contexts)
            escape = e.escapes[level.owners]
            rest = e.rest[level.owners]
            after = escape + e.p
            with np.errstate(divide="ignore", invalid="ignore"):
                costs = e.p * np.log(e.p / e.lower) - after * np.log(after / (rest + e.lower))
                costs += np.where(escape > 0, escape * np.log(escape / rest), 0)
            costs = np.maximum(np.nan_to_num(costs * occurrences[level.owners], nan=0.0), 0)
            found.append(np.where(self.kept[depth], costs / self._bytes_of(depth), -1.0))
        found[0][:] = np.inf
        for depth in range(len(found) - 1, 0, -1):
            level = self.levels[depth]
            shorter = self.levels[depth - 1]
            largest = np.full(level.contexts, -1.0)
            np.maximum.at(largest, level.owners, found[depth])
            forms = shorter.children >= 0
            found[depth - 1][forms] = np.maximum(found[depth - 1][forms], largest[shorter.children[forms]])
        return found

    def _bytes_of(self, depth: int) -> Floats:
        """Return the bytes that removing each n-gram of a level saves."""
        level = self.levels[depth]
        sizes = np.bincount(level.owners[self.kept[depth]], minlength=level.contexts)
        savings = np.array(
            [1.0, SYMBOL_BYTES + CONTEXT_BYTES, SYMBOL_BYTES + 2 * NUMBER_BYTES, SYMBOL_BYTES + NUMBER_BYTES]
        )
        return np.asarray(savings[np.minimum(sizes, 3)][level.owners])

    def n_bytes(self, losses: Sequence[Floats], least: float) -> float:
        """Return about the bytes of the n-grams that cost at least so much."""
        total = 0.0
        for level, costs in zip(self.levels, losses, strict=True):
            total += estimated_bytes(np.bincount(level.owners[costs >= least], minlength=level.contexts))
        return total

    def keep(self, losses: Sequence[Floats], least: float) -> None:
        """Remove the n-grams that cost less."""
        self.kept = [costs >= least for costs in losses]

    def frozen(self, order: int) -> FrozenTrie:
        """Return the kept n-grams, as counts of this order, at least the length of the longest kept one."""
        lengths = list[int]()
        sizes = []
        symbols = []
        has_child = []
        p = []
        escapes = []
        estimates = self.estimates()
        for depth, (level, e) in enumerate(zip(self.levels, estimates, strict=True)):
            is_kept = self.kept[depth]
            lengths.append(int(np.count_nonzero(is_kept)))
            of_contexts = np.bincount(level.owners[is_kept], minlength=level.contexts)
            sizes.append(of_contexts[of_contexts > 0])
            symbols.append(level.symbols[is_kept])
            p.append(e.p[is_kept])
            escapes.append(e.escapes[of_contexts > 0])
            children = level.children[is_kept]
            goes_on = np.zeros(len(children), np.bool_)
            if depth + 1 < len(self.levels):
                following = self.levels[depth + 1]
                n_after = np.bincount(following.owners[self.kept[depth + 1]], minlength=following.contexts)
                forms = children >= 0
                goes_on[forms] = n_after[children[forms]] > 0
            has_child.append(goes_on)
        flags = np.concatenate(has_child)
        numbers = np.concatenate(escapes)
        with np.errstate(divide="ignore"):
            logits = np.log(numbers) - np.log(np.maximum(1 - numbers, SMALLEST_PROBABILITY))
        lengths = (lengths + [0] * order)[:order]
        return FrozenTrie(
            lengths=lengths,
            firsts=np.append(0, np.cumsum(np.concatenate(sizes))),
            symbols=np.concatenate(symbols),
            children=np.where(flags, np.cumsum(flags), 0),
            escape_logits=np.maximum(logits, -1e3),
            log_shares=np.log(np.maximum(np.concatenate(p), SMALLEST_PROBABILITY)),
        )

    @property
    def longest(self) -> int:
        """The length of the longest kept n-gram."""
        return max(depth + 1 for depth, kept in enumerate(self.kept) if kept.any())


def estimated_bytes(sizes: NDArray[np.intp]) -> float:
    """Return about the bytes of contexts that keep so many symbols each."""
    n = int(sizes.sum())
    n_single = int(np.count_nonzero(sizes == 1))
    return SYMBOL_BYTES * n + NUMBER_BYTES * (n - n_single) + CONTEXT_BYTES * int(np.count_nonzero(sizes))


def prune(parts: Sequence[CountLevels], n_bytes: float) -> float:
    """Remove n-grams of several counts until what is kept takes about so many bytes, or nothing more can go.

    Return about the bytes of what is kept.
    """
    size = sum(part.n_bytes(part.losses(), 0.0) for part in parts)
    while size > n_bytes:
        target = max(n_bytes, KEPT_SHARE_OF_STEP * size)
        losses = [part.losses() for part in parts]
        thresholds = np.unique(np.concatenate([costs for part in losses for costs in part]))
        first = 0
        last = len(thresholds) - 1  # its threshold is infinite, of n-grams that stay
        while first < last:
            check_canceled()
            middle = (first + last) // 2
            least = float(thresholds[middle])
            found = sum(part.n_bytes(costs, least) for part, costs in zip(parts, losses, strict=True))
            if found <= target:
                last = middle
            else:
                first = middle + 1
        for part, costs in zip(parts, losses, strict=True):
            part.keep(costs, float(thresholds[last]))
        smaller = sum(part.n_bytes(costs, float(thresholds[last])) for part, costs in zip(parts, losses, strict=True))
        if smaller >= size:
            break
        size = smaller
    return size


def prune_counts(
    counts: Sequence[Counts], max_bytes: int, size_of: Callable[[list[FrozenCounts]], int]
) -> tuple[list[FrozenCounts], int]:
    """Return frozen counts of the same order whose file takes at most `max_bytes`, and its size in bytes.

    `size_of` returns the size of a file. If not even the symbols alone fit, these are returned, and their size.
    """
    found = [symbols_alone(part) for part in counts]
    least = size_of(found)
    if least > max_bytes:
        return found, least
    parts = [CountLevels(part) for part in counts]
    estimated_least = sum(estimated_bytes(np.array([part.symbols])) for part in parts)
    target = estimated_least + max_bytes - least
    while True:
        estimated = prune(parts, target)
        found = frozen(parts)
        size = size_of(found)
        if size <= max_bytes:
            return found, size
        share = SLACK * (max_bytes - least) / (size - least)
        target = estimated_least + share * (estimated - estimated_least)


def symbols_alone(counts: Counts) -> FrozenCounts:
    """Return frozen counts of the symbols alone, of equal probability: the smallest of all."""
    n = counts.symbols
    trie = FrozenTrie(
        lengths=[n],
        firsts=np.array([0, n]),
        symbols=np.arange(n),
        children=np.zeros(n, np.int64),
        escape_logits=np.zeros(1),
        log_shares=np.zeros(n),
    )
    return FrozenCounts.of(trie, n, counts.boundary, STORED_BITS)


def quantize_counts(counts: AnyCounts) -> FrozenCounts:
    """Return frozen counts with numbers of 8 bits; no n-gram is removed."""
    return frozen_whole(counts).quantized()


def frozen_whole(counts: AnyCounts) -> FrozenCounts:
    """Return frozen counts with all n-grams."""
    if isinstance(counts, FrozenCounts):
        return counts
    whole = CountLevels(without_text(growing(counts)))
    return FrozenCounts.of(whole.frozen(counts.order), counts.symbols, counts.boundary, STORED_BITS)


def frozen(parts: Sequence[CountLevels]) -> list[FrozenCounts]:
    """Return the kept n-grams of several counts, as counts of the same order."""
    order = max(part.longest for part in parts)
    return [FrozenCounts.of(part.frozen(order), part.symbols, part.boundary, STORED_BITS) for part in parts]


def _sums(places: Places, numbers: NDArray[Any], n: int) -> NDArray[Any]:
    """Return the sum of the numbers of each place, (n,), as integers for integers."""
    sums = np.bincount(places, numbers, n)
    return sums.astype(np.int64) if numbers.dtype.kind == "i" else sums
