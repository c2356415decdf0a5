"""Validation: when a loss is measured, what is the best, when patience ends; the text that is held out."""

import math

import numpy as np
import pytest
from examples import network, packed_documents, symbols, unpacked_documents
from hypothesis import given
from hypothesis import strategies as st

from crnn import InvalidInputError
from crnn.parameters.budget import Budget
from crnn.parameters.intervals import Interval
from crnn.reference import network as reference
from crnn.text.streams import TextStreams
from crnn.training import validation
from crnn.training.data import split_documents, split_text
from crnn.training.validation import (
    DEFAULT_EVALUATIONS,
    MIN_ROWS,
    PASSES_PER_TRAINED_SYMBOL,
    VALIDATION_TIME_SHARE,
    Validation,
    evaluate,
    shape_of,
)

V, H = 7, 5
BUDGET = Budget(1000)
NOT_GIVEN = Interval()
pytestmark = pytest.mark.usefixtures("seven_cores")


def made(n=100, budget=BUDGET, chunk=(25, 1), *, interval=NOT_GIVEN, patience=None, **options):
    return Validation(symbols(V, n), budget, chunk, interval=interval, patience=patience, n_threads=1, **options)


# --- when


def steps_due(subject, n_steps):
    return [done for done in range(1, n_steps + 1) if subject.due(done, 0.0, 0.0)]


@given(st.integers(1, 3000), st.integers(1, 20_000), st.integers(1, 100), st.integers(1, 30))
def test_evaluations_in_a_step_budget_depend_on_steps_only(n_steps, n, T, B):
    subject = made(n, Budget(n_steps), (T, B))
    due = steps_due(subject, n_steps)
    assert len(due) <= DEFAULT_EVALUATIONS
    assert due == [done for done in range(1, n_steps + 1) if subject.due(done, 1e9 * done, 7.0)]
    # They take no more than their share of the time, but for one.
    steps, streams = shape_of(n)
    cost, whole = steps * max(streams, MIN_ROWS) / PASSES_PER_TRAINED_SYMBOL, n_steps * T * max(B, MIN_ROWS)
    assert max(0, len(due) - 1) * cost <= VALIDATION_TIME_SHARE * whole
    if cost * DEFAULT_EVALUATIONS <= VALIDATION_TIME_SHARE * whole and n_steps >= DEFAULT_EVALUATIONS**2:
        assert len(due) >= DEFAULT_EVALUATIONS - 1


def test_every_so_many_steps_or_seconds():
    for budget in (Budget(1000), Budget(seconds=1e9), Budget(1000, 1e9)):
        assert steps_due(made(budget=budget, interval=Interval(steps=7)), 30) == [7, 14, 21, 28]
    layout, params = network(V, H)
    for budget in (Budget(1000), Budget(seconds=1e9)):
        subject = made(budget=budget, interval=Interval(seconds=2.5))
        assert not subject.due(3, 2.4, 0.1)
        assert subject.due(3, 2.5, 0.1)
        subject.measure(layout, params, 3, 2.5)
        assert not subject.due(4, 4.9, 0.1)
        assert subject.due(4, 5.1, 0.1)


def test_a_time_budget_has_about_twenty_evaluations():
    subject = made(budget=Budget(seconds=100.0))
    assert not subject.due(50, 4.9, 1e-4)
    assert subject.due(50, 5.0, 1e-4)


def test_costly_evaluations_are_rare_and_late_ones_skipped():
    # Training reads 25 symbols in a second: 100 are evaluated in 100 / 3 / 25 seconds, as far as is known.
    subject = made(100, Budget(seconds=100.0))
    cost = 100 / PASSES_PER_TRAINED_SYMBOL / 25
    assert not subject.due(10, 0.99 * cost / VALIDATION_TIME_SHARE, 1.0)
    assert subject.due(10, 1.01 * cost / VALIDATION_TIME_SHARE, 1.0)
    assert not subject.due(10, 100.0 - 0.99 * cost, 1.0)
    assert not made(100, Budget(seconds=100.0), interval=Interval(steps=5)).due(10, 99.9, 1.0)
    assert not made(100, Budget(seconds=100.0), interval=Interval(seconds=5.0)).due(10, 99.9, 1.0)


def test_measured_cost_replaces_the_estimate():
    now = iter([0.0, 4.0])
    layout, params = network(V, H)
    subject = made(budget=Budget(seconds=1000.0), clock=lambda: next(now))
    subject.measure(layout, params, 3, 50.0)
    assert not subject.due(4, 54.0 + 79.0, 1e-6)  # 4 seconds are a twentieth of 80
    assert subject.due(4, 54.0 + 80.0, 1e-6)
    assert not subject.due(4, 997.0, 1e-6)


# --- what is best


def losses(subject, monkeypatch, *values):
    """Measure one loss after the other; return whether each was the best."""
    layout, params = network(V, H)
    out = []
    for done, value in enumerate(values, start=1):
        monkeypatch.setattr(validation, "evaluate", lambda *arguments, value=value, **options: value)
        loss, improved = subject.measure(layout, params, done, 0.0)
        assert loss is value
        assert subject.state.last_step == done
        out.append(improved)
    return out


def test_only_a_lower_loss_is_better(monkeypatch):
    subject = made()
    found = losses(subject, monkeypatch, 3.0, 3.0, 2.0, math.nan, 2.5, math.inf, 1.9)
    assert found == [True, False, True, False, False, False, True]
    assert not subject.exhausted  # without patience


# --- the loss


def expected_loss(layout, params, ids):
    part = layout.tensors(params)
    zeros = tuple(np.zeros((layout.num_layers, 1, layout.hidden_size)) for _ in layout.kind.states)
    return -reference.log_probabilities(part, layout.cell, ids[:, None].astype(np.intp), zeros)[0].mean()


@pytest.mark.parametrize(("cell", "n"), [("rnn", 1), ("gru", 2), ("lstm", 100), ("cifg", 4095)])
def test_a_text_of_one_part_is_exact(cell, n):
    layout, params = network(V, H, cell=cell, num_layers=2)
    ids = symbols(V, n)
    assert evaluate(layout, params, ids, None) == pytest.approx(expected_loss(layout, params, ids), rel=1e-12)


def test_a_long_text_is_exact_but_for_what_a_state_forgets():
    layout, params = network(V, H, cell="lstm")
    ids = symbols(V, 5 * 2048 + 77, np.uint16)
    assert evaluate(layout, params, ids, 2) == pytest.approx(expected_loss(layout, params, ids), rel=1e-9)


def test_threads_do_not_change_losses():
    layout, params = network(V, H, np.float32, cell="gru")
    for n in (100, 5000, 32 * 2048 + 3):
        ids = symbols(V, n)
        assert len({evaluate(layout, params, ids, n_threads) for n_threads in (1, 3, 5, None)}) == 1


def test_non_finite_weights_have_no_loss():
    layout, params = network(V, H)
    layout.tensors(params).by[2] = np.nan
    assert math.isnan(evaluate(layout, params, symbols(V, 50), None))


@given(st.integers(1, 10**6))
def test_symbols_read_by_evaluation(n):
    steps, streams = shape_of(n)
    assert 1 <= streams <= validation.LIMITS.max_parts
    assert n <= steps * streams <= n + streams * (1 + validation.LIMITS.warm_up)
    assert steps < n or streams == 1


# ------------------------------------------------------------------ the split

FRACTIONS = st.floats(0, 1, exclude_min=True, exclude_max=True)
DOCUMENTS = st.lists(st.lists(st.integers(0, 3), max_size=7), min_size=2, max_size=20)


@given(st.integers(1, 500), FRACTIONS, st.integers(1, 9))
def test_a_text_is_cut_at_the_nearest_symbol(n, fraction, batch_size):
    ids = np.arange(n)
    held_out = round(n * fraction)
    if held_out == 0 or n - held_out < batch_size + 1:
        message = rf"^validation_fraction=.* of a text of {n} symbols leaves {held_out} for .* and {n - held_out} for"
        with pytest.raises(InvalidInputError, match=message):
            split_text(ids, fraction, batch_size)
    else:
        training, tail = split_text(ids, fraction, batch_size)
        assert len(tail) == held_out
        assert np.concatenate([training, tail]).tolist() == ids.tolist()
        TextStreams(training, batch_size)  # it is long enough


@given(DOCUMENTS, FRACTIONS)
def test_the_last_documents_are_held_out(documents, fraction):
    n = round(len(documents) * fraction)
    if not 0 < n < len(documents):
        with pytest.raises(InvalidInputError, match=f"of {len(documents)} documents leaves {n} for validation"):
            split_documents(packed_documents(documents), 9, fraction)
        return
    training, validation = split_documents(packed_documents(documents), 9, fraction)
    assert unpacked_documents(training) + unpacked_documents(validation) == list(map(tuple, documents))
    assert len(unpacked_documents(validation)) == n
