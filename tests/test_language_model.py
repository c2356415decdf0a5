"""LanguageModel needs no more of a network than the protocol, and no more of the protocol than its eight methods."""

import pickle
import re
from itertools import islice

import numpy as np
import pytest
from examples import random_language_model
from texts import NAMES_OF_FEW_LETTERS as NAMES
from texts import SENTENCE as TEXT

from crnn import AnomalyDetector, CharNGram, CharRNN, InvalidInputError, Mixture
from crnn.inference.network import InferenceNetwork, Use
from crnn.language_model import LanguageModel


class Opaque:
    """A state that nobody but its network can look into."""

    __slots__ = ("hidden",)

    def __init__(self, hidden):
        self.hidden = hidden


class SmallNetwork(InferenceNetwork):
    """The eight methods that have no default."""

    def __init__(self, packed):
        self.packed = packed

    @property
    def symbols(self):
        return self.packed.symbols

    @property
    def boundary(self):
        return self.packed.boundary

    def zero_state(self, streams):
        return Opaque(self.packed.zero_state(streams))

    def copy(self, state):
        return Opaque(self.packed.copy(state.hidden))

    def select(self, state, streams):
        return Opaque(self.packed.select(state.hidden, streams))

    def join(self, states):
        return Opaque(self.packed.join([state.hidden for state in states]))

    def feed(self, x, state):
        self.packed.feed(x, state.hidden)

    def logits_after(self, state):
        return self.packed.logits_after(state.hidden)


class SmallModel(LanguageModel):
    def __init__(self, model=None):
        self.model, self.n_threads = model, 1

    def _vocabulary(self, what):
        return self.model._vocabulary(what)

    def _network(self, what, use):
        network, vocabulary = self.model._network(what, use)
        return SmallNetwork(network), vocabulary


@pytest.fixture(scope="module")
def pair():
    model = random_language_model("".join(sorted({*TEXT})), hidden_size=7, cell="lstm", num_layers=2, dtype="float64")
    return model, SmallModel(model)


@pytest.fixture(scope="module")
def pair_of_documents():
    model = CharRNN(7, cell="gru", max_steps=60, dtype="float64", optimizer="adam", random_state=0).fit(NAMES * 5)
    return model, SmallModel(model)


def test_a_notebook_shows_that_a_model_is_fitted(pair):
    assert "<b>SmallModel</b>: fitted<div></div>" in pair[1]._repr_html_()


def test_a_detector_of_such_a_model_cannot_be_saved(pair_of_documents, tmp_path):
    detector = AnomalyDetector(pair_of_documents[1], contamination=0.5).calibrate(NAMES * 9)
    with pytest.raises(InvalidInputError, match=r"estimator_ is a SmallModel, which cannot be saved\. Use pickle"):
        detector.save(tmp_path / "names.crnn")
    assert list(tmp_path.iterdir()) == []


def test_a_text_is_scored_as_by_the_model_itself(pair):
    model, small = pair
    np.testing.assert_allclose(small.surprisal(TEXT), model.surprisal(TEXT), rtol=1e-12)
    np.testing.assert_array_equal(small.rank(TEXT), model.rank(TEXT))
    assert small.score(TEXT * 3) == pytest.approx(model.score(TEXT * 3), rel=1e-12)
    assert small.score(TEXT * 200, exact=False) == pytest.approx(model.score(TEXT * 200, exact=False), rel=1e-12)
    assert small.bits_per_char(TEXT) == pytest.approx(model.bits_per_char(TEXT), rel=1e-12)
    assert small.perplexity(TEXT) == pytest.approx(model.perplexity(TEXT), rel=1e-12)


def test_texts_are_drawn_from_the_same_numbers(pair):
    model, small = pair
    for controls in ({}, {"temperature": 0.0}, {"top_k": 3, "stop": ["e", "to"]}, {"repetition_penalty": 1.5}):
        options = {"prime": "to b", "random_state": 3, **controls}
        assert small.sample(40, n_samples=5, **options) == model.sample(40, n_samples=5, **options)
        assert list(islice(small.stream(**options), 20)) == list(islice(model.stream(**options), 20))
    found, expected = (m.beam_search(4, prime="to", n_beams=5) for m in pair)
    assert [text for text, _ in found] == [text for text, _ in expected]


def test_a_text_state_is_copied_and_pickled(pair):
    model, small = pair
    state = small.start("to").feed(" be")
    again = pickle.loads(pickle.dumps(state))
    assert state.copy().feed("or").log_prob == again.feed("or").log_prob
    assert state.log_prob == pytest.approx(model.start("to").feed(" be").log_prob, rel=1e-12)
    np.testing.assert_allclose(state.next_proba(), model.start("to").feed(" be").next_proba(), rtol=1e-12)
    assert state.sample(9, random_state=1) == model.start("to be").sample(9, random_state=1)


def test_a_network_is_the_same_as_itself_alone(pair):
    network, again = (pair[1]._network("sample", use=Use.ONE_STREAM)[0] for _ in range(2))
    assert network.same_as(network)
    assert not network.same_as(again)


def test_strings_have_the_same_scores(pair_of_documents):
    model, small = pair_of_documents
    strings = ["", "anna", "o", "bobanna" * 40, "nan"]
    np.testing.assert_allclose(small.score_samples(strings), model.score_samples(strings), rtol=1e-12)
    assert small.score_samples(strings)[1] == small.score_samples(["anna"])[0]
    np.testing.assert_allclose(small.next_proba(strings), model.next_proba(strings), rtol=1e-10)
    assert small.sample(n_samples=7, random_state=0) == model.sample(n_samples=7, random_state=0)
    found, expected = (m.enumerate_documents(5) for m in pair_of_documents)
    assert found.documents == expected.documents
    found, expected = (m.guess_number(["anna", "bb"], 300, random_state=0) for m in pair_of_documents)
    np.testing.assert_allclose(found.estimate, expected.estimate, rtol=1e-9)


def test_refuses_methods_that_a_subclass_lacks(pair):
    small = pair[1]
    with pytest.raises(InvalidInputError, match="a SmallModel cannot adapt"):
        small.score(TEXT, adapt=True)
    with pytest.raises(InvalidInputError, match="fitted without labels"):
        small.sample(label="a")
    for score in (small.score_samples, small.score, lambda X, y: small.score(X, y, adapt=True)):
        with pytest.raises(InvalidInputError, match="fitted without labels"):
            score([TEXT], y=["a"])


def test_a_perplexity_beyond_float64_is_infinite(pair, monkeypatch):
    for nats, expected in ((708.9, np.exp(708.9)), (709.0, np.inf)):
        monkeypatch.setattr(SmallModel, "score", lambda *args, nats=nats, **how: -nats)
        assert pair[1].perplexity("to") == pytest.approx(expected)


def test_the_least_numbers_are_accepted(pair, pair_of_documents):
    small, namer = pair[1], pair_of_documents[1]
    assert [text for text, _ in small.beam_search(0)] == [""]
    assert list(small.stream(0)) == []
    assert len(namer.enumerate_documents(1, max_prefixes=1).documents) <= 1


def test_char_rnn_has_only_two_base_classes():
    assert [base.__name__ for base in CharRNN.__mro__] == ["CharRNN", "LanguageModel", "Estimator", "object"]


def test_counts_and_mixtures_name_the_methods_only_networks_have():
    def public(model):
        return {name for name in dir(model) if not name.startswith("_")}

    of_networks = public(CharRNN) - public(CharNGram) - public(Mixture)
    assert {"history_", "params_", "to_torch"} <= of_networks
    counts = CharNGram(order=2).fit("abab")
    for model, message in ((counts, ", which only networks have"), (Mixture.from_fitted([counts]), ". ")):
        for name in of_networks:
            with pytest.raises(AttributeError, match=re.escape(f"{name}{message}")):
                getattr(model, name)
    with pytest.raises(AttributeError, match="no attribute 'order__'"):
        counts.order__  # noqa: B018 (it raises)
