"""Frozen counts: n-grams with stored probabilities, for pruned and quantized models and for exports.

A context is stored with the symbols kept after it, sorted; it keeps the probability of all others, its escape, and
gives each kept symbol a share of the rest:

    p(w | c) = (1 - escape(c)) share(c, w)                    for a kept symbol w
    p(w | c) = scale(c) p(w | c without its first symbol)     for any other
    scale(c) = escape(c) / (sum over the others of p(w | c without its first symbol))

The shares of a context are normalized when they are read, and the scale follows from the other numbers. So the
probabilities sum to one, however coarsely the numbers are stored. The empty context keeps all symbols.

The contexts are numbered level by level, in the order of the n-grams that form them: the empty context, then those of
one symbol, and so on. `docs/design.md` describes the arrays, which files and exports contain.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import frozen
from ..errors import InvalidInputError
from ..runtime.signals import check_canceled
from .counts import rows_after
from .packed_counts import numbers_of, packed_numbers
from .settings import MAX_ORDER
from .unrolled import UnrolledCounts

ARRAY_NAMES = ("lengths", "extended", "sizes", "symbols", "escapes", "shares", "scales")
BITS = {np.dtype(np.uint16): 16, np.dtype(np.uint8): 8}
MAX_LOGIT = 30.0  # of an escape
MIN_LOG_SHARE = -60.0
MIN_DIFFERENCE = 1e-9  # a difference from one below this is computed as a sum instead

Floats = NDArray[np.float64]
Places = NDArray[np.int64]


class FrozenTrie(NamedTuple):
    """Contexts with the symbols kept after them, the empty context first, the symbols of each sorted."""

    lengths: list[int]  # the numbers of n-grams of 1, 2, … symbols
    firsts: Places  # (N + 1,): context c has the entries firsts[c], …, firsts[c + 1] - 1
    symbols: Places  # (E,)
    children: Places  # (E,): the context formed by the n-gram, or 0 if nothing is kept after it
    escape_logits: Floats  # (N,): log escape / (1 - escape); without a meaning if all symbols are kept
    log_shares: Floats  # (E,): up to a constant for each context

    @property
    def sizes(self) -> Places:
        """The number of symbols kept after each context, (N,)."""
        return np.diff(self.firsts)

    @property
    def owners(self) -> Places:
        """The context of each entry, (E,)."""
        return np.repeat(np.arange(len(self.firsts) - 1), self.sizes)


class FrozenCounts:
    """Counts that no longer change, as probabilities stored in `arrays`; see `encoded` and `decode_contexts`."""

    keeps_text = False

    def __init__(self, arrays: Mapping[str, NDArray[Any]], symbols: int, boundary: int | None) -> None:
        self.arrays = dict(arrays)
        self.symbols = symbols
        self.boundary = boundary
        trie = decode_contexts(arrays, symbols, boundary)
        self.n_grams: list[int] = trie.lengths
        self.order = len(trie.lengths)
        self.contexts: UnrolledCounts = unroll_contexts(trie, symbols, boundary)
        c = self.contexts
        self.trie = frozen.FrozenContexts(self.order - 1, c.suffixes, c.scales, c.firsts, c.symbols, c.nexts, c.p)

    @classmethod
    def of(cls, trie: FrozenTrie, symbols: int, boundary: int | None, bits: int) -> Self:
        """Return counts with numbers of 8 or 16 bits."""
        return cls(encoded(trie, symbols, bits), symbols, boundary)

    @property
    def bits(self) -> int:
        """The bits of a stored number."""
        return BITS[self.arrays["shares"].dtype]

    @property
    def nbytes(self) -> int:
        """The bytes of the stored arrays."""
        return sum(array.nbytes for array in self.arrays.values())

    def quantized(self) -> FrozenCounts:
        """Return counts with numbers of 8 bits."""
        if self.bits == 8:
            return self
        return FrozenCounts.of(
            decode_contexts(self.arrays, self.symbols, self.boundary), self.symbols, self.boundary, 8
        )

    def same_as(self, other: FrozenCounts) -> bool:
        """Return whether other counts have the same contexts and numbers."""
        if (self.symbols, self.boundary) != (other.symbols, other.boundary):
            return False
        return all(np.array_equal(self.arrays[name], other.arrays[name]) for name in ARRAY_NAMES)

    def rows(self, contexts: Any) -> Floats:
        """Return the log probabilities of all symbols after each of the contexts (B, k), as (B, V)."""
        return rows_after(self, contexts)


# ---------------------------------------------------------------- stored arrays


def encoded(trie: FrozenTrie, symbols: int, bits: int) -> dict[str, NDArray[Any]]:
    """Return the arrays to store; see `docs/design.md`.

    ``lengths`` (order,) are the numbers of n-grams. ``extended`` has a bit for each n-gram shorter than the order, set
    if something is kept after it. ``sizes`` are the numbers of symbols after each context, and ``symbols`` the symbols
    minus the previous one minus 1, both packed as in `packed_counts`. ``escapes`` has a number for each context that
    does not keep all symbols, ``shares`` one for each symbol of a context that keeps several. A number n stands for
    ``low + step * n``, with the two pairs (low, step) of ``scales``.
    """
    dtype = np.uint16 if bits == 16 else np.uint8
    sizes = trie.sizes
    escapes, escape_scale = _round_evenly(np.clip(trie.escape_logits[sizes < symbols], -MAX_LOGIT, MAX_LOGIT), dtype)
    owner_sizes = np.repeat(sizes, sizes)
    shares, share_scale = _round_evenly(np.maximum(_log_normalized(trie)[owner_sizes > 1], MIN_LOG_SHARE), dtype)
    previous = np.append(-1, trie.symbols[:-1])
    previous[trie.firsts[:-1]] = -1
    shorter = sum(trie.lengths[:-1])
    return {
        "lengths": np.array(trie.lengths, np.int64),
        "extended": np.packbits(trie.children[:shorter] > 0, bitorder="little"),
        "sizes": packed_numbers(sizes),
        "symbols": packed_numbers(trie.symbols - previous - 1),
        "escapes": escapes,
        "shares": shares,
        "scales": np.array([*escape_scale, *share_scale]),
    }


def _round_evenly(values: Floats, dtype: type[np.unsignedinteger[Any]]) -> tuple[NDArray[Any], tuple[float, float]]:
    """Return the nearest of equally spaced values as integers, and the smallest value and the spacing."""
    if not len(values):
        return np.empty(0, dtype), (0.0, 0.0)
    low = float(values.min())
    high = float(values.max())
    step = (high - low) / np.iinfo(dtype).max
    return (np.rint((values - low) / step).astype(dtype) if step > 0 else np.zeros(len(values), dtype)), (low, step)


def decode_contexts(arrays: Mapping[str, NDArray[Any]], symbols: int, boundary: int | None) -> FrozenTrie:
    """Return the contexts in arrays made by `encoded`, possibly from an untrusted source."""
    lengths = _checked_lengths(arrays)
    sizes = _checked_numbers(arrays["sizes"])
    deltas = _checked_numbers(arrays["symbols"])
    E = sum(lengths)
    shorter = sum(lengths[:-1])
    N = len(sizes)
    extended = np.unpackbits(arrays["extended"], count=shorter, bitorder="little") > 0
    owner_sizes = np.repeat(sizes, sizes) if N and sizes.min() > 0 and sizes.sum() == E else np.empty(0, np.int64)
    _require(N and E and len(owner_sizes) == E == len(deltas), "the sizes of contexts are wrong")
    _require(sizes[0] == symbols == lengths[0] and sizes.max() <= symbols, "a context has too many or too few symbols")
    _require(1 + np.count_nonzero(extended) == N, "the number of contexts is wrong")
    firsts = np.append(0, np.cumsum(sizes))
    sums = np.append(0, np.cumsum(deltas + 1))
    found = sums[1:] - np.repeat(sums[firsts[:-1]], sizes) - 1
    _require(deltas.max() < symbols and found.max() < symbols, f"a symbol is not below {symbols}")
    children = np.zeros(E, np.int64)
    children[:shorter][extended] = np.arange(1, N)
    levels = _context_levels(lengths, children)
    _require(firsts[levels].tolist() == [0, *np.cumsum(lengths)], "the n-grams of a length are not as many as declared")
    if boundary is not None:
        ends = np.flatnonzero(found[symbols:] == boundary) + symbols
        _require(not children[ends].any(), "an n-gram goes on after a boundary")
    escape_low, escape_step, share_low, share_step = arrays["scales"].tolist()
    kept_all = sizes == symbols
    single = owner_sizes == 1
    _require(len(arrays["escapes"]) == np.count_nonzero(~kept_all), "the number of escapes is wrong")
    _require(len(arrays["shares"]) == np.count_nonzero(~single), "the number of shares is wrong")
    logits = np.full(N, -np.inf)
    log_shares = np.zeros(E)
    logits[~kept_all] = escape_low + escape_step * arrays["escapes"]
    log_shares[~single] = share_low + share_step * arrays["shares"]
    return FrozenTrie(lengths, firsts, found, children, logits, log_shares)


def _checked_lengths(arrays: Mapping[str, NDArray[Any]]) -> list[int]:
    """Return the numbers of n-grams, after checking the types of all arrays and their sizes against each other."""
    missing = set(ARRAY_NAMES) - set(arrays)
    _require(not missing, f"{', '.join(sorted(missing))} missing")
    for name in ("extended", "sizes", "symbols"):
        _require(arrays[name].dtype == np.uint8 and arrays[name].ndim == 1, f"{name} must be an array of bytes")
    for name in ("escapes", "shares"):
        is_valid = arrays[name].dtype in BITS and arrays[name].ndim == 1
        _require(is_valid, f"{name} must be an array of integers of 8 or 16 bits")
    _require(arrays["escapes"].dtype == arrays["shares"].dtype, "escapes and shares have different types")
    scales = arrays["scales"]
    lengths = arrays["lengths"]
    _require(scales.dtype == np.float64 and scales.shape == (4,), "scales must be four float64 numbers")
    low, step, share_low, share_step = scales.tolist()
    are_scales = abs(low) <= MAX_LOGIT and 0 <= step <= 2 * MAX_LOGIT
    are_scales = are_scales and -2 * abs(MIN_LOG_SHARE) <= share_low <= 0 and 0 <= share_step <= abs(share_low)
    _require(are_scales, "scales are out of range")
    are_lengths = lengths.dtype == np.int64 and lengths.ndim == 1 and 1 <= len(lengths) <= MAX_ORDER
    _require(are_lengths and (lengths >= 0).all(), f"lengths must be 1 to {MAX_ORDER} integers of 64 bits")
    n_grams = [int(n) for n in lengths]
    _require(max(n_grams) <= len(arrays["symbols"]), "there are fewer bytes than n-grams")
    _require(sum(n_grams) <= len(arrays["symbols"]), "there are fewer bytes than n-grams")
    _require(len(arrays["extended"]) == (sum(n_grams[:-1]) + 7) // 8, "extended has the wrong length")
    return n_grams


def _checked_numbers(packed: NDArray[np.uint8]) -> Places:
    """Return packed numbers from an untrusted source."""
    _require(not len(packed) or packed[-1] < 128, "a number is cut off")
    numbers = numbers_of(packed)
    _require(not len(numbers) or (numbers.min() >= 0 and numbers.max() < 1 << 31), "a number is too large")
    return numbers


def _require(condition: Any, problem: str) -> None:
    """Raise an error about damaged arrays unless a condition holds."""
    if not condition:
        raise InvalidInputError(f"the n-grams are damaged: {problem}")


def _context_levels(lengths: list[int], children: Places) -> Places:
    """Return where the contexts of 0, 1, …, order symbols start; there are none of `order` symbols."""
    starts = [0, 1]
    ends = np.cumsum([0, *lengths])
    for first, last in itertools.pairwise(ends[:-1]):
        starts.append(starts[-1] + int(np.count_nonzero(children[first:last])))
    return np.array(starts)


# ---------------------------------------------------------------- probabilities


def _log_normalized(trie: FrozenTrie) -> Floats:
    """Return the logarithm of each entry's share of its context, (E,)."""
    firsts = trie.firsts[:-1]
    sizes = trie.sizes
    largest = np.maximum.reduceat(trie.log_shares, firsts)
    relative = trie.log_shares - np.repeat(largest, sizes)
    totals = np.add.reduceat(np.exp(relative), firsts)
    return np.asarray(relative - np.repeat(np.log(totals), sizes))


def unroll_contexts(trie: FrozenTrie, symbols: int, boundary: int | None) -> UnrolledCounts:
    """Return the contexts with their probabilities, scales, suffixes and next contexts."""
    firsts = trie.firsts
    children = trie.children
    owners = trie.owners
    N = len(trie.firsts) - 1
    E = len(trie.symbols)
    levels = _context_levels(trie.lengths, children)
    keys = owners * symbols + trie.symbols  # sorted
    with np.errstate(over="ignore"):
        kept = 1 / (1 + np.exp(trie.escape_logits))
        escapes = 1 / (1 + np.exp(-trie.escape_logits))
    p = np.repeat(kept, trie.sizes) * np.exp(_log_normalized(trie))
    suffixes = np.zeros(N, np.int64)
    scales = np.zeros(N)
    nexts = children.copy()
    shorter = np.arange(E)
    lower = np.zeros(E)
    for depth in range(1, len(trie.lengths)):
        check_canceled()
        contexts = slice(levels[depth], levels[depth + 1])
        if contexts.start == contexts.stop:
            break
        entries = slice(firsts[contexts.start], firsts[contexts.stop])
        symbol = trie.symbols[entries]
        owner = owners[entries]
        # The context of an n-gram without its first symbol was kept, or the next shorter one was.
        found = np.zeros(len(symbol), np.int64)
        factor = np.ones(len(symbol))
        at = suffixes[owner]
        open_ = np.arange(len(symbol))
        while len(open_):
            wanted = at[open_] * symbols + symbol[open_]
            places = np.minimum(np.searchsorted(keys, wanted), E - 1)
            is_there = keys[places] == wanted
            found[open_[is_there]] = places[is_there]
            open_ = open_[~is_there]
            factor[open_] *= scales[at[open_]]
            at[open_] = suffixes[at[open_]]
        shorter[entries] = found
        below = factor * p[found]
        rest = 1 - np.bincount(owner - contexts.start, below, contexts.stop - contexts.start)
        for i in np.flatnonzero((rest < MIN_DIFFERENCE) & (trie.sizes[contexts] < symbols)):
            rest[i] = _sum_of_others(trie, contexts.start + int(i), p, scales, suffixes)
        with np.errstate(divide="ignore", invalid="ignore"):
            of_others = np.where(trie.sizes[contexts] < symbols, escapes[contexts] / rest, 0)
        scales[contexts] = np.where(np.isfinite(of_others), of_others, 0)
        lower[entries] = scales[owner] * below
        following = children[entries]
        is_context = following > 0
        suffixes[following[is_context]] = nexts[found[is_context]]
        nexts[entries] = np.where(is_context, following, nexts[found])
    return UnrolledCounts(
        levels=levels.astype(np.intp),
        suffixes=suffixes.astype(np.int32),
        scales=scales,
        firsts=firsts.astype(np.int32),
        symbols=trie.symbols.astype(np.int32),
        nexts=nexts.astype(np.int32),
        shorter=shorter.astype(np.int32),
        p=np.maximum(p, 1e-300),
        lower=lower,
    )


def _sum_of_others(trie: FrozenTrie, context: int, p: Floats, scales: Floats, suffixes: Places) -> float:
    """Return the probability after a context's suffix of all symbols that the context does not keep."""
    row = np.zeros(trie.firsts[1])
    scale = 1.0
    at = int(suffixes[context])
    while True:
        entries = slice(trie.firsts[at], trie.firsts[at + 1])
        row[trie.symbols[entries]] += (row[trie.symbols[entries]] == 0) * scale * p[entries]
        if at == 0:
            break
        scale *= scales[at]
        at = int(suffixes[at])
    row[trie.symbols[trie.firsts[context] : trie.firsts[context + 1]]] = 0
    return float(row.sum())
