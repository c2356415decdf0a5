"""Hidden states of many strings, and features made of them."""

import numpy as np
import pytest
from examples import random_language_model, reference_state

from crnn import CharRNN
from crnn.parameters.kinds import CELLS

TEXTS = ["abc", "", "dcbadcba" * 20, "a", "abc", "dd"]  # the long one is read in several parts


def small(X="abcd", cell="lstm", **parameters):
    return CharRNN(**{"hidden_size": 5, "num_layers": 2, "max_steps": 0, "random_state": 0, "cell": cell}
                   | parameters).fit(X)  # fmt: skip


@pytest.mark.parametrize("X", ["abcd", ["abcd", "dc"]], ids=["text", "documents"])
@pytest.mark.parametrize("cell", CELLS)
def test_states_of_many_texts_are_those_of_each(X, cell):
    model = small(X, cell)
    found = model.hidden_states(iter(TEXTS))
    assert [states.shape for states in found] == [(len(text), 2, 5) for text in TEXTS]
    for text, states in zip(TEXTS, found, strict=True):
        np.testing.assert_array_equal(states, model.hidden_states(text))
    assert model.hidden_states([]) == []


@pytest.mark.parametrize("n_bigrams", [None, 3])
def test_states_match_reference(n_bigrams):
    model = random_language_model("abdbbaccd", cell="lstm", num_layers=2, n_bigrams=n_bigrams)
    texts = ["abbacdbbabd", "bb", "accd"]
    for text, h, c in zip(texts, model.hidden_states(texts), model.hidden_states(texts, cells=True), strict=True):
        after = [reference_state(model, text[: t + 1])[1] for t in range(len(text))]
        np.testing.assert_allclose(h, [state[0][:, 0] for state in after], rtol=1e-9)
        np.testing.assert_allclose(c, [state[1][:, 0] for state in after], rtol=1e-9)
    np.testing.assert_allclose(model.transform(texts)[2], after[-1][0].ravel(), rtol=1e-9)


@pytest.mark.parametrize("X", ["abcd", ["abcd", "dc"]], ids=["text", "documents"])
def test_features_are_the_last_states_or_their_means(X):
    model = small(X)
    last, mean = model.transform(TEXTS), model.transform(TEXTS, pooling="mean")
    assert last.shape == mean.shape == (6, 10)
    assert last.dtype == mean.dtype == np.float32
    for text, a, b in zip(TEXTS, last, mean, strict=True):
        states = model.hidden_states(text).reshape(-1, 10)
        if text:
            np.testing.assert_array_equal(a, states[-1])
            np.testing.assert_allclose(b, states.mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(last[1], mean[1])  # of the empty string
    assert last[1].any() == (X != "abcd")
    np.testing.assert_array_equal(model.set_params(n_threads=3).transform(TEXTS * 13), np.tile(last, (13, 1)))
    assert model.transform([]).shape == (0, 10)


def test_names_of_features():
    assert small().get_feature_names_out().tolist() == [f"h_l{k}_{i}" for k in (0, 1) for i in range(5)]
