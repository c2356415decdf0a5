"""Checks of models that several kinds of networks have in common."""

from __future__ import annotations

import numpy as np
from examples import adaptable, adapted_by_reference, classifier_of

from crnn import CharRNNClassifier


def same_weights(model, other):
    """Say whether two models have the same weights, for the same pairs of symbols."""
    assert model.params_.keys() == other.params_.keys()
    return model.bigrams_ == other.bigrams_ and all(
        np.array_equal(other.params_[name], array) for name, array in model.params_.items()
    )


def check_classifier(folder, **option):
    """A classifier of networks with this option learns, and a file gives it back."""
    texts, labels = ["anna", "eva", "olga", "bob", "otto", "tom"] * 5, ["f", "f", "f", "m", "m", "m"] * 5
    model = classifier_of(hidden_size=16, random_state=0, **option).fit(texts, labels)
    assert model.score(texts, labels) == 1
    model.save(folder / "classifier.crnn")
    again = CharRNNClassifier.load(folder / "classifier.crnn")
    assert {name: again.estimator.get_params()[name] for name in option} == option
    np.testing.assert_array_equal(again.predict_proba(texts), model.predict_proba(texts))


def check_adaptation(name, *, documents, **option):
    """The array `name` of a model with this option follows a text as the reference's does."""
    options = {"learning_rate": 0.02, "decay": 0.05, "block_length": 5}
    model = adaptable("lstm", "float64", documents=documents, **option)
    text = ["abcdabbacd"] if documents else "abcdabbacdab"
    nats, weights = adapted_by_reference(model, text, **options)
    given = text[0] if documents else text
    np.testing.assert_allclose(model.surprisal(given, adapt=options)[: len(given)], nats[: len(given)], rtol=1e-6)
    if not documents:
        adapted = model.adapt(given, **options)
        np.testing.assert_allclose(adapted.params_[name], weights[name], rtol=1e-6, atol=1e-9)
        assert not np.array_equal(adapted.params_[name], model.params_[name])
