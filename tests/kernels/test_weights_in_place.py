"""Training of one stream whose recurrent weights are not packed: products, and a gradient that the update computes."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from examples import Run, memory, network, states, symbols
from reference_checks import check_run, expected_in_double

from crnn._kernels.entry import core
from crnn._kernels.entry.structures import Packing
from crnn.model.layout import Layout
from crnn.parameters.cells import CELLS
from crnn.parameters.optimizers import OPTIMIZERS

V = 7
UNITS = {"rnn": 192, "gru": 112, "cifg": 112, "lstm": 96}  # multiples of 16, and weights enough not to be packed
STRIPS = [("rnn", 208), ("gru", 144), ("lstm", 176)]  # more columns than a strip has, and parts of one


def start(dtype, T, *, cell="rnn", H=None, optimizer="adagrad", num_layers=2, seed=3):
    layout, params = network(V, H or UNITS[cell], dtype, cell=cell, num_layers=num_layers)
    state = states(1, layout.hidden_size, dtype, cell=cell, num_layers=num_layers)
    return layout, params, memory(layout, optimizer), state, symbols(V, 9 * T + 1, seed=seed)


def check_against_twin(arguments, steps, **options):
    """Compare a run, taken in one call, with the reference implementation's in double precision."""
    run = Run(*arguments, **options)
    assert run.trainer.network.in_place
    run.steps(steps)
    check_run(run, expected_in_double(arguments, steps, **options))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_stream_is_its_twin(kernels, dtype, cell, optimizer):
    arguments = start(dtype, 5, cell=cell, optimizer=optimizer)
    check_against_twin(arguments, 3, T=5, optimizer=optimizer, learning_rate=0.003)


@pytest.mark.parametrize(("cell", "H"), STRIPS)
def test_rows_that_are_no_whole_strips(kernels, dtype, cell, H):
    check_against_twin(start(dtype, 3, cell=cell, H=H, num_layers=1), 3, T=3, learning_rate=0.003)


def test_a_long_chunk_is_added_up_block_by_block(kernels, dtype):
    # From 64 rows on gradients are sums over blocks: the update does not compute them.
    check_against_twin(start(dtype, 67, num_layers=1), 2, T=67, learning_rate=0.001)


OPTIONS = [{"clip_norm": 0.1}, {"dropout": 0.3, "dropout_seed": 5, "state_reset": 0.5}, {"sampled_softmax": 2}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_options_of_a_step(kernels, dtype, options):
    check_against_twin(start(dtype, 5, cell="gru"), 4, T=5, learning_rate=0.003, **options)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("cell", CELLS)
def test_a_gradient_has_the_same_bits_in_the_update_and_before_it(kernels, dtype, cell, optimizer):
    # The last step of a call measures the whole gradient, and a reducer sees it.
    arguments, options = start(dtype, 5, cell=cell, optimizer=optimizer), {"T": 5, "optimizer": optimizer}
    options |= {"learning_rate": 0.01, "clip": 0.02}
    together = Run(*arguments, **options).steps(4)
    assert Run(*arguments, **options).steps(1, 1, 1, 1).bits() == together.bits()
    reduced = Run(*arguments, reduce=lambda vector: None, **options).steps(4)
    assert reduced.trainer.network.in_place
    for ours, theirs in zip((reduced.params, *reduced.memory), (together.params, *together.memory), strict=True):
        np.testing.assert_array_equal(ours, theirs)


IN_PLACE = Packing(one_row=True, many=False, training=True, in_place=True)
PACKED = [{"one_row": False}, {"in_place": False}, {"bfloat16": True, "many": True}, {"group_size": 2, "many": True}]


@pytest.mark.parametrize("change", PACKED, ids=str)
def test_other_networks_pack_their_weights(change):
    assert core.Network(Layout(V, 192, np.dtype("float32")), IN_PLACE).in_place
    assert not core.Network(Layout(V, 192, np.dtype("float32")), IN_PLACE._replace(**change)).in_place
    assert not core.Network(Layout(V, 193, np.dtype("float32")), IN_PLACE).in_place


def test_weight_dropout_packs_weights_and_is_refused_without():
    arguments = start("float64", 5)
    run = Run(*arguments, T=5, weight_dropout=0.2)
    assert not run.trainer.network.in_place
    run = Run(*arguments, T=5)
    run.trainer.settings = dataclasses.replace(run.trainer.settings, weight_dropout=0.2)
    with pytest.raises(ValueError, match="must be packed"):
        run.steps(1)
