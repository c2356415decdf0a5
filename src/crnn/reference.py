"""NumPy twins of the kernels: the same names, shapes and results, written to be read.

They are the oracle of the tests and the companion of ``docs/mathematics.md``; the library never falls back on
them. Letters: T time steps, B streams, H hidden units, V symbols; matrices are (input, output), so ``y = x @ W``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .parameters import Tensors

Array = NDArray[Any]

ADAGRAD_EPSILON = 1e-8  # inside the square root, as in min-char-rnn


def forward(p: Tensors, x: Array, h0: Array) -> tuple[Array, Array]:
    """Run the network over a chunk.

    Parameters
    ----------
    p : Tensors
        Parameters.
    x : (T, B) int array
        Symbols.
    h0 : (B, H) array
        Hidden state before the chunk.

    Returns
    -------
    h : (T + 1, B, H) array
        Hidden states; ``h[0]`` is `h0`.
    y : (T, B, V) array
        Logits.
    """
    h = np.empty((len(x) + 1, *h0.shape), h0.dtype)
    h[0] = h0
    for t in range(len(x)):
        h[t + 1] = np.tanh(p.Wx[x[t]] + h[t] @ p.Wh + p.bh)
    return h, h[1:] @ p.Wy + p.by


def softmax_loss(y: Array, targets: Array) -> tuple[float, Array]:
    """Return the loss (sum over t, mean over b, in nats) and its gradient dy, (T, B, V)."""
    T, B, _ = y.shape
    y = y - y.max(axis=2, keepdims=True)
    log_p = y - np.log(np.exp(y).sum(axis=2, keepdims=True))
    t, b = np.ogrid[:T, :B]
    dy = np.exp(log_p)
    dy[t, b, targets] -= 1
    return float(-log_p[t, b, targets].sum() / B), dy / B


def backward(p: Tensors, x: Array, h: Array, dy: Array) -> Tensors:
    """Back-propagate dy through the chunk: the gradients, in the shapes of the parameters."""
    dz = dy @ p.Wy.T  # becomes dz step by step, from the last to the first
    for t in reversed(range(len(x))):
        if t + 1 < len(x):
            dz[t] += dz[t + 1] @ p.Wh.T
        dz[t] *= 1 - h[t + 1] ** 2
    dWx = np.zeros_like(p.Wx)
    np.add.at(dWx, x, dz)
    return Tensors(
        Wx=dWx,
        Wh=np.einsum("tbi,tbj->ij", h[:-1], dz),
        bh=dz.sum(axis=(0, 1)),
        Wy=np.einsum("tbi,tbj->ij", h[1:], dy),
        by=dy.sum(axis=(0, 1)),
    )


def loss_and_gradients(p: Tensors, x: Array, targets: Array, h0: Array) -> tuple[float, Tensors, Array]:
    """Return the chunk's loss, its gradients (not clipped) and the hidden state after it, (B, H)."""
    h, y = forward(p, x, h0)
    loss, dy = softmax_loss(y, targets)
    return loss, backward(p, x, h, dy), h[-1]


def adagrad(p: Sequence[Array], d: Sequence[Array], sum_: Sequence[Array], learning_rate: float, clip: float) -> None:
    """Clip each element of the gradients to [-clip, clip] and take one Adagrad step, in place."""
    for param, grad, memory in zip(p, d, sum_, strict=True):
        grad = np.clip(grad, -clip, clip)
        memory += grad * grad
        param -= learning_rate * grad / np.sqrt(memory + ADAGRAD_EPSILON)


def train_step(
    p: Tensors, sum_: Tensors, x: Array, targets: Array, h0: Array, learning_rate: float, clip: float
) -> tuple[float, Array]:
    """One step of training in place on `p` and `sum_`; returns the loss before it and the state after it."""
    loss, d, h = loss_and_gradients(p, x, targets, h0)
    adagrad(p, d, sum_, learning_rate, clip)
    return loss, h


def log_probabilities(p: Tensors, ids: Array, h0: Array) -> tuple[Array, Array]:
    """Return log P of each symbol given the state and the symbols before it, (N,), and the last state, (H,).

    The first symbol is predicted from `h0` alone.
    """
    h, _ = forward(p, ids[:, None], h0[None])
    y = h[:-1, 0] @ p.Wy + p.by
    y = y - y.max(axis=1, keepdims=True)
    log_p = y - np.log(np.exp(y).sum(axis=1, keepdims=True))
    return log_p[np.arange(len(ids)), ids], h[-1, 0]


def draw(y: Array, u: float, temperature: float) -> int:
    """Return the symbol that the uniform `u` in [0, 1) picks from softmax(y / temperature): inverse CDF."""
    if temperature == 0:
        return int(y.argmax())
    cumulative = np.cumsum(np.exp((y - y.max()) / temperature))
    return int(min(np.searchsorted(cumulative, u * cumulative[-1], side="right"), len(y) - 1))


def sample(p: Tensors, h: Array, uniforms: Array, temperature: float) -> tuple[Array, Array]:
    """Draw one symbol for each uniform, each fed back in; returns the symbols and the last state, (H,)."""
    out = np.empty(len(uniforms), np.intp)
    for i, u in enumerate(uniforms):
        out[i] = draw(h @ p.Wy + p.by, u, temperature)
        h = np.tanh(p.Wx[out[i]] + h @ p.Wh + p.bh)
    return out, h
