"""Dynamic evaluation in NumPy (Krause et al. 2018): each block of a text is scored and then learned."""

from __future__ import annotations

import numpy as np

from ..arrays import Array
from ..model.layout import Tensors
from .network import backward, forward, log_softmax, softmax_loss, state_after, zero_state

EPSILON = 0.01  # of the mean of all root mean squares
LIMIT = 5.0  # of a step, in standard deviations of the training gradient


def adaptation_step(
    p: Tensors, d: Tensors, trained: Tensors, rms: Tensors, learning_rate: float, decay: float, count: int
) -> None:
    """Take one step on a block, in place on `p`.

    `d` is the gradient of the sum of `count` losses of the block; `rms` are the root mean squares of the training
    gradients, in any unit: they are rescaled so that the norm for `by` is 1. The rates are per symbol.
    """
    mean, unit = float(np.concatenate([part.ravel() for part in rms]).mean()), np.linalg.norm(rms.by)
    for w, dw, before, scale in zip(p, d, trained, rms, strict=True):
        back = np.minimum(count * decay * scale / mean, 1) * (before - w)
        limit = LIMIT * np.sqrt(count)
        w += back - learning_rate * np.clip(unit * dw / (scale + EPSILON * mean), -limit, limit)


def adaptive_surprisal(
    p: Tensors,
    cell: str,
    ids: Array,
    trained: Tensors,
    rms: Tensors,
    learning_rate: float,
    decay: float,
    block_length: int,
    boundary: int | None = None,
) -> Array:
    """Return -log P of each symbol of a text, while `p` adapts to the text in place.

    `p` initially equals `trained`. The zero state predicts the first symbol. A block predicts `block_length` symbols;
    the last may be shorter.
    """
    state = zero_state(p, cell, 1)
    nats = [-log_softmax(p.by)[ids[:1]]]
    for first in range(0, len(ids) - 1, block_length):
        block = ids[first : first + block_length + 1, None]
        layers, y = forward(p, cell, block[:-1], state, boundary=boundary)
        nats.append(-np.take_along_axis(log_softmax(y), block[1:, :, None], axis=-1).ravel())
        d = backward(p, cell, layers, softmax_loss(y, block[1:])[1])
        state = state_after(layers)
        adaptation_step(p, d, trained, rms, learning_rate, decay, len(block) - 1)
    return np.concatenate(nats)
