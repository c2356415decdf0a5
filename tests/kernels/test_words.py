"""The entry points of counts of words refuse whatever the compiled code could not read."""

import numpy as np
import pytest

from crnn._kernels.ngram import words
from crnn.ngram.counts import Counts

LETTERS = np.array([1, 1, 0], np.uint8)
FOLDS = np.array([0, 0, 2], np.int32)
SHARES = np.linspace(1, 0.5, 256)


def tables(**other):
    """Return tables with one context of each kind, some arguments exchanged."""
    arguments = {
        "symbols": words.SymbolKinds(LETTERS, FOLDS),
        "lengths": [1, 1, 1],
        "keys": np.arange(3, dtype=np.uint32),
        "firsts": np.array([0, 1, 2, 3], np.int32),
        "escapes": np.zeros(3, np.uint8),
        "entries": np.array([2 << 8, 0, 0], np.uint32),
        "shares": SHARES,
        "base": np.array([0.5, 0, 0.5]),
    }
    return words.WordTables(*{**arguments, **other}.values())


def test_tables_of_a_context_of_each_kind():
    assert tables().symbols is not None


@pytest.mark.parametrize("other", [
    {"lengths": [1, 2]}, {"lengths": [1, 1, 2]}, {"lengths": [2, -1, 2]}, {"lengths": [3, 0, 0], "keys": [0, 0, 1]},
    {"firsts": [0, 1, 2]}, {"firsts": [1, 1, 2, 3]}, {"firsts": [0, 2, 1, 3]}, {"firsts": [0, 1, 2, 4]},
    {"firsts": [0, -1, 2, 3]}, {"escapes": [0, 0]}, {"entries": [3 << 8, 0, 0]}, {"entries": [1 << 8, 0, 0]},
    {"shares": SHARES[1:]}, {"shares": SHARES * 0}, {"shares": SHARES + 1}, {"base": [1.0, 0.0]},
    {"base": [0.0, 0.0, 1.0]}, {"base": [1.5, 0.0, 0.5]}, {"base": [np.nan, 0.0, 0.5]},
], ids=str)  # fmt: skip
def test_refuses_tables_that_are_not_sound(other):
    types = {"keys": np.uint32, "firsts": np.int32, "escapes": np.uint8, "entries": np.uint32}
    arrays = {
        name: value if name == "lengths" else np.array(value, types.get(name, np.float64))
        for name, value in other.items()
    }
    with pytest.raises(ValueError, match=r"do not hold counts of words|levels|firsts|escapes|shares|probabilities"):
        tables(**arrays)


@pytest.mark.parametrize(("letters", "folds", "boundary"), [
    ([], [], None), ([1, 1], [0], None), ([1, 2], [0, 1], None), ([1, 1], [1, 0], None), ([1, 1], [0, 2], None),
    ([1, 1], [0, -1], None), ([1, 0], [0, 0], None), ([1, 1], [0, 1], 2), ([1, 1], [0, 1], -1),
], ids=str)  # fmt: skip
def test_refuses_symbols_that_have_no_kind(letters, folds, boundary):
    with pytest.raises(ValueError, match=r"the symbols have no cases|folds"):
        words.SymbolKinds(np.array(letters, np.uint8), np.array(folds, np.int32), boundary)


def test_keys_are_those_of_the_context_alone():
    symbols = words.SymbolKinds(LETTERS, FOLDS)
    ids = np.random.default_rng(0).integers(0, 3, 300).astype(np.int32)
    keys = np.empty((300, words.LEVELS), np.uint32)
    words.hash_all(symbols, ids, 0, keys)
    for i in (0, 1, 7, 48, 131, 299):
        one = np.empty((1, words.LEVELS), np.uint32)
        start = max(0, i - words.WINDOW)
        words.hash_all(symbols, ids[start : i + 1], i - start, one)
        np.testing.assert_array_equal(one[0], keys[i])
        words.hash_all(symbols, np.append(FOLDS[ids[start:i]], np.int32(0)), i - start, one)  # without cases
        np.testing.assert_array_equal(one[0], keys[i])


def test_refuses_texts_that_are_not_of_its_symbols():
    symbols = words.SymbolKinds(LETTERS, FOLDS)
    keys = np.empty((2, words.LEVELS), np.uint32)
    for ids, first, of in (
        ([0, 3], 0, keys),
        ([0, -1], 0, keys),
        ([0, 1], 1, keys),
        ([0, 1], -1, keys),
        ([0, 1], 0, keys[:, :2].copy()),
    ):
        with pytest.raises(ValueError, match=r"must be from|keys of a context"):
            words.hash_all(symbols, np.array(ids, np.int32), first, of)
    x, before, rows = np.zeros((2, 1), np.int32), np.full((1, 5), -1, np.int32), np.zeros((3, 1, 3))
    words.spread_rows(tables(), x, before, rows, rows)
    for wrong in (
        (x + 3, before),
        (x - 1, before),
        (x, before - 1),
        (x, before + 4),
        (x, np.repeat(before, 2, axis=0)),
    ):
        with pytest.raises(ValueError, match=r"ids must be from|streams"):
            words.spread_rows(tables(), *wrong, rows, rows)
    for shape in ((1, 1, 3), (4, 1, 3), (3, 2, 3), (3, 1, 4)):
        wrong = np.zeros(shape)
        for others, out in ((rows, wrong), (wrong, rows), (wrong, wrong)):
            with pytest.raises(ValueError, match=r"rows|streams|symbols of"):
                words.spread_rows(tables(), x, before, others, out)


def test_refuses_sources_that_do_not_fit():
    counts = Counts(2, 3, None)
    counts.add(np.array([0, 1, 2, 0, 1], np.int32), [])
    source = counts.trie.row_source()
    letters, one = np.zeros(3, np.uint8), np.ones(1, np.intp)
    weights = np.ones((4, 1))
    words.WeightedRows([source], one, weights, letters)
    for sources, contexts, of, symbols in (
        ([], one[:0], weights[:, :0].copy(), letters), ([source], one[:0], weights, letters),
        ([source], one, np.ones((4, 2)), letters), ([source], one, weights * np.nan, letters),
        ([source], one, weights[:0], letters), ([source], one, weights, np.zeros(4, np.uint8)),
        ([source], -one, weights, letters), ([source], one * 0, weights, letters),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"sources|weights|contexts|symbols"):
            words.WeightedRows(sources, contexts, of, symbols)
    other = Counts(2, 4, None)
    other.add(np.array([0, 1, 2, 3, 0], np.int32), [])
    with pytest.raises(ValueError, match=r"symbols of the other model"):
        words.WordRows(tables(), other.trie.row_source())
