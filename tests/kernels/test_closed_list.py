"""The search among the texts of a list, compared with its reference on random tables."""

import numpy as np
import pytest

from crnn._kernels.inference.closed_list import ListSearch, TextTrie
from crnn.reference.closed_list import best_texts

V = 5
NOTHING = (np.zeros((0, 4), np.intp), np.zeros(0), np.zeros(0, np.int32))


def random_texts(rng, n):
    """Return distinct texts of up to 7 symbols in ascending order."""
    texts = {tuple(rng.integers(V, size=rng.integers(8)).tolist()) for _ in range(n)}
    return [list(text) for text in sorted(texts)]


def trie_of(texts, log_p):
    """Return the trie of texts in ascending order, numbered in order."""
    ids = np.array([symbol for text in texts for symbol in text], np.int32)
    lengths = np.array([*map(len, texts)], np.intp)
    return TextTrie(ids, lengths, log_p, np.arange(len(texts)), V)


def random_tables(rng, n):
    """Return tables for a damaged text of n symbols, with impossible steps and replacements of several lengths."""

    def costs(*shape):
        return np.where(rng.random(shape) < 0.3, -np.inf, -rng.exponential(3.0, shape))

    starts = np.sort(rng.integers(n, size=6)) if n else np.zeros(0, np.intp)
    taken = np.array([rng.integers(1, min(3, n - start) + 1) for start in starts], np.intp)
    lengths = rng.integers(4, size=len(starts))
    stops = np.cumsum(lengths)
    replacements = np.stack([starts, taken, stops - lengths, stops], axis=1).astype(np.intp)
    replacing = rng.integers(V, size=lengths.sum()).astype(np.int32)
    kinds = (replacements, costs(len(starts)), replacing)
    return costs(V, n), costs(V, n), costs(n), costs(V), float(costs(1)[0]), kinds


def found(trie, tables, count, floor=-np.inf, cells=7):
    """Return the numbers and scores that a search finds, interrupted as often as possible."""
    search = ListSearch(trie, *tables, count)
    search.start(floor)
    while not search.advance(cells):
        pass
    numbers, scores = search.found()
    return [(number, score) for number, score in zip(numbers.tolist(), scores.tolist(), strict=True) if number >= 0]


@pytest.mark.parametrize("seed", range(40))
def test_the_best_texts_are_those_of_the_reference(seed):
    rng = np.random.default_rng(seed)
    texts = random_texts(rng, 30)
    log_p = -rng.exponential(4.0, len(texts))
    tables = random_tables(rng, seed % 8)
    expected = best_texts(texts, log_p, tables, 3)
    got = found(trie_of(texts, log_p), tables, 3)
    assert [number for number, _ in got] == [number for number, _ in expected]
    np.testing.assert_allclose([score for _, score in got], [score for _, score in expected], rtol=1e-12)
    if expected:
        assert ListSearch(trie_of(texts, log_p), *tables, 1).highest >= expected[0][1] - 1e-9


def test_a_floor_leaves_out_texts_below_it_and_no_others():
    rng = np.random.default_rng(3)
    texts = random_texts(rng, 30)
    log_p = -rng.exponential(4.0, len(texts))
    tables = random_tables(rng, 5)
    expected = best_texts(texts, log_p, tables, len(texts))
    floor = (expected[1][1] + expected[2][1]) / 2
    assert [number for number, _ in found(trie_of(texts, log_p), tables, 7, floor)] == [i for i, _ in expected[:2]]


def test_ties_go_to_the_smallest_number():
    free = np.zeros((V, 1))
    tables = (free, free, np.full(1, -np.inf), np.full(V, -np.inf), -np.inf, NOTHING)
    ids = np.array([0, 1, 2], np.int32)
    trie = TextTrie(ids, np.ones(3, np.intp), np.zeros(3), np.array([5, 2, 4]), V)
    assert [number for number, _ in found(trie, tables, 2)] == [2, 4]


@pytest.mark.parametrize(
    ("ids", "lengths", "message"),
    [
        ([0, 5], [2], "below 5"),
        ([0, -1], [2], "below 5"),
        ([0, 1], [1], "do not fit"),
        ([0, 1], [3, -1], "negative"),
        ([1, 0], [1, 1], "ascending"),
        ([1, 1], [1, 1], "ascending"),
        ([], [0, 0], "ascending"),
        ([], [], "no text"),
    ],
)
def test_invalid_tries_are_refused(ids, lengths, message):
    n = len(lengths)
    with pytest.raises(ValueError, match=message):
        TextTrie(np.array(ids, np.int32), np.array(lengths, np.intp), np.zeros(n), np.arange(n), V)


def test_tables_of_other_sizes_are_refused():
    trie = trie_of([[0], [1, 2]], np.zeros(2))
    good = random_tables(np.random.default_rng(0), 3)
    wrong = random_tables(np.random.default_rng(0), 2)
    for i in range(4):
        tables = [*good[:i], wrong[i], *good[i + 1 :]] if i < 3 else [*good[:3], np.zeros(V + 1), *good[4:]]
        with pytest.raises(ValueError, match="do not fit"):
            ListSearch(trie, *tables, 1)
    beyond = (np.array([[2, 2, 0, 0]], np.intp), np.zeros(1), np.zeros(0, np.int32))
    with pytest.raises(ValueError, match="do not fit"):
        ListSearch(trie, *good[:5], beyond, 1)
    with pytest.raises(ValueError, match="do not fit"):
        ListSearch(trie, *good, 0)
