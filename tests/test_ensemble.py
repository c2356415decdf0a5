"""Ensemble: the mean of the models' probabilities, in every method that samples or scores."""

from __future__ import annotations

import pickle
from itertools import islice, product

import numpy as np
import pytest

from crnn import CharRNN, Ensemble, InvalidInputError, NotFittedError
from crnn.inference.scoring import string_scores
from crnn.reference import sampling as reference_sampling

TEXT = "to be or not to be, that is the question. " * 20
NAMES = ["anna", "bob", "nana", "abba", "nan", "o"]
WEIGHTS = np.array([0.5, 0.2, 0.3])


def members(X, dtype="float64"):
    """Models that have little in common but their symbols."""
    rest = {"max_steps": 60, "dtype": dtype, "optimizer": "adam", "learning_rate": 0.02}
    return [
        CharRNN(7, random_state=0, **rest).fit(X),
        CharRNN(11, cell="lstm", num_layers=2, n_bigrams=13, random_state=1, **rest).fit(X),
        CharRNN(5, cell="gru", batch_size=2, random_state=2, **rest).fit(X),
    ]


@pytest.fixture(scope="module")
def models():
    return members(TEXT)


@pytest.fixture(scope="module")
def namers():
    return members(NAMES * 5)


def mean_of(models, values):
    return np.log(np.tensordot(WEIGHTS, np.exp(np.array(values)), axes=1))


def test_probabilities_are_the_mean(models):
    ensemble = Ensemble(models, weights=5 * WEIGHTS)
    prefixes = ["", "to be", "q", "to"]
    expected = np.tensordot(WEIGHTS, [model.predict_proba(prefixes) for model in models], axes=1)
    np.testing.assert_allclose(ensemble.predict_proba(prefixes), expected, rtol=1e-12)
    np.testing.assert_allclose(ensemble.start("to").predict_proba(), expected[3], rtol=1e-12)
    expected = -mean_of(models, [-model.surprisal(TEXT[:500]) for model in models])
    np.testing.assert_allclose(ensemble.surprisal(TEXT[:500]), expected, rtol=1e-9)
    assert ensemble.score(TEXT[:500]) == pytest.approx(-expected.mean())
    assert ensemble.bits_per_char(TEXT[:500]) == pytest.approx(expected.mean() / np.log(2))
    ranks = 1 + (ensemble.predict_proba([TEXT[:i] for i in range(90)]) > np.exp(-expected[:90, None])).sum(axis=1)
    assert (np.abs(ensemble.rank(TEXT[:90]) - ranks) <= 1).all()  # its own symbol may count by the last bit


def test_a_long_text_is_cut_as_that_of_one_model(models):
    ensemble = Ensemble([models[0], models[0]])
    assert ensemble.score(TEXT * 10, exact=False) == pytest.approx(models[0].score(TEXT * 10, exact=False), rel=1e-12)


def test_strings(namers, monkeypatch):
    ensemble = Ensemble(namers, weights=WEIGHTS)
    strings = ["", *("".join(letters) for n in (1, 2, 4) for letters in product("ano", repeat=n))]
    found = ensemble.score_samples(strings)
    alone = [ensemble.score_samples([string])[0] for string in strings[:20]]
    np.testing.assert_array_equal(found[:20], alone)
    for string, score in list(zip(strings, found, strict=True))[:15]:
        state = ensemble.start()
        assert state.feed(string).end().log_prob == score
    normal = ensemble.score_samples(strings, normalize="char")
    np.testing.assert_allclose(normal, found / (1 + np.array([len(string) for string in strings])))
    monkeypatch.setattr(string_scores, "ROWS", 3)
    np.testing.assert_array_equal(ensemble.score_samples(strings), found)
    assert ensemble.score(strings) == pytest.approx(found.sum() / sum(len(string) + 1 for string in strings))


CONTROLS = [
    {},
    {"temperature": 0.0},
    {"temperature": 0.7, "top_k": 5},
    {"top_p": 0.8},
    {"min_p": 0.1, "logit_bias": {"e": -np.inf, "t": 1.0}},
    {"stop": ["be", "o b", "t"]},
]


@pytest.mark.parametrize("controls", CONTROLS, ids=str)
def test_equal_models_sample_as_one(models, controls):
    """All draws use the same numbers, so the texts are the same unless a number lies within rounding of a limit."""
    one = models[1]
    ensemble = Ensemble([one, one], weights=[1, 3])
    options = {"prime": "to b", "num_samples": 7, "random_state": 3, **controls}
    expected = one.sample(40, **options)
    assert ensemble.sample(40, **options) == expected
    assert Ensemble([models[0], one], weights=[0, 1]).sample(40, **options) == expected
    alone = {**options, "num_samples": 1}
    assert "".join(islice(ensemble.stream(40, prime="to b", random_state=3, **controls), 40)) == one.sample(40, **alone)
    assert ensemble.sample(0, **options) == [""] * 7


def test_a_repetition_penalty_is_of_log_probabilities(models):
    """The logits of a single model have any level, those of an ensemble are the logarithms of its probabilities."""
    ensemble, controls = Ensemble(models), {"repetition_penalty": 1.7, "temperature": 0.0}
    vocabulary, text = models[0].vocabulary_, "to b"
    for _ in range(30):
        log_p = np.log(ensemble.predict_proba([text])[0])
        seen = np.array([symbol in text for symbol in vocabulary])
        expected = vocabulary[int(reference_sampling.filtered(log_p, seen, **controls).argmax())]
        assert ensemble.sample(1, prime=text, **controls) == expected
        text += expected
    assert ensemble.sample(30, prime="to b", **controls) == text[4:]


def test_documents(namers):
    one = Ensemble([namers[0]])
    assert one.sample(num_samples=20, random_state=0) == namers[0].sample(num_samples=20, random_state=0)
    ensemble = Ensemble(namers)
    names = ensemble.sample(num_samples=5, unique=True, exclude=["anna"], max_length=6, random_state=0)
    assert len(set(names)) == 5
    assert "anna" not in names
    assert max(map(len, names)) <= 6
    found = ensemble.enumerate_documents(4)
    np.testing.assert_allclose(found.log_probs, ensemble.score_samples(found.documents), rtol=1e-9)
    guesses = ensemble.guess_number(["anna", "bbbb"], n=500, random_state=0)
    assert guesses.estimate[0] < guesses.estimate[1]
    state = ensemble.start()
    assert isinstance(state.sample(5, random_state=0), str)
    again = pickle.loads(pickle.dumps(ensemble)).start()
    assert again.sample(5, random_state=0) == ensemble.start().sample(5, random_state=0)


def test_beams_find_the_most_probable(models):
    ensemble = Ensemble(models)
    (best, log_p), *_ = ensemble.beam_search(3, prime="to ", beams=400)
    symbols = list(models[0].vocabulary_)
    every = ["".join(letters) for letters in product(symbols, repeat=3)]
    scores = ensemble.score_samples(["to " + text for text in every]) - ensemble.score_samples(["to "])
    assert best == every[int(scores.argmax())]
    assert log_p == pytest.approx(scores.max())


def test_what_is_of_one_model(models):
    ensemble = Ensemble(models)
    for ask in (lambda: ensemble.params_, lambda: ensemble.hidden_states("to"), lambda: ensemble.transform(["to"])):
        with pytest.raises(AttributeError, match="'Ensemble' object has no attribute"):
            ask()
    assert ensemble.vocabulary_ == models[0].vocabulary_
    assert "3 models" in ensemble._repr_html_()
    assert ensemble.get_params()["models"] is ensemble.models


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (lambda models: (models[0],), "must be a list of CharRNN, not CharRNN"),
        (lambda models: ([],), "empty list"),
        (lambda models: ([models[0], "model"],), r"models\[1\] must be a CharRNN, not str"),
        (lambda models: ([models[0], CharRNN(max_steps=0).fit("ab")],), r"models\[1\] has other symbols"),
    ],
)
def test_models_that_do_not_fit(models, arguments, message):
    with pytest.raises(InvalidInputError, match=message):
        Ensemble(*arguments(models))


def test_models_with_labels_must_be_of_one_label():
    model = CharRNN(7, max_steps=30, random_state=0).fit(NAMES, labels=list("aabbab"))
    with pytest.raises(InvalidInputError, match=r"models\[0\] has labels"):
        Ensemble([model])
    of_a = model.for_label("a")
    assert Ensemble([of_a, of_a]).score_samples(["bob"]) == pytest.approx(of_a.score_samples(["bob"]))


def test_models_must_be_fitted(models):
    with pytest.raises(NotFittedError):
        Ensemble([models[0], CharRNN()])


@pytest.mark.parametrize("weights", [[1], [1, -1, 1], [0, 0, 0], [1, np.nan, 1], ["a", "b", "c"]])
def test_weights_that_do_not_fit(models, weights):
    with pytest.raises(InvalidInputError, match="weights must be"):
        Ensemble(models, weights=weights)
