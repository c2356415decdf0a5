"""Schedules: the rates of their definitions, however many are asked for at a time."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crnn.parameters.schedules import SCHEDULES, WarmUp, learning_rates

# The factor of the rate, given the progress and the epochs before a step. char-rnn's train.lua: at the start of each
# epoch from the 10th complete one on, learningRate *= 0.97.
FACTORS = {
    "constant": lambda progress, epochs: 1.0,
    "linear": lambda progress, epochs: 1 - progress,
    "cosine": lambda progress, epochs: (1 + math.cos(math.pi * progress)) / 2,
    "exponential": lambda progress, epochs: 0.97 ** max(0, math.floor(epochs) - 9),
}
PER_EPOCH = 7


@given(
    st.sampled_from(sorted(SCHEDULES)),
    st.one_of(
        st.none().map(lambda none: WarmUp()),
        st.integers(0, 50).map(lambda steps: WarmUp(steps=steps)),
        st.floats(0, 1, exclude_max=True).map(lambda fraction: WarmUp(fraction=fraction)),
    ),
    st.integers(1, 300),
    st.floats(1e-6, 1e3),
    st.data(),
)
def test_rates_are_those_of_their_definitions(name, warm_up, n_steps, rate, data):
    def expected(step):
        warm = 1.0
        if warm_up.steps:
            warm = min(1.0, (step + 1) / warm_up.steps)
        if warm_up.fraction:
            warm = min(1.0, (step + 1) / n_steps / warm_up.fraction)
        return rate * warm * FACTORS[name](step / n_steps, step / PER_EPOCH)

    first = data.draw(st.integers(0, n_steps - 1))
    steps = np.arange(first, n_steps + 1)
    found = learning_rates(name, rate, warm_up, first, steps / n_steps, steps[:-1] / PER_EPOCH)
    assert (found.dtype, found.shape) == (np.float64, (n_steps - first,))
    assert (found > 0).all()
    np.testing.assert_allclose(found, [expected(step) for step in range(first, n_steps)], rtol=1e-9)


@pytest.mark.parametrize("name", ["linear", "cosine"])
def test_progress_beyond_the_end_is_the_end(name):
    found = learning_rates(name, 1.0, WarmUp(), 9, np.array([0.9, 1.0, 1.2, 1.5]), np.zeros(3))
    assert found.tolist() == pytest.approx([FACTORS[name](0.9, 0), 0, 0], abs=1e-15)
