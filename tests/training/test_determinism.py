"""The same random_state, dtype and number of threads give the same bits, for every cell and optimizer."""

from __future__ import annotations

import pytest
from small_models import bits
from texts import LONG_TEXT as TEXT

from crnn import CharRNN

DTYPES = ["float32", "float64"]


def trained(n_steps, cell, optimizer, dtype, n_threads, *, random_state=7, **options):
    return CharRNN(
        13, num_layers=2, cell=cell, optimizer=optimizer, dtype=dtype, n_threads=n_threads, batch_size=3, seq_length=7,
        dropout=0.2, clip_norm=3.0, max_steps=n_steps, random_state=random_state, **options,
    ).fit(TEXT)  # fmt: skip


RUNS = [("rnn", "adagrad", "float32", 2), ("gru", "rmsprop", "float64", 1), ("lstm", "adam", "float32", 1),
        ("cifg", "adam", "float64", 2)]  # fmt: skip


@pytest.mark.parametrize(("cell", "optimizer", "dtype", "n_threads"), RUNS)
def test_a_run_gives_the_same_bits_again(cell, optimizer, dtype, n_threads):
    models = [trained(100, cell, optimizer, dtype, n_threads) for _ in range(2)]
    assert bits(models[0]) == bits(models[1])
    assert models[0].sample(67, random_state=1) == models[1].sample(67, random_state=1)
    assert models[0].score(TEXT) == models[1].score(TEXT)


@pytest.mark.slow
@pytest.mark.parametrize("n_threads", [1, 2, 3])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("cell", "optimizer"), [run[:2] for run in RUNS])
def test_a_thousand_steps_give_the_same_bits_again(cell, optimizer, dtype, n_threads):
    first, *others = (bits(trained(1000, cell, optimizer, dtype, n_threads)) for _ in range(3))
    assert all(other == first for other in others)


def test_another_seed_gives_another_run():
    one, other = (trained(3, "lstm", "adam", "float32", 1, random_state=seed) for seed in (1, 2))
    assert bits(one) != bits(other)
