"""Shards: how many there are, who works on them, and that training gives the same bits at every number of threads."""

import numpy as np
import pytest
from examples import Run, memory, network, states, symbols
from hypothesis import given
from hypothesis import strategies as st

from crnn import CharRNN
from crnn.model.layout import Layout
from crnn.text.streams import TextStreams
from crnn.training.team import (
    MIN_STREAMS,
    packs_all,
    shard_count,
    shard_ranges,
    threads_for,
)
from crnn.training.trainer import Trainer

V, H, B, T = 7, 67, 37, 11  # 37 streams of 11 steps make four shards; eight threads form pairs
TEXT = "".join(np.random.default_rng(5).choice(list("abcdefg"), 9000))
NAMES = ["".join(np.random.default_rng([6, i]).choice(list("abcdefg"), 2 + i % 11)) for i in range(900)]


# ---------------------------------------------------------------- how many


def test_chunks_of_many_rows_are_read_by_packed_products():
    parts = [range(2), range(2, 3)]
    for seq_length, packs in ((63, False), (64, True)):
        assert packs_all(seq_length, parts, bfloat16=False, n_sampled_symbols=0) == packs
    assert not packs_all(25, [range(1)], bfloat16=False, n_sampled_symbols=0)  # min-char-rnn's chunk
    assert packs_all(25, [range(1)], bfloat16=True, n_sampled_symbols=0)
    assert packs_all(25, [range(1)], bfloat16=False, n_sampled_symbols=3)


@given(st.integers(1, 2000), st.integers(1, 500), st.integers(0, 10**9), st.integers(0, 10**10))
def test_shards_have_streams_enough_and_few_gradients(streams, seq_length, weights, gradient):
    n = shard_count(streams, seq_length, weights, gradient)
    assert n in (1, 2, 4, 8)
    assert n == 1 or streams >= n * MIN_STREAMS
    assert n <= 2 or n * gradient <= 256_000_000


def test_many_weights_want_more_streams_to_a_shard():
    counts = [shard_count(16, 50, weights, 10**6) for weights in (10**5, 10**6, 3 * 10**6, 10**8)]
    assert counts == [2, 2, 2, 1]


def test_weights_in_bfloat16_take_half_the_cache():
    layout, streams = Layout(61, 509, np.dtype("float32"), "lstm"), TextStreams(np.zeros(9999, np.uint8), 16, 24)
    assert [shard_ranges(layout, streams, bfloat16=bfloat16) for bfloat16 in (False, True)] == [
        [range(16)], [range(8), range(8, 16)],
    ]  # fmt: skip
    assert threads_for(layout, streams, 2, bfloat16=True) == threads_for(layout, streams, 2)


def test_long_gradients_want_more_rows():
    assert [shard_count(64, rows // 64, 0, 10**5) for rows in (64, 128, 256, 512)] == [1, 2, 4, 8]
    assert [shard_count(64, rows // 64, 0, 10**6) for rows in (320, 384, 2048, 4096)] == [1, 2, 4, 8]


# ---------------------------------------------------------------- the same bits


def run_with(n_threads, *, change=None, cell="lstm", optimizer="adam", **options):
    layout, params = network(V, H, np.float32, cell=cell, num_layers=2)
    ids = symbols(V, B * (6 * T + 1) + 1)
    start = layout, params, memory(layout, optimizer), states(B, H, np.float32, cell=cell, num_layers=2), ids
    run = Run(*start, T=T, n_threads=n_threads, n_shards=4, learning_rate=0.01, optimizer=optimizer, **options)
    numbers = iter(change or ())

    def use_other():
        run.trainer.use_threads(next(numbers, n_threads))
        assert run.trainer.arrangement.n_threads <= n_threads  # never more than at first

    run.steps(2, 1, 2, after_each=use_other)
    assert run.trainer.panels.size == run.trainer.network.panels_size
    return run.bits(), run.cursor.gradient_norm


# Each cell and each optimizer, with and without a limit of the norm, both dropouts, resets and boundaries.
KINDS = [
    ("rnn", "adagrad", {}),
    ("rnn", "adagrad", {"clip_norm": 0.02, "boundary": 2}),
    ("gru", "rmsprop", {"dropout": 0.3, "clip_norm": 0.02}),
    ("lstm", "adam", {"weight_dropout": 0.3, "state_reset": 0.3, "boundary": 2}),
]


@pytest.mark.parametrize(("cell", "optimizer", "options"), KINDS)
def test_threads_do_not_change_bits(cell, optimizer, options):
    options = {"dropout_seed": 3, **options}
    one = run_with(1, cell=cell, optimizer=optimizer, **options)
    assert one[1] > 0
    for n_threads in (3, 8):
        assert run_with(n_threads, cell=cell, optimizer=optimizer, **options) == one


@pytest.mark.parametrize(("n_threads", "change"), [(8, (1, 8, 3)), (8, (2, 3, 1)), (2, (1, 4, 4))])
def test_changing_threads_does_not_change_bits(n_threads, change):
    assert run_with(n_threads, change=change, clip_norm=0.02) == run_with(1, clip_norm=0.02)


@pytest.mark.parametrize("text", [TEXT, NAMES], ids=["text", "documents"])
def test_threads_do_not_change_models(text):
    options = {
        "cell": "gru", "optimizer": "adam", "clip_norm": 1.0, "dropout": 0.2, "weight_dropout": 0.1, "batch_size": B,
        "seq_length": T, "max_steps": 10, "random_state": 3, "validation_fraction": 0.2, "eval_every": 4,
    }  # fmt: skip
    models = [CharRNN(H, n_threads=n, **options).fit(text) for n in (1, 3, None)]
    for model in models[1:]:
        for name, array in model.params_.items():
            assert np.array_equal(array, models[0].params_[name])
        assert model.smooth_loss_ == models[0].smooth_loss_
        for ours, first in zip(model.history_, models[0].history_, strict=True):
            timeless = {"step", "epoch", "smooth_loss", "train_loss", "validation_loss", "gradient_norm"}
            assert {key: ours[key] for key in timeless} == {key: first[key] for key in timeless}


def test_threads_adapt_only_if_n_threads_is_none(monkeypatch):
    used = []
    take = Trainer._choose_threads
    monkeypatch.setattr(Trainer, "_choose_threads", lambda self, n: (used.append(self._adaptive), take(self, n))[1])
    for n_threads in (None, 2):
        used.clear()
        CharRNN(5, batch_size=16, seq_length=T, max_steps=9, n_threads=n_threads).fit(TEXT)
        assert {adaptive is None for adaptive in used} == {n_threads is not None}
