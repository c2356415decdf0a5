"""What 8-bit weights cost."""

import numpy as np
import pytest
from examples import random_language_model
from scipy.special import rel_entr

from crnn.cli.int8_cost import int8_cost


def test_cost_is_the_mean_divergence_of_all_predictions(monkeypatch):
    """Before each symbol of the documents, and before their ends."""
    monkeypatch.setattr("crnn.cli.int8_cost.DOCUMENTS", 7)
    monkeypatch.setattr("crnn.model.int8_weights.LARGEST", 2)
    model = random_language_model(["abcd", "dcab"], dtype="float32")
    rounded, divergences = model.quantize(), []
    for text in model.sample(num_samples=7, random_state=0):
        beginnings = [text[:i] for i in range(len(text) + 1)]
        p, q = model.predict_proba(beginnings), rounded.predict_proba(beginnings)
        divergences += rel_entr(p.astype(float), q.astype(float)).sum(axis=1).tolist()
    assert int8_cost(model) == pytest.approx(np.mean(divergences), rel=1e-3)


@pytest.mark.parametrize("source", ["abcde", b"abcde", ["abcd", "dcab"]], ids=["text", "bytes", "documents"])
def test_cost_is_about_the_difference_of_scores(source, monkeypatch):
    """They are the same on average; with so coarse weights the difference exceeds the chance of a sample."""
    model = random_language_model(source, dtype="float32")
    fine = int8_cost(model)
    monkeypatch.setattr("crnn.model.int8_weights.LARGEST", 2)
    cost, rounded = int8_cost(model), model.quantize()
    texts = model.sample(50, num_samples=100, random_state=1)
    difference = np.mean([model.score(text) - rounded.score(text) for text in texts])
    assert 0 < fine < cost / 100
    assert cost == pytest.approx(difference, rel=0.25)
