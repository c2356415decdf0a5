"""The table of bigrams: training in every instruction set against the reference implementation, threads, inference."""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import pytest
from examples import Run, check_packed_weights, drawn, in_double, memory, network, repeated, states, symbols
from reference_checks import (
    check_gradients,
    check_reduction,
    check_run,
    check_scores,
    check_threads,
    expected_in_double,
    expected_scores,
    in_dtype,
)

from crnn.inference.network.packed_network import PackedNetwork
from crnn.model.layout import Layout
from crnn.model.symbol_pairs import SymbolPairs
from crnn.parameters.cells import CELLS
from crnn.parameters.optimizers import OPTIMIZERS
from crnn.reference import network as reference

V, H, R = 13, 11, 67  # of 169 pairs
SHAPES = [(1, 7), (3, 3), (7, 2), (1, 67), (5, 31), (50, 23)]


def start(dtype, B, T, *, cell="lstm", num_layers=1, optimizer="adagrad", R=R, V=V, H=H, E=None):
    """Return what a run starts from: a layout, parameters, optimizer state, a hidden state, and four chunks of text."""
    layout, params = network(V, H, dtype, cell=cell, num_layers=num_layers, n_bigrams=R, embedding_size=E)
    state = states(B, H, dtype, cell=cell, num_layers=num_layers, V=V)
    return layout, params, memory(layout, optimizer), state, symbols(V, B * (4 * T + 1) + 1, np.uint16)


# ------------------------------------------------------------ against the reference

KINDS = list(itertools.product(CELLS, [1, 2], OPTIMIZERS))
RUNS = [(*kind, *shape) for kind, shape in zip(KINDS, itertools.cycle(SHAPES), strict=False)]


@functools.cache
def a_run(cell, num_layers, optimizer, B, T):
    arguments = start("float32", B, T, cell=cell, num_layers=num_layers, optimizer=optimizer)
    options = {"T": T, "learning_rate": 0.01, "optimizer": optimizer, "clip_norm": 0.7, "dropout": 0.2}
    options |= {"weight_dropout": 0.1, "dropout_seed": 5, "boundary": 11, "state_reset": 0.3}
    options |= {"weight_decay": 0.1} if optimizer == "adam" else {}
    return arguments, options, expected_in_double(arguments, 5, **options)


@pytest.mark.parametrize(("cell", "num_layers", "optimizer", "B", "T"), RUNS)
def test_training_is_that_of_the_reference(kernels, dtype, cell, num_layers, optimizer, B, T):
    arguments, options, wanted = a_run(cell, num_layers, optimizer, B, T)  # past the end of an epoch
    check_run(Run(*in_dtype(arguments, dtype), **options).steps(*[1] * 5), wanted)


@functools.cache
def a_size(V, H, R, E):
    arguments = start("float32", 5, 17, cell="cifg", V=V, H=H, R=R, E=E)
    options = {"T": 17, "learning_rate": 0.01}
    return arguments, options, expected_in_double(arguments, 2, **options)


# Fewer pairs than rows; layers shorter and longer than vectors; an embedding; all pairs of a large alphabet's symbols.
SIZES = [(2, 1, 7, None), (17, 37, 1, None), (13, 67, 100, 5), (300, 5, 9001, None)]


@pytest.mark.parametrize(("V", "H", "R", "E"), SIZES)
def test_training_is_that_of_the_reference_at_any_size(kernels, dtype, V, H, R, E):
    arguments, options, wanted = a_size(V, H, R, E)
    check_run(Run(*in_dtype(arguments, dtype), **options).steps(1, 1), wanted)


@pytest.mark.parametrize("cell", CELLS)
def test_gradients_are_those_of_central_differences(kernels, cell):
    layout, params = network(5, 3, cell=cell, num_layers=2, n_bigrams=11)
    B, T = 3, 7
    ids, state = symbols(5, B * (T + 1) + 1), states(B, 3, cell=cell, num_layers=2, V=5)
    (gradient,) = check_gradients(layout, params, ids, state, lambda p: [p.pair_table], T=T, boundary=3)
    assert np.count_nonzero(gradient.any(axis=1)) > 3


# ------------------------------------------------------------ threads and rows


# A thread for each shard, fewer, and groups of threads; tests/kernels/test_thread_groups.py has every cell in groups.
@pytest.mark.parametrize(
    ("cell", "n_shards", "n_threads"), [("rnn", 2, (2, 4)), ("gru", 5, (3, 5)), ("gru", 1, (2,)), ("cifg", 1, (2, 3))]
)
def test_any_number_of_threads_gives_the_same_bits(kernels, dtype, cell, n_threads, n_shards):
    arguments = start(dtype, 11, 29, cell=cell, num_layers=2, H=101, optimizer="adam")
    check_threads(arguments, n_threads, n_shards, T=29, weight_dropout=0.1, state_reset=0.3)


@pytest.mark.parametrize(("B", "T"), [(3, 5), (5, 31)], ids=["few", "many"])
def test_packed_weights_follow_the_update(kernels, dtype, B, T):
    check_packed_weights(Run(*start(dtype, B, T, num_layers=2), T=T, n_threads=2), kernels)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_rows_of_pairs_that_do_not_occur_stay(kernels, dtype, optimizer):
    layout, params, memories, state, ids = start(dtype, 3, 5, optimizer=optimizer)
    ids %= 7
    state[-1][:] = 0
    run = Run(layout, params, memories, state, ids, T=5, optimizer=optimizer, learning_rate=0.1).steps(3)
    seen = set(zip(ids[:-1].tolist(), ids[1:].tolist(), strict=True))
    unseen = [i for i, pair in enumerate(layout.pairs.pairs.tolist()) if tuple(pair) not in seen]
    assert 20 < len(unseen) < R - 5
    for before, after in zip((params, *memories), (run.params, *run.memory), strict=True):
        before, after = layout.tensors(before).pair_table, layout.tensors(after).pair_table
        assert (after[unseen] == before[unseen]).all()
        assert (after != before).any()


def test_several_processes_add_up_their_gradients(kernels, dtype):
    arguments = start(dtype, 5, 7)
    twice = check_reduction(arguments, 7)
    changed = arguments[0].tensors(twice.params).pair_table != arguments[0].tensors(arguments[1]).pair_table
    assert changed.any()


def test_rows_that_another_process_has_read_are_changed(kernels, dtype):
    layout, params, memories, state, ids = start(dtype, 5, 7)
    place = layout.tensors(np.arange(layout.size)).pair_table
    pairs = SymbolPairs(np.where(np.arange(R)[:, None] == R - 1, -1, layout.pairs.pairs))  # no text reads the last row
    layout = layout.__class__(V, H, layout.dtype, "lstm", pairs=pairs)

    def other(gradient):
        gradient[place[-1]] += 1
        gradient[layout.size + V + R - 1] = 1  # its flag

    run = Run(layout, params, memories, state, ids, T=7, reduce=other).steps(1)
    assert (layout.tensors(run.params).pair_table[-1] != layout.tensors(params).pair_table[-1]).all()


# ------------------------------------------------------------ inference


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("E", [None, 5])
def test_scoring_is_that_of_the_reference(kernels, dtype, cell, E):
    layout, params, _, state, ids = start(dtype, 3, 7, cell=cell, num_layers=2, E=E)
    x = ids[: 3 * 29].reshape(29, 3).astype(np.int32)
    packed = PackedNetwork.pack(layout, params, one_row=False, boundary=11)
    check_scores(packed, x, state, expected_scores(layout, params, x, state, 11), cut=11)


def crafted_pairs(V, n):
    """Return n pairs with the same multiplicative hash in a table of 1,024, and n pairs with the same symbol.

    A hash table would search them all linearly to find one pair. A binary search covers only the pairs with the same
    first symbol, at most V.
    """
    keys = np.arange(V, dtype=np.uint64)[:, None] << np.uint64(32) | np.arange(V, dtype=np.uint64)
    places = (keys * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(32)) % 1024
    same = np.argwhere(places == 7)[:n]
    return np.concatenate([same, np.stack([np.full(n, 5), np.arange(n)], axis=1)])


def test_crafted_pairs_are_found_as_soon_as_others(kernels):
    V, n = 2003, 512
    pairs = SymbolPairs(np.unique(crafted_pairs(V, n), axis=0))
    layout = Layout(V, 3, np.dtype("float64"), pairs=pairs)
    params = 0.1 * np.random.default_rng(0).standard_normal(layout.size)
    first, symbols, _ = pairs.sorted_by_symbol(V)
    assert len(symbols) == len(pairs) >= 2 * n - 1
    assert np.diff(first).max() <= V  # so that a search takes at most 11 comparisons
    ids = np.random.default_rng(1).permutation(pairs.pairs)[:300].ravel().astype(np.int32)[:, None]
    state = layout.zero_states(1)
    wanted, _ = reference.log_probabilities(layout.tensors(params), "rnn", ids, layout.zero_states(1))
    found = PackedNetwork.pack(layout, params, one_row=True).log_probabilities(ids, state)
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.parametrize("B", [1, 3])
def test_samples_are_those_of_the_reference(kernels, dtype, B):
    layout, params, _, state, _ = start(dtype, 1, 7, cell="cifg", num_layers=2)
    packed = PackedNetwork.pack(layout, params, one_row=B == 1, boundary=11)
    found, after, uniforms = drawn(packed, state, range(B), 31, temperature=0.7)
    wide, flat = in_double(layout, params)
    before = repeated(tuple(array.astype(np.float64) for array in state), B)
    wanted, last = reference.sample(wide.tensors(flat), "cifg", before, uniforms, 0.7, boundary=11)
    assert (found == wanted).all()
    assert (after[-1] == last[-1]).all()


# ------------------------------------------------------------ refusals


def test_arrays_of_another_size_are_refused():
    for name in ("before", "rows_of_pairs", "occurs"):
        run = Run(*start("float64", 5, 13), T=13)
        with run.trainer:
            shard = run.trainer.team.shards[0]
            owner = shard if name == "before" else shard.threads[0]
            setattr(owner, name, np.ascontiguousarray(getattr(owner, name)[:-1]))
            with pytest.raises(ValueError, match="size"):
                run.trainer._take_steps(np.full(1, 0.1))


def test_an_array_of_wider_integers_is_refused():
    run = Run(*start("float64", 5, 13), T=13)
    with run.trainer:
        own = run.trainer.team.shards[0].threads[0]
        own.rows_of_pairs = own.rows_of_pairs.astype(np.int64)
        with pytest.raises(ValueError, match=r"rows_of_pairs: elements of type '[lq]', but int32 is wanted"):
            run.trainer._take_steps(np.full(1, 0.1))


@pytest.mark.parametrize("written", [math.nan, math.inf, -3.0, 1e30, 0.5])
def test_a_state_that_is_no_symbol_stands_for_none(written):
    layout, params, _, state, ids = start("float64", 1, 7)
    packed, x = PackedNetwork.pack(layout, params, one_row=True), ids[:5].astype(np.int32)[:, None]
    none = tuple(array.copy() for array in state)
    state[-1][:], none[-1][:] = written, 0
    assert (packed.log_probabilities(x, state) == packed.log_probabilities(x, none)).all()


def test_a_pair_of_which_there_are_two_rows_reads_one():
    layout, params, _, state, ids = start("float64", 3, 7)
    pairs = np.concatenate([layout.pairs.pairs[:1], layout.pairs.pairs[:-1]])
    twice = layout.__class__(V, H, layout.dtype, "lstm", pairs=SymbolPairs(pairs))
    x = ids[: 3 * 29].reshape(29, 3).astype(np.int32)
    assert np.isfinite(PackedNetwork.pack(twice, params, one_row=False).log_probabilities(x, state)).all()


