"""Memory need: what cannot be trained is refused before anything is allocated."""

import contextlib
import tracemalloc

import numpy as np
import pytest
from small_models import learned_state
from texts import LONG_TEXT as TEXT

from crnn import CharRNN, InvalidInputError, Lines
from crnn.model.layout import Layout, layout_of
from crnn.model.state import ModelState
from crnn.parameters.settings import Settings
from crnn.text.streams import TextStreams
from crnn.text.vocabulary import Vocabulary
from crnn.training import data
from crnn.training.data import training_bytes
from crnn.training.trainer import StepSettings, Trainer


def settings_of(**parameters):
    return Settings.check(CharRNN(**parameters).get_params())


def test_estimated_memory_is_about_the_memory_taken():
    parameters = {"num_layers": 2, "embedding_size": 300, "optimizer": "adam", "dropout": 0.5}
    training = {"batch_size": 7, "max_steps": 6, "eval_every": 2, "validation_fraction": 0.25, "n_threads": 2}
    model = CharRNN(300, random_state=0, **training, **parameters)
    CharRNN(3, max_steps=1, validation_fraction=0.25).fit(TEXT)  # loads modules, which take memory too
    tracemalloc.start()
    model.fit(TEXT)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    streams = TextStreams(np.zeros(len(TEXT), np.uint8), 7, 25)
    settings = settings_of(**parameters)
    needed = training_bytes(learned_state(model).layout, streams, settings, keep_best=True)
    assert 0.7 * taken < needed < 1.3 * taken


@pytest.mark.parametrize(
    ("start", "parameters"),
    [
        ("partial_fit", {"hidden_size": 10**7}), ("fit", {"hidden_size": 10**6, "num_layers": 3, "dtype": "float64"}),
        ("fit", {"hidden_size": 2**31 - 1, "cell": "lstm", "num_layers": 64}),
    ],
)  # fmt: skip
def test_refuses_models_beyond_memory_with_both_sizes(start, parameters):
    message = r"^hidden_size=\d+ and num_layers=\d+ with .* need about [\d,.]+ GB of memory, but [\d,.]+ GB are "
    with pytest.raises(InvalidInputError, match=message):
        getattr(CharRNN(**parameters), start)(TEXT)


STREAMS = TextStreams(np.zeros(999, np.uint8), 7, 11)
USUAL, ADAM = settings_of(), settings_of(optimizer="adam")


@pytest.mark.parametrize(
    ("settings", "options", "vectors"),
    [
        (ADAM, {}, 3), (USUAL, {"keep_best": True}, 2), (ADAM, {"keep_best": True}, 3 + 3),
        (USUAL, {"checkpoints": True}, 3 * 2), (ADAM, {"checkpoints": True}, 3 + 3 * 3),
        (USUAL, {"checkpoints": True, "keep_best": True}, 2 + 5 * 2),
    ],
)  # fmt: skip
def test_how_many_vectors_of_the_size_of_the_weights_are_kept(settings, options, vectors):
    layout = Layout(29, 13, np.dtype("float64"))
    least = training_bytes(layout, STREAMS, USUAL, keep_best=False)
    found = training_bytes(layout, STREAMS, settings, **{"keep_best": False, **options})
    assert found - least == vectors * layout.size * 8


def test_a_process_needs_memory_for_its_own_streams_alone():
    layout = Layout(29, 13, np.dtype("float32"))
    three, whole = (
        training_bytes(layout, streams, USUAL, keep_best=False)
        for streams in (TextStreams(np.zeros(999, np.uint8), 3, 11), STREAMS)
    )
    assert training_bytes(layout, STREAMS, USUAL, keep_best=False, own_streams=range(2, 5)) == three < whole
    assert training_bytes(layout, STREAMS, USUAL, keep_best=False, own_streams=range(7)) == whole


@pytest.mark.parametrize("optimizer", ["adagrad", "adam"])
def test_all_available_memory_may_be_used(monkeypatch, optimizer):
    streams = TextStreams(np.zeros(len(TEXT), np.uint8), 7, 25)
    layout = Layout(len(set(TEXT)), 300, np.dtype("float32"))
    needed = training_bytes(layout, streams, settings_of(optimizer=optimizer), keep_best=False)
    for available, refused in ((needed - 1, True), (needed, False), (None, False)):
        monkeypatch.setattr(data, "available_bytes", lambda: available)  # noqa: B023
        with pytest.raises(InvalidInputError, match="GB of memory") if refused else contextlib.nullcontext():
            CharRNN(300, batch_size=7, seq_length=25, max_steps=1, optimizer=optimizer).fit(TEXT)


@pytest.mark.parametrize("lines", [False, True])
def test_streams_of_documents_are_not_made_before_the_check(monkeypatch, tmp_path, lines):
    monkeypatch.setattr(data, "available_bytes", lambda: 10**7)
    (tmp_path / "names").write_text("anna\nbob\n" * 9)
    X = Lines(tmp_path / "names", cache=tmp_path) if lines else ["anna", "bob"] * 9
    with pytest.raises(InvalidInputError, match="need about"):
        CharRNN(10**4).fit(X)  # loads modules, which take memory too
    tracemalloc.start()
    with pytest.raises(InvalidInputError, match=r"batch_size=100003 .* need about 0\.\d GB of memory"):
        CharRNN(3, batch_size=100_003).fit(X)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 3 << 20


@pytest.mark.parametrize(
    ("cell", "B", "options"),
    [
        ("rnn", 1, {}), ("lstm", 2, {"num_layers": 2}), ("gru", 67, {"embedding_size": 7}),
        ("lstm", 67, {"dropout": 0.5}), ("cifg", 250, {"n_sampled_symbols": 3}),
    ],
)  # fmt: skip
def test_a_trainer_has_the_arrays_that_were_counted(cell, B, options):
    model = CharRNN(31, cell=cell, batch_size=B, seq_length=20, **options)
    settings = Settings.check(model.get_params())
    layout, streams = layout_of(settings, 50), TextStreams(np.zeros(50_000, np.uint8), B, 20)
    rng = np.random.default_rng(0)
    vocabulary = Vocabulary(np.arange(50), "bytes")
    state = ModelState.initial(layout, vocabulary, rng, optimizer="adagrad", batch_size=B, seq_length=20)
    trainer = Trainer(state, streams, StepSettings.of(settings, rng))
    shards = trainer.team.shards
    owners = [trainer, *shards, *(shard.threads[0] for shard in shards)]
    arrays = [value for owner in owners for value in vars(owner).values() if isinstance(value, np.ndarray)]
    arrays += [*trainer.optimizer_state]
    snapshots = layout.dtype.itemsize * 2 * 2 * layout.size  # two, each of weights and sums of squares
    needed = training_bytes(layout, streams, settings, keep_best=False)
    assert needed == sum(array.nbytes for array in arrays) + snapshots
