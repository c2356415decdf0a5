"""The gradient of one chunk at given weights, from the compiled kernels."""

import numpy as np
import pytest
from examples import network, state_in_double, states

from crnn.parameters.kinds import CELLS
from crnn.reference.network import backward, forward, softmax_loss
from crnn.training.gradients import ChunkGradient


def expected(layout, flat, symbols, weights, state, boundary):
    """Return the loss and the gradient by the reference implementation, in float64."""
    p = layout.tensors(flat.astype(np.float64))
    state = state_in_double(state)
    layers, y = forward(p, layout.cell, symbols[:-1, None], state, boundary=boundary)
    losses = [softmax_loss(y[t : t + 1], symbols[t + 1 :][:1, None]) for t in range(len(y))]
    dy = np.concatenate([weight * of_one for weight, (_, of_one) in zip(weights, losses, strict=True)])
    loss = sum(weight * of_one for weight, (of_one, _) in zip(weights, losses, strict=True))
    return loss, backward(p, layout.cell, layers, dy)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("boundary", [None, 8])
@pytest.mark.parametrize("T", [13, 71])
def test_gradient_matches_reference(kernels, dtype, cell, boundary, T):
    layout, flat = network(11, 7, dtype, cell=cell, num_layers=2)
    gradient, rng = ChunkGradient(layout, T, boundary), np.random.default_rng(6)
    tolerance = {"rtol": 1e-9, "atol": 1e-11} if dtype == np.float64 else {"rtol": 2e-3, "atol": 3e-5}
    for seed in (0, 1):  # the second chunk finds what the first one left
        symbols, weights = rng.integers(11, size=T + 1), rng.integers(3, size=T).astype(float)
        state, params = states(1, 7, dtype, cell=cell, num_layers=2, seed=seed), flat * (1 + seed)
        before = params.copy()
        loss, tensors = expected(layout, params, symbols, weights, state, boundary)
        assert gradient.compute(params, symbols, weights, state) == pytest.approx(loss, rel=1e-5)
        np.testing.assert_array_equal(params, before)
        for found, part in zip(layout.tensors(gradient.flat), tensors, strict=True):
            np.testing.assert_allclose(found, part, **tolerance)


def test_non_finite_loss_leaves_nothing_behind():
    layout, flat = network(5, 3, "float32")
    gradient, symbols, state = ChunkGradient(layout, 4, None), np.array([0, 1, 4, 2, 2]), states(1, 3, "float32")
    gradient.compute(flat, symbols, np.ones(4), state)
    expected = gradient.flat.copy()
    bad = flat.copy()
    layout.tensors(bad).by[0] = np.inf
    assert np.isnan(gradient.compute(bad, symbols, np.ones(4), state))
    gradient.compute(flat, symbols, np.ones(4), state)
    np.testing.assert_array_equal(gradient.flat, expected)
