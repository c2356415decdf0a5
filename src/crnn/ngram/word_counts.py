"""Counts of the next symbol after the letters of a word so far and the two words before it, of a mixture.

A letter's cases count as one symbol. N-grams of a context and a symbol have modified Kneser-Ney counts: occurrences for
contexts with two previous words, and for a context with fewer, the number of different longer ones. Rare n-grams with
two previous words are left out, which costs little and saves half the memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .._kernels.ngram import words
from ..errors import InvalidInputError
from ..inference.mixed_network import letters_of
from ..runtime.signals import check_canceled
from ..text.vocabulary import Vocabulary
from .kneser_ney import discounts
from .packed_counts import numbers_of, packed_numbers

LEVELS = words.LEVELS
SHARE_STEP = 1 / 20  # of the logarithm of shares: rounding changes one by at most 2.5 %
SHARES = np.exp(-SHARE_STEP * np.arange(256))
CALL_SYMBOLS = 1 << 16  # symbols hashed per call, which take some thousandths of a second
SAMPLE_SYMBOLS = 1 << 20  # symbols that show whether a text has words
MIN_SPACES = 1 / 20  # per letter of a text with words
N_ASCII = 128
MIN_WORDS = 1.5  # mean words of a document
BUILD_BYTES = 64  # memory per symbol while counting
# The least counts of n-grams with 0, 1 and 2 previous words, tried in turn until the tables fit in the memory.
LEAST_COUNTS = ((1, 1, 2), (1, 2, 2), (1, 2, 3), (2, 3, 4), (2, 4, 6), (3, 6, 10), (5, 10, 20))
ARRAY_NAMES = ("lengths", "keys", "sizes", "escapes", "symbols", "shares", "base", "letters", "folds")

Ids = NDArray[Any]
Keys = NDArray[np.uint32]


class Table(NamedTuple):
    """The contexts of one level: sorted keys, how many entries each has, and the entries' symbols and shares."""

    keys: Keys
    sizes: NDArray[np.intp]
    escapes: NDArray[np.uint8]
    symbols: NDArray[np.uint32]
    shares: NDArray[np.uint8]


class WordCounts:
    """Counts of words that no longer change; see `WordCounts.of`."""

    def __init__(self, arrays: Mapping[str, NDArray[Any]], boundary: int | None) -> None:
        """Restore counts from `arrays` of other ones, possibly from an untrusted source."""
        _check_arrays(arrays)
        self.arrays = dict(arrays)
        lengths = arrays["lengths"].tolist()
        keys, firsts, symbols = unpacked_contexts(arrays)
        entries = (symbols << np.uint32(8)) | arrays["shares"]
        self.boundary = boundary
        try:
            kinds = words.SymbolKinds(arrays["letters"], arrays["folds"], boundary)
            self.tables = words.WordTables(
                kinds, lengths, keys, firsts, arrays["escapes"], entries, SHARES, arrays["base"]
            )
        except ValueError as error:
            raise InvalidInputError(f"the counts of words are damaged: {error}") from None

    def __reduce__(self) -> tuple[Any, ...]:
        return WordCounts, (self.arrays, self.boundary)

    @classmethod
    def of(cls, ids: Ids, vocabulary: Vocabulary, max_memory: int) -> Self:
        """Count the words of a text (n,) or, with a boundary, of packed documents.

        Only the end of a long text is counted, so that no more than `max_memory` bytes are used.
        """
        letters = letters_of(vocabulary)[:-1]
        folds = folds_of(vocabulary)
        boundary = vocabulary.boundary
        first = max(0 if boundary is None else 1, len(ids) - max_memory // BUILD_BYTES)
        x = np.ascontiguousarray(ids[max(0, first - words.WINDOW) :], np.int32)
        skipped = first - max(0, first - words.WINDOW)
        kinds = words.SymbolKinds(letters, folds, boundary)
        levels, base = _counted(_hashed(kinds, x, skipped), folds[x[skipped:]], folds)
        tables = _tables(levels, LEAST_COUNTS[0])
        for least_counts in LEAST_COUNTS[1:]:
            if _n_bytes(tables) <= max_memory // 4:
                break
            tables = _tables(levels, least_counts)
        return cls(_to_arrays(tables, base, letters, folds), boundary)

    @property
    def nbytes(self) -> int:
        """The bytes in memory."""
        n_contexts = int(self.arrays["lengths"].sum())
        return 9 * n_contexts + 5 * len(self.arrays["shares"]) + 13 * len(self.arrays["base"])

    @property
    def symbols(self) -> int:
        """The number of symbols, V."""
        return len(self.arrays["base"])

    @property
    def n_grams(self) -> int:
        """The number of contexts with a symbol after them."""
        return len(self.arrays["shares"])

    def same_as(self, other: WordCounts) -> bool:
        """Return whether other counts have the same tables."""
        same = all(np.array_equal(self.arrays[name], other.arrays[name]) for name in ARRAY_NAMES)
        return same and self.boundary == other.boundary

    def spread(
        self,
        x: NDArray[np.int32],
        before: NDArray[np.int32],
        others: NDArray[np.float64],
        out: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Write log P of all symbols at each place into `out` and return it, given another model's rows `others`.

        `x` (n, B) follow the contexts `before` (B, k); the rows (n, B, V), or (n + 1, B, V), predict each of them and
        possibly the next one. The other model tells a letter's cases apart. `out` may be `others`.
        """
        words.spread_rows(self.tables, np.ascontiguousarray(x), np.ascontiguousarray(before), others, out)
        return out


def folds_of(vocabulary: Vocabulary) -> NDArray[np.int32]:
    """Return the symbol that stands for all cases of each symbol, (V,)."""
    codes = vocabulary.codes
    if vocabulary.kind == "bytes":
        codes = codes[codes < N_ASCII]  # other bytes are parts of characters
    folds = np.arange(len(vocabulary), dtype=np.int32)
    ids = {chr(code): i for i, code in enumerate(codes.tolist())}
    for character, i in ids.items():
        lower = ids.get(character.lower(), i)
        if ids.get(chr(codes[lower]).lower(), lower) == lower:  # the lower case of a few characters is another one's
            folds[i] = lower
    return folds


def has_words(ids: Ids, vocabulary: Vocabulary) -> bool:
    """Return whether a text has words with spaces between them, and each document several."""
    x = np.asarray(ids[:SAMPLE_SYMBOLS])
    is_letter = letters_of(vocabulary)[x].astype(bool)
    n_spaces = np.count_nonzero(x == vocabulary.ids_of_codes(np.array([ord(" ")]))[0])
    if n_spaces == 0 or n_spaces < MIN_SPACES * np.count_nonzero(is_letter):
        return False
    boundary = vocabulary.boundary
    n_words = int(np.count_nonzero(is_letter[1:] & ~is_letter[:-1])) + int(is_letter[:1].sum())
    return boundary is None or bool(n_words >= MIN_WORDS * np.count_nonzero(x[1:] == boundary))


# ---------------------------------------------------------------- counting


class _Counted(NamedTuple):
    """The n-grams of one level, sorted by key and symbol."""

    keys: Keys
    symbols: NDArray[np.uint32]
    counts: NDArray[np.int64]


def _hashed(kinds: words.SymbolKinds, x: NDArray[np.int32], skipped: int) -> Keys:
    """Return the keys (n, LEVELS) of the contexts of the symbols after the `skipped` ones."""
    keys = np.empty((len(x) - skipped, LEVELS), np.uint32)
    for i in range(0, len(keys), CALL_SYMBOLS):
        check_canceled()
        block = keys[i : i + CALL_SYMBOLS]
        start = max(0, skipped + i - words.WINDOW)
        words.hash_all(kinds, x[start : skipped + i + len(block)], skipped + i - start, block)
    return keys


def _counted(
    keys: Keys, symbols: NDArray[np.int32], folds: NDArray[np.int32]
) -> tuple[list[_Counted], NDArray[np.float64]]:
    """Return the n-grams of each level, and the probabilities of folded symbols in any context."""
    left = np.arange(len(keys))  # a place of each n-gram of the next longer contexts
    levels: list[_Counted] = []
    for level in range(LEVELS - 1, -1, -1):
        check_canceled()
        n_grams = keys[left, level].astype(np.uint64) << np.uint64(32) | symbols[left].astype(np.uint64)
        order = np.argsort(n_grams, kind="stable")  # so that nothing depends on how equal ones are sorted
        n_grams = n_grams[order]
        firsts = np.flatnonzero(np.append(True, n_grams[1:] != n_grams[:-1]))
        counts = np.diff(np.append(firsts, len(n_grams)))
        left = left[order[firsts]]
        found = n_grams[firsts]
        levels.append(_Counted((found >> np.uint64(32)).astype(np.uint32), found.astype(np.uint32), counts))
    n_contexts = np.bincount(symbols[left], minlength=len(folds))
    D = _discounts_of(n_contexts[n_contexts > 0])
    discounted = D[np.minimum(n_contexts, 3)]
    is_folded = folds == np.arange(len(folds))
    base = np.where(is_folded, n_contexts - discounted + discounted.sum() / is_folded.sum(), 0) / len(left)
    return levels[::-1], base


def _discounts_of(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the discounts of the counts 0, 1, 2 and 3 or more."""
    n = np.bincount(np.minimum(counts, 5), minlength=6)
    return np.asarray(discounts(n[None, 1:5])[0])


def _tables(levels: Sequence[_Counted], least_counts: Sequence[int]) -> list[Table]:
    """Return the tables of all levels without the n-grams whose count is too small."""
    tables = []
    for level, least in zip(levels, least_counts, strict=True):
        check_canceled()
        firsts = np.flatnonzero(np.append(True, level.keys[1:] != level.keys[:-1]))
        sizes = np.diff(np.append(firsts, len(level.keys)))
        owners = np.repeat(np.arange(len(sizes)), sizes)
        totals = np.add.reduceat(level.counts, firsts) if len(firsts) else np.empty(0, np.int64)
        D = _discounts_of(level.counts)
        shares = (level.counts - D[np.minimum(level.counts, 3)]) / totals[owners]
        stays = (level.counts >= least) & (shares > 0)
        left = np.bincount(owners[stays], minlength=len(sizes))
        escapes = 1 - np.bincount(owners[stays], weights=shares[stays], minlength=len(sizes)).astype(np.float64)
        is_context = left > 0
        tables.append(
            Table(
                level.keys[firsts][is_context],
                left[is_context],
                _share_numbers(escapes[is_context]),
                level.symbols[stays],
                _share_numbers(shares[stays]),
            )
        )
    return tables


def _share_numbers(shares: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the numbers of the nearest shares."""
    numbers = np.rint(np.log(np.maximum(shares, SHARES[-1])) / -SHARE_STEP)
    return np.asarray(np.clip(numbers, 0, 255), np.uint8)


def _n_bytes(tables: Sequence[Table]) -> int:
    """Return the bytes of some tables: 9 for a context, 4 for an entry."""
    return sum(9 * len(table.keys) + 4 * len(table.symbols) for table in tables)


# ---------------------------------------------------------------- stored arrays


def _to_arrays(
    tables: Sequence[Table], base: NDArray[np.float64], letters: NDArray[np.uint8], folds: NDArray[np.int32]
) -> dict[str, NDArray[Any]]:
    """Return arrays to store; differences of keys, sizes and symbols are packed as in `packed_counts`."""
    differences = [np.diff(table.keys.astype(np.int64), prepend=0) for table in tables]
    return {
        "lengths": np.array([len(table.keys) for table in tables], np.int64),
        "keys": packed_numbers(np.concatenate(differences)),
        "sizes": packed_numbers(np.concatenate([table.sizes for table in tables]).astype(np.int64)),
        "escapes": np.concatenate([table.escapes for table in tables]),
        "symbols": packed_numbers(np.concatenate([table.symbols for table in tables]).astype(np.int64)),
        "shares": np.concatenate([table.shares for table in tables]),
        "base": base,
        "letters": letters,
        "folds": folds,
    }


def unpacked_contexts(arrays: Mapping[str, NDArray[Any]]) -> tuple[Keys, NDArray[np.int32], NDArray[np.uint32]]:
    """Return the keys (N,) of all levels' contexts, their first entries (N + 1,) and the entries' symbols (E,)."""
    keys = _sorted_keys(arrays["keys"], arrays["lengths"].tolist())
    sizes = numbers_of(arrays["sizes"])
    symbols = numbers_of(arrays["symbols"])
    _require(len(sizes) == len(keys) == len(arrays["escapes"]), "the contexts have no sizes")
    _require(len(symbols) == len(arrays["shares"]) == sizes.sum(), "the contexts have no symbols")
    _require(not len(symbols) or 0 <= symbols.min() <= symbols.max() < 1 << 24, "a symbol is too large")
    firsts = np.append(0, np.cumsum(sizes)).astype(np.int32)
    return keys, firsts, symbols.astype(np.uint32)


def _sorted_keys(packed: NDArray[np.uint8], lengths: Sequence[int]) -> Keys:
    """Return the keys of all levels from their packed differences."""
    differences = numbers_of(packed)
    _require(sum(lengths) == len(differences), "the contexts have no keys")
    _require(not len(differences) or 0 <= differences.min() <= differences.max() < 1 << 32, "a key is too large")
    keys = []
    start = 0
    for length in lengths:
        level = np.cumsum(differences[start : start + length])
        _require(not length or level[-1] < 1 << 32, "a key is too large")
        keys.append(level.astype(np.uint32))
        start += length
    return np.concatenate(keys)


def _check_arrays(arrays: Mapping[str, NDArray[Any]]) -> None:
    """Raise an error unless the arrays have the right types and dimensions."""
    missing = set(ARRAY_NAMES) - set(arrays)
    _require(not missing, f"{', '.join(sorted(missing))} missing")
    types = {"lengths": np.int64, "base": np.float64, "folds": np.int32}
    for name in ARRAY_NAMES:
        array = arrays[name]
        _require(array.dtype == types.get(name, np.uint8) and array.ndim == 1, f"{name} has the wrong type")
    lengths = arrays["lengths"]
    _require(len(lengths) == LEVELS and (lengths >= 0).all(), f"lengths must be {LEVELS} numbers")
    _require((lengths <= len(arrays["keys"])).all(), "the contexts have no keys")
    for name in ("keys", "sizes", "symbols"):
        _require(not len(arrays[name]) or arrays[name][-1] < 128, "a number is cut off")


def _require(condition: Any, problem: str) -> None:
    """Raise an error about damaged arrays unless a condition holds."""
    if not condition:
        raise InvalidInputError(f"the counts of words are damaged: {problem}")
