"""Pack n-grams as sorted lists of a few bytes each, for files and for models of a smaller order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import ngrams
from ..errors import InvalidInputError
from ..runtime.signals import check_canceled
from .counts import SEPARATORS, Counts, text_dtype
from .kneser_ney import discounts
from .occurrences import Occurrences, context_levels
from .settings import MAX_ORDER

Bytes = NDArray[np.uint8]
ARRAY_NAMES = ("sizes", "symbols", "counts")
# Nodes and pool entries for each symbol of a kept text: enough for program code, so that growing arrays are not copied
# while the text is counted. Memory that is not used costs nothing.
ROOM_PER_SYMBOL = (2.5, 7)
MAX_ROOM = 1 << 30
LONGEST_STORED = 10  # order up to which all n-grams are stored; beyond, they take much more memory than the text


def to_arrays(
    counts: Counts, order: int | None = None, occurrences: Occurrences | None = None
) -> dict[str, NDArray[Any]]:
    """Return arrays from which `from_arrays` makes counts, of a smaller order if given: n-grams, or a kept text."""
    order = counts.order if order is None else order
    if counts.keeps_text and order > LONGEST_STORED:
        others = _other_discounts(counts) if order == counts.order else {}
        return {"lengths": np.array(counts.n_grams[:order], np.int64), "text": counts.text.copy(), **others}
    if order < counts.order and occurrences is None:
        occurrences = Occurrences(counts)
    return pack(counts, occurrences, order)


def from_arrays(arrays: Mapping[str, NDArray[Any]], symbols: int, boundary: int | None) -> Counts:
    """Return the counts in arrays made by `to_arrays`, possibly from an untrusted source; a text is counted again."""
    if "text" not in arrays:
        return unpack(arrays, symbols, boundary)
    lengths = _checked_lengths(arrays["lengths"])
    text = arrays["text"]
    if text.dtype != text_dtype(symbols) or text.ndim != 1:
        raise InvalidInputError("the text of the n-grams is damaged: it is not an array of symbols")
    first, *others = np.split(text, np.flatnonzero(text == SEPARATORS[text.dtype.name]))
    texts = [first, *(part[1:] for part in others)]
    if any(part.min(initial=0) < 0 or part.max(initial=0) >= symbols for part in texts):
        raise InvalidInputError(f"the text of the n-grams is damaged: a symbol is not below {symbols}")
    counts = Counts(len(lengths), symbols, boundary, keeps_text=True)
    counts.reserve(len(text))
    nodes, numbers = ROOM_PER_SYMBOL
    counts.reserve_exactly(min(int(nodes * len(text)), MAX_ROOM), min(numbers * len(text), MAX_ROOM))
    for part in texts:
        counts.add(part, [] if boundary is None else [boundary])
    if counts.n_grams != lengths:
        raise InvalidInputError("the n-grams are damaged: they are not those of their text")
    _set_discounts(counts, arrays)
    return counts


def without_text(counts: Counts) -> Counts:
    """Return the same counts with every n-gram stored."""
    return unpack(pack(counts), counts.symbols, counts.boundary) if counts.keeps_text else counts


def pack(counts: Counts, occurrences: Occurrences | None = None, order: int | None = None) -> dict[str, NDArray[Any]]:
    """Return arrays that let `unpack` find all n-grams, or counts of a smaller order, which needs `occurrences`.

    ``lengths`` (order,) are the numbers of n-grams of each length. The other arrays are bytes, see `levels.pxd`: the
    number of symbols that followed each context, these symbols, and their counts. ``discounts`` (order, 4) is there
    only if they are those of other counts.
    """
    order = counts.order if order is None else order
    parts: list[tuple[Bytes, ...]] = []
    for length, nodes in enumerate(context_levels(counts, order), start=1):
        check_canceled()
        n = counts.n_grams[length - 1]
        room = np.empty(5 * len(nodes), np.uint8), np.empty(5 * n, np.uint8), np.empty(5 * n, np.uint8)
        raw = occurrences.raw if occurrences is not None and length == order < counts.order else None
        used = ngrams.pack(counts.trie, nodes, *room, raw)
        parts.append(tuple(array[:size].copy() for array, size in zip(room, used, strict=True)))
    arrays = dict(zip(ARRAY_NAMES, map(np.concatenate, zip(*parts, strict=True)), strict=True))
    others = _other_discounts(counts) if order == counts.order else {}
    return {"lengths": np.array(counts.n_grams[:order], np.int64), **arrays, **others}


def shorten_counts(counts: Counts, order: int) -> Counts:
    """Return counts of the same texts with a smaller order."""
    return from_arrays(to_arrays(counts, order), counts.symbols, counts.boundary)


def prune_longest(counts: Counts) -> Counts:
    """Return counts of an order above 1 without the longest n-grams that occurred once, or all of the longest."""
    *_, nodes = context_levels(counts, counts.order)
    n = counts.n_grams[-1]
    arrays = pack(counts)
    room = np.empty(5 * len(nodes), np.uint8), np.empty(5 * n, np.uint8), np.empty(5 * n, np.uint8)
    used = ngrams.pack(counts.trie, nodes, *room)
    sizes, deltas, numbers = (numbers_of(array[:size]) for array, size in zip(room, used, strict=True))
    repeated = numbers > 1
    longest = [np.empty(0, np.uint8)] * 3
    if repeated.all():
        arrays["lengths"] = arrays["lengths"][:-1]
    else:
        owners = np.repeat(np.arange(len(sizes)), sizes)
        sums = np.append(0, np.cumsum(deltas + 1))
        symbols = (sums[1:] - sums[(np.cumsum(sizes) - sizes)[owners]] - 1)[repeated]
        owners = owners[repeated]
        symbols[1:] -= np.where(owners[1:] == owners[:-1], symbols[:-1] + 1, 0)
        longest = [packed_numbers(a) for a in (np.bincount(owners, minlength=len(sizes)), symbols, numbers[repeated])]
        arrays["lengths"][-1] = len(symbols)
    for name, size, new in zip(ARRAY_NAMES, used, longest, strict=True):
        arrays[name] = np.concatenate([arrays[name][: len(arrays[name]) - size], new])
    return unpack(arrays, counts.symbols, counts.boundary)


def numbers_of(packed: Bytes) -> NDArray[np.int64]:
    """Return packed numbers; see `levels.pxd`."""
    last = np.flatnonzero(packed < 128)
    starts = np.append(0, last + 1)[:-1]
    places = np.arange(len(packed)) - np.repeat(starts, last + 1 - starts)
    values = (packed & 127).astype(np.int64) << 7 * places
    return np.add.reduceat(values, starts) if len(starts) else values


def packed_numbers(numbers: NDArray[np.int64]) -> Bytes:
    """Return numbers packed for `numbers_of`."""
    sizes = 1 + np.searchsorted([1 << 7, 1 << 14, 1 << 21, 1 << 28], numbers, side="right")
    ends = np.cumsum(sizes)
    places = np.arange(int(sizes.sum())) - np.repeat(ends - sizes, sizes)
    packed = ((np.repeat(numbers, sizes) >> 7 * places) & 127).astype(np.uint8)
    packed[places < np.repeat(sizes, sizes) - 1] |= 128
    return packed


def unpack(arrays: Mapping[str, NDArray[Any]], symbols: int, boundary: int | None) -> Counts:
    """Return the counts in arrays packed by `pack`, possibly from an untrusted source."""
    lengths = checked_arrays(arrays)
    packed = tuple(arrays[name] for name in ARRAY_NAMES)
    counts = Counts(len(lengths), symbols, boundary)
    try:
        counts.reserve_exactly(*ngrams.unpacked_size(packed[0], symbols))
        owners = np.zeros(1, np.int32)
        owner_symbols = np.full(1, -1, np.int32)
        for depth, n in enumerate(lengths):
            check_canceled()
            if depth == 1:
                owners = np.append(owners, counts.trie.beginning).astype(np.int32)
                owner_symbols = np.append(owner_symbols, [-1] * len(counts.trie.beginning)).astype(np.int32)
            following = np.empty(n, np.int32), np.empty(n, np.int32)
            used = ngrams.unpack(counts.trie, depth, owners, owner_symbols, packed, *following)
            packed = tuple(array[n:] for array, n in zip(packed, used, strict=True))
            owners, owner_symbols = following
    except ValueError as error:
        raise InvalidInputError(f"the n-grams are damaged: {error}") from None
    if any(map(len, packed)):
        raise InvalidInputError(f"the n-grams are damaged: {sum(map(len, packed))} unexpected bytes follow them")
    counts.update_discounts()
    _set_discounts(counts, arrays)
    return counts


def checked_arrays(arrays: Mapping[str, NDArray[Any]]) -> list[int]:
    """Return the number of n-grams of each length, after checking the types and sizes of packed arrays."""
    missing = {"lengths", *ARRAY_NAMES} - set(arrays)
    if missing:
        raise InvalidInputError(f"the n-grams are damaged: {', '.join(sorted(missing))} missing")
    for name in ARRAY_NAMES:
        if arrays[name].dtype != np.uint8 or arrays[name].ndim != 1:
            raise InvalidInputError(f"the n-grams are damaged: {name} must be a one-dimensional array of bytes")
    lengths = _checked_lengths(arrays["lengths"])
    if max(lengths) > min(len(arrays["symbols"]), len(arrays["counts"])):
        raise InvalidInputError("the n-grams are damaged: there are fewer bytes than n-grams")
    return lengths


def _other_discounts(counts: Counts) -> dict[str, NDArray[Any]]:
    """Return the discounts as an array to store, if they are those of other counts."""
    follow_from_counts = np.array_equal(counts.discounts, discounts(counts.trie.counts_of_counts()))
    return {} if follow_from_counts else {"discounts": counts.discounts}


def _set_discounts(counts: Counts, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Take discounts that were stored."""
    if "discounts" in arrays:
        counts.set_discounts(checked_discounts(arrays["discounts"], counts.order))


def checked_discounts(stored: NDArray[Any], order: int) -> NDArray[np.float64]:
    """Return stored discounts if they can be subtracted from counts of 0, 1, 2 and 3 or more."""
    values = np.array(stored)
    are_discounts = values.dtype == np.float64 and values.shape == (order, 4)
    if not are_discounts or not ((values >= 0) & (values <= np.arange(4))).all():
        raise InvalidInputError("the n-grams are damaged: their discounts are invalid")
    return values


def _checked_lengths(lengths: NDArray[Any]) -> list[int]:
    """Return the number of n-grams of each length."""
    if lengths.dtype != np.int64 or lengths.ndim != 1 or not 1 <= len(lengths) <= MAX_ORDER:
        raise InvalidInputError(
            f"the n-grams are damaged: lengths has dtype {lengths.dtype} and shape {lengths.shape}, but must contain 1 "
            f"to {MAX_ORDER} integers of 64 bits"
        )
    if (lengths < 0).any():
        raise InvalidInputError("the n-grams are damaged: there are fewer bytes than n-grams")
    return [int(n) for n in lengths]
