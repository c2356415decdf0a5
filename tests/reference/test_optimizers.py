"""The reference implementation of the optimizers, against numbers worked out by hand."""

import math

import numpy as np
import pytest

from crnn.reference import optimizers as reference_optimizers


def test_adagrad_worked_by_hand():
    p, d, state = np.array([1.0, 1.0, 1.0]), np.array([3.0, -7.0, 0.0]), np.array([16.0, 0.0, 0.0])
    norm = reference_optimizers.update("adagrad", [p], [d], [[state]], learning_rate=0.1, clip=5.0)
    # 3: state 16 + 9 = 25, step 0.1 * 3 / 5.  -7 is clipped to -5: state 25, step -0.1.  0: nothing at all.
    np.testing.assert_array_equal(state, [25, 25, 0])
    np.testing.assert_allclose(p, [1 - 0.06, 1 + 0.1, 1], atol=1e-9)
    np.testing.assert_array_equal(d, [3, -7, 0])
    assert norm == pytest.approx(math.sqrt(58))


def test_rmsprop_worked_by_hand():
    p, d, state = np.array([1.0, 1.0, 1.0]), np.array([3.0, -7.0, 0.0]), np.array([16 - 9 / 99, 0.0, 1.0])
    reference_optimizers.update("rmsprop", [p], [d], [[state]], learning_rate=0.1, clip=5.0)
    # 3: 0.99 state + 0.01 * 9 = 15.84; -5: 0.01 * 25 = 0.5²; 0: the state fades, the weight stays.
    np.testing.assert_allclose(state, [15.84, 0.25, 0.99], rtol=1e-14)
    np.testing.assert_allclose(p, [1 - 0.3 / math.sqrt(15.84), 2, 1], rtol=1e-7)


def test_adam_worked_by_hand():
    p, d = np.array([1.0, 1.0]), np.array([3.0, 0.0])
    mean, square = np.zeros(2), np.zeros(2)
    reference_optimizers.update("adam", [p], [d], [[mean], [square]], 0.1, weight_decay=0.5, step=1)
    np.testing.assert_allclose(mean, [0.3, 0])
    np.testing.assert_allclose(square, [0.009, 0])
    np.testing.assert_allclose(p, [0.95 - 0.1, 0.95], rtol=1e-8)  # the decay is not divided by anything
    # The second gradient is zero: m = 0.27, of 0.19 of the weights; v = 0.008991, of 0.001999.
    reference_optimizers.update("adam", [p], [np.zeros(2)], [[mean], [square]], 0.1, step=2)
    np.testing.assert_allclose(p[0], 0.85 - 0.1 * (0.27 / 0.19) / math.sqrt(0.008991 / 0.001999), rtol=1e-7)


@pytest.mark.parametrize(("beta_1", "beta_2"), [(0.9, 0.999), (0.7, 0.96), (0.0, 0.5)])
def test_adam_is_the_weighted_sum_of_its_gradients(beta_1, beta_2):
    # Not step by step, as the implementation: m_t = (1 - beta_1) sum_i beta_1^(t - i) g_i, and v_t alike of g_i^2.
    rate, decay, n = 0.03, 0.2, 7
    gradients = np.random.default_rng(0).normal(size=(n, 5))
    p, mean, square = np.ones(5), np.zeros(5), np.zeros(5)
    expected = np.ones(5)
    for t in range(1, n + 1):
        options = {"weight_decay": decay, "step": t, "beta_1": beta_1, "beta_2": beta_2}
        reference_optimizers.update("adam", [p], [gradients[t - 1]], [[mean], [square]], rate, **options)
        ages = np.arange(t)[::-1, None]
        m = (1 - beta_1) * (np.float64(beta_1) ** ages * gradients[:t]).sum(axis=0)
        v = (1 - beta_2) * (beta_2**ages * gradients[:t] ** 2).sum(axis=0)
        expected -= rate * decay * expected
        expected -= rate * (m / (1 - beta_1**t)) / (np.sqrt(v / (1 - beta_2**t)) + 1e-8)
        np.testing.assert_allclose(mean, m, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(square, v, rtol=1e-12)
        np.testing.assert_allclose(p, expected, rtol=1e-12)


def test_clipping_is_by_the_norm_and_then_by_value():
    d = [np.array([3.0, 0.0]), np.array([[-4.0]])]
    for limits, expected, rtol in [
        ((math.inf, math.inf), [3, -4], 0), ((math.inf, 6.0), [3, -4], 0), ((math.inf, 2.5), [1.5, -2], 1e-6),
        ((1.6, 2.5), [1.5, -1.6], 1e-6), ((3.5, math.inf), [3, -3.5], 0),
    ]:  # fmt: skip
        (first, second), norm = reference_optimizers.clipped(d, *limits)
        assert norm == 5
        np.testing.assert_allclose([first[0], second.item()], expected, rtol=rtol)
    assert reference_optimizers.clipped([np.zeros(3)], 5.0, 1.0)[1] == 0


def test_weight_decay_is_adams_alone():
    for name in ("adagrad", "rmsprop"):
        with pytest.raises(AssertionError):
            reference_optimizers.update(name, [np.ones(1)], [np.ones(1)], [[np.ones(1)]], 0.1, weight_decay=0.1)
