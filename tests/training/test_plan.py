"""Budget: the remaining steps and seconds, and the fraction used."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.training.plan import Budget

counts = st.integers(0, 10**6)
seconds = st.floats(0, 1e6)
paces = st.floats(1e-6, 1e3)


@pytest.mark.parametrize(
    ("max_steps", "max_epochs", "n_steps"),
    [(None, None, None), (50, None, 50), (None, 3, 21), (50, 3, 21), (5, 3, 5), (0, 3, 0), (None, 0, 0)],
)
@pytest.mark.parametrize("max_seconds", [None, 2.5])
def test_the_budget_of_a_call_has_its_first_limit(max_steps, max_epochs, n_steps, max_seconds):
    settings = SimpleNamespace(max_steps=max_steps, max_seconds=max_seconds)
    assert Budget.of_call(settings, 7, max_epochs) == Budget(n_steps, max_seconds)


@given(counts, counts, seconds, paces)
def test_a_budget_of_steps_is_exact_for_every_time(n_steps, done, now, pace):
    assert Budget(n_steps).steps_left(done, now, pace) == n_steps - done


@given(st.floats(1e-6, 1e6), st.integers(1, 10**6), seconds, paces)
def test_a_budget_of_seconds_is_met_to_half_a_step(total, done, now, pace):
    left = Budget(seconds=total).steps_left(done, now, pace)
    if left == 0:
        assert now >= total - 0.5000001 * pace
    else:
        assert abs(now + left * pace - total) <= 0.5000001 * pace


def test_shortest_time_allows_one_step():
    budget = Budget(seconds=1e-9)
    assert budget.steps_left(0, 5.0, 1.0) == 1
    assert budget.steps_left(1, 5.0, 1.0) == 0
    assert Budget(0, seconds=1e-9).steps_left(0, 5.0, 1.0) == 0


@given(counts, counts, st.floats(1e-6, 1e6), seconds, paces)
def test_first_limit_of_steps_and_seconds_ends_training(n_steps, done, total, now, pace):
    both = Budget(n_steps, total).steps_left(done, now, pace)
    assert both <= n_steps - done
    assert both == min(n_steps - done, Budget(seconds=total).steps_left(done, now, pace)) or n_steps <= done


def test_unknown_speed_limits_no_steps():
    assert Budget(seconds=10.0).steps_left(0, 0.0, 0.0) > 1e9
    assert Budget().steps_left(7, 1.0, 1.0) == math.inf


@given(st.integers(1, 1000), st.integers(0, 999), st.integers(1, 50))
def test_the_progress_of_steps_is_a_function_of_the_step_alone(n_steps, done, n):
    progress = Budget(n_steps).progress(done, n, 123.0, 0.5)
    assert progress.shape == (n + 1,)
    assert progress.tolist() == [(done + i) / n_steps for i in range(n + 1)]
    assert progress[0] == Budget(n_steps).part_done(done, 5.0)


def test_the_progress_of_seconds_is_predicted_by_the_speed():
    progress = Budget(10, seconds=8.0).progress(3, 4, 2.0, 0.5)
    np.testing.assert_allclose(progress, [0.25, 0.3125, 0.375, 0.4375, 0.5])
    assert Budget(10, seconds=8.0).part_done(3, 2.0) == 0.25


def test_a_budget_too_short_for_any_step_is_used_up_at_once():
    assert Budget(None, 5e-324).progress(0, 1, seconds=0.0, seconds_per_step=0.5).tolist() == [0, np.inf]


def test_progress_is_at_most_one():
    assert Budget(seconds=8.0).part_done(3, 9.0) == 1.0
    assert Budget(0).part_done(0, 1.0) == 0.0


def test_huge_times_do_not_overflow():
    assert Budget(seconds=1e300).steps_left(done=3, seconds=1.0, seconds_per_step=0.0) >= 10**18
    assert Budget(5, 1e300).steps_left(done=3, seconds=1.0, seconds_per_step=0.0) == 2


@pytest.mark.parametrize(("done", "left"), [(9, 0), (10, 0), (11, 0)])
def test_no_steps_are_allowed_after_the_time(done, left):
    assert Budget(11, 1.0).steps_left(done, 5.0, 0.1) == left
    assert Budget(11, 9.0).steps_left(done, 5.0, 0.1) == 11 - done
