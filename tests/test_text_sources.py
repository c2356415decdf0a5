"""Every model reads every kind of source: all give the counts and the weights of the text in memory.

The files have Windows' line ends.
"""

import gzip

import numpy as np
import pytest
from examples import saved

from crnn import CharNGram, CharRNN, Lines, Mixture, TextFile, train
from crnn.mixing import shared_time

NAMES = ["anna", "bob", "nana", "abba", "nan", "o"] * 7
TEXT = "".join(name + "\n" for name in NAMES)

SOURCES = {
    "a text": lambda path: TEXT,
    "a path": lambda path: path,
    "a file": TextFile,
    "two files": lambda path: [path, path],
    "a gzip file": lambda path: path.with_suffix(".gz"),
    "a stored file": lambda path: TextFile(path, cache=path.parent),
    "a list": lambda path: NAMES,
    "an iterator": lambda path: iter(NAMES),
    "lines": Lines,
    "stored lines": lambda path: Lines(path, cache=path.parent),
}


@pytest.fixture(params=SOURCES)
def source(request, tmp_path):
    """A function that returns the source, anew for each call, and the same text in memory."""
    path = tmp_path / "names.txt"
    data = TEXT.replace("\n", "\r\n").encode()
    path.write_bytes(data)
    path.with_suffix(".gz").write_bytes(gzip.compress(data))
    same = NAMES if request.param in ("a list", "an iterator", "lines", "stored lines") else TEXT
    return lambda: SOURCES[request.param](path), same * 2 if request.param == "two files" else same


@pytest.fixture
def shuffled_alike(request, source):
    """The text in memory, or stored lines for stored lines, whose shuffling is their own."""
    new, same = source
    return new() if "stored lines" in request.node.name else same


def network(X):
    return CharRNN(5, max_steps=11, random_state=0, verbose=0).fit(X)


def network_of_streams(X):
    return CharRNN(5, epochs=2, batch_size=3, validation_fraction=0.3, min_count=2, n_threads=2, random_state=0).fit(X)


def counts(X):
    return CharNGram(order=3).fit(X)


def both(X):
    return Mixture.from_fitted([network(X), counts(X)])


def learned(model):
    """The numbers that the model has learned."""
    if isinstance(model, CharRNN):
        return np.concatenate([weights.ravel() for weights in model.params_.values()]).tolist()
    return saved(model)


@pytest.mark.parametrize("fitted", [network, network_of_streams, counts])
def test_models_of_all_sources_agree(source, shuffled_alike, fitted):
    new, same = source
    model = fitted(new())
    assert learned(model) == learned(fitted(shuffled_alike))
    assert model.vocabulary_ == fitted(same).vocabulary_


def test_partial_fit_of_all_sources_agrees(source, shuffled_alike):
    new, same = source
    for fitted in (network, counts):
        assert learned(fitted(same).partial_fit(new())) == learned(fitted(same).partial_fit(shuffled_alike))


def test_scores_and_weights_of_all_sources_agree(source):
    new, same = source
    mixture = both(same)
    of_network, of_counts = mixture.models_
    for model, options in (
        (of_network, {"exact": False}), (of_network, {"adapt": True}), (of_counts, {"adapt": True}),
        (mixture, {}), (mixture, {"exact": False}),
    ):  # fmt: skip
        assert model.score(new(), **options) == model.score(same, **options)
    assert learned(of_network.adapt(new())) == learned(of_network.adapt(same))
    weights = [Mixture.from_fitted(mixture.models_).fit_weights(X).weights_ for X in (new(), same)]
    np.testing.assert_array_equal(*weights)


def test_mixtures_recommended_for_all_sources_agree(source, monkeypatch):
    monkeypatch.setattr(shared_time, "COUNTED_PER_SECOND", 100)
    new, same = source
    options = {"order": 3, "hidden_size": 4, "max_steps": 2, "random_state": 0, "verbose": 0}
    found, expected = (train(X, 0.3, **options).models_ for X in (new(), same))
    assert learned(found[1]) == learned(expected[1])
    assert found[0].vocabulary_ == expected[0].vocabulary_
