"""Memory need: what cannot be trained is refused before anything is allocated."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from crnn import CharRNN, InvalidInputError
from crnn.model.layout import Layout
from crnn.text.streams.text_streams import TextStreams
from crnn.training.preparation import memory_need
from crnn.training.preparation.memory_need import training_bytes

TEXT = "to be or not to be, that is the question. " * 20


@pytest.mark.parametrize(
    ("parameters", "validation_fraction"),
    [
        ({}, 0.25),
        ({"embedding_size": 300, "cell": "lstm"}, 0.0),
        ({"cell": "lstm", "num_layers": 2, "optimizer": "adam", "dropout": 0.5}, 0.0),
    ],
)
def test_the_need_is_about_what_is_taken(parameters, validation_fraction):
    model = CharRNN(
        400, batch_size=7, max_steps=12, eval_every=5, validation_fraction=validation_fraction, n_threads=2,
        random_state=0, **parameters,
    )  # fmt: skip
    CharRNN(3, max_steps=1, validation_fraction=0.25).fit(TEXT)  # loads modules, which take memory too
    tracemalloc.start()
    model.fit(TEXT)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    streams = TextStreams(np.zeros(len(TEXT), np.uint8), 7, 25)
    n = len(model._learned.optimizer_state)
    needed = training_bytes(model._learned.layout, streams, n, keep_best=validation_fraction > 0)
    assert 0.7 * taken < needed < 1.3 * taken


@pytest.mark.parametrize(
    "parameters",
    [
        {"hidden_size": 10**7}, {"hidden_size": 2**31 - 1, "cell": "lstm", "num_layers": 64},
        {"hidden_size": 10**6, "num_layers": 3, "dtype": "float64"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("start", ["fit", "partial_fit"])
def test_what_does_not_fit_is_refused_with_both_sizes(parameters, start):
    message = r"^hidden_size=\d+ and num_layers=\d+ with .* need about [\d,.]+ GB of memory, but [\d,.]+ GB are "
    with pytest.raises(InvalidInputError, match=message):
        getattr(CharRNN(**parameters), start)(TEXT)


def test_a_fitted_model_is_as_it_was(monkeypatch):
    model = CharRNN(5, max_steps=3, random_state=0).fit(TEXT)
    before = model._learned.params.copy()
    monkeypatch.setattr(memory_need, "available_bytes", lambda: 10)
    for start in (model.fit, model.partial_fit):
        with pytest.raises(InvalidInputError, match="GB of memory"):
            start(TEXT)
    np.testing.assert_array_equal(model._learned.params, before)
    assert model.n_steps_ == 3


def test_where_nothing_is_known_nothing_is_checked(monkeypatch):
    monkeypatch.setattr(memory_need, "available_bytes", lambda: None)
    assert CharRNN(5, max_steps=3).fit(TEXT).n_steps_ == 3


def test_the_parts_of_the_need():
    layout = Layout(5, 1000, np.dtype("float32"))
    streams = TextStreams(np.zeros(500, np.uint8), 2, 7)
    size = layout.size * 4
    one, two, best = (
        training_bytes(layout, streams, arrays, keep_best=keep)
        for arrays, keep in ((1, False), (2, False), (1, True))
    )
    assert two - one == 2 * size  # a second memory and its copy
    assert best - one == 2 * size


def test_an_embedding_has_a_table_of_the_symbols_of_each_shard():
    layouts = [Layout(50, 300, np.dtype("float32"), "gru", embedding_size=E) for E in (None, 7)]
    for B, rows in ((2, 40), (250, 8 * 50)):  # fewer rows than symbols; 8 shards
        streams = TextStreams(np.zeros(50_000, np.uint8), B, 20)
        plain, embedded = (training_bytes(layout, streams, 1, keep_best=False) for layout in layouts)
        vectors = 6 + (8 if B > 2 else 1)
        assert embedded - plain == 4 * (vectors * (layouts[1].size - layouts[0].size) + rows * (3 * 300 + 2 * 7))


def test_each_shard_has_a_gradient():
    layout = Layout(5, 300, np.dtype("float32"))
    texts = [TextStreams(np.zeros(50_000, np.uint8), B, 20) for B in (2, 250)]
    few, many = (training_bytes(layout, streams, 1, keep_best=False) for streams in texts)
    chunks = [20 * B * (5 + 2 * 300) + 21 * B * 300 for B in (2, 250)]
    assert many - few == 4 * (7 * layout.size + chunks[1] - chunks[0])  # 8 shards, not one


def test_a_process_needs_memory_for_its_own_streams():
    layout, streams = Layout(65, 50, np.dtype("float32")), TextStreams(np.zeros(9999, np.uint8), 64, 50)
    half = TextStreams(np.zeros(9999, np.uint8), 32, 50)
    own = training_bytes(layout, streams, 2, keep_best=False, own=range(32, 64))
    assert own == training_bytes(layout, half, 2, keep_best=False)
