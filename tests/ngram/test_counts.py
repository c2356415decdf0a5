"""Counts: the same in whatever order and blocks texts are added."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.ngram import counts as counts_module
from crnn.ngram.counts import Counts
from crnn.ngram.packed_counts import pack

TEXTS = st.lists(st.lists(st.integers(0, 3), max_size=40), min_size=1, max_size=4)


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(pack(a).values(), pack(b).values(), strict=True))


@given(TEXTS, st.integers(1, 6), st.sampled_from([None, 3]), st.randoms())
@settings(max_examples=30)
def test_texts_in_any_order_give_the_same_counts_and_bits(texts, order, boundary, random):
    one, other = Counts(order, 4, boundary), Counts(order, 4, boundary)
    for text in texts:
        one.add(np.array(text))
    for text in random.sample(texts, len(texts)):
        other.add(np.array(text))
    contexts = np.array([[0, 1, 2, 0, 1], [3, 3, 1, 0, 0], [2, 2, 2, 2, 2]], np.int32)
    np.testing.assert_array_equal(one.rows(contexts), other.rows(contexts))
    assert same(one, other)


@given(st.lists(st.integers(0, 3), max_size=60), st.lists(st.integers(0, 60), max_size=5), st.integers(1, 6))
@settings(max_examples=30)
def test_a_text_cut_in_blocks_gives_the_same_counts(text, cuts, order):
    text, whole, parts, start = np.array(text, np.int32), Counts(order, 4, 3), Counts(order, 4, 3), 0
    whole.add(text)
    for cut in [*sorted(cuts), len(text)]:
        parts.add(text[start:cut], text[:start])
        start = min(cut, len(text))
    assert same(whole, parts)


def test_the_arrays_grow_and_calls_are_short(monkeypatch):
    text = np.random.default_rng(0).integers(0, 11, 3000)
    whole = Counts(7, 11)
    whole.add(text)
    monkeypatch.setattr(counts_module, "CALL_SYMBOLS", 97)
    grown = Counts(7, 11)
    for i in range(0, 3000, 701):
        grown.add(text[i : i + 701], text[:i])
    assert same(whole, grown)
    assert whole.nbytes == grown.nbytes


def test_scores_while_counting_use_the_counts_so_far():
    text, counts = np.random.default_rng(1).integers(0, 5, 200), Counts(4, 5)
    counts.add(text[:100])
    over, rows = counts.over(), np.empty((60, 5))
    log_p = over.add_and_score(text[100:160], text[:100], rows=rows)
    np.testing.assert_array_equal(log_p, rows[np.arange(60), text[100:160]])
    step = counts.over()
    for i in range(100, 160):
        np.testing.assert_array_equal(step.rows([text[i - 3 : i]])[0], rows[i - 100])
        step.add(text[i : i + 1], text[:i])
    assert log_p[30:].sum() != pytest.approx(sum(counts.rows([text[i - 3 : i]])[0, text[i]] for i in range(130, 160)))


def test_memory_of_long_contexts_is_counted():
    text, small, large = np.random.default_rng(2).integers(0, 3, 2000), Counts(2, 3), Counts(9, 3)
    small.add(text)
    large.add(text)
    assert 0 < small.nbytes < large.nbytes
    nodes = 1 + sum(large.n_grams[:8])  # one behind each n-gram but the longest; the last symbols may lack some
    assert nodes - 8 <= large.trie.node_count <= nodes
    assert large.trie.pool_used <= 3 * 2 * sum(large.n_grams)
    assert large.nbytes == 16 * large.trie.node_count + 4 * large.trie.pool_used
