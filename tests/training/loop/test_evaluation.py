"""Evaluation: exact for a short text, nearly so for a long one, the same bits on any number of threads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from examples import network, symbols
from hypothesis import given, settings
from hypothesis import strategies as st

from crnn.parameters.cells import CELLS
from crnn.reference import network as reference
from crnn.training.loop import validation
from crnn.training.loop.validation import evaluate, shape_of

pytestmark = pytest.mark.usefixtures("seven_cores")

V, H = 7, 5


def expected_loss(layout, params, ids):
    part = layout.tensors(params)
    zeros = tuple(np.zeros((layout.num_layers, 1, layout.hidden_size)) for _ in layout.kind.states)
    return -reference.log_probabilities(part, layout.cell, ids[:, None].astype(np.intp), zeros)[0].mean()


@pytest.mark.parametrize("n", [1, 2, 100, 4095])
@pytest.mark.parametrize("cell", CELLS)
def test_a_text_of_one_part_is_exact(cell, n):
    layout, params = network(V, H, cell=cell, num_layers=2)
    ids = symbols(V, n)
    assert evaluate(layout, params, ids, None) == pytest.approx(expected_loss(layout, params, ids), rel=1e-12)


@pytest.mark.parametrize("cell", ["rnn", "lstm"])
def test_a_long_text_is_exact_but_for_what_a_state_forgets(cell):
    layout, params = network(V, H, cell=cell)
    ids = symbols(V, 11 * 2048 + 77, np.uint16)
    assert evaluate(layout, params, ids, 2) == pytest.approx(expected_loss(layout, params, ids), rel=1e-9)


def test_every_symbol_counts_once(monkeypatch):
    layout, params = network(V, H)
    params[:] = 0
    by = layout.tensors(params).by
    by[:] = np.log(np.arange(1, V + 1))
    ids = symbols(V, 9 * 2048 + 13)
    expected = -np.log((ids + 1.0) / np.arange(1, V + 1).sum()).mean()
    assert evaluate(layout, params, ids, None) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("n", [100, 5000, 32 * 2048, 100_003])
def test_threads_do_not_change_losses(n):
    layout, params = network(V, H, np.float32, cell="gru")
    ids = symbols(V, n)
    assert len({evaluate(layout, params, ids, n_threads) for n_threads in (1, 2, 3, 5, None)}) == 1


def test_weights_that_are_not_finite_have_no_loss():
    layout, params = network(V, H)
    layout.tensors(params).by[2] = np.nan
    assert math.isnan(evaluate(layout, params, symbols(V, 50), None))


@settings(max_examples=100)
@given(st.integers(1, 10**6))
def test_symbols_read_by_evaluation(n):
    steps, streams = shape_of(n)
    assert 1 <= streams <= validation.MAX_PARTS
    assert n <= steps * streams <= n + streams * (1 + validation.WARM_UP)
    assert steps < n or streams == 1
