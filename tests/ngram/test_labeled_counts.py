"""LabeledCounts: strings are read in parts, and a string's bits do not depend on the others."""

import numpy as np

from crnn import CharNGram
from crnn.ngram import counts_network
from crnn.scoring.strings import Strings, TextBlock


def test_parts_do_not_change_the_bits(monkeypatch):
    model = CharNGram(4).fit(["anna", "bob", "nab", ""], y=[0, 1, 1, 0])
    texts = ["ban", "", "annabob", "b", "", "oooooooooooo", "nanna"]
    plain = model.vocabulary_.with_labels(())
    strings = Strings.encode(TextBlock(0, texts), plain, name="X", ended=True)
    labeled = model._learned.labeled
    together = labeled.log_likelihoods(strings)
    np.testing.assert_allclose(together, [model.score_samples(texts, y=k) for k in (0, 1)], rtol=1e-12)
    monkeypatch.setattr(counts_network, "LABEL_SYMBOLS", 12)
    np.testing.assert_array_equal(labeled.log_likelihoods(strings), together)
    empty = Strings.encode(TextBlock(0, []), plain, name="X", ended=True)
    assert labeled.log_likelihoods(empty).shape == (2, 0)


def test_a_label_without_texts_has_a_finite_prior():
    prior = counts_network.LabeledCounts([], np.array([0.0, 3.0, 1.0])).log_prior
    np.testing.assert_allclose(prior, np.log([1e-300, 0.75, 0.25]))
