"""The NumPy twins, against numbers worked out by hand, central differences and probability's own rules.

test_golden.py compares them with an independent min-char-rnn.
"""

from __future__ import annotations

import numpy as np
import pytest
from examples import network, states, symbols

from crnn import reference
from crnn.parameters import Layout, Tensors

V, H, T, B = 7, 5, 3, 2


@pytest.fixture
def chunk():
    """Parameters, their flat vector and layout, inputs, targets and a state before them."""
    layout, flat = network(V, H)
    x = symbols(V, (T + 1) * B).astype(np.intp).reshape(T + 1, B)
    return layout, flat, x[:-1], x[1:], states(B, H)[0]


def test_a_step_worked_by_hand():
    # One hidden unit, two symbols, one step: h = tanh(1/2), logits (h, -h), P(0) = 1 / (1 + exp(-2 h)).
    layout = Layout(2, 1, np.dtype("float64"))
    p = layout.tensors(layout.zeros())
    p.Wx[:], p.Wh[:], p.bh[:], p.Wy[:] = [[0.25], [9.0]], 0.5, 0.125, [[1.0, -1.0]]
    h = np.tanh(0.25 + 0.25 * 0.5 + 0.125)
    P = 1 / (1 + np.exp(-2 * h))
    loss, d, h_after = reference.loss_and_gradients(p, np.array([[0]]), np.array([[1]]), np.array([[0.25]]))
    assert loss == pytest.approx(-np.log(1 - P), rel=1e-15)
    assert h_after == pytest.approx(h)
    # dy = (P, -P); dh = 2 P; dz = 2 P (1 - h^2)
    dz = 2 * P * (1 - h * h)
    np.testing.assert_allclose(d.by, [P, -P], rtol=1e-14)
    np.testing.assert_allclose(d.Wy, [[P * h, -P * h]], rtol=1e-14)
    np.testing.assert_allclose(d.Wx, [[dz], [0]], rtol=1e-14)
    np.testing.assert_allclose(d.Wh, [[0.25 * dz]], rtol=1e-14)
    np.testing.assert_allclose(d.bh, [dz], rtol=1e-14)


def test_gradients_are_those_of_central_differences(chunk):
    layout, flat, x, targets, h0 = chunk
    _, d, _ = reference.loss_and_gradients(layout.tensors(flat), x, targets, h0)
    places = layout.tensors(np.arange(layout.size))
    for gradient, at in zip(d, places, strict=True):
        for analytic, i in zip(gradient.ravel(), at.ravel(), strict=True):

            def loss(step, i=i):
                moved = flat.copy()
                moved[i] += step
                return reference.loss_and_gradients(layout.tensors(moved), x, targets, h0)[0]

            e = 1e-3  # fourth order
            numeric = (8 * (loss(e) - loss(-e)) - (loss(2 * e) - loss(-2 * e))) / (12 * e)
            assert analytic == pytest.approx(numeric, rel=1e-7, abs=1e-9)


def test_streams_are_averaged_and_independent(chunk):
    layout, flat, x, targets, h0 = chunk
    p = layout.tensors(flat)
    loss, d, h = reference.loss_and_gradients(p, x, targets, h0)
    alone = [reference.loss_and_gradients(p, x[:, [b]], targets[:, [b]], h0[[b]]) for b in range(B)]
    assert loss == pytest.approx(np.mean([one[0] for one in alone]))
    for mean, *parts in zip(d, *(one[1] for one in alone), strict=True):
        np.testing.assert_allclose(mean, np.mean(parts, axis=0), atol=1e-14)
    np.testing.assert_allclose(h, np.concatenate([one[2] for one in alone]), atol=1e-15)


def test_the_gradient_of_the_logits_sums_to_zero(chunk):
    layout, flat, x, targets, h0 = chunk
    _, y = reference.forward(layout.tensors(flat), x, h0)
    loss, dy = reference.softmax_loss(y, targets)
    assert loss > 0
    np.testing.assert_allclose(dy.sum(axis=2), 0, atol=1e-15)
    assert (np.sign(dy) == np.where(np.arange(V) == targets[..., None], -1, 1)).all()


def test_huge_logits_do_not_overflow():
    y = np.array([[[1e4, -1e4, 0.0]]])
    loss, dy = reference.softmax_loss(y, np.array([[1]]))
    assert loss == 2e4
    np.testing.assert_array_equal(dy, [[[1, -1, 0]]])


def test_adagrad_worked_by_hand():
    p, d, memory = np.array([1.0, 1.0, 1.0]), np.array([3.0, -7.0, 0.0]), np.array([16.0, 0.0, 0.0])
    reference.adagrad([p], [d], [memory], learning_rate=0.1, clip=5.0)
    # 3: memory 16 + 9 = 25, step 0.1 * 3 / 5.  -7 is clipped to -5: memory 25, step -0.1.  0: nothing at all.
    np.testing.assert_array_equal(memory, [25, 25, 0])
    np.testing.assert_allclose(p, [1 - 0.06, 1 + 0.1, 1], atol=1e-9)
    np.testing.assert_array_equal(d, [3, -7, 0])


def test_train_step_changes_parameters_and_memory_in_place(chunk):
    layout, flat, x, targets, h0 = chunk
    p, sum_ = layout.tensors(flat.copy()), layout.tensors(layout.zeros())
    loss, d, h = reference.loss_and_gradients(layout.tensors(flat), x, targets, h0)
    stepped = reference.train_step(p, sum_, x, targets, h0, 0.1, 5.0)
    assert stepped[0] == loss
    np.testing.assert_array_equal(stepped[1], h)
    for before, after, gradient, remembered in zip(layout.tensors(flat), p, d, sum_, strict=True):
        np.testing.assert_allclose(remembered, gradient**2)
        np.testing.assert_allclose(after, before - 0.1 * gradient / np.sqrt(gradient**2 + 1e-8))


def test_log_probabilities_are_the_training_loss_term_by_term(chunk):
    layout, flat, x, targets, h0 = chunk
    p = layout.tensors(flat)
    ids = np.append(x[:, 0], targets[-1, 0])
    log_p, h = reference.log_probabilities(p, ids, h0[0])
    loss, _, _ = reference.loss_and_gradients(p, x[:, [0]], targets[:, [0]], h0[[0]])
    assert -log_p[1:].sum() == pytest.approx(loss)
    np.testing.assert_allclose(h, reference.forward(p, ids[:, None], h0[[0]])[0][-1, 0])


def test_probabilities_of_all_symbols_sum_to_one(chunk):
    layout, flat, _, _, h0 = chunk
    p = layout.tensors(flat)
    total = sum(np.exp(reference.log_probabilities(p, np.array([v]), h0[0])[0][0]) for v in range(V))
    assert total == pytest.approx(1)


@pytest.mark.parametrize(
    ("u", "symbol"), [(0.0, 1), (0.2499, 1), (0.2501, 3), (0.7499, 3), (0.7501, 4), (np.nextafter(1, 0), 4)]
)
def test_draw_inverts_the_cumulative_distribution(u, symbol):
    y = np.array([-np.inf, 0.0, -np.inf, np.log(2), 0.0])  # P = 0, 1/4, 0, 1/2, 1/4
    assert reference.draw(y, u, 1.0) == symbol


def test_temperature_divides_the_logits_and_zero_takes_the_first_largest():
    y = np.array([0.0, np.log(3), np.log(3)])
    assert reference.draw(y, 0.999, 0) == 1
    assert reference.draw(y, 1 / 19 - 0.001, 0.5) == 0  # P = 1, 9, 9 of 19
    assert reference.draw(y, 1 / 19 + 0.001, 0.5) == 1


def test_sample_feeds_each_symbol_back(chunk):
    layout, flat, _, _, h0 = chunk
    p = layout.tensors(flat)
    uniforms = np.random.default_rng(0).random(11)
    out, h = reference.sample(p, h0[0], uniforms, 0.7)
    states, _ = reference.forward(p, out[:, None], h0[[0]])
    np.testing.assert_allclose(h, states[-1, 0])
    for i, u in enumerate(uniforms):
        assert out[i] == reference.draw(states[i, 0] @ p.Wy + p.by, u, 0.7)
    assert len(set(out)) > 1


def test_gradients_come_in_the_parameters_shapes(chunk):
    layout, flat, x, targets, h0 = chunk
    _, d, _ = reference.loss_and_gradients(layout.tensors(flat), x, targets, h0)
    assert isinstance(d, Tensors)
    assert tuple(a.shape for a in d) == layout.shapes
