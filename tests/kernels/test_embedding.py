"""The embedding below the first layer: training in every instruction set against the reference implementation."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest
from examples import Run, check_packed_weights, in_double, memory, network, states, symbols
from reference_checks import (
    check_gradients,
    check_reduction,
    check_run,
    check_scores,
    check_threads,
    expected_in_double,
    expected_scores,
    gradient_of,
    in_dtype,
)

from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn.inference.network.packed_network import PackedNetwork
from crnn.model.layout import Layout
from crnn.parameters.cells import CELLS
from crnn.parameters.optimizers import OPTIMIZERS
from crnn.reference.products import operands_in_bfloat16

V, H, E = 13, 11, 5
# Streams and steps with few rows and with many, which a BLAS and packed weights multiply: one stream or several; fewer
# rows than symbols; several blocks of time steps.
SHAPES = [(1, 7), (3, 3), (7, 2), (1, 67), (5, 31), (50, 23)]


def start(dtype, B, T, *, cell="lstm", num_layers=1, optimizer="adagrad", E=E, V=V, H=H):
    """Return what a run starts from: a layout, parameters, optimizer state, a hidden state, and four chunks of text."""
    layout, params = network(V, H, dtype, cell=cell, num_layers=num_layers, embedding_size=E)
    state = states(B, H, dtype, cell=cell, num_layers=num_layers)
    return layout, params, memory(layout, optimizer), state, symbols(V, B * (4 * T + 1) + 1, np.uint16)


# ------------------------------------------------------------ against the reference

KINDS = list(itertools.product(CELLS, [1, 2], OPTIMIZERS))
RUNS = [(*kind, *shape) for kind, shape in zip(KINDS, itertools.cycle(SHAPES), strict=False)]


@functools.cache
def a_run(cell, num_layers, optimizer, B, T):
    arguments = start("float32", B, T, cell=cell, num_layers=num_layers, optimizer=optimizer)
    options = {"T": T, "learning_rate": 0.01, "optimizer": optimizer, "clip_norm": 0.7, "dropout": 0.2}
    options |= {"weight_dropout": 0.1, "dropout_seed": 5}
    return arguments, options, expected_in_double(arguments, 5, **options)


@pytest.mark.parametrize(("cell", "num_layers", "optimizer", "B", "T"), RUNS)
def test_training_is_that_of_the_reference(kernels, dtype, cell, num_layers, optimizer, B, T):
    arguments, options, wanted = a_run(cell, num_layers, optimizer, B, T)  # past the end of an epoch
    check_run(Run(*in_dtype(arguments, dtype), **options).steps(*[1] * 5), wanted)


# Sizes around the width of a vector and of a panel; vectors longer than the layer, and than the alphabet.
SIZES = [(1, 1, 1), (2, 16, 3), (67, 31, 16), (17, 3, 37), (131, 67, 33), (5, 97, 130)]


@functools.cache
def a_size(cell, V, H, E, T):
    arguments = start("float32", 5, T, cell=cell, V=V, H=H, E=E)
    options = {"T": T, "learning_rate": 0.01}
    return arguments, options, expected_in_double(arguments, 2, **options)


CELLS_AND_SIZES = list(zip(itertools.product(CELLS, SIZES), itertools.cycle([3, 17]), strict=False))


@pytest.mark.parametrize(("network", "T"), CELLS_AND_SIZES)
def test_training_is_that_of_the_reference_at_any_size(kernels, dtype, network, T):
    cell, sizes = network
    arguments, options, wanted = a_size(cell, *sizes, T)
    check_run(Run(*in_dtype(arguments, dtype), **options).steps(1, 1), wanted)


def test_more_symbols_than_a_block_has_rows(kernels, dtype):
    arguments, wanted = wide_alphabet()
    assert len(np.unique(arguments[-1])) > 900
    check_run(Run(*in_dtype(arguments, dtype), T=50, learning_rate=0.01).steps(1, 1), wanted)


@functools.cache
def wide_alphabet():
    arguments = start("float32", 31, 50, V=1009, H=5, cell="gru")
    return arguments, expected_in_double(arguments, 2, T=50, learning_rate=0.01)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_central_differences(kernels, cell):
    layout, params = network(5, 3, cell=cell, num_layers=2, embedding_size=2)
    B, T = 3, 7
    ids, state = symbols(5, B * (T + 1) + 1), states(B, 3, cell=cell, num_layers=2)
    check_gradients(layout, params, ids, state, lambda p: [p.embedding, p.layers[0].Wx], T=T, boundary=3)


# ------------------------------------------------------------ threads


# A thread for each shard, fewer, and groups of threads; tests/kernels/test_thread_groups.py has every cell in groups.
@pytest.mark.parametrize(
    ("cell", "n_shards", "n_threads"), [("rnn", 2, (2, 4)), ("gru", 5, (3, 5)), ("gru", 1, (2,)), ("lstm", 1, (2, 3))]
)
def test_any_number_of_threads_gives_the_same_bits(kernels, dtype, cell, n_threads, n_shards):
    arguments = start(dtype, 11, 29, cell=cell, num_layers=2, H=101, E=37, optimizer="adam")
    check_threads(arguments, n_threads, n_shards, T=29, weight_dropout=0.1)


@pytest.mark.parametrize(("B", "T"), [(3, 5), (5, 31)], ids=["few", "many"])
def test_packed_weights_follow_the_update(kernels, dtype, B, T):
    run = Run(*start(dtype, B, T, E=7, num_layers=2), T=T, n_threads=2)
    check_packed_weights(run, kernels)


def test_vectors_of_symbols_that_do_not_occur_stay(kernels, dtype):
    layout, params, memories, state, ids = start(dtype, 3, 5)
    ids %= 7
    for optimizer in ("adagrad", "adam"):
        memories = memory(layout, optimizer)
        run = Run(layout, params, memories, state, ids, T=5, optimizer=optimizer, learning_rate=0.1).steps(3)
        before, after = layout.tensors(params).embedding, layout.tensors(run.params).embedding
        assert (after[:7] != before[:7]).any(axis=1).all()
        # Adam continues in the direction of its mean.
        assert (after[7:] == before[7:]).all() == (optimizer == "adagrad")


def test_several_processes_add_up_their_gradients(kernels, dtype):
    arguments = start(dtype, 5, 7)

    def double(gradient):
        gradient *= 2  # what a second process with the same streams would add

    alone, joint = Run(*arguments, T=7).steps(2), Run(*arguments, T=7, reduce=double, clip=10.0).steps(2)
    assert joint.loss == pytest.approx(alone.loss, rel=1e-2)
    check_reduction(arguments, 7)


# ------------------------------------------------------------ bfloat16


@pytest.mark.parametrize(("B", "T"), [(1, 3), (3, 5), (5, 31), (50, 23)])
@pytest.mark.parametrize("cell", CELLS)
def test_operands_are_rounded_as_the_reference_rounds_them(bfloat16_kernels, cell, B, T):
    # One shard: the sums of dz of each symbol are operands, and each shard rounds its own.
    layout, params, _, state, ids = start("float32", B, T, cell=cell)
    options = {"clip": math.inf, "learning_rate": 0.001, "T": T}
    run = Run(layout, params, [layout.zeros()], state, ids, bfloat16=True, **options).steps(1)
    found = layout.tensors(gradient_of(params, run.params, run.sum))
    wanted = []
    for rounding in (True, False):
        arguments = (layout, params, [layout.zeros()], state, ids)
        if rounding:
            with operands_in_bfloat16():
                wide, after, (sum_,), _, _ = expected_in_double(arguments, 1, **options)
        else:
            wide, after, (sum_,), _, _ = expected_in_double(arguments, 1, **options)
        wanted.append(wide.tensors(gradient_of(in_double(layout, params)[1], after, sum_)))
    for part, rounded, plain in zip(found, *wanted, strict=True):
        # A sum is rarely rounded to the other neighbor: see test_bfloat16.
        bound = 0.45 * np.linalg.norm(plain - rounded) + 2e-6 * np.linalg.norm(rounded)
        assert np.linalg.norm(part - rounded) <= bound


def test_threads_give_the_same_bits_in_bfloat16(bfloat16_kernels):
    arguments = start("float32", 11, 29, num_layers=2, H=101, E=37)
    options = {"T": 29, "learning_rate": 0.01, "bfloat16": True, "n_shards": 1}
    one = Run(*arguments, **options).steps(2)
    assert Run(*arguments, n_threads=3, **options).steps(2).bits() == one.bits()


# ------------------------------------------------------------ inference


@pytest.mark.parametrize("cell", CELLS)
def test_scoring_is_that_of_the_reference(kernels, dtype, cell):
    layout, params, _, state, ids = start(dtype, 3, 7, cell=cell, num_layers=2)
    x = ids[: 3 * 29].reshape(29, 3).astype(np.int32)
    packed = PackedNetwork.pack(layout, params, one_row=False)
    check_scores(packed, x, state, expected_scores(layout, params, x, state))


def test_a_network_for_inference_has_no_embedding():
    layout = Layout(V, H, np.dtype("float32"), embedding_size=E)
    with pytest.raises(ValueError, match="fold it into the first layer's Wx"):
        core.Network(layout, Packing(one_row=True))


def test_arrays_of_another_size_are_refused():
    for name in ("table", "vectors", "rows", "symbols", "numbers"):
        run = Run(*start("float64", 5, 13), T=13)
        with run.trainer:
            shard = run.trainer.team.shards[0]
            owner = shard if hasattr(shard, name) else shard.threads[0]
            setattr(owner, name, np.ascontiguousarray(getattr(owner, name)[:-1]))
            with pytest.raises(ValueError, match="size"):
                run.trainer._take_steps(np.full(1, 0.1))
