"""The most frequent pairs of a text."""

from __future__ import annotations

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.model import layout
from crnn.model.layout import Layout, SymbolPairs


@given(ids=st.lists(st.integers(0, 6), max_size=60), n=st.integers(1, 60), boundary=st.none() | st.integers(1, 6))
def test_pairs_match_a_counter(ids, n, boundary):
    counts = Counter(pair for pair in itertools.pairwise(ids) if boundary is None or pair[1] < boundary)
    wanted = sorted(counts, key=lambda pair: (-counts[pair], pair))[:n] or [(-1, -1)]
    found = SymbolPairs.most_frequent(np.array(ids, np.uint8), n, vocab_size=7, boundary=boundary)
    assert [tuple(pair) for pair in found.pairs.tolist()] == wanted
    assert found.limit == n


@pytest.mark.parametrize("scan", [7, 1 << 20])
def test_a_text_is_counted_in_parts_with_or_without_a_table(monkeypatch, scan):
    ids = np.random.default_rng(0).integers(0, 29, 1009).astype(np.uint16)
    wanted = SymbolPairs.most_frequent(ids, 101, vocab_size=29)
    monkeypatch.setattr(layout, "SCAN", scan)
    assert SymbolPairs.most_frequent(ids, 101, vocab_size=29) == wanted
    monkeypatch.setattr(layout, "MAX_TABLE", 0)
    assert SymbolPairs.most_frequent(ids, 101, vocab_size=29) == wanted


@given(
    pairs=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40, unique=True),
    empty=st.integers(0, 3),
    vocab_size=st.integers(1, 9),
)
def test_pairs_are_sorted(pairs, empty, vocab_size):
    table = np.array([(-1, -1)] * empty + pairs, np.int32).reshape(-1, 2)
    first, symbols, rows = SymbolPairs(table).sorted_by_symbol(vocab_size)
    assert len(first) == vocab_size + 1
    found = [
        [(before, symbol, table[row].tolist()) for symbol, row in zip(symbols[a:b], rows[a:b], strict=True)]
        for before, (a, b) in enumerate(itertools.pairwise(first))
    ]
    assert found == [
        [(before, symbol, [before, symbol]) for symbol in range(7) if (before, symbol) in pairs]
        for before in range(vocab_size)
    ]


PAIRS = [[0, 0], [0, 2], [-1, -1], [2, 0], [1, 3], [2, 1], [-1, -1]]


@pytest.mark.parametrize(("boundary", "allowed"), [(None, 4), (3, 3), (2, 2), (1, 1)])
def test_each_pair_has_its_row(boundary, allowed):
    before, symbols = (array.reshape(5, 4) for array in np.divmod(np.arange(20), 4))
    rows = SymbolPairs(np.array(PAIRS)).rows(before - 1, symbols, boundary)
    assert rows.shape == (5, 4)
    for row, b, symbol in zip(rows.flat, before.flat, symbols.flat, strict=True):
        pair = [int(b) - 1, int(symbol)]
        assert row == (PAIRS.index(pair) if pair in PAIRS and symbol < allowed else -1), pair


@pytest.mark.parametrize(
    ("places", "moved"),
    [
        ([0, 1, 2, 3], PAIRS), ([3, 0, 1, 2], [[3, 3], [3, 1], [-1, -1], [1, 3], [0, 2], [1, 0], [-1, -1]]),
        ([-1, 0, 1, 2], [*[[-1, -1]] * 4, [0, 2], [1, 0], [-1, -1]]),
        ([5, 7, 0, -1], [[5, 5], [5, 0], [-1, -1], [0, 5], [-1, -1], [0, 7], [-1, -1]]),
    ],
)  # fmt: skip
def test_symbols_are_renumbered(places, moved):
    found = SymbolPairs(np.array(PAIRS), 11).renumbered(np.array(places))
    assert found == SymbolPairs(np.array(moved), 11)


def test_pairs_tell_layouts_apart():
    pairs = np.array([[0, 1], [1, 2]])
    layouts = [
        Layout(5, 3, np.dtype("float32"), pairs=own)
        for own in (SymbolPairs(pairs), SymbolPairs(pairs), SymbolPairs(pairs[::-1]), SymbolPairs(pairs, 7), None)
    ]
    assert layouts[0] == layouts[1]
    assert hash(layouts[0]) == hash(layouts[1])
    assert all(layouts[0] != other for other in layouts[2:])


def test_pairs_are_read_only():
    own = np.array([[0, 1]], np.int32)
    pairs = SymbolPairs(own)
    own[:] = 7
    assert pairs.pairs.tolist() == [[0, 1]]
    with pytest.raises(ValueError, match="read-only"):
        pairs.pairs[:] = 7
