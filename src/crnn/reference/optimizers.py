"""NumPy twins of the optimisers: clipping, and PyTorch's formulas under its names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ADAGRAD_EPSILON = 1e-8  # inside the square root, as in min-char-rnn
RMSPROP_DECAY, RMSPROP_EPSILON = 0.99, 1e-8  # PyTorch's
ADAM_DECAY, ADAM_SQUARE_DECAY, ADAM_EPSILON = 0.9, 0.999, 1e-8  # Kingma and Ba's


def clipped(d: Iterable[Array], clip: float, clip_norm: float) -> tuple[list[Array], float]:
    """Return the gradients clipped, by their common norm and then element by element, and that norm before it.

    Examples
    --------
    >>> (g,), norm = clipped([np.array([30.0, -40.0])], clip=3.5, clip_norm=5.0)
    >>> g.round(3).tolist(), norm  # 3, -4 by the norm, and then -4 by its value
    ([3.0, -3.5], 50.0)
    """
    d = list(d)
    norm = math.sqrt(sum(float(np.square(g, dtype=np.float64).sum()) for g in d))
    # The small number is PyTorch's, in clip_grad_norm_; without a limit there is nothing to divide.
    factor = min(1.0, clip_norm / (norm + 1e-6)) if clip_norm < math.inf else 1.0
    return [np.clip(g * factor, -clip, clip) for g in d], norm


def adagrad(p: Iterable[Array], d: Iterable[Array], sum_: Iterable[Array], learning_rate: float) -> None:
    """Take one Adagrad step, in place on `p` and `sum_`."""
    for param, grad, memory in zip(p, d, sum_, strict=True):
        memory += grad * grad
        param -= learning_rate * grad / np.sqrt(memory + ADAGRAD_EPSILON)


def rmsprop(p: Iterable[Array], d: Iterable[Array], square_avg: Iterable[Array], learning_rate: float) -> None:
    """Take one step of PyTorch's RMSprop, in place on `p` and `square_avg`."""
    for param, grad, memory in zip(p, d, square_avg, strict=True):
        memory *= RMSPROP_DECAY
        memory += (1 - RMSPROP_DECAY) * grad * grad
        param -= learning_rate * grad / (np.sqrt(memory) + RMSPROP_EPSILON)


def adam(
    p: Iterable[Array],
    d: Iterable[Array],
    exp_avg: Iterable[Array],
    exp_avg_sq: Iterable[Array],
    learning_rate: float,
    weight_decay: float,
    step: int,
) -> None:
    """Take one step of Adam with decoupled weight decay (PyTorch's AdamW), in place; `step` counts from 1."""
    mean_so_far, square_so_far = 1 - ADAM_DECAY**step, 1 - ADAM_SQUARE_DECAY**step  # the weights add up to these
    for param, grad, mean, square in zip(p, d, exp_avg, exp_avg_sq, strict=True):
        mean *= ADAM_DECAY
        mean += (1 - ADAM_DECAY) * grad
        square *= ADAM_SQUARE_DECAY
        square += (1 - ADAM_SQUARE_DECAY) * grad * grad
        param *= 1 - learning_rate * weight_decay
        param -= learning_rate / mean_so_far * mean / (np.sqrt(square) / math.sqrt(square_so_far) + ADAM_EPSILON)


def update(
    optimizer: str,
    p: Iterable[Array],
    d: Iterable[Array],
    memory: Sequence[Iterable[Array]],
    learning_rate: float,
    clip: float = math.inf,
    clip_norm: float = math.inf,
    weight_decay: float = 0.0,
    step: int = 1,
) -> float:
    """Clip the gradients and take one step of an optimiser, in place on `p` and `memory`.

    Parameters
    ----------
    optimizer : {"adagrad", "rmsprop", "adam"}
    p, d : Tensors
        Parameters and their gradients, which stay as they are.
    memory : sequence of Tensors
        What the optimiser remembers: ``[sum]``, ``[square_avg]`` or ``[exp_avg, exp_avg_sq]``.
    learning_rate, clip, clip_norm : float
        Clipping is by the norm of all gradients, then element by element.
    weight_decay : float
        Of all parameters; for the others than Adam it must be 0.
    step : int
        Adam's count of its steps, this one included.

    Returns
    -------
    float
        The norm of all gradients before they were clipped.

    Examples
    --------
    >>> p, m, v = np.ones(2), np.zeros(2), np.zeros(2)
    >>> update("adam", [p], [np.array([3.0, -4.0])], [[m], [v]], 0.1)
    5.0
    >>> p.round(6).tolist()  # Adam's first step is as long as the learning rate
    [0.9, 1.1]
    """
    d, norm = clipped(d, clip, clip_norm)
    if optimizer == "adam":
        adam(p, d, memory[0], memory[1], learning_rate, weight_decay, step)
    else:
        assert weight_decay == 0
        {"adagrad": adagrad, "rmsprop": rmsprop}[optimizer](p, d, memory[0], learning_rate)
    return norm
