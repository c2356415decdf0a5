"""The gradient of a text's loss, against central differences of a forward pass with movable states."""

import numpy as np
import pytest
from examples import network
from reference_checks import central_differences

from crnn.reference.network import log_softmax, sigmoid, text_gradient

V, H, L = 5, 3, 2
IDS = np.array([0, 3, 2, 1, 3])


def loss_with_moves(p, cell, ids, at, boundary, moves):
    """Return the loss; `moves`, (L, n, H) for h and c each, are added to the states as soon as they are computed."""
    h, c = np.zeros((L, H)), np.zeros((L, H))
    still = np.zeros((len(moves), L, H))
    if boundary is not None:
        h, c = read(p, cell, boundary, h, c, still)
    loss = 0.0
    for t, symbol in enumerate(ids):
        if at in (None, t):
            loss -= log_softmax(h[-1] @ p.Wy + p.by)[symbol]
        h, c = read(p, cell, symbol, h, c, np.array([move[:, t] for move in moves]))
    return loss


def read(p, cell, symbol, h, c, moves):
    """Return the states h and c (L, H) after one symbol more."""
    h, c = h.copy(), c.copy()
    below = None
    for k, layer in enumerate(p.layers):
        a = (layer.Wx[symbol] if k == 0 else below @ layer.Wx) + layer.bh
        q = h[k] @ layer.Wh
        if cell == "rnn":
            h[k] = np.tanh(a + q)
        elif cell == "gru":
            r, z = sigmoid(a[:H] + q[:H]), sigmoid(a[H : 2 * H] + q[H : 2 * H])
            n = np.tanh(a[2 * H :] + r * (q[2 * H :] + layer.bn))
            h[k] = (1 - z) * n + z * h[k]
        else:
            i, f, g, o = np.split(a + q, 4)
            c[k] = sigmoid(f) * c[k] + sigmoid(i) * np.tanh(g) + moves[1][k]
            h[k] = sigmoid(o) * np.tanh(c[k])
        h[k] += moves[0][k]
        below = h[k]
    return h, c


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize(("boundary", "at"), [(None, None), (4, 0), (None, 3)])
def test_gradients_match_central_differences(cell, boundary, at):
    layout, flat = network(V, H, cell=cell, num_layers=L)
    p = layout.tensors(flat)
    moves = tuple(np.zeros((L, len(IDS), H)) for _ in layout.kind.states)

    def loss():
        return loss_with_moves(p, cell, IDS, at, boundary, moves)

    found, gradients, states = text_gradient(p, cell, IDS, at, boundary)
    assert found == pytest.approx(loss(), rel=1e-12)
    for gradient, array in zip(gradients, p, strict=True):
        np.testing.assert_allclose(gradient, central_differences(loss, array), rtol=1e-7, atol=1e-9)
    for gradient, move in zip(states, moves, strict=True):
        np.testing.assert_allclose(gradient, central_differences(loss, move), rtol=1e-7, atol=1e-9)
