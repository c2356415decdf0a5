"""Budget: the remaining steps and seconds, and the fraction used."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.parameters.budget import Budget

seconds = st.floats(0, 1e6)
paces = st.floats(1e-6, 1e3)


@pytest.mark.parametrize(
    ("max_steps", "max_epochs", "n_steps"),
    [(None, None, None), (50, None, 50), (None, 3, 21), (50, 3, 21), (5, 3, 5), (0, 3, 0), (None, 0, 0)],
)
def test_the_budget_of_a_call_has_its_first_limit(max_steps, max_epochs, n_steps):
    settings = SimpleNamespace(max_steps=max_steps, max_seconds=2.5)
    assert Budget.of_call(settings, 7, max_epochs) == Budget(n_steps, 2.5)


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


@given(st.integers(1, 1000), st.integers(0, 999), st.integers(1, 50))
def test_the_progress_of_steps_is_a_function_of_the_step_alone(n_steps, done, n):
    progress = Budget(n_steps).progress(done, n, 123.0, 0.5)
    assert progress.shape == (n + 1,)
    assert progress.tolist() == [(done + i) / n_steps for i in range(n + 1)]
    assert progress[0] == Budget(n_steps).part_done(done, 5.0)


def test_the_progress_of_seconds_is_predicted_by_the_speed():
    progress = Budget(seconds=8.0).progress(3, 4, 2.0, 0.5)
    np.testing.assert_allclose(progress, [0.25, 0.3125, 0.375, 0.4375, 0.5])


def test_the_progress_follows_the_limit_that_ends_first():
    """So that the learning rate of a schedule has fallen when either limit ends the training."""
    np.testing.assert_allclose(Budget(10, seconds=8.0).progress(3, 2, 2.0, 0.5), [0.3, 0.4, 0.5])
    np.testing.assert_allclose(Budget(100, seconds=8.0).progress(3, 2, 2.0, 0.5), [0.25, 0.3125, 0.375])
    np.testing.assert_allclose(Budget(10, seconds=8.0).progress(3, 2, 2.0, 1.0), [0.3, 0.4, 0.5])
    np.testing.assert_allclose(Budget(0, seconds=8.0).progress(0, 1, 2.0, 1.0), [0.25, 0.375])
    assert Budget(10, seconds=8.0).part_done(3, 2.0) == 0.3  # of the steps, which end first
    assert Budget(10, seconds=8.0).part_done(1, 2.0) == 0.25  # of the seconds


def test_budgets_used_up_unknown_too_short_or_huge():
    assert Budget(seconds=10.0).steps_left(0, 0.0, 0.0) > 1e9
    assert Budget().steps_left(7, 1.0, 1.0) == math.inf
    assert (Budget(seconds=8.0).part_done(3, 9.0), Budget(0).part_done(0, 1.0)) == (1.0, 0.0)
    assert Budget(20, 1.0).steps_left(9, 0.5, 0.1) == 5
    for done in (9, 10, 11):
        assert Budget(11, 1.0).steps_left(done, 5.0, 0.1) == 0
    assert Budget(None, 5e-324).progress(0, 1, seconds=0.0, seconds_per_step=0.5).tolist() == [0, np.inf]
    assert Budget(seconds=1e300).steps_left(done=3, seconds=1.0, seconds_per_step=0.0) >= 10**18
    assert Budget(5, 1e300).steps_left(done=3, seconds=1.0, seconds_per_step=0.0) == 2
