"""Schedules: bounds, ends, and that rates do not depend on how many are asked for at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.parameters.kinds import SCHEDULES, Schedule

names = st.sampled_from(sorted(SCHEDULES))
warmups = st.one_of(st.integers(0, 50), st.floats(0, 1, exclude_max=True))


def rates(schedule, n_steps, *, first=0, last=None, per_epoch=7):
    """Return the rates of steps first … last - 1 of a run with `n_steps` steps."""
    steps = np.arange(first, (n_steps if last is None else last) + 1)
    return schedule.rates(first, steps / n_steps, steps[:-1] / per_epoch)


@given(names, warmups, st.integers(1, 300), st.floats(1e-6, 1e3))
def test_rates_are_above_zero_and_at_most_the_learning_rate(name, warmup, n_steps, rate):
    found = rates(Schedule(name, rate, warmup), n_steps)
    assert found.dtype == np.float64
    assert found.shape == (n_steps,)
    assert (found > 0).all()
    assert (found <= rate).all()


@given(names, warmups, st.integers(2, 200), st.data())
def test_rates_do_not_depend_on_how_they_are_cut(name, warmup, n_steps, data):
    schedule = Schedule(name, 0.3, warmup)
    cut = data.draw(st.integers(1, n_steps - 1))
    both = np.concatenate([rates(schedule, n_steps, last=cut), rates(schedule, n_steps, first=cut)])
    assert both.tobytes() == rates(schedule, n_steps).tobytes()


@given(names, st.integers(1, 300))
def test_without_warmup_rates_never_rise(name, n_steps):
    found = rates(Schedule(name, 1.0), n_steps)
    assert found[0] == 1.0
    assert (np.diff(found) <= 0).all()


def test_linear_and_cosine_go_to_zero():
    for name in ("linear", "cosine"):
        found = rates(Schedule(name, 2.0), 1000)
        assert found[500] == pytest.approx(1.0)
        assert found[-1] < 0.003
        assert Schedule(name, 2.0).rates(0, np.array([1.0, 1.1]), np.zeros(1))[0] == pytest.approx(0, abs=1e-15)


def test_exponential_schedule_matches_char_rnn():
    # train.lua: at the start of each epoch from the 10th complete one on, learningRate *= 0.97
    expected, rate = [], 1.0
    for step in range(30 * 7):
        if step % 7 == 0 and step / 7 >= 10:
            rate *= 0.97
        expected.append(rate)
    np.testing.assert_allclose(rates(Schedule("exponential", 1.0), 30 * 7), expected, rtol=1e-12)


def test_warmup_of_steps_or_a_share_rises_in_a_straight_line():
    assert rates(Schedule("constant", 1.0, 4), 11).tolist() == [0.25, 0.5, 0.75, *[1.0] * 8]
    np.testing.assert_allclose(rates(Schedule("constant", 1.0, 0.5), 8), [0.25, 0.5, 0.75, 1, 1, 1, 1, 1])


def test_warmup_multiplies_the_schedule():
    plain, warm = (rates(Schedule("cosine", 1.0, warmup), 20) for warmup in (0, 5))
    np.testing.assert_allclose(warm[:5], plain[:5] * np.arange(1, 6) / 5)
    np.testing.assert_array_equal(warm[5:], plain[5:])
    assert plain[1] == pytest.approx(0.5 * (1 + math.cos(math.pi / 20)))


def test_progress_beyond_the_end_is_the_end():
    progress = np.array([0.9, 1.2, 1.5])
    assert Schedule("linear", 1.0).rates(9, progress, np.zeros(2)).tolist() == [pytest.approx(0.1), 0.0]
