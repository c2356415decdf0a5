"""The tables of `benchmarks.mixtures` on a small text, and a draw and a score of a mixture next to its models."""

from __future__ import annotations

import pytest

from benchmarks import mixtures
from crnn import CharNGram, CharRNN, Mixture

TEXT = "to be or not to be, that is the question; " * 200


@pytest.fixture(scope="module")
def mixture():
    network = CharRNN(64, cell="lstm", max_steps=200, random_state=0, n_threads=1).fit(TEXT)
    return Mixture([network, CharNGram(order=6).fit(TEXT)], n_threads=1)


def test_tables(monkeypatch, mixture):
    monkeypatch.setattr(mixtures, "trained", lambda text, seconds, seed: mixture)
    monkeypatch.setattr(mixtures, "DRAWN", 500)
    lines = list(mixtures.rows(TEXT, TEXT[:300], [1.0], 2))
    assert len(lines) == len(mixtures.HEAD) + len(mixtures.ADAPTED) + 3
    assert len(list(mixtures.costs(mixture, TEXT[:300]))) == len(mixtures.COSTS) + 3
    *_, last = mixtures.copying(mixture, TEXT)
    assert int(last.split("|")[2]) > 50


@pytest.mark.parametrize("which", ["network", "counts", "mixture"])
def test_scoring(benchmark, mixture, which):
    model = dict(mixtures.named(mixture))[which]
    assert benchmark(model.score, TEXT) > -1


@pytest.mark.parametrize("which", ["network", "counts", "mixture"])
def test_drawing(benchmark, mixture, which):
    model = dict(mixtures.named(mixture))[which]
    assert len(benchmark(model.sample, 5000, random_state=0)) == 5000
