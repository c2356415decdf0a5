"""Occurrences: each order's loss equals the loss of a model built with that order."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.ngram import occurrences
from crnn.ngram.counts import Counts
from crnn.ngram.occurrences import Occurrences
from crnn.reference.kneser_ney import KneserNey


def check_losses(texts, tail, order, V, boundary, *, keeps_text=False):
    """Compare the loss of each order with the loss of a model with this order, by the definition."""
    start = [] if boundary is None else [boundary]
    counts = Counts(order, V, boundary, keeps_text=keeps_text)
    for text in texts:
        counts.add(np.array(text), start)
    losses = Occurrences(counts).losses(np.array(tail), [-1, *start])
    for m in range(1, order + 1):
        model = KneserNey(texts, m, V, boundary)
        p = [model.probability([*start, *tail[:i]], symbol) for i, symbol in enumerate(tail)]
        assert losses[m - 1] == pytest.approx(-np.log(p).sum(), abs=1e-9)


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=40), min_size=1, max_size=3), st.lists(st.integers(0, 3), max_size=9),
    st.integers(1, 5), st.sampled_from([None, 3]), st.booleans(),
)  # fmt: skip
@settings(max_examples=60)
def test_losses_of_all_orders(texts, tail, order, boundary, keeps_text):
    check_losses(texts, tail, order, 4, boundary, keeps_text=keeps_text)


@pytest.mark.parametrize("boundary", [None, 6])
@pytest.mark.parametrize("keeps_text", [False, True])
def test_losses_of_all_orders_where_n_grams_occur_one_to_four_times(boundary, keeps_text):
    """Each discount depends on all four numbers of n-grams."""
    text, tail = np.random.default_rng(2).integers(0, 7, (2, 400)).tolist()
    check_losses([text], tail[:37], 4, 7, boundary, keeps_text=keeps_text)


def test_the_losses_do_not_depend_on_the_blocks(monkeypatch):
    text, tail = np.random.default_rng(0).integers(0, 5, (2, 400))
    counts = Counts(6, 5)
    counts.add(text)
    whole = Occurrences(counts).losses(tail)
    monkeypatch.setattr(occurrences, "SCORED_SYMBOLS", 7)
    monkeypatch.setattr(occurrences, "CALL_NODES", 3)
    np.testing.assert_allclose(Occurrences(counts).losses(tail), whole, rtol=1e-13)
