"""How long does it take to learn labels and to predict them, compared with a usual pipeline?"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from benchmarks import classify, labeled_texts
from crnn import CharNGram, TextClassifier
from crnn.text_classifier import COUNTS

PIPELINE = "TF-IDF and logistic regression"
ALONE = 200  # surnames labeled one by one


@cache
def surnames() -> tuple[list[str], Any]:
    """Return the surnames of 18 countries, and the countries."""
    pytest.importorskip("faker", reason="Faker is missing: pip install --group labels")
    texts, labels = labeled_texts.surnames()
    return texts, np.array(labels)


def unfitted(contender: str) -> Any:
    """Return a new model."""
    if contender == "crnn":
        return TextClassifier(CharNGram(**COUNTS, n_threads=1))
    pytest.importorskip("sklearn", reason="scikit-learn is missing: pip install --group labels")
    return classify.baseline(*classify.TUNED["surnames"])


@cache
def fitted(contender: str) -> Any:
    """Return a fitted model."""
    return unfitted(contender).fit(*surnames())


@pytest.mark.parametrize("contender", [PIPELINE, "crnn"])
def test_fitting(timed, contender):
    X, y = surnames()
    model = timed(
        lambda: unfitted(contender).fit(X, y), table="labels", contender=contender, column="fitted", units=len(X),
        rounds=3 if contender == "crnn" else 1,
    )  # fmt: skip
    assert np.mean(np.asarray(model.predict(X)) == y) > 0.8


@pytest.mark.parametrize("contender", [PIPELINE, "crnn"])
def test_labeling(timed, contender):
    X, y = surnames()
    model = fitted(contender)
    found = timed(lambda: model.predict(X), table="labels", contender=contender, column="labeled", units=len(X))
    assert np.mean(np.asarray(found) == y) > 0.8


@pytest.mark.parametrize("contender", [PIPELINE, "crnn"])
def test_labeling_one(timed, contender):
    X = surnames()[0][:: len(surnames()[0]) // ALONE]
    model = fitted(contender)
    expected = model.predict(X)
    found = timed(
        lambda: [model.predict([text])[0] for text in X], table="labels", contender=contender,
        column="labeled by itself", units=len(X), rounds=3,
    )  # fmt: skip
    assert list(found) == list(expected)
