"""Explanation: the surprisal of each symbol, and what was expected."""

import math

import numpy as np
import pytest
from texts import SIMILAR_NAMES as NAMES

from crnn import BOUNDARY, CharNGram, CharRNN
from crnn.detection.explanation import Explanation, explain


@pytest.mark.parametrize("model", [CharNGram(3).fit(NAMES), CharRNN(5, max_steps=50, random_state=0).fit(NAMES)])
def test_surprisal_and_alternatives(model):
    symbols, surprisal, alternatives = explain(model.vocabulary_, model.start(), "hann", 2)
    np.testing.assert_allclose(surprisal, model.surprisal("hann", end=True), rtol=1e-6)
    assert symbols == ["h", "a", "n", "n", BOUNDARY]
    for i, best in enumerate(alternatives):
        (p,) = model.next_proba(["hann"[:i]])
        assert [probability for _, probability in best] == pytest.approx(sorted(p)[:-3:-1], rel=1e-5)
        assert [model.vocabulary_[int(k)] for k in np.argsort(-p)[:2]] == [symbol for symbol, _ in best]


def test_a_symbol_that_the_model_never_saw_is_passed_over():
    model = CharNGram(3).fit(NAMES)
    _, found, _ = explain(model.vocabulary_, model.start(), "haxnn", 1)
    assert found[2] == math.inf
    _, without, _ = explain(model.vocabulary_, model.start(), "hann", 1)
    assert np.delete(found, 2).tolist() == without.tolist()


def test_explanation_as_text():
    places = [[("a", 0.5), (BOUNDARY, 0.25)]] * 3
    found = Explanation("x\ny", -1.5, False, ["x", "\n", "y"], np.array([0.1, 0.3, np.inf]), places, "min")
    first, *rest = str(found).splitlines()
    assert first == "normal, score -1.50"
    assert rest[:2] == [r"'x\ny'", "at 2: 'y' has inf nats; expected 'a' (0.50), the end (0.25)"]
    many = Explanation("abcde", -1, False, list("abcde"), np.arange(5.0), [[("a", 0.5)]] * 5)
    assert [line[:5] for line in str(many).splitlines()[3:]] == ["at 4:", "at 3:", "at 2:"]
    assert str(Explanation("", -0.5, True, [], np.array([]), [], "mean")) == "anomaly, score -0.50\n''"
