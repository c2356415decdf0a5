"""The sampled softmax: training in every instruction set against the reference implementation."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from examples import Run, check_packed_weights, memory, network, states, symbols
from reference_checks import check_run, check_threads, expected_in_double, in_dtype

from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn.model.layout import Layout
from crnn.parameters.cells import CELLS
from crnn.parameters.optimizers import OPTIMIZERS
from crnn.reference.network import softmax_loss
from crnn.reference.sampled_softmax import candidates, sampled_softmax_loss
from crnn.training.loop.shards import cut

V, H = 131, 11
# Streams, steps and symbols drawn: few targets and many, of all symbols in the end; several blocks of time steps.
SHAPES = [(1, 7, 5), (3, 3, 17), (7, 2, 1), (1, 67, 31), (5, 31, 29), (50, 23, 97), (2, 13, 200)]
KINDS = list(itertools.product(CELLS, OPTIMIZERS))
RUNS = [(*kind, *shape) for kind, shape in zip(KINDS, itertools.cycle(SHAPES), strict=False)]


def start(dtype, B, T, *, cell="lstm", num_layers=1, optimizer="adagrad", E=None, H=H):
    """Return what a run starts from: a layout, parameters, optimizer state, a hidden state, and four chunks of text."""
    layout, params = network(V, H, dtype, cell=cell, num_layers=num_layers, embedding_size=E)
    state = states(B, H, dtype, cell=cell, num_layers=num_layers)
    return layout, params, memory(layout, optimizer), state, symbols(V, B * (4 * T + 1) + 1, np.uint16)


@functools.cache
def a_run(cell, optimizer, B, T, sampled):
    arguments = start("float32", B, T, cell=cell, optimizer=optimizer, num_layers=2, E=5)
    options = {"T": T, "learning_rate": 0.01, "optimizer": optimizer, "clip_norm": 0.7, "dropout": 0.2}
    options |= {"dropout_seed": 5, "sampled_softmax": sampled}
    return arguments, options, expected_in_double(arguments, 5, **options)


@pytest.mark.parametrize(("cell", "optimizer", "B", "T", "sampled"), RUNS)
def test_training_is_that_of_the_reference(kernels, dtype, cell, optimizer, B, T, sampled):
    arguments, options, wanted = a_run(cell, optimizer, B, T, sampled)  # past the end of an epoch
    check_run(Run(*in_dtype(arguments, dtype), **options).steps(*[1] * 5), wanted)


def test_each_shard_has_symbols_of_its_own(kernels, dtype):
    arguments = start(dtype, 11, 7)
    options = {"T": 7, "learning_rate": 0.01, "sampled_softmax": 13}
    wanted = expected_in_double(arguments, 3, shards=cut(range(11), 3), **options)
    check_run(Run(*arguments, n_shards=3, **options).steps(1, 1, 1), wanted)


@pytest.mark.parametrize(("cell", "n_shards", "n_threads"), [("rnn", 2, (2, 4)), ("gru", 5, (3,)), ("gru", 1, (2,))])
def test_any_number_of_threads_gives_the_same_bits(kernels, dtype, cell, n_threads, n_shards):
    arguments = start(dtype, 11, 29, cell=cell, num_layers=2, H=101, optimizer="adam")
    check_threads(arguments, n_threads, n_shards, T=29, sampled_softmax=23)


def test_threads_give_the_same_bits_in_bfloat16(bfloat16_kernels):
    arguments = start("float32", 11, 29, H=101)
    options = {"T": 29, "learning_rate": 0.01, "bfloat16": True, "n_shards": 1, "sampled_softmax": 23}
    one = Run(*arguments, **options).steps(2)
    assert Run(*arguments, n_threads=3, **options).steps(2).bits() == one.bits()


def test_packed_weights_follow_the_update(kernels, dtype):
    check_packed_weights(Run(*start(dtype, 5, 31, num_layers=2), T=31, n_threads=2, sampled_softmax=7), kernels)


def test_the_sum_is_on_average_that_over_all_symbols():
    rng = np.random.default_rng(0)
    y, targets = rng.normal(size=(3, 2, V)), rng.integers(V, size=(3, 2))
    whole = np.exp(y).sum(axis=-1)
    sums = []
    for step in range(4000):
        drawn, more = candidates(targets, vocab_size=V, sampled=20, seed=3, step=step)
        assert len(set(drawn.tolist())) == len(drawn) == 32
        sums.append(np.exp(y[..., drawn] + more).sum(axis=-1))
    error = np.std(sums, axis=0) / np.sqrt(len(sums))
    assert (np.abs(np.mean(sums, axis=0) - whole) < 4 * error).all()
    assert (error < 0.01 * whole).all()


def test_with_all_symbols_it_is_the_softmax():
    rng = np.random.default_rng(1)
    y, targets = rng.normal(size=(3, 2, V)), rng.integers(V, size=(3, 2))
    loss, dy = sampled_softmax_loss(y, targets, sampled=V, seed=0, step=0, shards=[range(2)])
    wanted, gradient = softmax_loss(y, targets)
    assert loss == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(dy, gradient, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("options", "message"), [({"training": False}, "trains"), ({"many": False}, "packed")])
def test_a_network_that_cannot_sample_is_refused(options, message):
    layout = Layout(V, H, np.dtype("float32"))
    with pytest.raises(ValueError, match=message):
        core.Network(layout, Packing(**{"one_row": True, "training": True} | options), sampled=3)


def test_arrays_of_another_size_are_refused():
    for name in (
        "columns", "dcolumns", "column_bias", "dcolumn_bias", "column_panels", "column_panels_back", "targets",
        "candidates", "candidate_places",
    ):  # fmt: skip
        run = Run(*start("float64", 5, 13), T=13, sampled_softmax=7)
        with run.trainer:
            shard = run.trainer.team.shards[0]
            owner = shard if hasattr(shard, name) else shard.threads[0]
            setattr(owner, name, np.ascontiguousarray(getattr(owner, name)[:-1]))
            with pytest.raises(ValueError, match=r"size|shape"):
                run.trainer._take_steps(np.full(1, 0.1))
