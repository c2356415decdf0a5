"""The gradient of a text's loss with respect to the parameters and to the states after each symbol."""

from __future__ import annotations

import numpy as np

from ..arrays import Array
from ..model.layout import Tensors
from ..parameters.kinds import CELLS
from .network import State, backward, forward, log_softmax, zero_state


def text_gradient(
    p: Tensors, cell: str, ids: Array, at: int | None = None, boundary: int | None = None
) -> tuple[float, Tensors, State]:
    """Return the loss in nats of a text, or of the symbol at `at` alone, and its gradients.

    They are of the parameters, and of the states (L, n, H) after each symbol.
    """
    n, H, n_states = len(ids), len(p.Wy), len(CELLS[cell].states)
    first = [] if boundary is None else [boundary]
    x = np.array([*first, *ids], np.intp)[:, None]
    layers, y = forward(p, cell, x, zero_state(p, cell, 1), boundary=boundary)
    # Row i predicts ids[i]. Without a boundary, the logits of the zero state come first.
    y = np.concatenate([y if first else p.by + np.zeros_like(y[:1]), *([] if first else [y])])[:n]
    log_p = log_softmax(y)[np.arange(n), 0]
    counted = np.ones(n) if at is None else (np.arange(n) == at).astype(float)
    loss = -float(log_p[np.arange(n), ids] @ counted)
    dy = np.exp(log_p)
    dy[np.arange(n), ids] -= 1
    dy *= counted[:, None].astype(dy.dtype)

    # The gradients of the logits after each x; the last ones predict nothing.
    rows = np.zeros((len(x), 1, dy.shape[1]), dy.dtype)
    rows[: n - 1 + len(first), 0] = dy[1 - len(first) :]
    dstates = [tuple(np.empty((len(x), 1, H), dy.dtype) for _ in range(n_states)) for _ in p.layers]
    gradients = backward(p, cell, layers, rows, dstates=dstates)
    if not first:  # the logits of the zero state are just the bias
        gradients.by[...] += dy[0]
    states = tuple(np.stack([of_layer[i][len(first) :, 0] for of_layer in dstates]) for i in range(n_states))
    return loss, gradients, states
