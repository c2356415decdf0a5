"""The same random_state, dtype and number of threads give the same bits, for every cell and optimizer."""

import pytest
from small_models import bits
from texts import LONG_TEXT as TEXT

from crnn import CharRNN

RUNS = [("rnn", "adagrad", "float32", 2), ("gru", "rmsprop", "float64", 1), ("lstm", "adam", "float32", 1),
        ("cifg", "adam", "float64", 2)]  # fmt: skip


@pytest.mark.parametrize(("cell", "optimizer", "dtype", "n_threads"), RUNS)
def test_a_run_gives_the_same_bits_again(cell, optimizer, dtype, n_threads):
    options = {"cell": cell, "optimizer": optimizer, "dtype": dtype, "n_threads": n_threads, "batch_size": 3}
    options |= {"num_layers": 2, "seq_length": 7, "dropout": 0.2, "clip_norm": 3.0, "max_steps": 100, "random_state": 7}
    models = [CharRNN(13, **options).fit(TEXT) for _ in range(2)]
    assert bits(models[0]) == bits(models[1])
    assert models[0].sample(67, random_state=1) == models[1].sample(67, random_state=1)
    assert models[0].score(TEXT) == models[1].score(TEXT)
