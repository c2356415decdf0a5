"""The tables of `benchmarks.words` on a small text, and its weights against a plain search."""

import itertools

import numpy as np
import pytest

from benchmarks import words
from crnn.inference.network import log_softmax
from crnn.text import held_out

TEXT = "To be or not to be, that is the question; the answer is not a question. " * 40


@pytest.fixture
def short_texts_are_held_out(monkeypatch):
    monkeypatch.setattr(held_out, "MIN_LENGTH", 100)
    monkeypatch.setattr(held_out, "HELD_OUT_EVERY", 5)


def test_weights_are_the_best_on_a_grid():
    rng = np.random.default_rng(0)
    targets = rng.integers(0, 3, 701)
    rows = [log_softmax(rng.normal(size=(701, 3)) + k * np.eye(3)[targets]) for k in (0.5, 1.0)]
    rows.append(log_softmax(rng.normal(size=(701, 3)) - 0.5 * np.eye(3)[targets]))  # worse than chance
    (first, second, third), *others = words.weights_of_any_sign(rows, targets, np.zeros(701, int))
    assert first + second + third == pytest.approx(1)
    assert third < 0
    np.testing.assert_array_equal(others, [[first, second, third]] * 3)  # of classes without symbols

    def loss(a, b):
        weights = (1 - a - b, a, b)
        y = sum(weight * row for weight, row in zip(weights, rows, strict=True))
        return -log_softmax(y)[np.arange(701), targets].sum() + np.square(weights).sum()

    best = loss(second, third)
    for a, b in itertools.product((-0.01, 0, 0.01), repeat=2):
        assert loss(second + a, third + b) >= best


def test_the_tables_have_a_row_for_each_text(short_texts_are_held_out, monkeypatch):
    monkeypatch.setattr(words, "SPEED", 3e7)
    lines = list(words.tables({"a": TEXT, "b": TEXT.swapcase()}, 2, 1.0))
    assert [line.count("|") for line in lines] == [9] * 4 + [0] + [7] * 4


def test_losses_are_those_of_the_mixture(short_texts_are_held_out, monkeypatch):
    monkeypatch.setattr(words, "SPEED", 3e7)
    known, unseen = TEXT[:2000], TEXT[2000:2300]
    mixture = words.trained(known, 0, 1.0)
    found = words.losses(known, unseen, 0, 1.0)
    assert found.default == pytest.approx(-mixture.score(unseen))
    assert found.network == pytest.approx(-mixture.models_[0].score(unseen))
    assert len({found.both, found.words, found.trigrams, found.words_and_trigrams}) == 4


def test_steps_are_those_that_the_time_buys():
    parameters = words.network_parameters(3_000_000, 25.0)
    assert (parameters["hidden_size"], parameters["matmul_precision"]) == (224, "float32")
    assert 2000 < parameters["max_steps"] < 3000
    assert words.network_parameters(3_000_000, 50.0)["max_steps"] > parameters["max_steps"]
