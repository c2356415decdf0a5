"""Occurrences: each order's loss equals the loss of a model built with that order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.ngram import occurrences as module
from crnn.ngram.counts import Counts
from crnn.ngram.occurrences import Occurrences
from crnn.reference.kneser_ney import KneserNey


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=40), min_size=1, max_size=3), st.lists(st.integers(0, 3), max_size=9),
    st.integers(1, 5), st.sampled_from([None, 3]),
)  # fmt: skip
@settings(max_examples=60)
def test_losses_of_all_orders(texts, tail, order, boundary):
    start = [] if boundary is None else [boundary]
    counts = Counts(order, 4, boundary)
    for text in texts:
        counts.add(np.array(text), start)
    losses = Occurrences(counts).losses(np.array(tail), start)
    for m in range(1, order + 1):
        model = KneserNey(texts, m, 4, boundary)
        p = [model.probability([*start, *tail[:i]], symbol) for i, symbol in enumerate(tail)]
        assert losses[m - 1] == pytest.approx(-np.log(p).sum(), abs=1e-9)


def test_the_losses_do_not_depend_on_the_blocks(monkeypatch):
    text, tail = np.random.default_rng(0).integers(0, 5, (2, 400))
    counts = Counts(6, 5)
    counts.add(text)
    whole = Occurrences(counts).losses(tail)
    monkeypatch.setattr(module, "BLOCK", 7)
    monkeypatch.setattr(module, "CALL_NODES", 3)
    np.testing.assert_allclose(Occurrences(counts).losses(tail), whole, rtol=1e-13)
